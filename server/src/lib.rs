//! The HTTP server: every function in one process, where no gateway stands before them.
//!
//! `mini-lvb serve` is one, and the web function of Tencent SCF.

mod patient;
mod places;

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
    patient::Patient,
    places::{Evicted, Place, Places},
};

/// How much of a body is read without further ado; the longest that an app sends has some hundred bytes.
const SHORT_BODY_BYTES: usize = 64 * 1024;
/// So many longer ones are in memory at a time: all connections together could fill a gigabyte with them.
static LONG_BODIES: Semaphore = Semaphore::const_new(LONG_BODIES_AT_A_TIME);
const LONG_BODIES_AT_A_TIME: usize = 32;
/// How much of a body that is too long is read and thrown away, so that its sender comes to read the answer.
const DISCARDED_BYTES: usize = 8 * MAX_BODY_BYTES;
/// How long the server pauses when the operating system gives it no connection, for want of file handles mostly.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);
/// How often the log says that the operating system gives the server no connection.
const REPORTED_EVERY: Duration = Duration::from_secs(60);
/// How many files the server would have open at most: a connection from each client, one to the table or the cloud for
/// each call, and those of the table.
const OPEN_FILES: u64 = 4096;
/// After how long without a byte the operating system asks whether a client is still there, and how often then.
const PROBED_AFTER: Duration = Duration::from_secs(30);
const PROBED_EVERY: Duration = Duration::from_secs(10);

/// How long clients may keep the server waiting, and how many connections there may be.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// How many connections are served at a time; the others wait to be accepted.
    connections: usize,
    /// How many of them one line may have, so that nobody alone takes the places of all.
    connections_of_line: usize,
    /// How long a new connection has to send its first request, and an answer to be sent, before the connection is as
    /// good as any other to be closed for a new one.
    grace: Duration,
    /// How long a connection may wait for the head of a request, from its start or from the last answer.
    head: Duration,
    /// How long a short body may take.
    body: Duration,
    /// How many bytes of a longer one must come in each further second.
    body_bytes_a_second: u32,
    /// How long a client may take to take an answer.
    answer: Duration,
    /// How long calls that run may take to end when the server is told to stop.
    shutdown: Duration,
}

impl Limits {
    /// An app waits 10 seconds for an answer. The longest body takes 74 seconds at the slowest pace.
    const OF_TODAY: Self = Self {
        connections: 1024,
        connections_of_line: 256,
        grace: Duration::from_secs(2),
        head: Duration::from_secs(10),
        body: Duration::from_secs(10),
        body_bytes_a_second: 16 * 1024,
        answer: Duration::from_secs(30),
        shutdown: Duration::from_secs(5),
    };

    /// These limits where the process may have so many files open, half of which are for connections of clients.
    fn with_open_files(self, files: u64) -> Self {
        let connections = self.connections.min(usize::try_from(files / 2).unwrap_or(usize::MAX)).max(1);
        let connections_of_line = self.connections_of_line.min(connections.div_ceil(4));
        Self { connections, connections_of_line, ..self }
    }

    /// How long a body may take of which so many bytes have come.
    fn of_body(&self, bytes: usize) -> Duration {
        let bytes = u32::try_from(bytes.min(MAX_BODY_BYTES)).unwrap_or(u32::MAX);
        self.body + Duration::from_secs(1) * bytes / self.body_bytes_a_second
    }
}

/// What stands before the server, and so who says where a call comes from.
#[derive(Clone, Copy, Debug)]
pub enum Front {
    /// Nothing: a call comes from where its connection comes from.
    Nothing,
    /// A proxy at this address, which says it in `X-Forwarded-For`. Who connects from elsewhere has gone round it.
    Proxy(IpAddr),
    /// A platform that nobody goes round, which says it in this header, and lets no caller set that. It may stop the
    /// process between calls for longer than any connection is kept, so each connection is for one call.
    Platform(&'static str),
}

impl Front {
    /// Whether who connects from this address speaks for others.
    fn speaks(self, from: IpAddr) -> bool {
        match self {
            Self::Nothing => false,
            Self::Proxy(address) => address == from,
            Self::Platform(_) => true,
        }
    }

