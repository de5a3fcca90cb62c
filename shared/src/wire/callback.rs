//! The envelope and the codes of the live cloud's notices: `{"code"}`.
//!
//! The cloud looks at the HTTP status: whatever is not 200 it sends again, for 12 minutes. So a notice that could not
//! be stored, or that is signed with a key we do not know, must not get 200.

use serde::Serialize;

use super::{Reply, json};
use crate::error::Error;

#[derive(Serialize)]
struct Envelope {
    code: u16,
}

pub(super) fn accept() -> String {
    json(&Envelope { code: 0 })
}

pub(super) fn refuse(error: &Error) -> Reply {
    let (status, code) = code(error);
    Reply { status, body: json(&Envelope { code }) }
}

/// The HTTP status and the code of each error. No `_` arm: a new error is named here.
fn code(error: &Error) -> (u16, u16) {
    match error {
        // Sending these again would not help, so they get the status that ends the matter, as the original.
        Error::MalformedRequest => (200, 4001),
        Error::InvalidParam { .. } | Error::Meaningless(_) | Error::UnknownCommand(_) => (200, 4002),
        Error::SwitchedOff(_) => (200, 4002),
        // A key that is set wrong must show as failing callbacks, and heal when it is set right.
        Error::BadSignature | Error::NotOperator => (403, 4003),
        Error::StaleNotice => (403, 4004),
        Error::Banned | Error::NotFound(_) | Error::WrongPassword | Error::UserExists | Error::TooMany => (200, 0),
        Error::Cloud(_) | Error::Table(_) => (500, 2003),
    }
}
