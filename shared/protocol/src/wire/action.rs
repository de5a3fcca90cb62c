//! Replies to Gen-1 apps: the envelope `{"returnValue","returnMsg","returnData"}` and the codes.

use serde::Serialize;

use super::{Dialect, message::message};
use crate::{error::Error, json::to_text};

/// The code of a successful command.
pub(super) const SUCCESS: u16 = 0;

/// Key order and names as the original wrote them: `common/GlobalFunctions.php`.
#[derive(Serialize)]
#[expect(non_snake_case, reason = "the wire's own spelling")]
struct Envelope<'a, T> {
    returnValue: u16,
    returnMsg: &'a str,
    returnData: T,
}

pub(super) fn accept(data: &impl Serialize) -> String {
    to_text(&Envelope { returnValue: SUCCESS, returnMsg: "return successfully!", returnData: data })
}

pub(super) fn refuse(error: &Error) -> String {
    let (code, text) = code(error);
    let message = message(Dialect::Action, text, error);
    // The empty data is `[]`: PHP's empty array.
    to_text(&Envelope { returnValue: code, returnMsg: &message, returnData: [(); 0] })
}

/// The code and text of each error. There is no `_` arm, so a new error does not compile without a code.
pub(super) fn code(error: &Error) -> (u16, &'static str) {
    match error {
        // The health check in the original's deployment document expects exactly this text.
        Error::MalformedRequest | Error::Body(_) => (4001, "json format error"),
        Error::UnknownCommand(_) | Error::InvalidParam { .. } | Error::MisplacedNotice(_) => {
            (1000, "invalid param in json from client!")
        }
        Error::NotFound(_) | Error::Table(_) => (2003, "db operator error"),
        Error::Cloud(_) => (3000, "live cloud error"),
        Error::IdentityProvider(_) => (3000, "identity provider error"),
        Error::InvalidArgument(_) | Error::StaleNotice => (4002, "request para error"),
        Error::TooMany => (4003, "frequency control"),
        // The original had none of these errors. It defined the codes 10000 and 10001 without using them.
        Error::BadSignature(_) | Error::WrongPassword | Error::BadIdToken(_) | Error::UserExists => {
            (10000, "not allowed")
        }
        Error::NotOperator | Error::NotAllowed(_) | Error::SwitchedOff(_) => (10000, "not allowed"),
        Error::Banned => (10001, "banned from going live"),
    }
}