    /// Where a call comes from that came in by a connection from this address; `None` if nobody says.
    fn origin<T>(self, from: IpAddr, request: &Request<T>) -> Option<ClientAddress> {
        match self {
            Self::Proxy(address) if address == from => said(request, "x-forwarded-for").or(Some(ClientAddress(from))),
            Self::Platform(header) => said(request, header),
            Self::Nothing | Self::Proxy(_) => Some(ClientAddress(from)),
        }
    }
}

/// Where a header says that a call comes from: the last word, behind whatever the caller made up.
fn said<T>(request: &Request<T>, header: &str) -> Option<ClientAddress> {
    let value = request.headers().get_all(header).iter().next_back()?;
    ClientAddress::last_of(value.to_str().ok()?)
}

/// How a server stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every call that had begun was carried out whole.
    Drained,
    /// Some calls took too long, and end wherever they are with the process.
    CutShort,
}

/// Serves every door until `stop` is done; then the calls under way are answered, and no more.
pub async fn serve(app: Arc<App>, listener: TcpListener, front: Front, stop: impl Future<Output = ()>) -> Stopped {
    serve_within(Limits::OF_TODAY.with_open_files(open_files()), app, listener, front, stop).await
}

/// How many files the process may have open, after the limit was raised as far as the process may and the server needs.
fn open_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = OPEN_FILES.min(maximum.unwrap_or(OPEN_FILES));
    // No number is no limit.
    let Some(now) = current.filter(|now| *now < wanted) else { return current.unwrap_or(u64::MAX) };
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files stays at {now}");
            now
        }
    }
}

