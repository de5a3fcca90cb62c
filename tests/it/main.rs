//! The protocol from outside: bytes in, bytes out, through the same entry as AWS.
//!
//! - [`harness`]: a fresh program on its own embedded table, with a clock that stands still
//! - [`agreement`]: commands, binaries, documents and template name the same things, and boundaries hold
//! - one module per command: what it answers in each dialect, and each refusal that it can give

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed; clippy spares test functions only")]

mod agreement;
mod harness;

mod get_push_url;
