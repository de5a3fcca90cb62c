//! The HTTP server of `mini-lvb serve` and of the web function of Tencent SCF: all commands in one process, without a
//! gateway in front.

mod connections;
mod timeouts;

use std::{error::Error, future::Future, io, net::IpAddr, sync::Arc, time::Duration};

use app::{App, answer::answer_anywhere};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONNECTION, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use protocol::{error::BodyFault, types::ClientAddress, wire::MAX_BODY_BYTES};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

use crate::{
    connections::{ClientConnection, ClientConnections, Evicted},
    timeouts::TimedStream,
};

/// The longest body that is read without a permit of [`LONG_BODIES`]. Bodies of apps have some hundred bytes.
const SHORT_BODY_BYTES: usize = 64 * 1024;
/// Limits the number of longer bodies in memory. Without the limit all connections together could fill a gigabyte.
static LONG_BODIES: Semaphore = Semaphore::const_new(MAX_LONG_BODIES);
const MAX_LONG_BODIES: usize = 32;
/// How much of a too long body is read and discarded, so that the client gets to read the answer.
const DISCARDED_BYTES: usize = 8 * MAX_BODY_BYTES;
/// How long the server pauses after a connection could not be accepted, mostly for lack of file handles.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);
/// How often at most the log says that connections cannot be accepted.
const ACCEPT_WARNING_INTERVAL: Duration = Duration::from_secs(60);
/// The limit of open files that the server requests: for a connection from each client, a connection to the table or
/// the cloud for each call, and the files of the embedded table.
const OPEN_FILES: u64 = 4096;
/// After how long without data, and how often then, the operating system probes a client (TCP keepalive).
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// The time limits of connections, and their numbers.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// The maximum number of connections; further connections wait to be accepted.
    connections: usize,
    /// The maximum number of connections of one client, so that one client cannot use up all connections.
    connections_per_client: usize,
    /// How long a new connection, and a connection with an answer being sent, is spared from eviction.
    grace: Duration,
    /// The time limit for the head of a request, from the start of the connection or from the last answer.
    head: Duration,
    /// The time limit for a short body.
    body: Duration,
    /// The minimum rate, in bytes per second, after that time.
    min_body_bytes_per_second: u32,
    /// The time limit for a client to read an answer.
    answer: Duration,
    /// The time limit for running calls when the server stops.
    shutdown: Duration,
}

impl Limits {
    /// An app waits 10 seconds for an answer. The longest body takes 74 seconds at the minimum rate.
    const DEFAULT: Self = Self {
        connections: 1024,
        connections_per_client: 256,
        grace: Duration::from_secs(2),
        head: Duration::from_secs(10),
        body: Duration::from_secs(10),
        min_body_bytes_per_second: 16 * 1024,
        answer: Duration::from_secs(30),
        shutdown: Duration::from_secs(5),
    };

    /// These limits, reduced to the number of files that the process may open. Half of the files are for connections of
    /// clients.
    fn with_open_files(self, files: u64) -> Self {
        let connections = self.connections.min(usize::try_from(files / 2).unwrap_or(usize::MAX)).max(1);
        let connections_per_client = self.connections_per_client.min(connections.div_ceil(4));
        Self { connections, connections_per_client, ..self }
    }

    /// The time limit for a body, given the number of bytes received so far.
    fn body_timeout(&self, bytes: usize) -> Duration {
        let bytes = u32::try_from(bytes.min(MAX_BODY_BYTES)).unwrap_or(u32::MAX);
        self.body + Duration::from_secs(1) * bytes / self.min_body_bytes_per_second
    }
}

/// The proxy in front of the server, which is trusted to report the address of a call.
#[derive(Clone, Copy, Debug)]
pub enum TrustedProxy {
    /// No proxy: the address of a call is that of its connection.
    None,
    /// A proxy at this address: its header `X-Forwarded-For` has the address of a call. Connections from other
    /// addresses bypass the proxy, and their header is ignored.
    Address(IpAddr),
    /// A platform that cannot be bypassed: this header, which callers cannot set, has the address of a call. Each
    /// connection is for one call, since the platform may suspend the process between calls for longer than a
    /// connection lasts.
    Platform(&'static str),
}

impl TrustedProxy {
    /// Whether a connection from this address carries the calls of others.
    fn forwards_for_others(self, from: IpAddr) -> bool {
        match self {
            Self::None => false,
            Self::Address(address) => address == from,
            Self::Platform(_) => true,
        }
    }

