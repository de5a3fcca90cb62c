//! The envelope and the codes of the live cloud's notices: `{"code"}`.
//!
//! The cloud looks at the HTTP status: whatever is not 200 it sends again, for 12 minutes. So 200 is only for what is
//! kept, and for what is proved to be no notice of ours: all of it is there, and no notice looks so.

use serde::Serialize;

use super::{Reply, json};
use crate::error::{BodyFault, Error};

/// The code of what was done.
pub(super) const SUCCESS: u16 = 0;

#[derive(Serialize)]
struct Envelope {
    code: u16,
}

pub(super) fn accept() -> String {
    json(&Envelope { code: SUCCESS })
}

pub(super) fn refuse(error: &Error) -> Reply {
    let (status, code) = code(error);
    Reply { status, body: json(&Envelope { code }) }
}

/// The HTTP status and the code of each error. No `_` arm: a new error is named here.
pub(super) fn code(error: &Error) -> (u16, u16) {
    match error {
        // Sending these again would not help, so they get the status that ends the matter, as the original.
        Error::MalformedRequest => (200, 4001),
        Error::InvalidParam { .. } | Error::InvalidArgument(_) | Error::UnknownCommand(_) => (200, 4002),
        // Nobody knows what the whole of it would have said.
        Error::Body(BodyFault::TooSlow) => (408, 4001),
        Error::Body(BodyFault::TooLong) => (413, 4001),
        Error::Body(BodyFault::Truncated | BodyFault::BrokenJson) => (400, 4001),
        // A key or an address that is set wrong must show as failing callbacks, and heal when it is set right.
        Error::BadSignature(_) | Error::NotOperator | Error::MisplacedNotice(_) => (403, 4003),
        Error::StaleNotice => (403, 4004),
        // The notice is kept, and nothing follows from it.
        Error::Banned | Error::NotFound(_) => (200, 0),
        // No notice comes to these. One that did would not be kept.
        Error::WrongPassword | Error::BadIdToken(_) | Error::UserExists | Error::TooMany => (500, 2003),
        Error::NotAllowed(_) | Error::SwitchedOff(_) => (500, 2003),
        Error::Cloud(_) | Error::IdentityProvider(_) | Error::Table(_) => (500, 2003),
    }
}
