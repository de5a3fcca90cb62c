//! The protocol that the apps and the live cloud speak: types, wire formats, error codes and signatures. All functions
//! are pure: no AWS, no clock, no environment, no I/O.
//!
//! - [`types`]: validated types: user ids, stream ids, times, secrets
//! - [`wire`]: parses requests into typed parameters, and writes replies with the envelope and codes of each dialect
//! - [`error`]: the reasons why a command fails
//! - [`sign`]: the signatures
//! - [`json`]: values as JSON text
//! - [`log_names`]: names or pseudonyms of users in the log

pub mod error;
pub mod json;
pub mod log_names;
pub mod sign;
pub mod types;
pub mod wire;
