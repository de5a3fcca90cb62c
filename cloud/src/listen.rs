//! The listeners of the live cloud. The one for RTMP takes pushes. The one for HTTP takes pushes of browsers, plays
//! streams and recordings, and has the chat, the object storage and the interfaces that the business server calls.

use std::{convert::Infallible, future::Future, io, net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL,
        CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_VERSION, UPGRADE, X_CONTENT_TYPE_OPTIONS,
    },
    request::Parts,
};
use http_body_util::{BodyExt, Full, Limited, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn, upgrade::Upgraded};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_io_timeout::TimeoutStream;

use crate::{
    bounds::{
        MAX_CALL_BYTES, MAX_CHAT_MESSAGE_BYTES, MAX_CLIENTS, MAX_CONNECTION_BYTES, MAX_OBJECT_BYTES, MAX_PUBLISHERS,
        MAX_UNSENT_CHAT_BYTES, MAX_UPLOADS,
    },
    chat, ingest_socket,
    live::LiveCloud,
    object_storage::{Object, ObjectStorage, Refused},
    playback, rtmp, websocket,
};

/// How long a client may take to send the head of a request, and a body.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a client may not read what it is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a listener pauses after a connection could not be accepted, mostly for lack of file handles.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// The places of the pictures that are being uploaded.
static UPLOADS: Semaphore = Semaphore::const_new(MAX_UPLOADS);

/// The body of a response: a file of a recording, or a stream that goes on for hours.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Accepts publishers by RTMP, forever.
pub async fn serve_rtmp(cloud: Arc<LiveCloud>, listener: TcpListener) -> Infallible {
    accept(&listener, MAX_PUBLISHERS, |stream, from, permit| {
        let cloud = Arc::clone(&cloud);
        async move {
            let ended = rtmp::serve(stream, Some(from), &cloud).await;
            tracing::debug!(?ended, "a connection of a publisher ended");
            drop(permit);
        }
    })
    .await
}

/// Accepts clients by HTTP, forever.
pub async fn serve_http(cloud: Arc<LiveCloud>, listener: TcpListener) -> Infallible {
    accept(&listener, MAX_CLIENTS, |stream, from, permit| {
        let (cloud, permit) = (Arc::clone(&cloud), Arc::new(permit));
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_TIMEOUT));
        async move {
            // A connection that became a WebSocket keeps the permit.
            let service = service_fn(move |request| {
                let (cloud, permit) = (Arc::clone(&cloud), Arc::clone(&permit));
                async move { Ok::<_, Infallible>(respond(&cloud, from, &permit, request).await) }
            });
            let http = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .half_close(false)
                .max_buf_size(MAX_CONNECTION_BYTES)
                .serve_connection(TokioIo::new(Box::pin(stream)), service)
                .with_upgrades();
            if let Err(error) = http.await {
                tracing::debug!(%error, "a connection ended early");
            }
        }
    })
    .await
}

