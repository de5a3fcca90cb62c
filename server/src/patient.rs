//! A connection that waits for its client, but not for ever, says when all is sent, and knows when the client speaks
//! HTTPS.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use crate::places::Place;

/// The first byte of a TLS connection: a record of the handshake.
const TLS_HANDSHAKE: u8 = 0x16;
/// What is answered to TLS, for who looks at the bytes.
const NOT_HTTPS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n\
    This port speaks HTTP, not HTTPS. Use an address that begins with http://, or put a proxy with a certificate \
    before the server.\n";

/// A connection whose client must take an answer within some time.
pub(crate) struct Patient {
    stream: TcpStream,
    /// Whether nothing has been read yet.
    is_new: bool,
    /// How long a client may take to take what is written.
    limit: Duration,
    /// When that is over, from the first byte that had to wait to the last.
    due: Option<Pin<Box<Sleep>>>,
    place: Arc<Place>,
}

impl Patient {
    pub(crate) fn new(stream: TcpStream, limit: Duration, place: Arc<Place>) -> Self {
        Self { stream, is_new: true, limit, due: None, place }
    }

    /// What has become of a write: one that waits fails when the time is over.
    fn judge(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            return written;
        }
        let limit = self.limit;
        ready!(self.due.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not take the answer")))
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let filled = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let first = buffer.filled().get(filled).copied();
        if std::mem::take(&mut self.is_new) && first == Some(TLS_HANDSHAKE) {
            tracing::warn!(
                "a client speaks HTTPS to this port, which speaks HTTP: its address must begin with http://"
            );
            // Nothing has been written yet, so there is room for it.
            self.stream.try_write(NOT_HTTPS)?;
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "HTTPS on a port that speaks HTTP")));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has written all that there is.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.due = None;
        self.place.has_sent();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
