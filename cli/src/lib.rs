//! The business server on one machine: every function in one process, on an embedded table.
//!
//! Only this package depends on an HTTP server and on the embedded engine. The tests use it as a library.

pub mod engine;
pub mod folder;
pub mod operate;
pub mod serve;
pub mod settings;
pub mod simulate;
