//! From the HTTP request of a call to its response. AWS Lambda, the local server and the tests all call [`answer`].

use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, X_CONTENT_TYPE_OPTIONS},
};

use crate::{
    App,
    commands::{self, Command, CommandEntry, live_callback::LiveCallback},
    log::LogLine,
};
use protocol::{
    error::{BodyFault, Error},
    sign::constant_time_eq,
    types::ClientAddress,
    wire::{Call, Dialect, Params, Reply},
};

/// The path of Gen-1 calls and of the health check.
pub const INTERFACE: &str = "/interface.php";
/// The paths that the callback URL may have. Each accepts every kind of notice.
pub const CALLBACKS: [&str; 4] =
    ["/callback/Live_callback.php", "/callback/tape_callback.php", "/tape_callback", "/live_callback"];
/// Paths that redirect to [`INTERFACE`], as the original's `index.php` did.
const HOME: [&str; 2] = ["/", "/index.php"];

/// Where a call comes in. The entrypoint decides the dialect of the call and how its command is found.
#[derive(Clone, Copy, Debug)]
pub enum Entrypoint {
    /// Gen 1: the field `Action` names the command.
    Interface,
    /// Gen 2: the path is the command's own.
    Command(CommandEntry),
    /// The live cloud.
    Callback,
}

impl Entrypoint {
    /// The entrypoint of a command that has a path of its own.
    pub fn of<C: Command>() -> Self {
        Self::Command(CommandEntry::of::<C>())
    }

    /// The entrypoint at a path, where all commands are in one process; `None` if the path has none.
    pub fn at(path: &str) -> Option<Self> {
        // Repeated slashes count as one, as with nginx in front of the original.
        let path = path.trim_start_matches('/');
        if path.is_empty() || HOME.iter().chain([&INTERFACE]).any(|known| known[1..] == *path) {
            return Some(Self::Interface);
        }
        // A callback path may have any suffix, as with PHP. On AWS the function accepts notices at any path.
        let follows =
            |known: &str| path.strip_prefix(&known[1..]).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        if CALLBACKS.iter().any(|known| follows(known).is_some()) {
            return Some(Self::Callback);
        }
        let name = path.strip_prefix("interface.php/").unwrap_or(path);
        let name = name.strip_suffix('/').unwrap_or(name);
        commands::all().into_iter().find(|entry| entry.names.path == Some(name)).map(Self::Command)
    }

    fn dialect(self) -> Dialect {
        match self {
            Self::Interface => Dialect::Action,
            Self::Command(_) => Dialect::Rest,
            Self::Callback => Dialect::Callback,
        }
    }

    /// The command, if the path alone decides it.
    fn command(self) -> Option<CommandEntry> {
        match self {
            Self::Interface => None,
            Self::Command(entry) => Some(entry),
            Self::Callback => Some(CommandEntry::of::<LiveCallback>()),
        }
    }
}

/// The command that a Gen-1 call names.
fn command_of_action(params: &Params) -> Result<CommandEntry, Error> {
    if params.is_notice() {
        return Err(Error::MisplacedNotice(INTERFACE.to_owned()));
    }
    let action = params.optional::<String>("Action").ok().flatten().unwrap_or_default();
    let mut all = commands::all().into_iter();
    all.find(|entry| entry.names.action == Some(&action)).ok_or(Error::UnknownCommand(action))
}

/// Answers a call.
pub async fn answer(app: &App, entrypoint: Entrypoint, request: Request<Vec<u8>>) -> Response<String> {
    let mut line = LogLine::begin(&app.config.log_names, entrypoint.dialect(), &request);
    // Set before the body is read, so that the log line of a call with a malformed body has the command.
    if let Some(entry) = entrypoint.command() {
        line.set_command(entry.names.name);
    }
    let response = respond_to(app, entrypoint, request, &mut line).await;
    line.end(response)
}

async fn respond_to(
    app: &App,
    entrypoint: Entrypoint,
    request: Request<Vec<u8>>,
    line: &mut LogLine<'_>,
) -> Response<String> {
    // A POST is not redirected, since a redirect would lose its body.
    let is_visit = matches!(entrypoint, Entrypoint::Interface) && request.method() != Method::POST;
    if is_visit && HOME.contains(&request.uri().path()) {
        return redirect();
    }
    let dialect = entrypoint.dialect();
    if dialect == Dialect::Rest && request.method() == Method::OPTIONS {
        return not_allowed();
    }
    if matches!(entrypoint, Entrypoint::Interface) && [Method::GET, Method::HEAD].contains(request.method()) {
        line.set_health_check();
    }
    let outcome = async {
        check_path_key(app, entrypoint, request.uri().path())?;
        let call = read(dialect, request)?;
        line.set_names(&call.params);
        let entry = entrypoint.command().map_or_else(|| command_of_action(&call.params), Ok)?;
        line.set_command(entry.names.name);
        (entry.execute)(app, &call).await
    }
    .await;
    respond(outcome.unwrap_or_else(|error| {
        // The error is answered in the callback dialect, so that the cloud sends the notice again.
        let dialect = if matches!(error, Error::MisplacedNotice(_)) { Dialect::Callback } else { dialect };
        line.set_error(dialect, &error);
        dialect.refuse(&error)
    }))
}

