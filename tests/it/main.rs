//! The protocol from outside: bytes in, bytes out, through the same entry as AWS.
//!
//! - [`harness`]: a fresh program on its own embedded table, with a clock that stands still
//! - [`lambda_runtime_api`]: what a function's process talks to in the cloud
//! - [`requests`]: one well-formed request for every command
//! - [`agreement`]: commands, binaries, documents and template name the same things, and boundaries hold
//! - one module per command: what it answers in each dialect, and each refusal that it can give
//! - [`hostile`]: what nobody should send, by the thousand
//! - [`runtime`]: every function's binary on a runtime loop, held to what the local server answers
//! - [`vectors`]: the formulas against vectors that nobody here made up
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed; clippy spares test functions only")]

mod agreement;
mod get_push_url;
mod harness;
mod hostile;
mod lambda_runtime_api;
mod requests;
mod runtime;
mod vectors;
