//! What is deployed: binaries, the template, rights and secrets.
//!
//! - [`agreement`]: commands, binaries and documents name the same things, and boundaries hold
//! - [`phone`]: days in the life of apps, wherever the commands run: the local server, functions, SCF, a deployed stack
//! - [`privileges`]: what functions may do to the table, and that they do all of it
//! - [`runtime`]: every function's binary on a runtime loop, held to what the local server answers
//! - [`scf`]: the binaries for Tencent SCF, held to the same
//! - [`template`]: what is deployed, and that it is the table of commands and nothing besides

pub(crate) mod agreement;
mod phone;
mod privileges;
pub(crate) mod runtime;
mod scf;
mod secrets;
pub(crate) mod template;
