//! The reasons why a command fails, independent of the dialect in which the caller reads them.

use std::{borrow::Cow, fmt};

use thiserror::Error as ThisError;

/// The maximum length at which a name from a request is repeated in the log or in a reply.
pub const MAX_NAME_CHARS: usize = 64;

/// What is wrong with the transfer of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[expect(missing_docs, reason = "the text of an error says what it is")]
pub enum BodyFault {
    /// See [`crate::wire::MAX_BODY_BYTES`].
    #[error("the body is longer than 1 MiB")]
    TooLong,
    #[error("the body came too slowly")]
    TooSlow,
    /// The body has fewer bytes than its `Content-Length` says.
    #[error("the body is shorter than its declared length")]
    Truncated,
    /// The body may have been cut or changed on the way.
    #[error("the body begins as a JSON object and is not one")]
    BrokenJson,
}

/// The error of another server or of the table, for the log.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The reason why a command fails. Each dialect in [`crate::wire`] has a code and a text for each reason. The texts
/// here are for the log.
#[derive(Debug, ThisError)]
#[expect(missing_docs, reason = "the text of an error says what it is")]
pub enum Error {
    #[error("the body is not a JSON document that could hold a call")]
    MalformedRequest,
    /// The body was not received completely.
    #[error("{0}")]
    Body(BodyFault),
    #[error("a notice of the cloud came to {:?}, which takes none: is the callback URL right?", shortened(.0))]
    MisplacedNotice(String),
    /// There is no command with this name. The name is empty if the request has none.
    #[error("no command {:?}", shortened(.0))]
    UnknownCommand(String),
    /// A parameter is missing or breaks the rule of its type.
    #[error("{name} {reason}")]
    InvalidParam {
        /// The name of the parameter on the wire.
        name: &'static str,
        /// The rule that the parameter breaks.
        reason: &'static str,
    },
    /// Every parameter is valid, but their combination is not. The text says what is wrong.
    #[error("{0}")]
    InvalidArgument(&'static str),
    /// The caller is not authenticated.
    #[error("the signature is not good: {0}")]
    BadSignature(Cow<'static, str>),
    #[error("the password is wrong")]
    WrongPassword,
    #[error("the ID token is not good: {0}")]
    BadIdToken(&'static str),
    #[error("there is an account of this name")]
    UserExists,
    /// A rate limit is reached.
    #[error("too many attempts")]
    TooMany,
    #[error("the operator key is missing or wrong")]
    NotOperator,
    #[error("the user is banned from going live")]
    Banned,
    /// The caller may not do this. The text says what the caller has to do first.
    #[error("{0}")]
    NotAllowed(&'static str),
    /// A setting of this server forbids the command. The text says what the setting switches off.
    #[error("switched off: {0}")]
    SwitchedOff(&'static str),
    /// The requested thing does not exist. The text names its kind.
    #[error("no such {0}")]
    NotFound(&'static str),
    #[error("the notice expired too long ago, or expires too far ahead")]
    StaleNotice,
    #[error("the live cloud could not be asked")]
    Cloud(#[source] Cause),
    #[error("the identity provider could not be asked")]
    IdentityProvider(#[source] Cause),
    #[error("the table could not be asked")]
    Table(#[source] Cause),
}

impl Error {
    /// Whether the cause is on the server's side. Such an error is logged at level ERROR, with its causes.
    pub fn is_internal(&self) -> bool {
        matches!(self, Self::Cloud(_) | Self::IdentityProvider(_) | Self::Table(_))
    }
}

/// The first [`MAX_NAME_CHARS`] characters of a name from a request.
fn shortened(name: &str) -> String {
    name.chars().take(MAX_NAME_CHARS).collect()
}

/// Displays an error and all its causes in one line, for the log.
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
