//! The log line of a call: caller, command, address, outcome and duration.

use std::time::Instant;

use http::{HeaderName, HeaderValue, Request, Response, StatusCode};

use crate::process::request_id;
use protocol::{
    error::{Chain, Error},
    log_names::LogNames,
    types::{ClientAddress, RequestId, StreamId, UserId},
    wire::{Dialect, FromParam, Params},
};

/// The response header with the request id that the log line has, too.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The log line of a call while the call runs.
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

/// The outcome of a call.
enum Outcome {
    /// The call succeeded.
    Done,
    /// The call was a health check.
    HealthCheck,
    /// The call was refused: code and reason.
    Refused(u16, String),
    /// The server failed: code and causes.
    Failed(u16, String),
}

impl<'a> LogLine<'a> {
    /// Begins the log line of a call that has just been received.
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

    /// Sets the command.
    pub(crate) fn set_command(&mut self, name: &'static str) {
        self.command = name;
    }

    /// Sets the users and the stream that the parameters name, authenticated or not.
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

    /// Marks the call as a health check.
    pub(crate) fn set_health_check(&mut self) {
        self.outcome = Outcome::HealthCheck;
    }

    /// Sets the error of the call, and the dialect of its response.
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

    /// Writes the line, and adds the request id to the response.
    pub(crate) fn end(mut self, mut response: Response<String>) -> Response<String> {
        self.write(Some(response.status()));
        self.is_written = true;
        let value = HeaderValue::from_str(self.request.as_str()).expect("a request id is visible ASCII");
        response.headers_mut().insert(REQUEST_ID, value);
        response
    }

    /// Writes the line with the HTTP status of the response; `None` if the call ended without a response.
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

/// Writes the line of a call that ends without a response because of a panic or the end of the process.
impl Drop for LogLine<'_> {
    fn drop(&mut self) {
        if !self.is_written {
            self.write(None);
        }
    }
}
