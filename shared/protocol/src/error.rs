//! Why a command could not do what it was asked, in no dialect.

use std::{borrow::Cow, fmt};

use thiserror::Error as ThisError;

/// How much of a name that a caller made up is shown: in the log, and in the answer.
pub const MAX_NAME_CHARS: usize = 64;

/// Why a body is not, or not wholly, there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub enum BodyFault {
    /// It is longer than [`crate::wire::MAX_BODY_BYTES`].
    #[error("the body is longer than 1 MiB")]
    TooLong,
    /// It did not come in the time that it had.
    #[error("the body came too slowly")]
    TooSlow,
    /// It ended before the length that was declared.
    #[error("the body is shorter than its declared length")]
    Truncated,
    /// It begins as a JSON object and is none: somebody on the way may have cut or changed it.
    #[error("the body begins as a JSON object and is not one")]
    BrokenJson,
}

/// A failure of another server or of the table, for the log.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The reason of a refusal or a failure. Each dialect in [`crate::wire`] says what it calls each of them.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The body is not a JSON document that could hold a call.
    #[error("the body is not a JSON document that could hold a call")]
    MalformedRequest,
    /// The body is not, or not wholly, there.
    #[error("{0}")]
    Body(BodyFault),
    /// A notice of the cloud came to an address that takes none; its path, for the log.
    #[error("a notice of the cloud came to {:?}, which takes none: is the callback URL right?", shortened(.0))]
    MisplacedNotice(String),
    /// No command of this name; the name as it was asked for, empty if none was.
    #[error("no command {:?}", shortened(.0))]
    UnknownCommand(String),
    /// A parameter is missing or breaks the rule of its type.
    #[error("{name} {reason}")]
    InvalidParam {
        /// The parameter, as the wire spells it.
        name: &'static str,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// Every parameter is well formed, but they ask for something that makes no sense; what is wrong.
    #[error("{0}")]
    InvalidArgument(&'static str),
    /// The caller did not prove who they are; why, for the log.
    #[error("the signature is not good: {0}")]
    BadSignature(Cow<'static, str>),
    /// The password is wrong.
    #[error("the password is wrong")]
    WrongPassword,
    /// The ID token is not good; why, for the log.
    #[error("the ID token is not good: {0}")]
    BadIdToken(&'static str),
    /// There is an account of this name already.
    #[error("there is an account of this name")]
    UserExists,
    /// Too many attempts of late.
    #[error("too many attempts")]
    TooMany,
    /// Only operators may do this.
    #[error("the operator key is missing or wrong")]
    NotOperator,
    /// The user is banned from going live.
    #[error("the user is banned from going live")]
    Banned,
    /// The caller has no part in what the call is about; what they would have to do.
    #[error("{0}")]
    NotAllowed(&'static str),
    /// The settings of this site do not allow it; what they say.
    #[error("switched off: {0}")]
    SwitchedOff(&'static str),
    /// There is no such thing; what was looked for.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// A notice of the cloud that is too old, or from the future.
    #[error("the notice expired too long ago, or expires too far ahead")]
    StaleNotice,
    /// The live cloud could not be asked, or refused.
    #[error("the live cloud could not be asked")]
    Cloud(#[source] Cause),
    /// The identity provider could not be asked.
    #[error("the identity provider could not be asked")]
    IdentityProvider(#[source] Cause),
    /// The table could not be asked.
    #[error("the table could not be asked")]
    Table(#[source] Cause),
}

impl Error {
    /// Whether the fault is ours: logged as an error, with its causes.
    pub fn is_internal(&self) -> bool {
        matches!(self, Self::Cloud(_) | Self::IdentityProvider(_) | Self::Table(_))
    }
}

/// As much of a name from outside as the log shows.
fn shortened(name: &str) -> String {
    name.chars().take(MAX_NAME_CHARS).collect()
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
        assert_eq!(error.to_string(), format!("no command \"{}\"", "x".repeat(MAX_NAME_CHARS)));
    }
}
