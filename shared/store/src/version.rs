//! The version of what is in the table: its keys, its attributes, and what they mean.

use std::fmt;

use super::{Result, Table, keys, number, number_in, update::Update};

/// The attribute of the version.
const VERSION: &str = "version";

/// A version of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(i64);

impl Version {
    /// The one that this program reads and writes. A change that programs before it would misread raises it.
    pub const CURRENT: Self = Self(1);
    /// That of tables from before there were versions.
    const FIRST: Self = Self(1);

    /// Refuses every other version.
    pub fn check(self) -> std::result::Result<(), UnknownVersion> {
        if self == Self::CURRENT { Ok(()) } else { Err(UnknownVersion(self)) }
    }
}

/// A table of a version that this program neither reads nor writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownVersion(Version);

impl fmt::Display for UnknownVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (UnknownVersion(Version(found)), Version(current)) = (self, Version::CURRENT);
        write!(
            f,
            "the table has version {found}, and this program knows version {current} only: run the program that the \
             table belongs to, or choose another table"
        )
    }
}

impl std::error::Error for UnknownVersion {}

impl Table {
    /// The version. The read also opens the connection, so that the first caller does not wait for it.
    pub async fn version(&self) -> Result<Version> {
        match self.get(keys::version(), "be reached").await? {
            Some(item) => Ok(Version(number_in(&item, VERSION)?)),
            None => Ok(Version::FIRST),
        }
    }

    /// Writes down the version of a table that has none.
    pub async fn write_version(&self) -> Result<()> {
        let Version(current) = Version::CURRENT;
        let update = Update::of(keys::version()).set(VERSION, number(current)).when("attribute_not_exists(PK)");
        update.send(self, "write its version").await.map(|_| ())
    }
}
