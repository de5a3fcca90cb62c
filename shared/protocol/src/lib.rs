//! The protocol of the apps and of the live cloud: values, wire formats, error codes and signatures. Pure functions: no
//! AWS, no clock, no environment, no I/O.
//!
//! - [`types`]: values that cannot be wrong
//! - [`wire`]: bytes to typed parameters, and the envelope and codes of each dialect
//! - [`error`]: why a command could not do what it was asked
//! - [`sign`]: the signatures
//! - [`log_names`]: how the log names users

pub mod error;
pub mod log_names;
pub mod sign;
pub mod types;
pub mod wire;
