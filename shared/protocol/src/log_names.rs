//! How the log names users, streams and addresses: as they are, or by pseudonyms.

use crate::{
    sign::{hex, hmac_sha256},
    types::Secret,
};

/// How the log names users, streams and addresses.
#[derive(Clone, Debug)]
pub enum LogNames {
    /// As they are.
    Plain,
    /// By pseudonyms that are made with this salt: always the same ones, and nobody without the salt can guess a name and
    /// see whether it is that.
    Pseudonyms(Secret),
}

impl LogNames {
    /// What stands in the log for a name.
    ///
    /// ```
    /// use protocol::{log_names::LogNames, types::Secret};
    /// assert_eq!(LogNames::Plain.of("alice"), "alice");
    /// let names = LogNames::Pseudonyms(Secret::new("a-salt-for-tests"));
    /// assert_eq!(names.of("alice").len(), 16);
    /// assert_eq!(names.of("alice"), names.of("alice"));
    /// assert_ne!(names.of("alice"), names.of("bobby"));
    /// ```
    pub fn of(&self, name: &str) -> String {
        match self {
            Self::Plain => name.to_owned(),
            Self::Pseudonyms(salt) => hex(&hmac_sha256(salt, name)[..8]),
        }
    }
}
