//! The protocol from outside: bytes in, bytes out, through the same entry as AWS.
//!
//! - [`support`]: what tests stand on
//! - [`commands`]: one module per command
//! - [`wire`]: rules that hold for many commands
//! - [`table`]: the table
//! - [`deploy`]: what is deployed
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed; clippy spares test functions only")]

mod commands;
mod deploy;
mod support;
mod table;
mod wire;
