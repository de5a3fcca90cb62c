//! The world as a command sees it.

use crate::{cloud::Cloud, config::Config, table::Table, types::UnixSeconds};

/// Everything that a command needs beyond its parameters. Made once per process.
#[derive(Debug)]
pub struct App {
    /// The settings.
    pub config: Config,
    /// The table.
    pub table: Table,
    /// The live cloud.
    pub cloud: Cloud,
    /// The clock.
    pub clock: fn() -> UnixSeconds,
    /// Random numbers that nobody can foresee.
    pub random: fn() -> u32,
}

impl App {
    /// Now.
    pub fn now(&self) -> UnixSeconds {
        (self.clock)()
    }
}
