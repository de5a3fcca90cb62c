//! Tests of the server through its connections, with limits that a test reaches.

use std::{future::pending, net::SocketAddr};

use app::config::{Config, SETTINGS};
use protocol::wire::MAX_BODY_BYTES;
use store::{
    Table,
    connect::{self, Credentials},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    sync::oneshot,
    time::timeout,
};

use super::*;
use crate::limits::{LONG_BODIES, MAX_LONG_BODIES, SHORT_BODY_BYTES};

/// Time limits that no test reaches.
const NO_TIMEOUTS: Limits = {
    let long = Duration::from_secs(3600);
    Limits { grace: long, head: long, body: long, answer: long, ..Limits::DEFAULT }
};
const SHORT: Duration = Duration::from_millis(50);
/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// An address without a table.
const NOWHERE: &str = "127.0.0.1:9";
/// The answer to the health check.
const HEALTH: &str = r#"{"returnValue":4001,"returnMsg":"json format error","returnData":[]}"#;

/// An `App` with a table at an address. Only calls that need the table connect to it.
fn app(table: &str) -> Arc<App> {
    let config = Config::read(|name| match name {
        "ACTION_AUTH" => Some("open".to_owned()),
        "SESSION_KEY" => Some("1".repeat(32)),
        name => SETTINGS.iter().any(|known| known.name == name && known.default.is_none()).then(|| "1".repeat(10)),
    });
    let credentials = Credentials::new("t", "t", None, None, "a test");
    let client = connect::remote(Some(format!("http://{table}")), "t".to_owned(), credentials);
    Arc::new(App::new(config.unwrap(), Table::new(client, "t")))
}

/// Starts a server and returns its address.
async fn server(limits: Limits) -> SocketAddr {
    server_at(TcpSocket::new_v4().unwrap(), limits, TrustedProxy::None).await
}

/// Starts a server on this socket, whose buffer sizes its connections inherit, and returns its address.
async fn server_at(socket: TcpSocket, limits: Limits, proxy: TrustedProxy) -> SocketAddr {
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1024).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_within(limits, app(NOWHERE), None, listener, proxy, pending()));
    address
}

/// A connection on which these bytes have been sent.
async fn connected(server: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut connection = TcpStream::connect(server).await.unwrap();
    connection.write_all(bytes).await.unwrap();
    connection
}

/// Everything that the server sends until it closes the connection.
async fn answer(connection: &mut TcpStream) -> String {
    let mut answer = String::new();
    let read = connection.read_to_string(&mut answer);
    timeout(PATIENCE, read).await.expect("the server closes the connection").unwrap();
    answer
}

/// The answer to these bytes from a client that then keeps the connection open and sends nothing.
async fn answer_to(server: SocketAddr, bytes: &[u8]) -> String {
    answer(&mut connected(server, bytes).await).await
}

/// Sends a health check, which is answered.
async fn assert_healthy(server: SocketAddr) {
    let health = answer_to(server, b"GET /interface.php HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    assert!(health.ends_with(HEALTH), "{health}");
}

/// Reads the interim response, which shows that the server waits for the body.
async fn read_continue(client: &mut TcpStream) {
    let mut answer = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
}

/// Waits for a condition.
async fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, waiting).await.expect(what);
}

/// Sends these bytes to a server, waits for `begun`, and stops the server.
async fn stopped_after(limits: Limits, app: Arc<App>, sent: &str, begun: impl AsyncFnOnce(&mut TcpStream)) -> Stopped {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async move { stopped.await.unwrap() };
    let server = tokio::spawn(serve_within(limits, app, None, listener, TrustedProxy::None, stopped));
    let mut client = connected(address, sent.as_bytes()).await;
    begun(&mut client).await;
    stop.send(()).unwrap();
    timeout(PATIENCE, server).await.expect("the server does not wait for the client").unwrap()
}

