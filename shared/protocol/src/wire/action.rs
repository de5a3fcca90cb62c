//! Replies to Gen-1 apps: the envelope `{"returnValue","returnMsg","returnData"}` and the codes.

use serde::Serialize;

use crate::{
    error::{Error, MAX_NAME_CHARS},
    json::to_text,
};

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
    let message = match detail(error) {
        Some(detail) => format!("{text} | {detail}"),
        None => text.to_owned(),
    };
    // The empty data is `[]`: PHP's empty array.
    to_text(&Envelope::<[u8; 0]> { returnValue: code, returnMsg: &message, returnData: [] })
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

/// The detail of an error that is sent to the caller, after the text of the code.
fn detail(error: &Error) -> Option<String> {
    match error {
        Error::UnknownCommand(name) if !name.is_empty() => Some(format!("invalid interface name:{}", sanitized(name))),
        Error::InvalidParam { name, reason } => Some(format!("{name} {reason}")),
        Error::InvalidArgument(what) | Error::NotAllowed(what) | Error::SwitchedOff(what) => Some((*what).to_owned()),
        Error::NotFound(what) => Some(format!("no such {what}")),
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
        | Error::Banned
        | Error::StaleNotice
        | Error::Cloud(_)
        | Error::Table(_) => None,
    }
}

/// A name from a request, without characters of HTML markup and control characters, and shortened.
pub(super) fn sanitized(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '<' | '>' | '"' | '&') && !c.is_control()).take(MAX_NAME_CHARS).collect()
}
