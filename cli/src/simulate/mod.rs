//! A live cloud without video, which scripts direct: for tests, for demonstrations, and for users without an account at
//! a real one.
//!
//! - [`script`] and `words`: the language of the scripts, which say what users and the cloud do
//! - [`play`]: plays a script
//! - [`backend`]: the business server that a script is played against; one in this process
//! - [`network`]: the same over HTTP
//!
//! The package `cloud` has the state of the cloud, its notices, and its answers to the business server. Only `network` has sockets and reads the clock of the machine.
//!
//! ```
//! use std::sync::Mutex;
//! use cli::{
//!     cloud_account::account,
//!     settings::{config_from, generated},
//!     simulate::{backend::Memory, play::Player, script},
//! };
//! use cloud::notices::Retries;
//! use protocol::types::UnixSeconds;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let config = config_from(&generated(), |_| None).unwrap();
//! let cloud = Mutex::new(account(&config, ""));
//! let backend = Memory::new(config.clone(), UnixSeconds(1_600_000_000)).await.unwrap();
//! let steps = script::parse("open alice Hello\npush alice as p1\nexpect live alice").unwrap();
//! Player::new(&backend, &cloud, &config, Retries::NONE).play(&steps, |_| {}).await.unwrap();
//! # }
//! ```

pub mod backend;
pub mod network;
pub mod play;
pub mod script;
mod words;

/// A script for demonstrations: an evening with a broadcaster, a viewer, a reconnect and a replay. `run` is a suffix of
/// the names of the users, so that the script can be played again against the same server.
pub fn demonstration(run: &str) -> String {
    const SCRIPT: &str = include_str!("demonstration.txt");
    SCRIPT.replace("alice", &format!("alice_{run}")).replace("bob", &format!("bob_{run}"))
}
