//! WebSocket ingest: a browser pushes its camera by messages that each carry an FLV tag.
//!
//! A message is binary: the type of the tag (8 audio, 9 video, 18 script), its time in milliseconds as four bytes with
//! the highest first, and its body.

use std::{net::IpAddr, time::Duration};

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, error::ProtocolError, protocol::frame::coding::CloseCode},
};

use crate::{
    bounds::{MAX_MESSAGE_BYTES, MAX_UNSENT_PUBLISHER_BYTES},
    flv::{Tag, TagKind},
    publish::{CutReason, EndReason, Ended, Ingest, OpenPush, Push},
    websocket,
};

/// How long a publisher may send nothing.
pub const SILENCE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a publisher has to answer a close frame.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The code of the close frame when a message is not what it should be.
pub const BROKEN: u16 = 4000;
/// The code of the close frame when the push is cut.
pub const CUT: u16 = 4001;
/// The code of the close frame when the push is refused.
pub const REFUSED: u16 = 4003;
/// The code of the close frame when the publisher was silent for too long.
pub const SILENT: u16 = 4008;

/// Serves an upgraded connection of a publisher whose address is `from`, until it ends. `app` and `stream` are what the
/// path and the query of the request named: see [`Ingest::open`].
pub async fn serve<C, I>(connection: C, from: Option<IpAddr>, app: &str, stream: &str, ingest: &I) -> Ended
where
    C: AsyncRead + AsyncWrite + Unpin,
    I: Ingest,
{
    let mut socket = websocket::accept(connection, MAX_MESSAGE_BYTES, MAX_UNSENT_PUBLISHER_BYTES).await;
    let mut push = match ingest.open(app, stream, from) {
        Ok(push) => OpenPush::new(push),
        Err(refused) => {
            // A page learns the code and the reason of a close frame, but nothing about a refused handshake.
            close(socket, REFUSED, &refused.0).await;
            return Ended::Refused(refused);
        }
    };
    let (reason, farewell) = match relay(&mut socket, &mut push).await {
        Ok(cut) => (EndReason::Cut, Some((CUT, cut.0.into_owned()))),
        Err(reason) => {
            let farewell = match &reason {
                EndReason::Silent => Some((SILENT, reason.to_string())),
                EndReason::Broken(error) => Some((BROKEN, error.clone())),
                // The publisher closed the socket, or is gone. The answer to a close frame has been sent.
                EndReason::Closed | EndReason::Left | EndReason::Cut => None,
            };
            (reason, farewell)
        }
    };
    push.end(reason.clone());
    if let Some((code, text)) = farewell {
        close(socket, code, &text).await;
    }
    Ended::Push(reason)
}

/// Passes the tags of a push on until it is cut or ends.
async fn relay<C, P>(socket: &mut WebSocketStream<C>, push: &mut OpenPush<P>) -> Result<CutReason, EndReason>
where
    C: AsyncRead + AsyncWrite + Unpin,
    P: Push,
{
    loop {
        let message = tokio::select! {
            biased;
            cut = push.cut() => return Ok(cut),
            message = timeout(SILENCE_TIMEOUT, socket.next()) => message.map_err(|_| EndReason::Silent)?,
        };
        match message {
            Some(Ok(Message::Binary(bytes))) => push.tag(tag(bytes).map_err(|error| EndReason::Broken(error.into()))?),
            Some(Ok(Message::Text(_))) => return Err(EndReason::Broken("a text message".to_owned())),
            // The socket answers pings. Frames are not returned by themselves.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(frame))) => {
                // Sends the answer.
                drop(timeout(CLOSE_TIMEOUT, socket.next()).await);
                // A page that is closed or left by its user says Away.
                let is_end = frame.is_none_or(|frame| frame.code == CloseCode::Normal);
                return Err(if is_end { EndReason::Closed } else { EndReason::Left });
            }
            Some(Err(error)) => return Err(end_by(&error)),
            None => return Err(EndReason::Left),
        }
    }
}

/// How a push ends whose socket fails.
fn end_by(error: &tungstenite::Error) -> EndReason {
    let is_lost = matches!(
        error,
        tungstenite::Error::ConnectionClosed
            | tungstenite::Error::AlreadyClosed
            | tungstenite::Error::Io(_)
            | tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
    );
    if is_lost { EndReason::Left } else { EndReason::Broken(error.to_string()) }
}

/// The tag in a message.
fn tag(mut message: Bytes) -> Result<Tag, &'static str> {
    let short = |_| "a message without a tag: type, time in four bytes, body";
    let kind = match message.try_get_u8().map_err(short)? {
        8 => TagKind::Audio,
        9 => TagKind::Video,
        18 => TagKind::Script,
        _ => return Err("a tag that is neither audio (8), video (9) nor script (18)"),
    };
    let time = message.try_get_u32().map_err(short)?;
    if message.is_empty() {
        return Err("a tag without a body");
    }
    Ok(Tag { kind, time, body: message })
}

/// Closes the socket with a reason, and gives the publisher time to read it.
async fn close<C>(mut socket: WebSocketStream<C>, code: u16, reason: &str)
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let farewell = async {
        socket.close(Some(websocket::close_frame(code, reason))).await?;
        while let Some(message) = socket.next().await {
            message?;
        }
        Ok::<(), tungstenite::Error>(())
    };
    // Whether the publisher reads the reason or not, the connection ends here.
    drop(timeout(CLOSE_TIMEOUT, farewell).await);
}
