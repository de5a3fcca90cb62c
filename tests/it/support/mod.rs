//! What tests stand on: a program, its clock and table, and stand-ins for everything around it.
//!
//! - [`guard`]: what lets a call ask of the table only what its function may in the cloud
//! - [`harness`]: a fresh program on its own embedded table, with a clock that stands still
//! - [`identity_provider`]: a stand-in for a customer's identity provider
//! - [`injector`]: faults between a program and its table
//! - [`lambda_runtime_api`]: what a function's process talks to in the cloud
//! - [`object_store`]: a stand-in for the object storage
//! - [`policy`]: what that is, by the template
//! - [`proxy`]: a table behind an address, for one function and what that may
//! - [`requests`]: one well-formed request for every command
//! - [`scf_runtime_api`]: what an event function's process talks to in the other cloud
//! - [`stand_in`]: a stand-in for the live cloud
//! - [`steps`]: what users, operators and the cloud do, as verbs
//! - [`watch`]: what a program asks of its table, counted or held up

pub(crate) mod guard;
pub(crate) mod harness;
pub(crate) mod identity_provider;
pub(crate) mod injector;
pub(crate) mod lambda_runtime_api;
pub(crate) mod object_store;
pub(crate) mod policy;
pub(crate) mod proxy;
pub(crate) mod requests;
pub(crate) mod scf_runtime_api;
pub(crate) mod stand_in;
pub(crate) mod steps;
pub(crate) mod watch;
