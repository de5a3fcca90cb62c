//! SCF's runtime API: what an event function's process talks to there, here on a loopback port.
//!
//! ```text
//! POST /runtime/init/ready            the process has started
//! GET  /runtime/invocation/next       waits for an event, and gives it again until it is answered
//! POST /runtime/invocation/response   the answer to it
//! POST /runtime/invocation/error      why it has none
//! ```

use std::{
    convert::Infallible,
    process::{ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::AsyncReadExt,
    net::TcpListener,
    process::{Child, Command},
    sync::{
        Mutex,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    task::{JoinHandle, JoinSet},
};

/// How long a function may take, start and table and all, before a test calls it stuck.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// What a function said of an event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    /// An answer.
    Response(String),
    /// Why there is none.
    Error(String),
    /// Something that the runtime API does not know, or that comes at a wrong time.
    Stray(String),
}

/// The API, as the process at its other end sees it.
struct Api {
    /// Events that are to come, and the one that is not answered yet.
    events: Mutex<(UnboundedReceiver<Bytes>, Option<Bytes>)>,
    says: UnboundedSender<Said>,
    is_ready: AtomicBool,
    /// So many requests are answered with 500, before the others are.
    failures: AtomicUsize,
    asked: AtomicUsize,
}

/// An event function: its process, and the runtime API that it talks to.
pub(crate) struct EventFunction {
    process: Child,
    api: Arc<Api>,
    server: JoinHandle<()>,
    events: UnboundedSender<Bytes>,
    said: UnboundedReceiver<Said>,
}

impl EventFunction {
    /// Starts a function by this command.
    pub(crate) async fn start(mut command: Command) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ((events, wanted), (says, said)) = (unbounded_channel(), unbounded_channel());
        let events_of_api = Mutex::new((wanted, None));
        let (is_ready, failures, asked) = Default::default();
        let api = Arc::new(Api { events: events_of_api, says, is_ready, failures, asked });
        let server = tokio::spawn(serve(listener, Arc::clone(&api)));
        command.env("SCF_RUNTIME_API", address.ip().to_string());
        command.env("SCF_RUNTIME_API_PORT", address.port().to_string());
        // The log is for people; a pipe that nobody reads would fill up.
        let process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        Self { process, api, server, events, said }
    }

    /// Gives the function an event and waits for what it says of it.
    pub(crate) async fn invoke(&mut self, event: impl Into<Bytes>) -> Said {
        let event = event.into();
        let shown = event[..event.len().min(300)].escape_ascii().to_string();
        self.events.send(event).expect("the runtime API is there");
        tokio::select! {
            said = self.said.recv() => said.expect("the runtime API is there"),
            end = self.process.wait() => panic!("the function ended, {}, at {shown}", end.unwrap()),
            () = tokio::time::sleep(READ_TIMEOUT) => panic!("the function is stuck at {shown}"),
        }
    }

    /// Fails the next requests of the process, so many of them.
    pub(crate) fn fail(&self, requests: usize) {
        self.api.failures.store(requests, Ordering::SeqCst);
    }

    /// How often the process has asked for something.
    pub(crate) fn asked(&self) -> usize {
        self.api.asked.load(Ordering::SeqCst)
    }

    /// Gives the function an event, and waits for it to end instead of answering; what it says last.
    pub(crate) async fn ends_at(&mut self, event: impl Into<Bytes>) -> (ExitStatus, String) {
        self.events.send(event.into()).expect("the runtime API is there");
        self.ends().await
    }

    /// Takes the runtime API away, and waits for the function to end; what it says last.
    pub(crate) async fn ends_alone(&mut self) -> (ExitStatus, String) {
        self.server.abort();
        self.ends().await
    }

    async fn ends(&mut self) -> (ExitStatus, String) {
        let mut words = String::new();
        let end = async {
            self.process.stderr.take().unwrap().read_to_string(&mut words).await.unwrap();
            self.process.wait().await.unwrap()
        };
        (tokio::time::timeout(READ_TIMEOUT, end).await.expect("the function ends"), words)
    }
}

/// Answers until it is aborted, its connections too.
async fn serve(listener: TcpListener, api: Arc<Api>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        let api = Arc::clone(&api);
        let service = service_fn(move |request| {
            let api = Arc::clone(&api);
            async move { Ok::<_, Infallible>(respond(request, &api).await) }
        });
        // A connection ends with the process at its other end; that is no fault of either.
        connections
            .spawn(async move { http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok() });
    }
}

async fn respond(request: Request<Incoming>, api: &Api) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let body = String::from_utf8(body.to_vec()).unwrap();
    api.asked.fetch_add(1, Ordering::SeqCst);
    let fails = |left: usize| left.checked_sub(1);
    if api.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok() {
        return status(500);
    }
    let is_ready = api.is_ready.load(Ordering::SeqCst);
    let said = match (head.method.as_str(), head.uri.path()) {
        ("POST", "/runtime/init/ready") if !is_ready => {
            api.is_ready.store(true, Ordering::SeqCst);
            return status(200);
        }
        ("GET", "/runtime/invocation/next") if is_ready => return next(api).await,
        ("POST", "/runtime/invocation/response") => Said::Response(body),
        ("POST", "/runtime/invocation/error") => Said::Error(body),
        (method, path) => Said::Stray(format!("{method} {path}: {body}")),
    };
    let said = match api.events.lock().await.1.take() {
        Some(_) => said,
        None => Said::Stray(format!("{said:?}, when nothing was asked")),
    };
    // Nobody listens any more when a test is over.
    api.says.send(said).map_or_else(|_| status(410), |()| status(200))
}

async fn next(api: &Api) -> Response<Full<Bytes>> {
    let mut events = api.events.lock().await;
    if events.1.is_none() {
        events.1 = events.0.recv().await;
    }
    let Some(event) = events.1.clone() else { return status(410) };
    Response::builder()
        .header("Request_Id", "4b5fb0ca-a1b1-4c1f-9f6d-8476a536e9f4")
        .header("Memory_Limit_In_Mb", "128")
        .header("Time_Limit_In_Ms", "10000")
        .body(Full::new(event))
        .unwrap()
}

fn status(status: u16) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::default()).unwrap()
}
