//! RTMP ingest: takes the push of ffmpeg, OBS or a phone's SDK from a connection. There is no play by RTMP.
//!
//! - [`session`]: the connection as a state machine without I/O
//! - [`chunk`]: chunks and messages
//! - [`handshake`]: the handshake before them
//! - [`amf`]: the values in commands

mod aggregate;
pub mod amf;
pub mod chunk;
mod command;
mod error;
pub mod handshake;
pub mod session;

use std::{future::Future, net::IpAddr, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

pub use self::error::Error;
use self::session::{Event, Session};
use crate::publish::{CutReason, EndReason, Ended, Ingest, OpenPush, Push, Refused};

/// How long a publisher has from the connection to `publish`.
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a publisher may send nothing. A phone that changes its network stalls for some 6 s.
pub const SILENCE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a publisher may not read the answers.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection stays open for a publisher who is still sending to read why it is closed.
pub const LINGER: Duration = Duration::from_secs(1);

/// How many bytes are read at a time.
const READ_BYTES: usize = 16 << 10;

/// Serves the connection of a publisher whose address is `from`, until it ends.
pub async fn serve<C, I>(mut connection: C, from: Option<IpAddr>, ingest: &I) -> Ended
where
    C: AsyncRead + AsyncWrite + Unpin,
    I: Ingest,
{
    let (mut session, mut input) = (Session::default(), BytesMut::with_capacity(READ_BYTES));
    let opened = timeout(COMMAND_TIMEOUT, open(&mut connection, &mut session, &mut input, from, ingest)).await;
    let mut push = match opened.unwrap_or(Err(Ended::BeforePush(EndReason::Silent))) {
        Ok(push) => push,
        Err(ended) => {
            if matches!(ended, Ended::Refused(_)) {
                close(connection, &mut session, &mut input).await;
            }
            return ended;
        }
    };
    let (reason, cut) = match relay(&mut connection, &mut session, &mut input, &mut push).await {
        Ok(cut) => (EndReason::Cut, Some(cut)),
        Err(reason) => (reason, None),
    };
    // Before the publisher is told: nothing may delay the end of a push.
    push.end(reason.clone());
    if let Some(cut) = cut {
        session.cut(&cut.0);
    }
    match reason {
        // The publisher may wait for answers to what it sent last.
        EndReason::Closed | EndReason::Cut | EndReason::Broken(_) => {
            close(connection, &mut session, &mut input).await;
        }
        EndReason::Left | EndReason::Silent => {}
    }
    Ended::Push(reason)
}

/// Reads until the publisher asks for a push and the push is accepted.
async fn open<C, I>(
    connection: &mut C,
    session: &mut Session,
    input: &mut BytesMut,
    from: Option<IpAddr>,
    ingest: &I,
) -> Result<OpenPush<I::Push>, Ended>
where
    C: AsyncRead + AsyncWrite + Unpin,
    I: Ingest,
{
    loop {
        let broken = |error: Error| Ended::BeforePush(EndReason::Broken(error.to_string()));
        match session.read(input).map_err(broken)? {
            Some(Event::Publish { app, stream }) => match ingest.open(&app, &stream, from) {
                Ok(push) => {
                    session.accept();
                    return Ok(OpenPush::new(push));
                }
                Err(refused) => {
                    session.refuse(&refused.0);
                    return Err(Ended::Refused(refused));
                }
            },
            Some(Event::Refused(reason)) => return Err(Ended::Refused(Refused(reason.into()))),
            // The session has no tags and no end before a push.
            Some(Event::Tag(_) | Event::Close) => {}
            None => exchange(connection, session.output(), input).await.map_err(Ended::BeforePush)?,
        }
    }
}

/// Passes the tags of a push on until it is cut or ends.
async fn relay<C, P>(
    connection: &mut C,
    session: &mut Session,
    input: &mut BytesMut,
    push: &mut OpenPush<P>,
) -> Result<CutReason, EndReason>
where
    C: AsyncRead + AsyncWrite + Unpin,
    P: Push,
{
    loop {
        match session.read(input).map_err(|error| EndReason::Broken(error.to_string()))? {
            Some(Event::Tag(tag)) => push.tag(tag),
            Some(Event::Close) => return Err(EndReason::Closed),
            Some(Event::Refused(reason)) => return Err(EndReason::Broken(reason.to_owned())),
            // The session has one push.
            Some(Event::Publish { .. }) => {}
            None => tokio::select! {
                biased;
                cut = push.cut() => return Ok(cut),
                exchanged = exchange(connection, session.output(), input) => exchanged?,
            },
        }
    }
}

/// Sends the answers and reads the next bytes.
async fn exchange<C>(connection: &mut C, output: &mut BytesMut, input: &mut BytesMut) -> Result<(), EndReason>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    if !output.is_empty() {
        within(WRITE_TIMEOUT, connection.write_all(output)).await?;
        output.clear();
    }
    input.reserve(READ_BYTES);
    match within(SILENCE_TIMEOUT, connection.read_buf(input)).await? {
        0 => Err(EndReason::Left),
        _ => Ok(()),
    }
}

/// The outcome of reading or writing, if there is one in time.
async fn within<T>(limit: Duration, work: impl Future<Output = std::io::Result<T>>) -> Result<T, EndReason> {
    timeout(limit, work).await.map_err(|_| EndReason::Silent)?.map_err(|_| EndReason::Left)
}

/// Sends the last answers and closes the connection. What the publisher still sends is thrown away: to close a
/// connection with unread bytes would destroy the answers on their way.
async fn close<C>(mut connection: C, session: &mut Session, input: &mut BytesMut)
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let output = session.output();
    let farewell = async {
        connection.write_all(output).await?;
        connection.shutdown().await?;
        loop {
            input.clear();
            input.reserve(READ_BYTES);
            if connection.read_buf(input).await? == 0 {
                return std::io::Result::Ok(());
            }
        }
    };
    // Whether the publisher reads the answers or not, the connection ends here.
    drop(timeout(LINGER, farewell).await);
}
