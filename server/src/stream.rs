//! The stream of a connection: fails when the client does not read an answer in time, notes when an answer has been
//! sent, and detects a client that speaks HTTPS.

use std::{
    future::Future,
    io,
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

use crate::connections::ClientConnection;

/// The first byte of a TLS connection: the type of a handshake record.
const TLS_HANDSHAKE: u8 = 0x16;
/// The answer to TLS, for people who look at the bytes.
const NOT_HTTPS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n\
    This port speaks HTTP, not HTTPS. Use an address that begins with http://, or put a proxy with a certificate \
    before the server.\n";

/// A TCP stream with a time limit for writes.
pub(crate) struct TimedStream {
    stream: TcpStream,
    /// Whether nothing has been read yet.
    is_new: bool,
    /// How long a write may be pending.
    write_timeout: Duration,
    /// The timer of the pending writes. It starts with the first write that has to wait and stops with the next flush.
    timer: Option<Pin<Box<Sleep>>>,
    connection: Arc<ClientConnection>,
}

impl TimedStream {
    pub(crate) fn new(stream: TcpStream, write_timeout: Duration, connection: Arc<ClientConnection>) -> Self {
        Self { stream, is_new: true, write_timeout, timer: None, connection }
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let filled = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let first = buffer.filled().get(filled).copied();
        if std::mem::take(&mut self.is_new) && first == Some(TLS_HANDSHAKE) {
            tracing::warn!(
                "a client speaks HTTPS to this port, which speaks HTTP: its address must begin with http://"
            );
            // The send buffer is empty, so the answer fits.
            self.stream.try_write(NOT_HTTPS)?;
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "HTTPS on a port that speaks HTTP")));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TimedStream {
    /// Fails a pending write after the time limit.
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if written.is_ready() {
            return written;
        }
        let write_timeout = self.write_timeout;
        ready!(self.timer.get_or_insert_with(|| Box::pin(sleep(write_timeout))).as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read the answer")))
    }

    /// hyper flushes after it has written a whole answer.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.timer = None;
        self.connection.finish_response();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
