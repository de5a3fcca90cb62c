//! The command line as a process: what it prints, what it keeps, and how it ends.
//!
//! - [`support`]: data folders, commands and servers that end with their test
//! - [`serve`]: the local server: its addresses, connections, log and end
//! - [`data`]: its data folder, its settings and its table
//! - [`operate`]: the commands of operators
//! - [`console`]: the console of operators
//! - [`video`]: the live cloud of the local server
//! - [`terminal`]: output on a terminal, which a pipe does not show
#![expect(clippy::unwrap_used, reason = "clippy spares tests, but not the functions that they share")]

mod console;
mod data;
mod operate;
mod serve;
mod support;
mod terminal;
mod video;
