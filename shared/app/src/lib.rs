//! The commands, and everything between a request and the table. Functions, servers and tests differ in where bytes come
//! from and in which HTTP client the AWS SDK has; all else is here.
//!
//! # Layout, in the order in which a call meets it
//!
//! - [`answer`]: the whole journey of a call, and the ways to find its command
//! - `log`: the log line of a call
//! - [`commands`]: one file per command, and the table of them all
//! - [`auth`]: who is calling
//! - [`App`] and [`config`]: the world as a command sees it, and its settings
//! - [`process`]: the only clock and environment
//! - [`cloud`]: the calls that we make to the live cloud
//! - [`deletion`]: the files of replays that were deleted
//! - [`oidc`]: who a user of the customer's own identity provider is
//! - [`sweep`]: what nobody else looks after
//! - [`ban`]: what a ban comes to
//!
//! Below are the crates `protocol` (types, wire formats, signatures), `timeline` (what events imply), `store` (the
//! table) and `http_client`; none of them knows this one.

pub mod answer;
pub mod auth;
pub mod ban;
pub mod cloud;
pub mod commands;
pub mod config;
pub mod deletion;
mod log;
pub mod oidc;
pub mod process;
pub mod sweep;

use protocol::types::UnixSeconds;
use store::Table;

use self::{cloud::Cloud, config::Config, oidc::Provider};

/// Everything that a command needs beyond its parameters. Made once per process.
pub struct App {
    /// The settings.
    pub config: Config,
    /// The table.
    pub table: Table,
    /// The live cloud.
    pub cloud: Cloud,
    /// The identity provider that knows the users, if the accounts are not ours.
    pub oidc: Option<Provider>,
    /// The clock.
    pub clock: Box<dyn Fn() -> UnixSeconds + Send + Sync>,
    /// Random numbers that nobody can foresee.
    pub random: Box<dyn Fn() -> u32 + Send + Sync>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("config", &self.config).field("table", &self.table).finish_non_exhaustive()
    }
}

impl App {
    /// What commands need with these settings and this table, by the clock and the random numbers of this machine.
    pub fn new(config: Config, table: Table) -> Self {
        Self {
            table: table.with_log_names(config.log_names.clone()),
            cloud: Cloud::new(&config),
            oidc: config.oidc.as_ref().map(Provider::new),
            clock: Box::new(process::now),
            random: Box::new(process::getrandom_u32),
            config,
        }
    }

    /// Now.
    pub fn now(&self) -> UnixSeconds {
        (self.clock)()
    }

    /// Sixteen random bytes that nobody can foresee.
    pub fn nonce(&self) -> [u8; 16] {
        let mut nonce = [0; 16];
        for bytes in nonce.chunks_exact_mut(4) {
            bytes.copy_from_slice(&(self.random)().to_be_bytes());
        }
        nonce
    }
}
