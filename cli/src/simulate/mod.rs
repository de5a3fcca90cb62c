//! A live cloud that only pretends: for tests, for demonstrations, and for who has no account at a real one.
//!
//! - [`script`]: the language of what users and the cloud do
//! - [`cloud`]: what the cloud knows, and what follows from an act
//! - [`notices`]: what it tells the business server
//! - [`api`]: what it answers the business server
//! - [`play`]: plays a script
//! - [`stage`]: where: a server and a clock, in memory
//! - [`edge`]: the same over sockets
//!
//! Nothing here but `edge` has sockets or reads the machine's clock.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use cli::{
//!     settings::{invented, judge},
//!     simulate::{cloud::Cloud, notices::Retries, play::Player, script, stage::Memory},
//! };
//! use protocol::types::UnixSeconds;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let config = judge(&invented(), |_| None).unwrap();
//! let cloud = Arc::new(Mutex::new(Cloud::new(&config, "")));
//! let stage = Memory::new(config.clone(), UnixSeconds(1_600_000_000)).await.unwrap();
//! let steps = script::parse("open alice Hello\npush alice as p1\nexpect live alice").unwrap();
//! Player::new(stage, cloud, &config, Retries::NONE).play(&steps, |_| {}).await.unwrap();
//! # }
//! ```

pub mod api;
pub mod cloud;
pub mod edge;
pub mod notices;
pub mod play;
pub mod script;
pub mod stage;

/// A script that shows what there is: an evening with a broadcaster, a viewer, a reconnect and a replay. Its users are
/// called by `run`, so that it can be played again before the same server.
pub fn demonstration(run: &str) -> String {
    const SCRIPT: &str = include_str!("demonstration.txt");
    SCRIPT.replace("alice", &format!("alice_{run}")).replace("bob", &format!("bob_{run}"))
}