    /// The address of a call on a connection from this address; `None` if it is unknown.
    fn client_address<T>(self, from: IpAddr, request: &Request<T>) -> Option<ClientAddress> {
        match self {
            Self::Address(address) if address == from => {
                last_address_in(request, "x-forwarded-for").or(Some(ClientAddress(from)))
            }
            Self::Platform(header) => last_address_in(request, header),
            Self::None | Self::Address(_) => Some(ClientAddress(from)),
        }
    }
}

/// The last address in a header. The proxy has added it; earlier addresses may be made up by the caller.
fn last_address_in<T>(request: &Request<T>, header: &str) -> Option<ClientAddress> {
    let value = request.headers().get_all(header).iter().next_back()?;
    ClientAddress::last_of(value.to_str().ok()?)
}

/// How the server stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every call that had begun was completed.
    Drained,
    /// Some calls took too long. They are aborted at the end of the process.
    CutShort,
}

/// Serves all entrypoints until `stop` completes. Then running calls are completed and no further ones are accepted.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    proxy: TrustedProxy,
    stop: impl Future<Output = ()>,
) -> Stopped {
    serve_within(Limits::DEFAULT.with_open_files(raise_open_files_limit()), app, listener, proxy, stop).await
}

/// Raises the limit of open files to [`OPEN_FILES`] or as far as allowed. Returns the new limit.
fn raise_open_files_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = OPEN_FILES.min(maximum.unwrap_or(OPEN_FILES));
    // `None` means that there is no limit.
    let Some(now) = current.filter(|now| *now < wanted) else { return current.unwrap_or(u64::MAX) };
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised and stays at {now}");
            now
        }
    }
}

