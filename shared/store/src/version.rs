//! The schema version of the table: which keys and attributes its items have, and what they mean.

use thiserror::Error as ThisError;

use crate::prelude::*;

/// The attribute with the version.
const VERSION: &str = "version";

/// A schema version of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(i64);

impl Version {
    /// The version that this program reads and writes. A change that older programs would misread increases it.
    pub const CURRENT: Self = Self(1);
    /// The version of tables that have no version item.
    const FIRST: Self = Self(1);

    /// Checks that this program can use a table of this version.
    pub fn check(self) -> std::result::Result<(), UnknownVersion> {
        if self == Self::CURRENT { Ok(()) } else { Err(UnknownVersion(self)) }
    }
}

/// The error for a table of a version that this program cannot use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[error(
    "the table has version {}, and this program knows version {} only: run the program that the table belongs to, or choose \
     another table", .0.0, Version::CURRENT.0
)]
pub struct UnknownVersion(Version);

impl Table {
    /// Reads the version. The read also opens the connection, so that the first call does not wait for one.
    pub async fn version(&self) -> Result<Version> {
        match self.get(keys::version(), "read its version").await? {
            Some(item) => Ok(Version(number_in(&item, VERSION)?)),
            None => Ok(Version::FIRST),
        }
    }

    /// Writes the current version, if the table has none.
    pub async fn write_version(&self) -> Result<()> {
        let Version(current) = Version::CURRENT;
        let update = Update::of(keys::version()).set(VERSION, number(current)).when("attribute_not_exists(PK)");
        update.send(self, "write its version").await.map(|_| ())
    }
}
