//! The world as a command sees it.

use crate::{cloud::Cloud, config::Config, oidc::Provider, table::Table, types::UnixSeconds};

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
