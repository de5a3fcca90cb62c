//! The whole journey of a call, from bytes to bytes: AWS, the local server and the tests all enter at [`answer`].

use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, X_CONTENT_TYPE_OPTIONS},
};

use crate::{
    App,
    commands::{self, Command, CommandEntry, LiveCallback},
    log::LogLine,
};
use protocol::{
    error::{BodyFault, Error},
    sign::constant_time_eq,
    types::ClientAddress,
    wire::{Call, Dialect, Params, Reply},
};

/// The address of Gen 1, and of the health check.
pub const INTERFACE: &str = "/interface.php";
/// The addresses at which the cloud may be told to call; all take every notice.
pub const CALLBACKS: [&str; 4] =
    ["/callback/Live_callback.php", "/callback/tape_callback.php", "/tape_callback", "/live_callback"];
/// Addresses that lead to the interface, as the original's `index.php` did.
const HOME: [&str; 2] = ["/", "/index.php"];

/// Where a call comes in: what it speaks, and how its command is found.
#[derive(Clone, Copy, Debug)]
pub enum Entrypoint {
    /// Gen 1: the field `Action` names the command.
    Interface,
    /// Gen 2: the address is the command's own.
    Command(CommandEntry),
    /// The live cloud.
    Callback,
}

impl Entrypoint {
    /// The door of a command that has an address of its own.
    pub fn of<C: Command>() -> Self {
        Self::Command(CommandEntry::of::<C>())
    }

    /// The door at an address of the local server, where all are in one process; `None` if there is none.
    pub fn at(path: &str) -> Option<Self> {
        // As nginx before the original: doubled slashes are one.
        let path = path.trim_start_matches('/');
        if path.is_empty() || HOME.iter().chain([&INTERFACE]).any(|known| known[1..] == *path) {
            return Some(Self::Interface);
        }
        // Whatever follows, as in PHP, and as it is deployed, where every path takes notices.
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

    /// The name of the command, if the address alone says it.
    fn command(self) -> Option<&'static str> {
        match self {
            Self::Interface => None,
            Self::Command(entry) => Some(entry.names.name),
            Self::Callback => Some(CommandEntry::of::<LiveCallback>().names.name),
        }
    }

    /// The command that the call is for.
    fn pick(self, params: &Params) -> Result<CommandEntry, Error> {
        match self {
            Self::Command(entry) => Ok(entry),
            Self::Callback => Ok(CommandEntry::of::<LiveCallback>()),
            Self::Interface if params.is_notice() => Err(Error::MisplacedNotice(INTERFACE.to_owned())),
            Self::Interface => {
                let action = params.optional::<String>("Action").ok().flatten().unwrap_or_default();
                let mut all = commands::all().into_iter();
                all.find(|entry| entry.names.action == Some(&action)).ok_or(Error::UnknownCommand(action))
            }
        }
    }
}

/// Answers a call.
pub async fn answer(app: &App, entrypoint: Entrypoint, request: Request<Vec<u8>>) -> Response<String> {
    let mut line = LogLine::begin(&app.config.log_names, entrypoint.dialect(), &request);
    // Known before the body is read, so that the line of a call whose body is wrong names it, too.
    if let Some(name) = entrypoint.command() {
        line.set_command(name);
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
    // What an app posts here is answered: a redirect would lose its body.
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
        is_meant(app, entrypoint, request.uri().path())?;
        let call = read(dialect, request)?;
        line.set_names(&call.params);
        let entry = entrypoint.pick(&call.params)?;
        line.set_command(entry.names.name);
        (entry.execute)(app, &call).await
    }
    .await;
    respond(outcome.unwrap_or_else(|error| {
        // Whoever sent it, the cloud is to send it again.
        let dialect = if matches!(error, Error::MisplacedNotice(_)) { Dialect::Callback } else { dialect };
        line.set_error(dialect, &error);
        dialect.refuse(&error)
    }))
}

