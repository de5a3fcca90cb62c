//! The Lambda Runtime API: what a function's process talks to in the cloud, here on a loopback port.
//!
//! ```text
//! GET  /2018-06-01/runtime/invocation/next             waits for an event
//! POST /2018-06-01/runtime/invocation/<id>/response    the function's answer to it
//! POST /2018-06-01/runtime/invocation/<id>/error       why it has none
//! POST /2018-06-01/runtime/init/error                  why it could not start
//! ```

use std::{convert::Infallible, path::Path, process::Stdio, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::TcpListener,
    process::{Child, ChildStdout, Command},
    sync::{
        Mutex,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
};

use app::process::now;

const VERSION: &str = "/2018-06-01/runtime/";
/// How long a function may take, start and table and all, before a test calls it stuck.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// What a function made of an event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// An answer.
    Response(Value),
    /// An error, which API Gateway turns into a 500 and the function's owner sees as a failed invocation.
    Error(Value),
}

/// What the process said.
enum Said {
    Of(String, Outcome),
    /// Something that the Runtime API does not know.
    Stray(String),
}

type Events = Arc<Mutex<UnboundedReceiver<(String, String)>>>;

/// A function: its process, and the Runtime API that it talks to.
pub(crate) struct Function {
    process: Child,
    events: UnboundedSender<(String, String)>,
    said: UnboundedReceiver<Said>,
    invocations: u32,
}

/// The command that starts a function as Lambda does: with these settings, and no other environment than Lambda's.
pub(crate) fn command(binary: &Path, api: &str, settings: &[(String, String)]) -> Command {
    let mut command = Command::new(binary);
    command.env_clear().envs(settings.iter().cloned()).kill_on_drop(true).stdin(Stdio::null());
    command.envs([
        ("AWS_LAMBDA_RUNTIME_API", api),
        ("AWS_LAMBDA_FUNCTION_NAME", "mini-lvb"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/mini-lvb"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2020/09/13/[$LATEST]0"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDtest"),
        ("AWS_SECRET_ACCESS_KEY", "for-tests-only"),
        ("AWS_SESSION_TOKEN", "for-tests-only"),
        ("_HANDLER", "bootstrap"),
        ("TZ", ":UTC"),
    ]);
    command
}

impl Function {
    /// Starts a function.
    pub(crate) async fn start(binary: &Path, settings: &[(String, String)]) -> Self {
        // The log is for people; a pipe that nobody reads would fill up.
        Self::spawn(binary, settings, Stdio::null()).await
    }

    /// Starts a function whose log is read when it is over.
    pub(crate) async fn overheard(binary: &Path, settings: &[(String, String)]) -> (Self, ChildStdout) {
        let mut function = Self::spawn(binary, settings, Stdio::piped()).await;
        let log = function.process.stdout.take().expect("it has a pipe");
        (function, log)
    }

    async fn spawn(binary: &Path, settings: &[(String, String)], log: Stdio) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = listener.local_addr().unwrap().to_string();
        let (events, wanted) = unbounded_channel();
        let (says, said) = unbounded_channel();
        tokio::spawn(serve(listener, Arc::new(Mutex::new(wanted)), says));
        let mut command = command(binary, &api, settings);
        let process = command.stdout(log).stderr(Stdio::null()).spawn();
        let process = process.unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        Self { process, events, said, invocations: 0 }
    }

    /// Gives the function an event and waits for what it makes of it.
    pub(crate) async fn invoke(&mut self, event: &Value) -> Outcome {
        self.invocations += 1;
        let id = format!("8476a536-e9f4-11e8-9739-{:012}", self.invocations);
        self.events.send((id.clone(), event.to_string())).expect("the Runtime API is there");
        tokio::select! {
            said = self.said.recv() => match said.expect("the Runtime API is there") {
                Said::Of(answered, outcome) => {
                    assert_eq!(answered, id, "the function answered another event");
                    outcome
                }
                Said::Stray(what) => panic!("the function said {what}"),
            },
            end = self.process.wait() => panic!("the function ended, {}, at {event}", end.unwrap()),
            () = tokio::time::sleep(READ_TIMEOUT) => panic!("the function is stuck at {event}"),
        }
    }
}

async fn serve(listener: TcpListener, events: Events, says: UnboundedSender<Said>) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        let (events, says) = (Arc::clone(&events), says.clone());
        let service = service_fn(move |request| {
            let (events, says) = (Arc::clone(&events), says.clone());
            async move { Ok::<_, Infallible>(respond(request, &events, &says).await) }
        });
        // A connection ends with the process at its other end; that is no fault of either.
        tokio::spawn(async move { http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok() });
    }
}

async fn respond(request: Request<Incoming>, events: &Events, says: &UnboundedSender<Said>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let path = head.uri.path().strip_prefix(VERSION).unwrap_or(head.uri.path());
    let parts: Vec<&str> = path.split('/').collect();
    if let ("GET", ["invocation", "next"]) = (head.method.as_str(), parts.as_slice()) {
        return match events.lock().await.recv().await {
            Some((id, event)) => next(&id, event),
            None => status(410),
        };
    }
    let json = || serde_json::from_slice(&body).unwrap_or_else(|_| Value::String(body.escape_ascii().to_string()));
    let said = match (head.method.as_str(), parts.as_slice()) {
        ("POST", ["invocation", id, "response"]) => Said::Of((*id).to_owned(), Outcome::Response(json())),
        ("POST", ["invocation", id, "error"]) => Said::Of((*id).to_owned(), Outcome::Error(json())),
        (method, _) => Said::Stray(format!("{method} {path}: {}", json())),
    };
    // Nobody listens any more when a test is over.
    says.send(said).map_or_else(|_| status(410), |()| status(202))
}

fn next(id: &str, event: String) -> Response<Full<Bytes>> {
    let deadline = (now().0 + READ_TIMEOUT.as_secs()) * 1000;
    Response::builder()
        .header("Lambda-Runtime-Aws-Request-Id", id)
        .header("Lambda-Runtime-Deadline-Ms", deadline)
        .header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:mini-lvb")
        .header("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0")
        .header("Content-Type", "application/json")
        .body(Full::new(Bytes::from(event)))
        .unwrap()
}

fn status(status: u16) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::new(Bytes::from_static(br#"{"status":"OK"}"#))).unwrap()
}
