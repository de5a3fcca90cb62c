//! Why a command could not do what it was asked, in no dialect.

use std::{borrow::Cow, fmt, sync::Arc};

use crate::{cloud, oidc, password::Busy, table};

/// How much of a name that a caller made up is shown: in the log, and in the answer.
pub(crate) const NAME_CHARS: usize = 64;

/// Why a body is not, or not wholly, there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// It is longer than [`crate::wire::MAX_BODY_BYTES`].
    TooLong,
    /// It did not come in the time that it had.
    TooSlow,
    /// It ended before the length that was declared.
    BrokenOff,
    /// It begins as a JSON object and is none: somebody on the way may have cut or changed it.
    Damaged,
}

impl BodyFault {
    /// What is wrong, for the caller and for the log.
    pub fn text(self) -> &'static str {
        match self {
            Self::TooLong => "the body is longer than 1 MiB",
            Self::TooSlow => "the body came too slowly",
            Self::BrokenOff => "the body is shorter than its declared length",
            Self::Damaged => "the body begins as a JSON object and is not one",
        }
    }
}

/// The reason of a refusal or a failure. Each dialect in [`crate::wire`] says what it calls each of them.
#[derive(Debug)]
pub enum Error {
    /// The body is not a JSON document that could hold a call.
    MalformedRequest,
    /// The body is not, or not wholly, there.
    Body(BodyFault),
    /// A notice of the cloud came to an address that takes none; its path, for the log.
    MisplacedNotice(String),
    /// No command of this name; the name as it was asked for, empty if none was.
    UnknownCommand(String),
    /// A parameter is missing or breaks the rule of its type.
    InvalidParam {
        /// The parameter, as the wire spells it.
        name: &'static str,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// Every parameter is well formed, but they ask for something that makes no sense; what is wrong.
    Meaningless(&'static str),
    /// The caller did not prove who they are; why, for the log.
    BadSignature(Cow<'static, str>),
    /// The password is wrong.
    WrongPassword,
    /// The ID token is not good; why, for the log.
    BadIdToken(&'static str),
    /// There is an account of this name already.
    UserExists,
    /// Too many attempts of late.
    TooMany,
    /// Only operators may do this.
    NotOperator,
    /// The user is banned from going live.
    Banned,
    /// The caller has no part in what the call is about; what they would have to do.
    NotAllowed(&'static str),
    /// The settings of this site do not allow it; what they say.
    SwitchedOff(&'static str),
    /// There is no such thing; what was looked for.
    NotFound(&'static str),
    /// A notice of the cloud that is too old, or from the future.
    StaleNotice,
    /// The live cloud could not be asked, or refused.
    Cloud(cloud::Error),
    /// The identity provider could not be asked.
    IdentityProvider(Arc<oidc::Failure>),
    /// The table could not be asked.
    Table(table::Error),
}

impl Error {
    /// Whether the fault is ours: logged as an error, with its causes.
    pub fn is_internal(&self) -> bool {
        matches!(self, Self::Cloud(_) | Self::IdentityProvider(_) | Self::Table(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MalformedRequest => f.write_str("the body is not a JSON document that could hold a call"),
            Self::Body(fault) => f.write_str(fault.text()),
            Self::MisplacedNotice(path) => {
                let path = path.chars().take(NAME_CHARS).collect::<String>();
                write!(f, "a notice of the cloud came to {path:?}, which takes none: is the callback URL right?")
            }
            Self::UnknownCommand(name) => {
                write!(f, "no command {:?}", name.chars().take(NAME_CHARS).collect::<String>())
            }
            Self::InvalidParam { name, reason } => write!(f, "{name} {reason}"),
            Self::Meaningless(what) => f.write_str(what),
            Self::BadSignature(why) => write!(f, "the signature is not good: {why}"),
            Self::WrongPassword => f.write_str("the password is wrong"),
            Self::BadIdToken(why) => write!(f, "the ID token is not good: {why}"),
            Self::UserExists => f.write_str("there is an account of this name"),
            Self::TooMany => f.write_str("too many attempts"),
            Self::NotOperator => f.write_str("the operator key is missing or wrong"),
            Self::Banned => f.write_str("the user is banned from going live"),
            Self::NotAllowed(what) => f.write_str(what),
            Self::SwitchedOff(why) => write!(f, "switched off: {why}"),
            Self::NotFound(what) => write!(f, "no such {what}"),
            Self::StaleNotice => f.write_str("the notice expired too long ago, or expires too far ahead"),
            Self::Cloud(_) => f.write_str("the live cloud could not be asked"),
            Self::IdentityProvider(_) => f.write_str("the identity provider could not be asked"),
            Self::Table(_) => f.write_str("the table could not be asked"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Cloud(error) => Some(error),
            Self::IdentityProvider(failure) => Some(failure.as_ref()),
            Self::Table(error) => Some(error),
            Self::MalformedRequest
            | Self::Body(_)
            | Self::MisplacedNotice(_)
            | Self::UnknownCommand(_)
            | Self::InvalidParam { .. }
            | Self::Meaningless(_)
            | Self::BadSignature(_)
            | Self::WrongPassword
            | Self::BadIdToken(_)
            | Self::UserExists
            | Self::TooMany
            | Self::NotOperator
            | Self::Banned
            | Self::NotAllowed(_)
            | Self::SwitchedOff(_)
            | Self::NotFound(_)
            | Self::StaleNotice => None,
        }
    }
}

impl From<table::Error> for Error {
    fn from(error: table::Error) -> Self {
        Self::Table(error)
    }
}

impl From<cloud::Error> for Error {
    fn from(error: cloud::Error) -> Self {
        Self::Cloud(error)
    }
}

impl From<Busy> for Error {
    fn from(Busy: Busy) -> Self {
        Self::TooMany
    }
}

impl From<oidc::Error> for Error {
    fn from(error: oidc::Error) -> Self {
        match error {
            oidc::Error::Refused(why) => Self::BadIdToken(why),
            oidc::Error::Unreachable(failure) => Self::IdentityProvider(failure),
        }
    }
}

/// An error and all its causes, in one line for the log.
#[derive(Debug)]
pub struct Chain<'a>(pub &'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_cannot_fill_the_log_with_a_name() {
        let error = Error::UnknownCommand("x".repeat(60_000));
        assert_eq!(error.to_string(), format!("no command \"{}\"", "x".repeat(NAME_CHARS)));
    }
}
