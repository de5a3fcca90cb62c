//! Names of users, streams and addresses in the log: plain, or replaced by pseudonyms.

use crate::{
    sign::{hex, hmac_sha256},
    types::Secret,
};

/// The form of the names of users, streams and addresses in the log.
#[derive(Clone, Debug)]
pub enum LogNames {
    /// Unchanged.
    Plain,
    /// Pseudonyms: a keyed hash of each name with this salt. A name always has the same pseudonym. Without the salt,
    /// nobody can test whether a pseudonym belongs to a guessed name.
    Pseudonyms(Secret),
}

impl LogNames {
    /// The form of a name in the log.
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
