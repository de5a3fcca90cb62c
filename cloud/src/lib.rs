//! A live cloud on one machine: it takes pushes by RTMP and WebSocket, plays them by HTTP-FLV and HLS, and records them.
//!
//! It stands in for the vendor's live cloud during development, and on a small server of one's own. It has its own
//! listeners and knows the business server by its callback URL only.

pub mod flv;
pub mod ingest_socket;
pub mod publish;
pub mod rtmp;
pub mod websocket;
