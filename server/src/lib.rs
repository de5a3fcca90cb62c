//! The HTTP server: every function in one process, where no gateway stands before them.
//!
//! `mini-lvb serve` is one, and the web function of Tencent SCF.

use std::{
    collections::{HashMap, hash_map::Entry},
    convert::Infallible,
    future::Future,
    io,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http_body_util::{BodyExt, Full};
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
use shared::{answer::answer_anywhere, app::App, types::Origin, wire::MAX_BODY_BYTES};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, SemaphorePermit},
};

/// How many connections are served at a time; the others wait to be accepted.
const CONNECTIONS: usize = 1024;
/// How many of them one line may have, so that nobody alone takes the places of all.
const CONNECTIONS_OF_ONE: usize = CONNECTIONS / 4;
/// How long a client may take to send the head of a request, or its body.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of a body is read without further ado; the longest that an app sends has some hundred bytes.
const SHORT_BODY_BYTES: usize = 64 * 1024;
/// So many longer ones are in memory at a time: all connections together could fill a gigabyte with them.
static LONG_BODIES: Semaphore = Semaphore::const_new(32);
/// How long calls that are under way may take to end when the server is told to stop.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long the server pauses when the operating system gives it no connection, for want of file handles mostly.
const BREATH: Duration = Duration::from_millis(50);

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
    fn origin<T>(self, from: IpAddr, request: &Request<T>) -> Option<Origin> {
        match self {
            Self::Proxy(address) if address == from => said(request, "x-forwarded-for").or(Some(Origin(from))),
            Self::Platform(header) => said(request, header),
            Self::Nothing | Self::Proxy(_) => Some(Origin(from)),
        }
    }
}

/// Where a header says that a call comes from: the last word, behind whatever the caller made up.
fn said<T>(request: &Request<T>, header: &str) -> Option<Origin> {
    let value = request.headers().get_all(header).iter().next_back()?;
    Origin::last_of(value.to_str().ok()?)
}

/// Serves every door until `stop` is done; then the calls under way are answered, and no more.
pub async fn serve(app: Arc<App>, listener: TcpListener, front: Front, stop: impl Future<Output = ()>) {
    serve_at_most(CONNECTIONS, app, listener, front, stop).await;
}

