//! Replies to Gen-2 apps: the envelope `{"code","message","data"}` and the codes.

use serde::Serialize;

use super::action::sanitized;
use crate::{error::Error, json::to_text};

/// The code of a successful command.
pub(super) const SUCCESS: u16 = 200;

/// Key order and names as the original wrote them: `interface/AbstractInterface.php`.
#[derive(Serialize)]
struct Envelope<'a, T> {
    code: u16,
    message: &'a str,
    data: T,
}

/// `{}`: the data of a reply to a command that failed.
#[derive(Serialize)]
struct EmptyObject {}

pub(super) fn accept(data: &impl Serialize) -> String {
    to_text(&Envelope { code: SUCCESS, message: "OK", data })
}

pub(super) fn refuse(error: &Error) -> String {
    let (code, text) = code(error);
    let message = match detail(error) {
        Some(detail) => format!("{text} | {detail}"),
        None => text.to_owned(),
    };
    // As the original: the data is `[]` for an error before the command runs, and `{}` for an error of the command.
    if code == 400 || code == 498 {
        to_text(&Envelope::<[u8; 0]> { code, message: &message, data: [] })
    } else {
        to_text(&Envelope { code, message: &message, data: EmptyObject {} })
    }
}

/// The code and text of each error. There is no `_` arm, so a new error does not compile without a code.
pub(super) fn code(error: &Error) -> (u16, &'static str) {
    match error {
        Error::MalformedRequest | Error::Body(_) | Error::UnknownCommand(_) => (400, "Bad Request"),
        Error::MisplacedNotice(_) => (400, "Bad Request"),
        Error::NotOperator | Error::Banned | Error::NotAllowed(_) | Error::SwitchedOff(_) => (403, "Forbidden"),
        Error::BadSignature(_) => (498, "Invalid Token"),
        Error::Table(_) => (500, "Internal Server Error(db operate error)"),
        Error::Cloud(_) => (502, "Live Cloud Error"),
        Error::IdentityProvider(_) => (502, "Identity Provider Error"),
        Error::InvalidParam { .. } | Error::InvalidArgument(_) | Error::StaleNotice => (602, "Invalid Param"),
        Error::UserExists => (612, "user exist"),
        Error::NotFound(_) => (620, "not exist"),
        Error::WrongPassword | Error::BadIdToken(_) => (621, "password error"),
        Error::TooMany => (4003, "frequency control"),
    }
}

/// The detail of an error that is sent to the caller, after the text of the code.
fn detail(error: &Error) -> Option<String> {
    match error {
        Error::UnknownCommand(name) if !name.is_empty() => Some(sanitized(name)),
        Error::InvalidParam { name, reason } => Some(format!("{name} {reason}")),
        Error::InvalidArgument(what) | Error::NotFound(what) | Error::NotAllowed(what) | Error::SwitchedOff(what) => {
            Some((*what).to_owned())
        }
        Error::Banned => Some("banned from going live".to_owned()),
        Error::Body(fault) => Some(fault.to_string()),
        Error::UnknownCommand(_)
        | Error::MalformedRequest
        | Error::MisplacedNotice(_)
        | Error::BadSignature(_)
        | Error::WrongPassword
        | Error::BadIdToken(_)
        | Error::IdentityProvider(_)
        | Error::UserExists
        | Error::TooMany
        | Error::NotOperator
        | Error::StaleNotice
        | Error::Cloud(_)
        | Error::Table(_) => None,
    }
}
