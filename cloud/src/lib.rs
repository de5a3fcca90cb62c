//! A live cloud on one machine: it takes pushes by RTMP and WebSocket, plays them by HTTP-FLV and HLS, and records them.
//!
//! It stands in for the vendor's live cloud during development, and on a small server of one's own. It has its own
//! listeners and knows the business server by its callback URL only.

pub mod account;
pub mod api;
pub mod bounds;
pub mod channel;
pub mod chat;
pub mod flv;
pub mod hls;
pub mod ingest_socket;
pub mod library;
pub mod listen;
pub mod live;
pub mod mpeg_ts;
pub mod notices;
pub mod object_storage;
mod picture;
pub mod playback;
pub mod publish;
pub mod recording;
mod recording_thread;
pub mod rtmp;
#[cfg(test)]
mod tests;
pub mod websocket;
