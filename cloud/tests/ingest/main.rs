//! Ingest from outside: connections of publishers, and what arrives of their pushes.
//!
//! - [`support`]: a recorder in the place of the live cloud, and the bytes of a publisher
//! - [`chunks`]: chunks and messages of RTMP
//! - [`rtmp`]: connections by RTMP
//! - [`socket`]: connections by WebSocket
//! - [`mutations`]: broken connections
//! - [`whole`]: pushes to a whole live cloud
//! - [`recorded`]: a recorded connection of ffmpeg
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed; clippy spares test functions only")]

mod chunks;
mod mutations;
mod recorded;
mod rtmp;
mod socket;
mod support;
mod whole;
