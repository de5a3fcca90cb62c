//! Tencent SCF: the same commands, all in one process, behind a function URL.
//!
//! - [`web`]: as a web function, which is an HTTP server
//! - [`event`]: as an event function on SCF's custom runtime, which the clock can call, too
//!
//! `docs/scf.md` says how they are deployed, and what is different there.

pub mod event;
pub mod web;

pub use lambda::Error;

/// In which SCF says where a call comes from. It lets no caller set a header whose name begins with `x-scf-`.
const REMOTE_ADDRESS: &str = "x-scf-remote-addr";