/// Answers a call to whatever address, where all doors are in one process.
pub async fn answer_anywhere(app: &App, request: Request<Vec<u8>>) -> Response<String> {
    if request.method() == Method::CONNECT {
        return not_allowed();
    }
    match entrypoint_at(request.uri().path()) {
        Some(entrypoint) => answer(app, entrypoint, request).await,
        None => answer_nowhere(app, request),
    }
}

/// The door at an address, where all doors are in one process: that of the cloud is behind any first segment, too,
/// since `is_meant` judges whether that is the key.
pub fn entrypoint_at(path: &str) -> Option<Entrypoint> {
    let behind_key = path.trim_start_matches('/').split_once('/').and_then(|(_, rest)| Entrypoint::at(rest));
    behind_key.filter(|entrypoint| matches!(entrypoint, Entrypoint::Callback)).or_else(|| Entrypoint::at(path))
}

/// Refuses a notice whose address lacks the key that it should begin with: as one with a wrong signature, so that an
/// address that was set wrong shows as failing callbacks.
fn is_meant(app: &App, entrypoint: Entrypoint, path: &str) -> Result<(), Error> {
    let needs_key = matches!(entrypoint, Entrypoint::Callback) && app.config.live.callback_path_key.is_some();
    let is_refused = needs_key && behind_key(app, path).is_none();
    if is_refused { Err(Error::BadSignature("the address lacks CALLBACK_PATH_KEY".into())) } else { Ok(()) }
}

/// What follows in a path that begins with the key of the cloud's notices.
fn behind_key<'a>(app: &App, path: &'a str) -> Option<&'a str> {
    let key = app.config.live.callback_path_key.as_ref()?;
    let path = path.trim_start_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    constant_time_eq(key.expose(), first).then_some(rest)
}

/// Answers a call to an address where there is nothing.
fn answer_nowhere(app: &App, request: Request<Vec<u8>>) -> Response<String> {
    let mut line = LogLine::begin(&app.config.log_names, Dialect::Rest, &request);
    let error = Error::UnknownCommand(request.uri().path().trim_start_matches('/').to_owned());
    // Whoever knows the key may make a mistake behind it, and the log must not have it.
    let path = match behind_key(app, request.uri().path()) {
        Some(rest) => format!("<CALLBACK_PATH_KEY>/{rest}"),
        None => request.uri().path().trim_start_matches('/').to_owned(),
    };
    line.set_error(Dialect::Rest, &Error::UnknownCommand(path.clone()));
    let (head, body) = request.into_parts();
    // Apps post, and take any status but 200 for a dead network; whoever else looks around finds nothing.
    if head.method != Method::POST {
        return line.end(respond(Reply { status: 404, ..Dialect::Rest.refuse(&error) }));
    }
    // The cloud must send again what came here because the callback URL is wrong.
    if Params::read(Dialect::Callback, body).is_ok_and(|params| params.is_notice()) {
        let error = Error::MisplacedNotice(format!("/{path}"));
        line.set_error(Dialect::Callback, &error);
        return line.end(respond(Dialect::Callback.refuse(&error)));
    }
    line.end(respond(Dialect::Rest.refuse(&error)))
}

fn read(dialect: Dialect, request: Request<Vec<u8>>) -> Result<Call, Error> {
    // One that is there twice is none: which of the two was meant nobody knows.
    let header = |name| {
        let mut values = request.headers().get_all(name).iter();
        let only = values.next().filter(|_| values.next().is_none());
        only.and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let client_address = request.extensions().get::<ClientAddress>().copied();
    let (signature, user_sig, operator_key) = (header("liteav-sig"), header("x-user-sig"), header("x-operator-key"));
    // The originals took any method. A call changes things, so here only POST carries one.
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

/// Refuses a method: a command can only be called. In particular no page of another site is let in, and nobody is
/// connected to anything.
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
