//! The HTTP server of one's own: every function in one process.

use std::{convert::Infallible, future::Future, io, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header::{CONNECTION, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use lambda_http::tracing;
use shared::{
    answer::{Door, answer, answer_nowhere},
    app::App,
    wire::MAX_BODY_BYTES,
};
use tokio::{net::TcpListener, sync::Semaphore};

/// How many connections are served at a time; the others wait to be accepted.
const CONNECTIONS: usize = 1024;
/// How long a client may take to send the head of a request, or its body.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long calls that are under way may take to end when the server is told to stop.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long the server pauses when the operating system gives it no connection, for want of file handles mostly.
const BREATH: Duration = Duration::from_millis(50);

/// Serves every door until `stop` is done; then the calls under way are answered, and no more.
pub async fn serve(app: Arc<App>, listener: TcpListener, stop: impl Future<Output = ()>) -> io::Result<()> {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut stop = std::pin::pin!(stop);
    loop {
        let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        stream.set_nodelay(true)?;
        let app = Arc::clone(&app);
        let service = service_fn(move |request| {
            let app = Arc::clone(&app);
            async move { Ok::<_, Infallible>(respond(&app, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(FAREWELL) => tracing::warn!("some calls were not answered in time"),
    }
    Ok(())
}

/// Answers one request.
async fn respond(app: &App, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let read = tokio::time::timeout(PATIENCE, Limited::new(body, MAX_BODY_BYTES).collect()).await;
    let (body, whole) = match read {
        Ok(Ok(body)) => (body.to_bytes().to_vec(), true),
        // Read as no body at all; the rest of it is still on the way, so the connection cannot go on.
        Ok(Err(error)) => {
            let reason = if error.is::<LengthLimitError>() { "too long" } else { "broken off" };
            tracing::info!(reason, "a body was not read");
            (Vec::new(), false)
        }
        Err(_) => {
            tracing::info!(reason = "too slow", "a body was not read");
            (Vec::new(), false)
        }
    };
    let request = Request::from_parts(head, body);
    let response = match Door::at(request.uri().path()) {
        Some(door) => answer(app, door, request).await,
        None => answer_nowhere(&request),
    };
    let mut response = response.map(|body| Full::new(Bytes::from(body)));
    if !whole {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