#[tokio::test]
async fn a_platforms_connection_is_for_one_call() {
    let proxy = TrustedProxy::Platform("x-scf-remote-addr");
    let server = server_at(TcpSocket::new_v4().unwrap(), NO_TIMEOUTS, proxy).await;
    let answer = answer_to(server, b"GET / HTTP/1.1\r\nhost: t\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 302 ") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_server_at_its_limit_of_connections_still_stops() {
    let limits = Limits { connections: 1, shutdown: NO_TIMEOUTS.head, ..NO_TIMEOUTS };
    let answered = async |only: &mut TcpStream| assert_eq!(only.read_u8().await.unwrap(), b'H');
    let stopped = stopped_after(limits, app(NOWHERE), "GET / HTTP/1.1\r\n\r\n", answered).await;
    assert_eq!(stopped, Stopped::Drained);
}

#[tokio::test]
async fn the_connection_of_a_client_that_never_reads_its_answers_is_closed() {
    // Small buffers, so that the answers fill them quickly.
    let (listening, socket) = (TcpSocket::new_v4().unwrap(), TcpSocket::new_v4().unwrap());
    listening.set_send_buffer_size(4096).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let server = server_at(listening, Limits { answer: SHORT, ..NO_TIMEOUTS }, TrustedProxy::None).await;
    let mut connection = socket.connect(server).await.unwrap();
    let requests = b"GET /interface.php HTTP/1.1\r\n\r\n".repeat(100);
    let send = async { while connection.write_all(&requests).await.is_ok() {} };
    timeout(PATIENCE, send).await.expect("the server gives up");
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
    let mut longest_waiting = connected(server, b"").await;
    let _other = connected(server, b"GET / HTTP/1.1\r\n").await;
    for _ in 0..2 {
        assert_healthy(server).await;
    }
    assert_eq!(answer(&mut longest_waiting).await, "");
}

#[tokio::test]
async fn half_a_request_is_evicted_before_a_new_connection() {
    let server = server(Limits { connections: 2, ..NO_TIMEOUTS }).await;
    let mut new = connected(server, b"").await;
    let half = b"POST /login HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n";
    let mut reading = connected(server, half).await;
    read_continue(&mut reading).await;
    assert_healthy(server).await;
    assert_eq!(answer(&mut reading).await, "");
    new.write_all(b"GET /interface.php HTTP/1.1\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(answer(&mut new).await.ends_with(HEALTH));
}

#[tokio::test]
async fn a_slow_or_cut_off_notice_is_answered_so_that_the_cloud_sends_it_again() {
    let server = server(Limits { body: SHORT, ..NO_TIMEOUTS }).await;
    let to = |path: &str| format!("POST {path} HTTP/1.1\r\ncontent-length: 100\r\n\r\n{{\"t\":");
    let slow = answer_to(server, to("/live_callback").as_bytes()).await;
    assert!(slow.starts_with("HTTP/1.1 408 ") && slow.ends_with(r#"{"code":4001}"#), "{slow}");
    let mut connection = connected(server, to("/live_callback").as_bytes()).await;
    connection.shutdown().await.unwrap();
    let broken = answer(&mut connection).await;
    // The server may reach the time limit first.
    assert!(broken.starts_with("HTTP/1.1 400 ") || broken.starts_with("HTTP/1.1 408 "), "{broken}");
    // Apps treat any other status as a network failure.
    for path in ["/interface.php", "/login"] {
        let slow = answer_to(server, to(path).as_bytes()).await;
        assert!(slow.starts_with("HTTP/1.1 200 ") && slow.contains("the body came too slowly"), "{slow}");
    }
}

/// On Linux, where the timer of a connection can be read: 02 is the keepalive timer.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_operating_system_probes_a_silent_client() {
    let server = server(NO_TIMEOUTS).await;
    let client = connected(server, b"").await;
    let port = |address: SocketAddr| format!(":{:04X}", address.port());
    let (here, there) = (port(server), port(client.local_addr().unwrap()));
    let is_probed = || {
        let connections = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        connections
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .any(|fields| fields[1].ends_with(&here) && fields[2].ends_with(&there) && fields[5].starts_with("02:"))
    };
    wait_until("the connection has the keepalive timer", is_probed).await;
}

#[tokio::test]
async fn a_body_at_the_minimum_rate_is_read_and_one_that_does_not_arrive_is_refused() {
    let server = server(Limits { body: SHORT, min_body_bytes_per_second: 1, ..NO_TIMEOUTS }).await;
    let head = "POST /interface.php HTTP/1.1\r\nconnection: close\r\ncontent-length: 100\r\n\r\n";
    let mut connection = connected(server, format!("{head}{:99}", "").as_bytes()).await;
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
    let head = format!("POST /login HTTP/1.1\r\ncontent-length: {MAX_BODY_BYTES}\r\n\r\n");
    let mut connection = connected(server, head.as_bytes()).await;
    connection.write_all(&[b' '; SHORT_BODY_BYTES + 1]).await.unwrap();
    wait_until("the body takes a permit", || LONG_BODIES.available_permits() < MAX_LONG_BODIES).await;
}

#[tokio::test]
async fn a_client_with_a_too_long_body_gets_to_read_the_refusal() {
    // Buffers that are smaller than the body.
    let (listening, socket) = (TcpSocket::new_v4().unwrap(), TcpSocket::new_v4().unwrap());
    listening.set_recv_buffer_size(64 * 1024).unwrap();
    socket.set_send_buffer_size(64 * 1024).unwrap();
    let server = server_at(listening, NO_TIMEOUTS, TrustedProxy::None).await;
    let body = "x".repeat(3 * MAX_BODY_BYTES);
    let request = format!("POST /login HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut connection = socket.connect(server).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let long = answer(&mut connection).await;
    let refusal = r#"{"code":400,"message":"Bad Request | the body is longer than 1 MiB","data":[]}"#;
    assert!(long.ends_with(refusal), "{long}");
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

#[tokio::test]
async fn a_call_that_the_stop_aborts_is_reported_and_a_request_that_never_became_a_call_is_not() {
    let limits = Limits { shutdown: Duration::ZERO, ..NO_TIMEOUTS };
    let body = r#"{"Action":"GetUserInfo","userid":"alice","type":0}"#;
    let head = format!("POST /interface.php HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n", body.len());

    // A table that accepts connections and never answers.
    let table = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app_with_table = app(&table.local_addr().unwrap().to_string());
    let mut asked = None;
    let calls = async |_: &mut TcpStream| asked = Some(table.accept().await.unwrap());
    assert_eq!(stopped_after(limits, app_with_table, &format!("{head}\r\n{body}"), calls).await, Stopped::CutShort);

    let half = format!("{head}expect: 100-continue\r\n\r\n");
    let waits = async |client: &mut TcpStream| read_continue(client).await;
    assert_eq!(stopped_after(limits, app(NOWHERE), &half, waits).await, Stopped::Drained);
}