async fn serve_within(
    limits: Limits,
    app: Arc<App>,
    listener: TcpListener,
    proxy: TrustedProxy,
    stop: impl Future<Output = ()>,
) -> Stopped {
    let graceful = GracefulShutdown::new();
    let connections = ClientConnections::new(limits.connections, limits.connections_per_client, limits.grace);
    // One permit for each running call. A connection has one call at a time, so no call waits for a permit.
    let calls = Arc::new(Semaphore::new(limits.connections));
    let mut stop = std::pin::pin!(stop);
    let mut reported: Option<Instant> = None;
    loop {
        let next = async {
            let (stream, client) = listener.accept().await?;
            stream.set_nodelay(true)?;
            // A phone that loses its network does not close its connections.
            let probes = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
            SockRef::from(&stream).set_tcp_keepalive(&probes)?;
            let client = client.ip().to_canonical();
            let counted = ClientAddress(client).network().filter(|_| !proxy.forwards_for_others(client));
            io::Result::Ok((connections.add(counted).await, stream, client))
        };
        let (connection, stream, client) = tokio::select! {
            next = next => match next {
                Ok((Some(connection), stream, client)) => (connection, stream, client),
                // The client is at its limit.
                Ok((None, ..)) => continue,
                Err(error) => {
                    if reported.is_none_or(|then| then.elapsed() >= ACCEPT_WARNING_INTERVAL) {
                        tracing::warn!(%error, "no connection could be accepted");
                        reported = Some(Instant::now());
                    }
                    connections.evict_one();
                    tokio::time::sleep(ACCEPT_BACKOFF).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let (app, calls, connection) = (Arc::clone(&app), Arc::clone(&calls), Arc::new(connection));
        let service = service_fn({
            let connection = Arc::clone(&connection);
            move |request| {
                let (app, calls, connection) = (Arc::clone(&app), Arc::clone(&calls), Arc::clone(&connection));
                let client_address = proxy.client_address(client, &request);
                respond(app, calls, limits, connection, client_address, request)
            }
        });
        let http = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            // A client may shut down its side after the request and still read the answer.
            .half_close(true)
            .keep_alive(!matches!(proxy, TrustedProxy::Platform(_)))
            .serve_connection(TokioIo::new(TimedStream::new(stream, limits.answer, Arc::clone(&connection))), service);
        let http = graceful.watch(http);
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = connection.evicted() => tracing::debug!(reason = %Evicted, "a connection ended early"),
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

/// Reads a body within its time limit. A long body acquires a permit of [`LONG_BODIES`], which the caller holds until
/// the end of the call.
async fn read(
    mut body: Incoming,
    limits: Limits,
    permit: &mut Option<SemaphorePermit<'static>>,
) -> Result<Vec<u8>, BodyFault> {
    let began = Instant::now();
    let (mut bytes, mut length) = (Vec::new(), 0);
    loop {
        let due = began + limits.body_timeout(length);
        let Some(frame) = timeout_at(due, body.frame()).await.map_err(|_| BodyFault::TooSlow)? else { break };
        let data = frame.map_err(|_| BodyFault::Truncated)?.into_data().unwrap_or_default();
        length += data.len();
        if length > MAX_BODY_BYTES {
            (bytes, *permit) = (Vec::new(), None);
            if length > DISCARDED_BYTES {
                break;
            }
            continue;
        }
        if length > SHORT_BODY_BYTES && permit.is_none() {
            *permit = timeout_at(due, LONG_BODIES.acquire()).await.map_err(|_| BodyFault::TooSlow)?.ok();
        }
        bytes.extend_from_slice(&data);
    }
    if length > MAX_BODY_BYTES { Err(BodyFault::TooLong) } else { Ok(bytes) }
}

/// Answers one request.
async fn respond(
    app: Arc<App>,
    calls: Arc<Semaphore>,
    limits: Limits,
    connection: Arc<ClientConnection>,
    client_address: Option<ClientAddress>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Box<dyn Error + Send + Sync>> {
    connection.start_reading()?;
    let (head, body) = request.into_parts();
    let mut permit = None;
    let (body, fault) = match read(body, limits, &mut permit).await {
        Ok(body) => (body, None),
        Err(fault) => (Vec::new(), Some(fault)),
    };
    connection.start_call()?;
    let mut request = Request::from_parts(head, body);
    let extensions = request.extensions_mut();
    if let Some(client_address) = client_address {
        extensions.insert(client_address);
    }
    if let Some(fault) = fault {
        extensions.insert(fault);
    }
    let Ok(running) = calls.acquire_owned().await else { return Ok(stopping()) };
    // The call runs in a task of its own: a client that closes the connection must not abort the call between two
    // writes, which would leave a row that its list does not count.
    let call = tokio::spawn({
        let connection = Arc::clone(&connection);
        async move {
            let response = answer_anywhere(&app, request).await;
            drop((permit, connection, running));
            response
        }
    });
    let mut response = call.await?.map(|body| Full::new(Bytes::from(body)));
    if fault.is_some() {
        // The rest of the body is unread, so the connection cannot be reused.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    connection.start_response()?;
    Ok(response)
}

/// The answer to a call that is received after the server has begun to stop.
fn stopping() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use app::config::{Config, SETTINGS};
    use store::{
        Table,
        connect::{self, Credentials},
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpSocket, TcpStream},
        sync::oneshot,
        time::timeout,
    };

    use super::*;

    /// An address without a table.
    const NOWHERE: &str = "127.0.0.1:9";

    /// An `App` with a table at an address. Only calls that need the table connect to it.
    fn app(table: &str) -> Arc<App> {
        let config = Config::read(|name| match name {
            "ACTION_AUTH" => Some("open".to_owned()),
            "SESSION_KEY" => Some("1".repeat(32)),
            name => SETTINGS.iter().any(|known| known.name == name && known.default.is_none()).then(|| "1".repeat(10)),
        });
        let config = config.unwrap();
        let credentials = Credentials::new("t", "t", None, None, "a test");
        let client = connect::remote(Some(format!("http://{table}")), "t".to_owned(), credentials);
        Arc::new(App::new(config, Table::new(client, "t")))
    }

    /// The address of a call with these headers on a connection from 198.51.100.1.
    fn client_address(proxy: TrustedProxy, headers: &[(&str, &str)]) -> Option<String> {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        let client_address = proxy.client_address("198.51.100.1".parse().unwrap(), &request.body(()).unwrap());
        client_address.map(|ClientAddress(address)| address.to_string())
    }

    #[test]
    fn only_the_last_address_in_the_header_is_trusted() {
        let proxy = TrustedProxy::Address("198.51.100.1".parse().unwrap());
        let of = |values: &[&str]| {
            client_address(proxy, &values.iter().map(|value| ("x-forwarded-for", *value)).collect::<Vec<_>>()).unwrap()
        };
        assert_eq!(of(&["6.6.6.6, 203.0.113.7"]), "203.0.113.7");
        assert_eq!(of(&["6.6.6.6", "2001:db8::7"]), "2001:db8::7");
        assert_eq!(of(&["203.0.113.7, nonsense"]), "198.51.100.1", "the proxy itself");
        assert_eq!(of(&[]), "198.51.100.1");
    }

    #[test]
    fn the_headers_of_a_connection_that_bypasses_the_proxy_are_ignored() {
        let forged = [("x-forwarded-for", "203.0.113.7"), ("x-scf-remote-addr", "203.0.113.8")];
        let other = TrustedProxy::Address("198.51.100.2".parse().unwrap());
        for proxy in [TrustedProxy::None, other] {
            assert_eq!(client_address(proxy, &forged).unwrap(), "198.51.100.1");
        }
    }

    #[test]
    fn only_the_header_of_a_platform_is_trusted() {
        let platform = TrustedProxy::Platform("x-scf-remote-addr");
        let headers = [("x-scf-remote-addr", "203.0.113.8"), ("x-forwarded-for", "6.6.6.6")];
        assert_eq!(client_address(platform, &headers).unwrap(), "203.0.113.8");
        assert_eq!(client_address(platform, &headers[1..]), None, "not the address of the platform itself");
    }

    #[tokio::test]
    async fn a_platforms_connection_is_for_one_call() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut connection = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let server = serve(app(NOWHERE), listener, TrustedProxy::Platform("x-scf-remote-addr"), std::future::pending());
        let call = async {
            connection.write_all(b"GET / HTTP/1.1\r\nhost: t\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let answer = tokio::select! { answer = call => answer, _ = server => unreachable!("it does not stop") };
        assert!(answer.starts_with("HTTP/1.1 302 ") && answer.contains("connection: close"), "{answer}");
    }

    #[tokio::test]
    async fn a_server_at_its_limit_of_connections_still_stops() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut only = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let limits = Limits { connections: 1, ..Limits::DEFAULT };
        let server = tokio::spawn(serve_within(limits, app(NOWHERE), listener, TrustedProxy::None, async move {
            stopped.await.unwrap()
        }));
        only.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        only.read_u8().await.unwrap();
        stop.send(()).unwrap();
        timeout(Limits::DEFAULT.head / 2, server).await.expect("the server does not wait for the client").unwrap();
    }

    /// Time limits that no test reaches.
    const NO_TIMEOUTS: Limits = {
        let long = Duration::from_secs(3600);
        Limits { head: long, body: long, answer: long, ..Limits::DEFAULT }
    };
    const SHORT: Duration = Duration::from_millis(50);
    /// The answer to the health check.
    const HEALTH: &str = r#"{"returnValue":4001,"returnMsg":"json format error","returnData":[]}"#;

    /// Starts a server and returns its address.
    async fn server(limits: Limits) -> SocketAddr {
        server_at(limits, TcpSocket::new_v4().unwrap()).await
    }

    /// Starts a server on this socket, whose buffer sizes its connections inherit, and returns its address.
    async fn server_at(limits: Limits, socket: TcpSocket) -> SocketAddr {
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1024).unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve_within(limits, app(NOWHERE), listener, TrustedProxy::None, std::future::pending()));
        address
    }

    /// Everything that the server sends until it closes the connection.
    async fn answer(connection: &mut TcpStream) -> String {
        let mut answer = String::new();
        let read = connection.read_to_string(&mut answer);
        timeout(Duration::from_secs(20), read).await.expect("the server closes the connection").unwrap();
        answer
    }

    /// The answer to these bytes from a client that then keeps the connection open and sends nothing.
    async fn answer_to(server: SocketAddr, bytes: &[u8]) -> String {
        let mut connection = TcpStream::connect(server).await.unwrap();
        connection.write_all(bytes).await.unwrap();
        answer(&mut connection).await
    }

    #[tokio::test]
    async fn the_connection_of_a_client_that_never_reads_its_answers_is_closed() {
        // Small buffers, so that the answers fill them quickly.
        let (listening, socket) = (TcpSocket::new_v4().unwrap(), TcpSocket::new_v4().unwrap());
        listening.set_send_buffer_size(4096).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let server = server_at(Limits { answer: SHORT, ..NO_TIMEOUTS }, listening).await;
        let mut connection = socket.connect(server).await.unwrap();
        let requests = b"GET /interface.php HTTP/1.1\r\n\r\n".repeat(100);
        let send = async { while connection.write_all(&requests).await.is_ok() {} };
        timeout(Duration::from_secs(20), send).await.expect("the server gives up");
    }

    #[tokio::test]
    async fn an_idle_connection_and_one_with_an_unfinished_head_are_closed_in_time() {
        let server = server(Limits { head: SHORT, ..NO_TIMEOUTS }).await;
        for start in ["", "GET / HTTP/1.1\r\nx: y"] {
            assert_eq!(answer_to(server, start.as_bytes()).await, "", "{start}");
        }
    }

    #[tokio::test]
    async fn idle_connections_are_evicted_for_others() {
        let server = server(Limits { connections: 2, ..NO_TIMEOUTS }).await;
        let mut idle = [TcpStream::connect(server).await.unwrap(), TcpStream::connect(server).await.unwrap()];
        idle[1].write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        for _ in 0..2 {
            let health = answer_to(server, b"GET /interface.php HTTP/1.1\r\nconnection: close\r\n\r\n").await;
            assert!(health.ends_with(HEALTH), "{health}");
        }
        assert_eq!(answer(&mut idle[0]).await, "", "the longest-waiting connection is closed");
    }

    #[tokio::test]
    async fn a_slow_or_cut_off_notice_is_answered_so_that_the_cloud_sends_it_again() {
        let server = server(Limits { body: SHORT, ..NO_TIMEOUTS }).await;
        let to = |path: &str| format!("POST {path} HTTP/1.1\r\ncontent-length: 100\r\n\r\n{{\"t\":");
        let slow = answer_to(server, to("/live_callback").as_bytes()).await;
        assert!(slow.starts_with("HTTP/1.1 408 ") && slow.ends_with(r#"{"code":4001}"#), "{slow}");
        let mut connection = TcpStream::connect(server).await.unwrap();
        connection.write_all(to("/live_callback").as_bytes()).await.unwrap();
        connection.shutdown().await.unwrap();
        let broken = answer(&mut connection).await;
        // The server may reach the time limit first.
        assert!(broken.starts_with("HTTP/1.1 400 ") || broken.starts_with("HTTP/1.1 408 "), "{broken}");
        // Apps treat any other status as a network failure.
        let slow = answer_to(server, to("/interface.php").as_bytes()).await;
        assert!(slow.starts_with("HTTP/1.1 200 ") && slow.contains("the body came too slowly"), "{slow}");
        let slow = answer_to(server, to("/login").as_bytes()).await;
        assert!(slow.starts_with("HTTP/1.1 200 ") && slow.contains("the body came too slowly"), "{slow}");
    }

    /// On Linux, where the timer of a connection can be read: 02 is the keepalive timer.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_operating_system_probes_a_silent_client() {
        let server = server(NO_TIMEOUTS).await;
        let client = TcpStream::connect(server).await.unwrap();
        let port = |address: SocketAddr| format!(":{:04X}", address.port());
        let (here, there) = (port(server), port(client.local_addr().unwrap()));
        let is_probed = || {
            let connections = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
            connections
                .lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>())
                .any(|fields| fields[1].ends_with(&here) && fields[2].ends_with(&there) && fields[5].starts_with("02:"))
        };
        let probed = async {
            while !is_probed() {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(20), probed).await.expect("the connection has the keepalive timer");
    }

    #[tokio::test]
    async fn a_body_at_the_minimum_rate_is_read_and_one_that_does_not_arrive_is_refused() {
        let server = server(Limits { body: SHORT, min_body_bytes_per_second: 1, ..NO_TIMEOUTS }).await;
        let head = "POST /interface.php HTTP/1.1\r\nconnection: close\r\ncontent-length: 100\r\n\r\n";
        let mut connection = TcpStream::connect(server).await.unwrap();
        connection.write_all(format!("{head}{:99}", "").as_bytes()).await.unwrap();
        // Each of these takes the time limit of an empty body.
        for _ in 0..2 {
            let slow = answer_to(server, head.as_bytes()).await;
            assert!(slow.contains("the body came too slowly"), "{slow}");
        }
        connection.write_all(b" ").await.unwrap();
        let whole = answer(&mut connection).await;
        assert!(whole.ends_with(HEALTH), "{whole}");
    }

    #[tokio::test]
    async fn a_long_body_takes_a_permit() {
        let server = server(NO_TIMEOUTS).await;
        let all = MAX_LONG_BODIES;
        let head = format!("POST /login HTTP/1.1\r\ncontent-length: {MAX_BODY_BYTES}\r\n\r\n");
        let mut connection = TcpStream::connect(server).await.unwrap();
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(&[b' '; SHORT_BODY_BYTES + 1]).await.unwrap();
        let taken = async {
            while LONG_BODIES.available_permits() == all {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(20), taken).await.expect("the body takes a permit");
    }

    #[test]
    fn a_long_body_has_more_time_but_must_keep_the_minimum_rate() {
        let seconds = |bytes| Limits::DEFAULT.body_timeout(bytes).as_secs();
        assert_eq!((seconds(0), seconds(16 * 1024), seconds(900 * 1024)), (10, 11, 66));
        assert_eq!(seconds(MAX_BODY_BYTES), 74);
        assert_eq!(seconds(usize::MAX), 74, "discarded bytes do not extend the time limit");
    }

    #[tokio::test]
    async fn a_client_with_a_too_long_body_gets_to_read_the_refusal() {
        // Buffers that are smaller than the body.
        let (listening, socket) = (TcpSocket::new_v4().unwrap(), TcpSocket::new_v4().unwrap());
        listening.set_recv_buffer_size(64 * 1024).unwrap();
        socket.set_send_buffer_size(64 * 1024).unwrap();
        let server = server_at(NO_TIMEOUTS, listening).await;
        let body = "x".repeat(3 * MAX_BODY_BYTES);
        let request = format!("POST /login HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let mut connection = socket.connect(server).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        let long = answer(&mut connection).await;
        assert!(
            long.ends_with(r#"{"code":400,"message":"Bad Request | the body is longer than 1 MiB","data":[]}"#),
            "{long}"
        );
    }

    #[tokio::test]
    async fn a_client_that_speaks_https_is_told_to_use_http() {
        let server = server(NO_TIMEOUTS).await;
        // The beginning of a ClientHello.
        let answer = answer_to(server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("speaks HTTP, not HTTPS"), "{answer}");
    }

    #[tokio::test]
    async fn a_tunnel_is_refused() {
        let server = server(NO_TIMEOUTS).await;
        let answer = answer_to(server, b"CONNECT h:443 HTTP/1.1\r\nconnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: POST\r\n"), "{answer}");
    }

    /// Sends these bytes to a server, waits for `begun`, and stops the server without waiting for calls.
    async fn stopped_after(app: Arc<App>, sent: String, begun: impl AsyncFnOnce(&mut TcpStream)) -> Stopped {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move { stopped.await.unwrap() };
        let limits = Limits { shutdown: Duration::ZERO, ..NO_TIMEOUTS };
        let server = tokio::spawn(serve_within(limits, app, listener, TrustedProxy::None, stopped));
        client.write_all(sent.as_bytes()).await.unwrap();
        begun(&mut client).await;
        stop.send(()).unwrap();
        server.await.unwrap()
    }

    #[tokio::test]
    async fn a_call_that_the_stop_aborts_is_reported_and_a_request_that_never_became_a_call_is_not() {
        let body = r#"{"Action":"GetUserInfo","userid":"alice","type":0}"#;
        let head = format!("POST /interface.php HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n", body.len());

        // A table that accepts connections and never answers.
        let table = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let app_with_it = app(&table.local_addr().unwrap().to_string());
        let mut asked = None;
        let calls = async |_: &mut TcpStream| asked = Some(table.accept().await.unwrap());
        assert_eq!(stopped_after(app_with_it, format!("{head}\r\n{body}"), calls).await, Stopped::CutShort);

        // The interim response shows that the server waits for the body.
        let waits = async |client: &mut TcpStream| {
            let mut answer = [0; "HTTP/1.1 100 Continue".len()];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 100 Continue");
        };
        let half = format!("{head}expect: 100-continue\r\n\r\n");
        assert_eq!(stopped_after(app(NOWHERE), half, waits).await, Stopped::Drained);
    }
}