async fn serve_at_most(
    connections: usize,
    app: Arc<App>,
    listener: TcpListener,
    front: Front,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(connections));
    let lines = Lines::default();
    let mut stop = std::pin::pin!(stop);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
            let (stream, client) = listener.accept().await?;
            stream.set_nodelay(true)?;
            io::Result::Ok((place, stream, client.ip().to_canonical()))
        };
        let (place, stream, client) = tokio::select! {
            next = next => match next {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let line = match Origin(client).line().filter(|_| !front.speaks(client)).map(|line| lines.take(line)) {
            Some(Some(line)) => line,
            Some(None) => continue,
            None => Line::default(),
        };
        let app = Arc::clone(&app);
        let service = service_fn(move |request| {
            let app = Arc::clone(&app);
            let origin = front.origin(client, &request);
            async move { Ok::<_, Infallible>(respond(&app, origin, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            // Who has said all may still want the answer; and a call is carried out whole, also for who hangs up
            // meanwhile: half of it would leave a row that its list does not count.
            .half_close(true)
            .keep_alive(!matches!(front, Front::Platform(_)))
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop((place, line));
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(FAREWELL) => tracing::warn!("some calls were not answered in time"),
    }
}

/// The lines that connections come from, and how many of each there are.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<HashMap<String, usize>>>);

impl Lines {
    /// A connection of this line; `None` if it has as many as it may.
    fn take(&self, name: String) -> Option<Line> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = lines.entry(name.clone()).or_default();
        if *connections >= CONNECTIONS_OF_ONE {
            return None;
        }
        *connections += 1;
        Some(Line { name, lines: self.clone() })
    }
}

/// A connection of a line, counted for as long as it is there.
#[derive(Default)]
struct Line {
    name: String,
    lines: Lines,
}

impl Drop for Line {
    fn drop(&mut self) {
        let mut lines = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut connections) = lines.entry(std::mem::take(&mut self.name)) {
            *connections.get_mut() -= 1;
            if *connections.get() == 0 {
                connections.remove();
            }
        }
    }
}

/// Reads a body. A long one, as no app sends it, takes up `room` for as long as the caller keeps that.
async fn read(mut body: Incoming, room: &mut Option<SemaphorePermit<'_>>) -> Result<Vec<u8>, &'static str> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(|_| "broken off")?.into_data().unwrap_or_default();
        let length = bytes.len() + data.len();
        if length > MAX_BODY_BYTES {
            return Err("too long");
        }
        if length > SHORT_BODY_BYTES && room.is_none() {
            *room = LONG_BODIES.acquire().await.ok();
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Answers one request.
async fn respond(app: &App, origin: Option<Origin>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let mut room = None;
    let read = tokio::time::timeout(PATIENCE, read(body, &mut room)).await;
    let (body, whole) = match read.unwrap_or(Err("too slow")) {
        Ok(body) => (body, true),
        // Taken for no body at all; the rest of it is still on the way, so the connection cannot go on.
        Err(reason) => {
            tracing::info!(reason, "a body was not read");
            (Vec::new(), false)
        }
    };
    let mut request = Request::from_parts(head, body);
    if let Some(origin) = origin {
        request.extensions_mut().insert(origin);
    }
    let mut response = answer_anywhere(app, request).await.map(|body| Full::new(Bytes::from(body)));
    if !whole {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests {
    use shared::{
        cloud::Cloud,
        config::{Config, SETTINGS},
        lambda::{self, getrandom_u32, now},
        table::Table,
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        sync::oneshot,
        time::timeout,
    };

    use super::*;

    /// A program without a table, for calls that need none.
    fn app() -> Arc<App> {
        let config = Config::read(|name| match name {
            "ACTION_AUTH" => Some("open".to_owned()),
            "SESSION_KEY" => Some("1".repeat(32)),
            name => SETTINGS.iter().any(|known| known.name == name && known.default.is_none()).then(|| "1".repeat(10)),
        });
        let config = config.unwrap();
        let nowhere = lambda::sdk_config(lambda::tls_client()).build();
        let table = Table::new(aws_sdk_dynamodb::Client::from_conf(nowhere), "t");
        let (clock, random) = (Box::new(now), Box::new(getrandom_u32));
        Arc::new(App { cloud: Cloud::new(&config), oidc: None, table, clock, random, config })
    }

    #[test]
    fn one_line_has_a_quarter_of_the_places_and_gives_them_back() {
        let lines = Lines::default();
        let taken: Vec<_> = (0..CONNECTIONS_OF_ONE).map(|_| lines.take("203.0.113.7".to_owned()).unwrap()).collect();
        assert!(lines.take("203.0.113.7".to_owned()).is_none());
        assert!(lines.take("203.0.113.8".to_owned()).is_some());
        drop(taken);
        assert!(lines.take("203.0.113.7".to_owned()).is_some());
        assert!(lines.0.lock().unwrap().is_empty(), "nothing is kept of who is gone");
    }

    /// Where a front says that a call with these headers comes from, by a connection from 198.51.100.1.
    fn origin(front: Front, headers: &[(&str, &str)]) -> Option<String> {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        let origin = front.origin("198.51.100.1".parse().unwrap(), &request.body(()).unwrap());
        origin.map(|Origin(address)| address.to_string())
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
        let server = serve(app(), listener, Front::Platform("x-scf-remote-addr"), std::future::pending());
        let call = async {
            connection.write_all(b"GET / HTTP/1.1\r\nhost: t\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let answer = tokio::select! { answer = call => answer, () = server => unreachable!("it does not stop") };
        assert!(answer.starts_with("HTTP/1.1 302 ") && answer.contains("connection: close"), "{answer}");
    }

    #[tokio::test]
    async fn a_server_with_no_place_left_still_stops_when_it_is_told_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut only = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server =
            tokio::spawn(serve_at_most(1, app(), listener, Front::Nothing, async move { stopped.await.unwrap() }));
        only.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        only.read_u8().await.unwrap();
        stop.send(()).unwrap();
        timeout(PATIENCE / 2, server).await.expect("it does not wait for the client to go").unwrap();
    }
}