/// Accepts connections, at most `max` at a time, and serves each in a task of its own.
async fn accept<F>(
    listener: &TcpListener,
    max: usize,
    serve: impl Fn(TcpStream, IpAddr, OwnedSemaphorePermit) -> F,
) -> Infallible
where
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(max));
    loop {
        let permit = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, from)) => {
                // A packet of video waits for nothing. Without this option it only comes later.
                drop(stream.set_nodelay(true));
                tokio::spawn(serve(stream, from.ip().to_canonical(), permit));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

async fn respond(
    cloud: &Arc<LiveCloud>,
    from: IpAddr,
    permit: &Arc<OwnedSemaphorePermit>,
    request: Request<Incoming>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let mut response = if head.method == Method::OPTIONS {
        text(StatusCode::NO_CONTENT, "")
    } else if let Some(key) = websocket_key(&head) {
        let key = key.to_owned();
        upgrade(cloud, from, permit, Request::from_parts(head, body), &key)
    } else if is_call(&head) {
        let body = collected(body, MAX_CALL_BYTES).await.unwrap_or_default().to_vec();
        let mut response = full(cloud.answer(&Request::from_parts(head, body)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    } else if ObjectStorage::is_object(path) {
        object(cloud, head, body).await
    } else {
        cloud.play(&head).await
    };
    // Players and pages of any origin may use the cloud: it knows its callers by signatures, and has no cookies.
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, PUT"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type, range"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Whether a request is a call of the business server to the cloud's interfaces.
fn is_call(head: &Parts) -> bool {
    head.headers.contains_key("x-tc-action") || head.uri.query().is_some_and(|query| query.contains("interface="))
}

/// The key of a WebSocket handshake.
fn websocket_key(head: &Parts) -> Option<&str> {
    let value = |name| head.headers.get(name)?.to_str().ok();
    let is_websocket = value(UPGRADE)?.eq_ignore_ascii_case("websocket") && value(SEC_WEBSOCKET_VERSION)? == "13";
    value(SEC_WEBSOCKET_KEY).filter(|_| is_websocket && head.method == Method::GET)
}

/// Answers the handshake of a WebSocket, and serves the socket: `/chat` or `/<app>/<stream>`.
fn upgrade(
    cloud: &Arc<LiveCloud>,
    from: IpAddr,
    permit: &Arc<OwnedSemaphorePermit>,
    mut request: Request<Incoming>,
    key: &str,
) -> Response<Body> {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let socket = if path == "/chat" {
        match cloud.enter_chat(query) {
            Ok(member) => Socket::Chat(member),
            Err(reason) => return text(StatusCode::FORBIDDEN, &reason.to_string()),
        }
    } else {
        let Some((app, stream)) = path.trim_start_matches('/').split_once('/') else {
            return text(StatusCode::NOT_FOUND, "a push goes to /live/<stream>?txSecret=..&txTime=..");
        };
        Socket::Push { app: app.to_owned(), stream: format!("{stream}?{query}") }
    };
    let (cloud, permit, upgraded) = (Arc::clone(cloud), Arc::clone(permit), hyper::upgrade::on(&mut request));
    tokio::spawn(async move {
        match upgraded.await {
            Ok(upgraded) => socket.serve(&cloud, from, TokioIo::new(upgraded)).await,
            Err(error) => tracing::debug!(%error, "a WebSocket did not begin"),
        }
        drop(permit);
    });
    let mut response = text(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let accept = HeaderValue::try_from(websocket::accept_key(key)).expect("base64 can be a header");
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    response
}

/// A WebSocket whose handshake was accepted.
enum Socket {
    Chat(chat::Member),
    Push { app: String, stream: String },
}

impl Socket {
    async fn serve(self, cloud: &Arc<LiveCloud>, from: IpAddr, connection: TokioIo<Upgraded>) {
        match self {
            Self::Chat(member) => {
                let socket = websocket::accept(connection, MAX_CHAT_MESSAGE_BYTES, MAX_UNSENT_CHAT_BYTES).await;
                if let Err(error) = member.talk(socket).await {
                    tracing::debug!(%error, "a member of a chat left");
                }
            }
            Self::Push { app, stream } => {
                let ended = ingest_socket::serve(connection, Some(from), &app, &stream, cloud).await;
                tracing::debug!(?ended, "a connection of a publisher ended");
            }
        }
    }
}

/// Keeps, deletes or gives a picture.
async fn object(cloud: &Arc<LiveCloud>, head: Parts, body: Incoming) -> Response<Body> {
    let (cloud, path) = (Arc::clone(cloud), head.uri.path().to_owned());
    let refused = |Refused { status, reason }| text(status, &reason);
    if [Method::GET, Method::HEAD].contains(&head.method) {
        let read = tokio::task::spawn_blocking(move || cloud.objects().read(&path)).await;
        let Some(object) = read.ok().flatten() else { return text(StatusCode::NOT_FOUND, "there is no such picture") };
        let Object { media_type, file } = object;
        let Ok(mut response) = playback::file(&file, &head).await else {
            return text(StatusCode::NOT_FOUND, "there is no such picture");
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
        return response;
    }
    if ![Method::PUT, Method::DELETE].contains(&head.method) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "a picture is read by GET and written by PUT or DELETE");
    }
    if let Err(reason) = cloud.objects().authorize(&head, cloud.now()) {
        return refused(reason);
    }
    let Ok(_place) = UPLOADS.acquire().await else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "no picture can be kept now");
    };
    let max = usize::try_from(MAX_OBJECT_BYTES).unwrap_or(usize::MAX);
    let Some(content) = collected(body, max).await else {
        return text(StatusCode::PAYLOAD_TOO_LARGE, "the picture is too large, incomplete, or too slow");
    };
    let method = head.method;
    let written = tokio::task::spawn_blocking(move || cloud.objects().write(&method, &path, &content)).await;
    match written {
        Ok(Ok(())) => text(StatusCode::OK, ""),
        Ok(Err(reason)) => refused(reason),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// A whole body; `None` if it is too long, incomplete or too slow.
async fn collected(body: Incoming, max: usize) -> Option<Bytes> {
    let body = timeout(BODY_TIMEOUT, Limited::new(body, max).collect()).await.ok()?.ok()?;
    Some(body.to_bytes())
}

/// A plain text.
pub(crate) fn text(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = full(text.to_owned());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// A response with a body that is there as a whole.
pub(crate) fn full(body: impl Into<Bytes>) -> Response<Body> {
    Response::new(Full::new(body.into()).map_err(|never| match never {}).boxed_unsync())
}
