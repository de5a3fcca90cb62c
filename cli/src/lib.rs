//! The business server on one machine: all commands in one process, on an embedded table; and its command line.
//!
//! Only this package depends on the embedded engine. The tests use it as a library.

pub mod cloud_account;
pub mod console;
pub mod engine;
pub mod folder;
pub mod listen;
pub mod operate;
pub mod settings;
pub mod simulate;
pub mod terminal;
