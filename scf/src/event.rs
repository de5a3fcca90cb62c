//! The event function: this process gets one event after the other from SCF's runtime API. An event is a call, in the
//! form of a function URL or of an API gateway, or a timer event.
//!
//! ```text
//! POST /runtime/init/ready            the process has started
//! GET  /runtime/invocation/next       waits for an event; returns the same event until it is answered
//! POST /runtime/invocation/response   the response to the event
//! POST /runtime/invocation/error      the error instead of a response
//! ```

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use app::process;
use app::{App, answer::answer_anywhere, sweep};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Request, Response};
use http_client::Client;
use protocol::{error::Chain, json::to_text, types::ClientAddress};
use serde::{Deserialize, Serialize};

use crate::{Error, REMOTE_ADDRESS};

/// The largest event that is read. The limit of SCF is 6 MB.
const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;
/// The number of attempts to reach the runtime API. Then the process ends, and SCF starts another.
const ATTEMPTS: u32 = 6;
/// The pause after the first attempt. Each further pause is twice as long; all together last 1.5 seconds.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Answers events until the process is stopped or the runtime API cannot be reached. No event ends the process.
pub async fn serve() -> Result<(), Error> {
    let app = Arc::new(lambda::start().await?);
    let api = Api::from_environment()?;
    api.post("init/ready", String::new()).await?;
    loop {
        let event = api.next().await?;
        let app = Arc::clone(&app);
        // The event runs in a task of its own, so that a panic becomes an error response.
        let outcome = tokio::spawn(async move { respond(&app, event?).await }).await;
        match outcome.unwrap_or(Err("the function panicked")) {
            Ok(response) => api.post("invocation/response", response).await?,
            Err(reason) => {
                tracing::error!(reason, "an event could not be answered");
                api.post("invocation/error", reason.to_owned()).await?;
            }
        }
    }
}

/// The response to an event, or an error message for the owner of the function.
async fn respond(app: &App, event: String) -> Result<String, &'static str> {
    // The message of serde could contain a part of the event.
    let event: Event = serde_json::from_str(&event).map_err(|_| "the event is neither a call nor the clock's")?;
    match event {
        Event::Call(call) => Ok(answer(&answer_anywhere(app, call.into_request()?).await)),
        Event::Timer { .. } => sweep::run_with_recheck(app).await.map(|()| "null".to_owned()).map_err(|error| {
            tracing::error!(error = %Chain(&error), "the sweep failed");
            "the sweep failed"
        }),
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Event {
    Call(Box<Call>),
    Timer {
        #[serde(rename = "Type")]
        _kind: TimerType,
    },
}

/// The type of timer events.
#[derive(Deserialize)]
enum TimerType {
    Timer,
}

/// A call. A function URL sends the first four fields; an API gateway, or a compatible URL, sends all.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    http_method: String,
    path: String,
    headers: Option<BTreeMap<String, String>>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
    request_context: Option<Context>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    source_ip: Option<String>,
}

impl Call {
    fn into_request(self) -> Result<Request<Vec<u8>>, &'static str> {
        let body = self.body.unwrap_or_default();
        let body = match self.is_base64_encoded {
            Some(true) => STANDARD.decode(body).map_err(|_| "the body is not base64")?,
            Some(false) | None => body.into_bytes(),
        };
        // A path without a leading slash would be parsed as a host.
        let path = Some(self.path).filter(|path| path.starts_with('/')).ok_or("the call has no path")?;
        let mut request = Request::builder().method(self.http_method.as_str()).uri(path);
        for (name, value) in self.headers.unwrap_or_default() {
            request = request.header(name, value);
        }
        let mut request = request.body(body).map_err(|_| "the call is no HTTP")?;
        let in_context = self.request_context.and_then(|context| ClientAddress::last_of(&context.source_ip?));
        let client_address =
            in_context.or_else(|| ClientAddress::last_of(request.headers().get(REMOTE_ADDRESS)?.to_str().ok()?));
        if let Some(client_address) = client_address {
            request.extensions_mut().insert(client_address);
        }
        Ok(request)
    }
}

/// A response in the form that SCF requires.
fn answer(response: &Response<String>) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer<'a> {
        is_base64_encoded: bool,
        status_code: u16,
        headers: BTreeMap<&'a str, &'a str>,
        body: &'a str,
    }
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.to_str().expect("our headers are text")));
    let answer = Answer {
        is_base64_encoded: false,
        status_code: response.status().as_u16(),
        headers: headers.collect(),
        body: response.body(),
    };
    to_text(&answer)
}

/// SCF's runtime API.
struct Api {
    base: String,
    http: Client,
}

impl Api {
    fn from_environment() -> Result<Self, Error> {
        let part = |name| process::environment(name).ok_or_else(|| format!("{name} is not set: is this SCF?"));
        let base = format!("http://{}:{}/runtime/", part("SCF_RUNTIME_API")?, part("SCF_RUNTIME_API_PORT")?);
        Ok(Self { base, http: Client::unconnected() })
    }

    /// The next event, or the reason why it cannot be read.
    async fn next(&self) -> Result<Result<String, &'static str>, Error> {
        let wait = async || {
            let address = format!("{}invocation/next", self.base);
            let request = Request::get(address).body(String::new())?;
            match self.http.wait(request, MAX_EVENT_BYTES).await {
                Err(http_client::Error::Answer) => Ok(Err("the event is too large, or no text")),
                answer => answer.map(Ok),
            }
        };
        with_retries(wait).await
    }

    async fn post(&self, path: &str, body: String) -> Result<(), Error> {
        let send = async || {
            let request = Request::post(format!("{}{path}", self.base)).body(body.clone())?;
            match self.http.send(request).await {
                Ok(_) | Err(http_client::Error::Status(200..300)) => Ok(()),
                Err(error) => Err(error),
            }
        };
        with_retries(send).await
    }
}

/// Retries a request to the runtime API a few times. If a response could not be sent, the event would be delivered and
/// executed again.
async fn with_retries<T, F: Future<Output = Result<T, http_client::Error>>>(
    attempt: impl Fn() -> F,
) -> Result<T, Error> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Ok(answer) => return Ok(answer),
            Err(error) => tracing::warn!(error = %Chain(&error), "SCF's runtime API did not answer"),
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    attempt().await.map_err(|error| format!("SCF's runtime API does not answer: {}", Chain(&error)).into())
}
