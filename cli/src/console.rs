//! `mini-lvb console`: serves the operator's console on this machine, and relays its calls with the operator's key.
//!
//! The page shows text of strangers, so the page never has the key. It has a token, which only this process accepts, and
//! only from the page: a request of another page of the browser has another origin, and does not know the token.

use std::{
    collections::BTreeSet, convert::Infallible, error::Error, future::Future, net::SocketAddr, sync::Arc,
    time::Duration,
};

use app::process::random_u32;
use clap::Args;
use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN},
    request::Parts,
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use protocol::sign::constant_time_eq;
use serde_json::json;
use tokio::net::TcpListener;
use web::Console;

use crate::{
    listen::Listen,
    operate::{Operator, Server, address},
    terminal::print,
};

/// The commands that the console may call.
const COMMANDS: [&str; 10] = [
    "list_rooms",
    "list_replays",
    "list_bans",
    "list_reports",
    "list_verdicts",
    "list_notices",
    "show_notice",
    "replay_notices",
    "rebuild_user",
    "forbid_live",
];
/// The path of a call, before its command.
const CALLS: &str = "/call/";
/// The header with the token.
const TOKEN: HeaderName = HeaderName::from_static("x-console-token");
/// The header in which browsers say which page sends a request.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The longest body of a call.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The options of `mini-lvb console`.
#[derive(Args, Debug)]
pub struct Options {
    /// The address to listen at, on this machine only: a port, or 127.0.0.1:PORT. The default is a free port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: Listen,
    /// An address from which the console loads pictures, such as `https://play.example.com`. For a server on this machine, it also
    /// loads those of this machine.
    #[arg(long, value_name = "URL", value_parser = address)]
    pictures: Vec<String>,
    #[command(flatten)]
    operator: Operator,
}

/// The pause after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The relay.
struct Relay {
    server: Server,
    console: Console,
    token: String,
    /// The values of the header `Host` with which a browser of this machine reaches the listener. Another name that leads
    /// here is that of a stranger's page.
    hosts: [String; 2],
}

/// Serves the console until the process ends.
pub async fn run(options: &Options) -> Result<Infallible, Box<dyn Error>> {
    if !options.listen.is_loopback() {
        return Err(format!("{}: the console listens on this machine only, as 127.0.0.1:8090", options.listen).into());
    }
    let server = Server::of(&options.operator)?;
    let listener = options.listen.bind().await;
    let listener =
        listener.map_err(|error| format!("{}: {error}; choose another address with --listen", options.listen))?;
    let at = listener.local_addr()?;
    let relay = Relay::new(server, at, options.pictures.iter().cloned().collect());
    print(&format!(
        "the console of {} is at http://{at}/#token={}\n  the address has a key: it is for you only, and ends with this \
         program\n",
        relay.server.address(),
        relay.token
    ))?;
    Ok(serve(listener, Arc::new(relay)).await)
}

async fn serve(listener: TcpListener, relay: Arc<Relay>) -> Infallible {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // No file handle is free. The next one is, when a connection ends.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let relay = Arc::clone(&relay);
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let relay = Arc::clone(&relay);
                async move { Ok::<_, Infallible>(relay.respond(request).await.map(Full::new)) }
            });
            let http = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
            // A browser may close a connection at any time.
            drop(http.await);
        });
    }
}

impl Relay {
    fn new(server: Server, at: SocketAddr, pictures: BTreeSet<String>) -> Self {
        let token = (0..4).map(|_| format!("{:08x}", random_u32())).collect();
        let is_local = server.is_local();
        let hosts = [at.to_string(), format!("localhost:{}", at.port())];
        Self { server, console: Console::new(pictures, is_local), token, hosts }
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Bytes> {
        let (head, body) = request.into_parts();
        if !self.is_asked_by_name(&head.headers) {
            return refusal(StatusCode::MISDIRECTED_REQUEST, "this address is not that of the console");
        }
        let Some(command) = head.uri.path().strip_prefix(CALLS) else {
            return match head.method {
                Method::GET | Method::HEAD => self.console.respond(&head),
                _ => refusal(StatusCode::METHOD_NOT_ALLOWED, "files are only read"),
            };
        };
        if let Some((status, reason)) = self.reason_to_refuse(&head, command) {
            return refusal(status, reason);
        }
        let relayed = self.relay(command, async {
            Limited::new(body, MAX_BODY_BYTES).collect().await.map(|body| body.to_bytes()).map_err(|_| ())
        });
        relayed.await
    }

    /// Whether the request names the address of the listener.
    fn is_asked_by_name(&self, headers: &HeaderMap) -> bool {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        host.is_some_and(|host| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host)))
    }

    /// Why a call is refused, which the console's page has not made; `None` if that page may have made it.
    fn reason_to_refuse(&self, head: &Parts, command: &str) -> Option<(StatusCode, &'static str)> {
        if head.method != Method::POST {
            return Some((StatusCode::METHOD_NOT_ALLOWED, "a call is a POST"));
        }
        let is_own = |origin: &str| {
            origin
                .strip_prefix("http://")
                .is_some_and(|host| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host)))
        };
        // A browser sends at least one of them, and no page can change them.
        let is_foreign = head.headers.get(ORIGIN).is_some_and(|origin| !origin.to_str().is_ok_and(is_own))
            || head.headers.get(FETCH_SITE).is_some_and(|site| site != "same-origin");
        let received = head.headers.get(TOKEN).and_then(|token| token.to_str().ok()).unwrap_or_default();
        if is_foreign || !constant_time_eq(&self.token, received) {
            return Some((StatusCode::FORBIDDEN, "open the address that mini-lvb console has printed"));
        }
        (!COMMANDS.contains(&command)).then_some((StatusCode::NOT_FOUND, "the console has no such command"))
    }

    async fn relay(&self, command: &str, body: impl Future<Output = Result<Bytes, ()>>) -> Response<Bytes> {
        let Some(body) = body.await.ok().and_then(|body| String::from_utf8(body.into()).ok()) else {
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, "the call is too long, or not a text");
        };
        match self.server.relay(command, body).await {
            Ok(answer) => json_response(StatusCode::OK, answer),
            Err(error) => refusal(StatusCode::BAD_GATEWAY, &error),
        }
    }
}

/// A refusal, in the form of an answer of the business server.
fn refusal(status: StatusCode, message: &str) -> Response<Bytes> {
    json_response(status, json!({"code": status.as_u16(), "message": message}).to_string())
}

fn json_response(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
    response
}
