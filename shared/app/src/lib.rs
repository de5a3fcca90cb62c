//! The commands, and everything between an HTTP request and the table. The Lambda functions, the local server, Tencent
//! SCF and the tests share this crate. They differ only in the source of the request and in the AWS SDK's HTTP client.
//!
//! # Modules, in the order in which a call uses them
//!
//! - [`answer`]: from the request to the response; finds the command of a call
//! - `log`: the log line of a call
//! - [`commands`]: one file per command, and the list of all commands
//! - [`auth`]: the authentication of callers
//! - [`App`] and [`config`]: the environment of a command, and the settings
//! - [`process`]: the clock, the random numbers and the environment variables of the process
//! - [`cloud`]: calls to the live cloud
//! - [`oidc`]: the ID tokens of the customer's identity provider
//! - [`ban`]: the actions that a ban requires
//! - [`deletion`]: deletes the files of deleted replays
//! - [`sweep`]: runs every task that is due
//!
//! This crate depends on the crates `protocol` (types, wire formats, signatures), `timeline` (what events imply),
//! `store` (the table) and `http_client`. None of them depends on this crate.

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

use protocol::types::{UnixSeconds, UserId};
use store::{Broadcaster, Table};

use self::{cloud::Cloud, config::Config, oidc::Provider};

/// Everything that a command needs besides its parameters and its caller. Created once per process.
pub struct App {
    /// The settings.
    pub config: Config,
    /// The table.
    pub table: Table,
    /// The live cloud.
    pub cloud: Cloud,
    /// The customer's identity provider; `None` if this server has the accounts.
    pub oidc: Option<Provider>,
    /// The clock.
    pub clock: Box<dyn Fn() -> UnixSeconds + Send + Sync>,
    /// A source of cryptographically secure random numbers.
    pub random: Box<dyn Fn() -> u32 + Send + Sync>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("config", &self.config).field("table", &self.table).finish_non_exhaustive()
    }
}

impl App {
    /// An `App` with the clock and the random numbers of this machine.
    pub fn new(config: Config, table: Table) -> Self {
        Self {
            table: table.with_log_names(config.log_names.clone()),
            cloud: Cloud::new(&config),
            oidc: config.oidc.as_ref().map(Provider::new),
            clock: Box::new(process::now),
            random: Box::new(process::random_u32),
            config,
        }
    }

    /// The current time.
    pub fn now(&self) -> UnixSeconds {
        (self.clock)()
    }

    /// A broadcaster, for changes of their state now.
    pub fn broadcaster<'a>(&'a self, user: &'a UserId) -> Broadcaster<'a> {
        self.table.broadcaster(user, &self.config.rules, self.now())
    }

    /// Sixteen cryptographically secure random bytes.
    pub fn nonce(&self) -> [u8; 16] {
        let mut nonce = [0; 16];
        for bytes in nonce.chunks_exact_mut(4) {
            bytes.copy_from_slice(&(self.random)().to_be_bytes());
        }
        nonce
    }
}
