//! Rules that hold for many commands: callers, dialects, signatures, the log, the cloud.
//!
//! - [`cloud`]: what the cloud is asked by its newer interface, and what becomes of its answers
//! - [`defects`]: what was wrong with the Gen-2 original, and is not so here
//! - [`hostile`]: what nobody should send, by the thousand
//! - [`log`]: what the log tells of a call, and what it keeps to itself
//! - [`mistakes`]: what people and apps get wrong about address, method and body, and what they hear
//! - [`oidc`]: which ID tokens of an identity provider are believed
//! - [`sessions`]: what a Gen-2 call must carry to be believed
//! - [`user_sig`]: what the Gen-1 entrypoint requires with `ACTION_AUTH=user-sig`
//! - [`vectors`]: the formulas against vectors that nobody here made up

mod cloud;
mod covers;
mod defects;
mod defects_gen1;
mod hostile;
mod log;
mod mistakes;
mod moderation;
mod oidc;
mod sessions;
mod user_sig;
mod vectors;
