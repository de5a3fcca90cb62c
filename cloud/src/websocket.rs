//! WebSockets on connections that an HTTP server has upgraded: the answer to the handshake, and a socket with bounds.

use base64::{Engine, prelude::BASE64_STANDARD};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{CloseFrame, Role, WebSocketConfig},
};

/// What RFC 6455 appends to the key of a handshake.
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The longest reason of a close frame: a control frame has 125 bytes, two of them the code.
const MAX_REASON_BYTES: usize = 123;
/// How many bytes are read at a time.
const READ_BYTES: usize = 16 << 10;

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key`.
///
/// ```
/// assert_eq!(cloud::websocket::accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept_key(key: &str) -> String {
    BASE64_STANDARD.encode(Sha1::new().chain_update(key).chain_update(KEY_SUFFIX).finalize())
}

/// The server's side of a WebSocket whose handshake is complete. Longer messages than `max_message` end the socket, and
/// no more than `max_unsent` bytes wait for a client that does not read. Frames are sent at once.
pub async fn accept<C>(connection: C, max_message: usize, max_unsent: usize) -> WebSocketStream<C>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(max_unsent)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message));
    WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await
}

/// A close frame. A reason that is too long for one is cut.
pub fn close_frame(code: u16, reason: &str) -> CloseFrame {
    CloseFrame { code: code.into(), reason: reason[..reason.floor_char_boundary(MAX_REASON_BYTES)].into() }
}
