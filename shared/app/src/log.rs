//! The log line of a call: who called what from where, what came of it, and how long that took.

use std::time::Instant;

use http::{HeaderName, HeaderValue, Request, Response, StatusCode};

use crate::process::request_id;
use protocol::{
    error::{Chain, Error},
    log_names::LogNames,
    types::{ClientAddress, RequestId, StreamId, UserId},
    wire::{Dialect, FromParam, Params},
};

/// The header of an answer that names the call as its log line does.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A call, as far as its log line tells of it.
pub(crate) struct LogLine<'a> {
    names: &'a LogNames,
    begun: Instant,
    request: RequestId,
    address: Option<String>,
    dialect: Dialect,
    command: &'static str,
    user: Option<String>,
    host: Option<String>,
    stream: Option<String>,
    event: Option<u16>,
    outcome: Outcome,
    is_written: bool,
}

/// What came of a call.
enum Outcome {
    /// It was answered as it should be.
    Done,
    /// Somebody looked whether the server is there.
    HealthCheck,
    /// The caller's fault; why.
    Refused(u16, String),
    /// Ours; why.
    Failed(u16, String),
}

impl<'a> LogLine<'a> {
    /// The line of a call that comes in now.
    pub(crate) fn begin(names: &'a LogNames, dialect: Dialect, request: &Request<Vec<u8>>) -> Self {
        let extensions = request.extensions();
        Self {
            names,
            begun: Instant::now(),
            request: extensions.get().cloned().unwrap_or_else(request_id),
            address: extensions.get().map(|ClientAddress(address)| names.of(&address.to_string())),
            dialect,
            command: "?",
            user: None,
            host: None,
            stream: None,
            event: None,
            outcome: Outcome::Done,
            is_written: false,
        }
    }

    /// What is called.
    pub(crate) fn set_command(&mut self, name: &'static str) {
        self.command = name;
    }

    /// Whom and what the call names, whether or not that is proved.
    pub(crate) fn set_names(&mut self, params: &Params) {
        fn first<T: FromParam>(params: &Params, fields: &[&'static str]) -> Option<T> {
            fields.iter().find_map(|field| params.optional(field).ok().flatten())
        }
        let names = self.names;
        let user = |fields| first(params, fields).map(|user: UserId| names.of(user.as_str()));
        (self.user, self.host) = (user(&["userid"]), user(&["liveuserid", "hostuserid"]));
        let stream = first(params, &["stream_id", "streamId", "streamid"]);
        self.stream = stream.map(|stream: StreamId| names.of(stream.as_str()));
        if self.dialect == Dialect::Callback {
            self.event = params.number_or_text("event_type").ok().and_then(|kind| kind.parse().ok());
        }
    }

    /// The call only asks whether the server is there.
    pub(crate) fn set_health_check(&mut self) {
        self.outcome = Outcome::HealthCheck;
    }

    /// Why the call was not done, and in which dialect that is answered.
    pub(crate) fn set_error(&mut self, dialect: Dialect, error: &Error) {
        self.dialect = dialect;
        let code = dialect.code(Err(error));
        if !matches!(self.outcome, Outcome::HealthCheck) {
            self.outcome = match error.is_internal() {
                true => Outcome::Failed(code, Chain(error).to_string()),
                false => Outcome::Refused(code, error.to_string()),
            };
        }
    }

    /// Writes the line, and names the call in its answer.
    pub(crate) fn end(mut self, mut response: Response<String>) -> Response<String> {
        self.write(Some(response.status()));
        self.is_written = true;
        let value = HeaderValue::from_str(self.request.as_str()).expect("a request id is visible ASCII");
        response.headers_mut().insert(REQUEST_ID, value);
        response
    }

    /// Writes the line of a call with the HTTP status of its answer; `None` if the call was given up.
    fn write(&self, status: Option<StatusCode>) {
        let Self { request, address, dialect, command, user, host, stream, event, .. } = self;
        let (request, address) = (request.as_str(), address.as_deref());
        let (user, host, stream) = (user.as_deref(), host.as_deref(), stream.as_deref());
        let milliseconds = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        macro_rules! line {
            ($level:ident, $code:expr, $message:literal $(, $name:ident = $why:expr)?) => {
                tracing::$level!(
                    command, dialect = dialect.name(), code = $code, $($name = $why.as_str(),)? user, host, stream,
                    event, address, milliseconds, request, $message
                )
            };
        }
        let Some(status) = status else { return line!(warn, None::<u16>, "given up") };
        match &self.outcome {
            Outcome::Done if status == StatusCode::OK => line!(info, dialect.code(Ok(())), "done"),
            Outcome::Done if status.is_client_error() => {
                line!(info, status.as_u16(), "refused", reason = status.to_string());
            }
            Outcome::Done => line!(info, status.as_u16(), "done"),
            Outcome::HealthCheck => line!(info, status.as_u16(), "health check"),
            Outcome::Refused(code, why) => line!(info, *code, "refused", reason = why),
            Outcome::Failed(code, why) => line!(error, *code, "failed", error = why),
        }
    }
}

/// A call that ends without an answer, since it panicked or the process stops, leaves its line, too.
impl Drop for LogLine<'_> {
    fn drop(&mut self) {
        if !self.is_written {
            self.write(None);
        }
    }
}