async fn serve_within(
    limits: Limits,
    app: Arc<App>,
    listener: TcpListener,
    front: Front,
    stop: impl Future<Output = ()>,
) -> Stopped {
    let graceful = GracefulShutdown::new();
    let places = Places::new(limits.connections, limits.connections_of_line, limits.grace);
    // Each call that runs has one of these. A connection has one call at a time, so no call waits for one.
    let calls = Arc::new(Semaphore::new(limits.connections));
    let mut stop = std::pin::pin!(stop);
    let mut reported: Option<Instant> = None;
    loop {
        let next = async {
            let (stream, client) = listener.accept().await?;
            stream.set_nodelay(true)?;
            // A phone that lost its network does not say that it goes.
            let probes = TcpKeepalive::new().with_time(PROBED_AFTER).with_interval(PROBED_EVERY);
            SockRef::from(&stream).set_tcp_keepalive(&probes)?;
            let client = client.ip().to_canonical();
            let line = ClientAddress(client).network().filter(|_| !front.speaks(client));
            io::Result::Ok((places.take(line).await, stream, client))
        };
        let (place, stream, client) = tokio::select! {
            next = next => match next {
                Ok((Some(place), stream, client)) => (place, stream, client),
                // The line has as many connections as it may.
                Ok((None, ..)) => continue,
                Err(error) => {
                    if reported.is_none_or(|then| then.elapsed() >= REPORTED_EVERY) {
                        tracing::warn!(%error, "no connection could be accepted");
                        reported = Some(Instant::now());
                    }
                    places.make_room();
                    tokio::time::sleep(ACCEPT_BACKOFF).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let (app, calls, place) = (Arc::clone(&app), Arc::clone(&calls), Arc::new(place));
        let service = service_fn({
            let place = Arc::clone(&place);
            move |request| {
                let (app, calls, place) = (Arc::clone(&app), Arc::clone(&calls), Arc::clone(&place));
                let origin = front.origin(client, &request);
                respond(app, calls, limits, place, origin, request)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            // Who has said all may still want the answer.
            .half_close(true)
            .keep_alive(!matches!(front, Front::Platform(_)))
            .serve_connection(TokioIo::new(Patient::new(stream, limits.answer, Arc::clone(&place))), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = place.evicted() => tracing::debug!(reason = %Evicted, "a connection ended early"),
                outcome = connection => if let Err(error) = outcome {
                    tracing::debug!(%error, "a connection ended early");
                },
            }
        });
    }
    drop(listener);
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    let drained = async {
        graceful.shutdown().await;
        // A call goes on when its client has hung up.
        drop(calls.acquire_many(all).await);
    };
    tokio::select! {
        () = drained => {}
        () = tokio::time::sleep(limits.shutdown) => tracing::warn!("some calls were not answered in time"),
    }
    // What is still open sends its request or reads its answer, or else its call is cut short. None begins from here on.
    calls.close();
    if calls.available_permits() == limits.connections { Stopped::Drained } else { Stopped::CutShort }
}

/// Reads a body, in the time that its length gives it. A long one, as no app sends it, takes up `room` for as long as
/// the caller keeps that.
async fn read(
    mut body: Incoming,
    limits: Limits,
    room: &mut Option<SemaphorePermit<'static>>,
) -> Result<Vec<u8>, BodyFault> {
    let began = Instant::now();
    let (mut bytes, mut length) = (Vec::new(), 0);
    loop {
        let due = began + limits.of_body(length);
        let Some(frame) = timeout_at(due, body.frame()).await.map_err(|_| BodyFault::TooSlow)? else { break };
        let data = frame.map_err(|_| BodyFault::Truncated)?.into_data().unwrap_or_default();
        length += data.len();
        if length > MAX_BODY_BYTES {
            (bytes, *room) = (Vec::new(), None);
            if length > DISCARDED_BYTES {
                break;
            }
            continue;
        }
        if length > SHORT_BODY_BYTES && room.is_none() {
            *room = timeout_at(due, LONG_BODIES.acquire()).await.map_err(|_| BodyFault::TooSlow)?.ok();
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
    place: Arc<Place>,
    origin: Option<ClientAddress>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Box<dyn Error + Send + Sync>> {
    place.reads()?;
    let (head, body) = request.into_parts();
    let mut room = None;
    let (body, fault) = match read(body, limits, &mut room).await {
        Ok(body) => (body, None),
        Err(fault) => (Vec::new(), Some(fault)),
    };
    place.calls()?;
    let mut request = Request::from_parts(head, body);
    let extensions = request.extensions_mut();
    if let Some(origin) = origin {
        extensions.insert(origin);
    }
    if let Some(fault) = fault {
        extensions.insert(fault);
    }
    let Ok(running) = calls.acquire_owned().await else { return Ok(stopping()) };
    // In a task of its own: a client that hangs up, or takes no answer, must not end the call half-way, which would
    // leave a row that its list does not count.
    let call = tokio::spawn({
        let place = Arc::clone(&place);
        async move {
            let response = answer_anywhere(&app, request).await;
            drop((room, place, running));
            response
        }
    });
    let mut response = call.await?.map(|body| Full::new(Bytes::from(body)));
    if fault.is_some() {
        // The rest of the body is still on the way, so the connection cannot go on.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    place.answers()?;
    Ok(response)
}

/// What a call gets that came too late.
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

    /// Where no table is.
    const NOWHERE: &str = "127.0.0.1:9";

    /// A program with a table at an address, which it asks only for calls that need the table.
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

    /// Where a front says that a call with these headers comes from, by a connection from 198.51.100.1.
    fn origin(front: Front, headers: &[(&str, &str)]) -> Option<String> {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        let origin = front.origin("198.51.100.1".parse().unwrap(), &request.body(()).unwrap());
        origin.map(|ClientAddress(address)| address.to_string())
    }

    #[test]
    fn only_the_last_address_is_the_proxys_word() {
        let proxy = Front::Proxy("198.51.100.1".parse().unwrap());
        let of = |values: &[&str]| {
            origin(proxy, &values.iter().map(|value| ("x-forwarded-for", *value)).collect::<Vec<_>>()).unwrap()
        };
        assert_eq!(of(&["6.6.6.6, 203.0.113.7"]), "203.0.113.7");
        assert_eq!(of(&["6.6.6.6", "2001:db8::7"]), "2001:db8::7");
        assert_eq!(of(&["203.0.113.7, nonsense"]), "198.51.100.1", "the proxy itself");
        assert_eq!(of(&[]), "198.51.100.1");
    }

    #[test]
    fn who_goes_round_a_proxy_says_nothing_of_himself() {
        let forged = [("x-forwarded-for", "203.0.113.7"), ("x-scf-remote-addr", "203.0.113.8")];
        let elsewhere = Front::Proxy("198.51.100.2".parse().unwrap());
        for front in [Front::Nothing, elsewhere] {
            assert_eq!(origin(front, &forged).unwrap(), "198.51.100.1");
        }
    }

    #[test]
    fn a_platform_is_believed_by_its_header_and_no_other() {
        let platform = Front::Platform("x-scf-remote-addr");
        let headers = [("x-scf-remote-addr", "203.0.113.8"), ("x-forwarded-for", "6.6.6.6")];
        assert_eq!(origin(platform, &headers).unwrap(), "203.0.113.8");
        assert_eq!(origin(platform, &headers[1..]), None, "not its own address, which is nobody's");
    }

    #[tokio::test]
    async fn a_platforms_connection_is_for_one_call() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut connection = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let server = serve(app(NOWHERE), listener, Front::Platform("x-scf-remote-addr"), std::future::pending());
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
    async fn a_server_with_no_place_left_still_stops_when_it_is_told_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut only = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let limits = Limits { connections: 1, ..Limits::OF_TODAY };
        let server = tokio::spawn(serve_within(limits, app(NOWHERE), listener, Front::Nothing, async move {
            stopped.await.unwrap()
        }));
        only.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        only.read_u8().await.unwrap();
        stop.send(()).unwrap();
        timeout(Limits::OF_TODAY.head / 2, server).await.expect("it does not wait for the client to go").unwrap();
    }

    /// No limit that a test reaches by itself.
    const PATIENT: Limits = {
        let long = Duration::from_secs(3600);
        Limits { head: long, body: long, answer: long, ..Limits::OF_TODAY }
    };
    const SHORT: Duration = Duration::from_millis(50);
    /// What is answered to a request for nothing, as the health check has it.
    const HEALTH: &str = r#"{"returnValue":4001,"returnMsg":"json format error","returnData":[]}"#;

    /// A server; its address.
    async fn server(limits: Limits) -> SocketAddr {
        server_at(limits, TcpSocket::new_v4().unwrap()).await
    }

    /// A server that listens with this socket, of which its connections have the buffers; its address.
    async fn server_at(limits: Limits, socket: TcpSocket) -> SocketAddr {
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1024).unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve_within(limits, app(NOWHERE), listener, Front::Nothing, std::future::pending()));
        address
    }

    /// All that comes back on a connection until the server closes it.
    async fn answer(connection: &mut TcpStream) -> String {
        let mut answer = String::new();
        let read = connection.read_to_string(&mut answer);
        timeout(Duration::from_secs(20), read).await.expect("the server closes the connection").unwrap();
        answer
    }

    /// What is answered to bytes behind which no more come, although the connection stays.
    async fn answer_to(server: SocketAddr, bytes: &[u8]) -> String {
        let mut connection = TcpStream::connect(server).await.unwrap();
        connection.write_all(bytes).await.unwrap();
        answer(&mut connection).await
    }

    #[tokio::test]
    async fn who_never_reads_their_answers_loses_the_connection() {
        // With buffers of many answers this would take long on a busy machine.
        let (listening, socket) = (TcpSocket::new_v4().unwrap(), TcpSocket::new_v4().unwrap());
        listening.set_send_buffer_size(4096).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let server = server_at(Limits { answer: SHORT, ..PATIENT }, listening).await;
        let mut connection = socket.connect(server).await.unwrap();
        let requests = b"GET /interface.php HTTP/1.1\r\n\r\n".repeat(100);
        let send = async { while connection.write_all(&requests).await.is_ok() {} };
        timeout(Duration::from_secs(20), send).await.expect("the server gives up");
    }

    #[tokio::test]
    async fn an_idle_connection_is_closed_in_time_and_so_is_one_that_never_ends_a_head() {
        let server = server(Limits { head: SHORT, ..PATIENT }).await;
        for start in ["", "GET / HTTP/1.1\r\nx: y"] {
            assert_eq!(answer_to(server, start.as_bytes()).await, "", "{start}");
        }
    }

    #[tokio::test]
    async fn idle_connections_make_room_for_others() {
        let server = server(Limits { connections: 2, ..PATIENT }).await;
        let mut idle = [TcpStream::connect(server).await.unwrap(), TcpStream::connect(server).await.unwrap()];
        idle[1].write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        for _ in 0..2 {
            let health = answer_to(server, b"GET /interface.php HTTP/1.1\r\nconnection: close\r\n\r\n").await;
            assert!(health.ends_with(HEALTH), "{health}");
        }
        assert_eq!(answer(&mut idle[0]).await, "", "the one that has waited longest is closed");
    }

    #[tokio::test]
    async fn a_notice_that_comes_too_slowly_or_breaks_off_comes_again() {
        let server = server(Limits { body: SHORT, ..PATIENT }).await;
        let to = |path: &str| format!("POST {path} HTTP/1.1\r\ncontent-length: 100\r\n\r\n{{\"t\":");
        let slow = answer_to(server, to("/live_callback").as_bytes()).await;
        assert!(slow.starts_with("HTTP/1.1 408 ") && slow.ends_with(r#"{"code":4001}"#), "{slow}");
        let mut connection = TcpStream::connect(server).await.unwrap();
        connection.write_all(to("/live_callback").as_bytes()).await.unwrap();
        connection.shutdown().await.unwrap();
        let broken = answer(&mut connection).await;
        // A server that notices the slowness first may say so.
        assert!(broken.starts_with("HTTP/1.1 400 ") || broken.starts_with("HTTP/1.1 408 "), "{broken}");
        // An app takes any other status for a dead network.
        let slow = answer_to(server, to("/interface.php").as_bytes()).await;
        assert!(slow.starts_with("HTTP/1.1 200 ") && slow.contains("the body came too slowly"), "{slow}");
        let slow = answer_to(server, to("/login").as_bytes()).await;
        assert!(slow.starts_with("HTTP/1.1 200 ") && slow.contains("the body came too slowly"), "{slow}");
    }

    /// Under Linux, which says what timer a connection has: 02 is that of the probes.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_operating_system_asks_whether_a_silent_client_is_still_there() {
        let server = server(PATIENT).await;
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
        timeout(Duration::from_secs(20), probed).await.expect("the connection has the timer of the probes");
    }

    #[tokio::test]
    async fn a_body_that_keeps_its_pace_is_waited_for_and_one_that_does_not_come_is_not() {
        let server = server(Limits { body: SHORT, body_bytes_a_second: 1, ..PATIENT }).await;
        let head = "POST /interface.php HTTP/1.1\r\nconnection: close\r\ncontent-length: 100\r\n\r\n";
        let mut connection = TcpStream::connect(server).await.unwrap();
        connection.write_all(format!("{head}{:99}", "").as_bytes()).await.unwrap();
        // Each of these takes as long as a body of which nothing comes may take.
        for _ in 0..2 {
            let slow = answer_to(server, head.as_bytes()).await;
            assert!(slow.contains("the body came too slowly"), "{slow}");
        }
        connection.write_all(b" ").await.unwrap();
        let whole = answer(&mut connection).await;
        assert!(whole.ends_with(HEALTH), "{whole}");
    }

    #[tokio::test]
    async fn a_long_body_takes_up_room() {
        let server = server(PATIENT).await;
        let all = LONG_BODIES_AT_A_TIME;
        let head = format!("POST /login HTTP/1.1\r\ncontent-length: {MAX_BODY_BYTES}\r\n\r\n");
        let mut connection = TcpStream::connect(server).await.unwrap();
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(&[b' '; SHORT_BODY_BYTES + 1]).await.unwrap();
        let taken = async {
            while LONG_BODIES.available_permits() == all {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(20), taken).await.expect("it is one of the long ones");
    }

    #[test]
    fn a_long_body_has_longer_but_must_keep_a_pace() {
        let seconds = |bytes| Limits::OF_TODAY.of_body(bytes).as_secs();
        assert_eq!((seconds(0), seconds(16 * 1024), seconds(900 * 1024)), (10, 11, 66));
        assert_eq!(seconds(MAX_BODY_BYTES), 74);
        assert_eq!(seconds(usize::MAX), 74, "what is thrown away earns no more");
    }

    #[tokio::test]
    async fn who_sends_too_much_comes_to_read_why_that_is_no_call() {
        // Buffers that do not hold what is too much.
        let (listening, socket) = (TcpSocket::new_v4().unwrap(), TcpSocket::new_v4().unwrap());
        listening.set_recv_buffer_size(64 * 1024).unwrap();
        socket.set_send_buffer_size(64 * 1024).unwrap();
        let server = server_at(PATIENT, listening).await;
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
    async fn who_speaks_https_is_told_that_this_is_http() {
        let server = server(PATIENT).await;
        // The beginning of a ClientHello.
        let answer = answer_to(server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("speaks HTTP, not HTTPS"), "{answer}");
    }

    #[tokio::test]
    async fn a_tunnel_is_refused() {
        let server = server(PATIENT).await;
        let answer = answer_to(server, b"CONNECT h:443 HTTP/1.1\r\nconnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: POST\r\n"), "{answer}");
    }

    /// Stops a server without patience once `begun` is done, to which somebody has sent this.
    async fn stopped_after(app: Arc<App>, sent: String, begun: impl AsyncFnOnce(&mut TcpStream)) -> Stopped {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move { stopped.await.unwrap() };
        let limits = Limits { shutdown: Duration::ZERO, ..PATIENT };
        let server = tokio::spawn(serve_within(limits, app, listener, Front::Nothing, stopped));
        client.write_all(sent.as_bytes()).await.unwrap();
        begun(&mut client).await;
        stop.send(()).unwrap();
        server.await.unwrap()
    }

    #[tokio::test]
    async fn a_call_that_the_stop_cuts_short_is_said_and_a_request_that_never_became_a_call_is_not() {
        let body = r#"{"Action":"GetUserInfo","userid":"alice","type":0}"#;
        let head = format!("POST /interface.php HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n", body.len());

        // A table that accepts connections and never answers.
        let table = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let app_with_it = app(&table.local_addr().unwrap().to_string());
        let mut asked = None;
        let calls = async |_: &mut TcpStream| asked = Some(table.accept().await.unwrap());
        assert_eq!(stopped_after(app_with_it, format!("{head}\r\n{body}"), calls).await, Stopped::CutShort);

        // Who asks whether to go on learns that the body is waited for.
        let waits = async |client: &mut TcpStream| {
            let mut answer = [0; "HTTP/1.1 100 Continue".len()];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 100 Continue");
        };
        let half = format!("{head}expect: 100-continue\r\n\r\n");
        assert_eq!(stopped_after(app(NOWHERE), half, waits).await, Stopped::Drained);
    }
}
