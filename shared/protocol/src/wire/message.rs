//! The messages of refused calls of apps.

use super::Dialect;
use crate::error::{Error, MAX_NAME_CHARS};

/// The message of an error: the text of its code in the dialect, and the detail that the app may know.
pub(super) fn message(dialect: Dialect, text: &str, error: &Error) -> String {
    let [command, kind] = match dialect {
        Dialect::Action => ["invalid interface name:", "no such "],
        Dialect::Rest | Dialect::Callback => ["", ""],
    };
    let detail = match error {
        Error::UnknownCommand(name) if !name.is_empty() => format!("{command}{}", sanitized(name)),
        Error::NotFound(what) => format!("{kind}{what}"),
        Error::InvalidParam { name, reason } => format!("{name} {reason}"),
        Error::InvalidArgument(what) | Error::NotAllowed(what) | Error::SwitchedOff(what) => (*what).to_owned(),
        Error::Body(fault) => fault.to_string(),
        // In Gen 1 the text of the code says so.
        Error::Banned if dialect == Dialect::Rest => "banned from going live".to_owned(),
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
        | Error::Table(_) => return text.to_owned(),
    };
    format!("{text} | {detail}")
}

/// A name from a request, without characters of HTML markup and control characters, and shortened.
fn sanitized(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '<' | '>' | '"' | '&') && !c.is_control()).take(MAX_NAME_CHARS).collect()
}
