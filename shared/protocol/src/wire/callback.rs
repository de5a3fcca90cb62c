//! Replies to callbacks of the live cloud: the envelope `{"code"}`, the codes and the HTTP statuses.
//!
//! The cloud sends a notice again, for 12 minutes, if the HTTP status is not 200. So 200 is the status only for a
//! notice that is recorded, and for a complete request that cannot be a notice.

use super::Reply;
use crate::error::{BodyFault, Error};

/// The code of a notice that is recorded.
pub(super) const SUCCESS: u16 = 0;

pub(super) fn accept() -> String {
    envelope(SUCCESS)
}

pub(super) fn refuse(error: &Error) -> Reply {
    let (status, code) = code(error);
    Reply { status, body: envelope(code) }
}

fn envelope(code: u16) -> String {
    format!(r#"{{"code":{code}}}"#)
}

/// The HTTP status and the code of each error. There is no `_` arm, so a new error does not compile without a code.
pub(super) fn code(error: &Error) -> (u16, u16) {
    match error {
        // A repetition would fail as well, so the status is 200, as in the original.
        Error::MalformedRequest => (200, 4001),
        Error::InvalidParam { .. } | Error::InvalidArgument(_) | Error::UnknownCommand(_) => (200, 4002),
        // The complete body may be a notice, so the cloud is to send it again.
        Error::Body(BodyFault::TooSlow) => (408, 4001),
        Error::Body(BodyFault::TooLong) => (413, 4001),
        Error::Body(BodyFault::Truncated | BodyFault::BrokenJson) => (400, 4001),
        // With a wrong callback key or URL in the settings, the cloud reports failing callbacks, and sends the notices
        // again once the setting is corrected.
        Error::BadSignature(_) | Error::NotOperator | Error::MisplacedNotice(_) => (403, 4003),
        Error::StaleNotice => (403, 4004),
        // The notice is recorded and has no effect.
        Error::Banned | Error::NotFound(_) => (200, 0),
        // Callbacks do not cause these errors. If one did, its notice would not be recorded.
        Error::WrongPassword | Error::BadIdToken(_) | Error::UserExists | Error::TooMany => (500, 2003),
        Error::NotAllowed(_) | Error::SwitchedOff(_) => (500, 2003),
        Error::Cloud(_) | Error::IdentityProvider(_) | Error::Table(_) => (500, 2003),
    }
}
