//! The adapter to Tencent SCF: all commands in one process, behind a function URL.
//!
//! - [`web`]: a web function, which is an HTTP server
//! - [`event`]: an event function on SCF's custom runtime, which a timer can call, too
//!
//! `docs/scf.md` describes their deployment and the differences from AWS.

pub mod event;
pub mod web;

pub use lambda::Error;

/// The header in which SCF reports the address of a call. Callers cannot set headers whose name begins with `x-scf-`.
const REMOTE_ADDRESS: &str = "x-scf-remote-addr";
