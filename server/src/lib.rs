//! The HTTP server of `mini-lvb serve` and of the web function of Tencent SCF: all commands in one process, without a
//! gateway in front.

mod connections;
mod limits;
mod proxy;
mod request;
mod stream;
#[cfg(test)]
mod tests;

use std::{future::Future, io, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use app::App;
use hyper::{Response, body::Bytes, http::request::Parts, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::Instant,
};

pub use crate::proxy::TrustedProxy;
use crate::{
    connections::{ClientConnection, ClientConnections, EVICTED},
    limits::{Limits, raise_open_files_limit},
    request::Responder,
    stream::TimedStream,
};

/// How long the server pauses after a connection could not be accepted, mostly for lack of file handles.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);
/// How often at most the log says that connections cannot be accepted.
const ACCEPT_WARNING_INTERVAL: Duration = Duration::from_secs(60);
/// After how long without data, and how often then, the operating system probes a client (TCP keepalive).
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// How the server stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every call that had begun was completed.
    Drained,
    /// Some calls took too long. They are aborted at the end of the process.
    CutShort,
}

/// Answers requests for pages beside the entrypoints. `None`: the request is not for a page. A GET or HEAD is asked of
/// this first; calls never are.
pub type Pages = Arc<dyn Fn(&Parts) -> Option<Response<Bytes>> + Send + Sync>;

/// Serves all entrypoints and pages until `stop` completes. Then running calls are completed and no further ones are
/// accepted.
pub async fn serve(
    app: Arc<App>,
    pages: Option<Pages>,
    listener: TcpListener,
    proxy: TrustedProxy,
    stop: impl Future<Output = ()>,
) -> Stopped {
    serve_within(Limits::DEFAULT.with_open_files(raise_open_files_limit()), app, pages, listener, proxy, stop).await
}

async fn serve_within(
    limits: Limits,
    app: Arc<App>,
    pages: Option<Pages>,
    listener: TcpListener,
    proxy: TrustedProxy,
    stop: impl Future<Output = ()>,
) -> Stopped {
    let graceful = GracefulShutdown::new();
    let connections = ClientConnections::new(limits);
    // A connection has one call at a time, so no call waits for a permit.
    let calls = Arc::new(Semaphore::new(limits.connections));
    let mut stop = pin!(stop);
    let mut warned: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, proxy, &connections) => accepted,
            () = &mut stop => break,
        };
        let (stream, from, connection) = match accepted {
            Ok((stream, from, Some(connection))) => (stream, from, Arc::new(connection)),
            // The client is at its limit.
            Ok((.., None)) => continue,
            Err(error) => {
                if warned.is_none_or(|then| then.elapsed() >= ACCEPT_WARNING_INTERVAL) {
                    tracing::warn!(%error, "no connection could be accepted");
                    warned = Some(Instant::now());
                }
                connections.evict_one();
                tokio::time::sleep(ACCEPT_BACKOFF).await;
                continue;
            }
        };
        let (app, pages, calls) = (Arc::clone(&app), pages.clone(), Arc::clone(&calls));
        let responder = Responder { app, pages, limits, calls, connection: Arc::clone(&connection), from, proxy };
        let responder = Arc::new(responder);
        let http = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            // A client may shut down its side after the request and still read the answer.
            .half_close(true)
            .keep_alive(!matches!(proxy, TrustedProxy::Platform(_)))
            .serve_connection(
                TokioIo::new(TimedStream::new(stream, limits.answer, Arc::clone(&connection))),
                service_fn(move |request| Arc::clone(&responder).respond(request)),
            );
        let http = graceful.watch(http);
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = connection.evicted() => tracing::debug!(reason = EVICTED, "a connection ended early"),
                outcome = http => if let Err(error) = outcome {
                    tracing::debug!(%error, "a connection ended early");
                },
            }
        });
    }
    drop(listener);
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    let drained = async {
        graceful.shutdown().await;
        // A call also runs to its end after its client has closed the connection.
        drop(calls.acquire_many(all).await);
    };
    tokio::select! {
        () = drained => {}
        () = tokio::time::sleep(limits.shutdown) => tracing::warn!("some calls were not answered in time"),
    }
    // No further call begins. An open connection is now reading a request or sending an answer, or its call is aborted.
    calls.close();
    if calls.available_permits() == limits.connections { Stopped::Drained } else { Stopped::CutShort }
}

/// Accepts a connection: its stream, its address, and its handle if its client may have one more.
async fn accept(
    listener: &TcpListener,
    proxy: TrustedProxy,
    connections: &Arc<ClientConnections>,
) -> io::Result<(TcpStream, IpAddr, Option<ClientConnection>)> {
    let (stream, from) = listener.accept().await?;
    stream.set_nodelay(true)?;
    // A phone that loses its network does not close its connections.
    let probes = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    SockRef::from(&stream).set_tcp_keepalive(&probes)?;
    let from = from.ip().to_canonical();
    let connection = connections.add(proxy.client(from)).await;
    Ok((stream, from, connection))
}
