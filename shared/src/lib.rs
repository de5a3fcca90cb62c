//! The business server of a mobile live-streaming app: everything that its functions, its local server and its tests
//! share.
//!
//! # Layout, in the order in which a call meets it
//!
//! - [`lambda`]: what every function's `main` does; the only clock and environment
//! - [`answer`]: the whole journey of a call, and the ways to find its command
//! - `log`: the log line of a call
//! - [`wire`]: bytes to typed parameters, and the envelope and codes of each dialect
//! - [`commands`]: one file per command, and the table of them all
//! - [`auth`]: who is calling
//! - [`types`]: values that cannot be wrong
//! - [`error`]: why a command could not do what it was asked
//! - [`app`] and [`config`]: the world as a command sees it, and its settings
//! - [`password`]: passwords at rest
//! - [`sign`]: the signatures, as pure functions
//! - [`cloud`]: the calls that we make to the live cloud
//! - [`deletion`]: the files of replays that were deleted
//! - [`oidc`]: who a user of the customer's own identity provider is
//! - [`http`]: the HTTP client that both use
//! - [`sweep`]: what nobody else looks after
//! - [`ban`]: what a ban comes to
//! - [`timeline`]: what happened to a user's streams, and what it means
//! - [`table`]: one method per question, over one DynamoDB table

pub mod answer;
pub mod app;
pub mod auth;
pub mod ban;
pub mod cloud;
pub mod commands;
pub mod config;
pub mod deletion;
pub mod error;
pub mod http;
pub mod lambda;
mod log;
pub mod oidc;
pub mod password;
pub mod sign;
pub mod sweep;
pub mod table;
pub mod timeline;
pub mod types;
pub mod wire;
