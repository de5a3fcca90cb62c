//! Replies to Gen-2 apps: the envelope `{"code","message","data"}` and the codes.

use serde::Serialize;
use serde_json::json;

use super::{Dialect, message::message};
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

pub(super) fn accept(data: &impl Serialize) -> String {
    to_text(&Envelope { code: SUCCESS, message: "OK", data })
}

pub(super) fn refuse(error: &Error) -> String {
    let (code, text) = code(error);
    let message = message(Dialect::Rest, text, error);
    // As the original: the data is `[]` for an error before the command runs, and `{}` for an error of the command.
    let data = if code == 400 || code == 498 { json!([]) } else { json!({}) };
    to_text(&Envelope { code, message: &message, data })
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