/// Answers a call at any path, where all commands are in one process.
pub async fn answer_anywhere(app: &App, request: Request<Vec<u8>>) -> Response<String> {
    if request.method() == Method::CONNECT {
        return not_allowed();
    }
    match entrypoint_at(request.uri().path()) {
        Some(entrypoint) => answer(app, entrypoint, request).await,
        None => answer_unknown_path(app, request),
    }
}

/// The entrypoint at a path, where all commands are in one process. A callback path may follow any first segment:
/// `check_path_key` decides whether the segment is the key.
pub fn entrypoint_at(path: &str) -> Option<Entrypoint> {
    let after_path_key = path.trim_start_matches('/').split_once('/').and_then(|(_, rest)| Entrypoint::at(rest));
    after_path_key.filter(|entrypoint| matches!(entrypoint, Entrypoint::Callback)).or_else(|| Entrypoint::at(path))
}

/// Refuses a notice whose path does not begin with CALLBACK_PATH_KEY, if that is set. The refusal is the same as for a
/// wrong signature, so a wrong callback URL shows as failing callbacks.
fn check_path_key(app: &App, entrypoint: Entrypoint, path: &str) -> Result<(), Error> {
    let needs_key = matches!(entrypoint, Entrypoint::Callback) && app.config.live.callback_path_key.is_some();
    let is_refused = needs_key && after_path_key(app, path).is_none();
    if is_refused { Err(Error::BadSignature("the path does not begin with CALLBACK_PATH_KEY".into())) } else { Ok(()) }
}

/// The rest of a path after CALLBACK_PATH_KEY; `None` if the path does not begin with the key.
fn after_path_key<'a>(app: &App, path: &'a str) -> Option<&'a str> {
    let key = app.config.live.callback_path_key.as_ref()?;
    let path = path.trim_start_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    constant_time_eq(key.expose(), first).then_some(rest)
}

/// Answers a call at a path without an entrypoint.
fn answer_unknown_path(app: &App, request: Request<Vec<u8>>) -> Response<String> {
    let mut line = LogLine::begin(&app.config.log_names, Dialect::Rest, &request);
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    // The path may be wrong after a right key. The log must not contain the key.
    let logged = match after_path_key(app, path) {
        Some(rest) => format!("<CALLBACK_PATH_KEY>/{rest}"),
        None => path.trim_start_matches('/').to_owned(),
    };
    let is_post = head.method == Method::POST;
    if is_post && Params::read(Dialect::Callback, body).is_ok_and(|params| params.is_notice()) {
        // The callback URL is wrong. The error makes the cloud send the notice again.
        let error = Error::MisplacedNotice(format!("/{logged}"));
        line.set_error(Dialect::Callback, &error);
        return line.end(respond(Dialect::Callback.refuse(&error)));
    }
    line.set_error(Dialect::Rest, &Error::UnknownCommand(logged));
    let reply = Dialect::Rest.refuse(&Error::UnknownCommand(path.trim_start_matches('/').to_owned()));
    // Apps send POST and treat every status but 200 as a network failure. Other methods get 404.
    line.end(respond(if is_post { reply } else { Reply { status: 404, ..reply } }))
}

fn read(dialect: Dialect, request: Request<Vec<u8>>) -> Result<Call, Error> {
    // A header that occurs more than once is ignored.
    let header = |name| {
        let mut values = request.headers().get_all(name).iter();
        let only = values.next().filter(|_| values.next().is_none());
        only.and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let client_address = request.extensions().get::<ClientAddress>().copied();
    let (signature, user_sig, operator_key) = (header("liteav-sig"), header("x-user-sig"), header("x-operator-key"));
    // Only POST is a call, since a call may have effects. The original accepted any method.
    let is_post = request.method() == Method::POST;
    match request.extensions().get::<BodyFault>() {
        Some(fault) if is_post => return Err(Error::Body(*fault)),
        Some(_) | None => {}
    }
    if dialect == Dialect::Rest && !is_post {
        return Err(Error::InvalidArgument("a command is called by POST, with a JSON object as the body"));
    }
    let body = if is_post { request.into_body() } else { Vec::new() };
    Ok(Call { dialect, params: Params::read(dialect, body)?, signature, user_sig, operator_key, client_address })
}

fn respond(reply: Reply) -> Response<String> {
    let mut response = Response::new(reply.body);
    *response.status_mut() = StatusCode::from_u16(reply.status).expect("the statuses in wire/ are valid");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Refuses the methods OPTIONS and CONNECT: pages of other sites get no permission to call (CORS), and the server is no
/// proxy.
fn not_allowed() -> Response<String> {
    let refused = Dialect::Rest.refuse(&Error::MalformedRequest);
    let mut response = respond(Reply { status: 405, ..refused });
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

fn redirect() -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static(INTERFACE));
    response
}
