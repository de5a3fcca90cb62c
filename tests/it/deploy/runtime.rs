//! Every function's binary in a process of its own, as Lambda runs it, held to what the local server answers.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    deploy::privileges::{self, CALLS, Call, Way},
    deploy::scf,
    deploy::template,
    support::{
        guard::Guard,
        harness::{Program, action, program_over, setting, tests_folder, variable},
        lambda_runtime_api::{Function, Outcome, command},
        proxy,
        requests::{action_body, fields, going_online, notices, opening, signed},
        steps::list,
    },
};
use app::{
    answer::{CALLBACKS, INTERFACE},
    commands,
    config::{SECRETS, SETTINGS},
    process,
};
use cli::engine::Engine;
use http_client::Client;

const OPERATOR_KEY: &str = "an-operator-of-the-tests";

/// Where the binaries are, by their names. Cargo builds them: it builds those of another package for a test of its own
/// accord only as tests, and it knows best which of them are out of date. `BINARIES` names a folder of others, laid out
/// as they are deployed.
pub(crate) fn binaries() -> &'static BTreeMap<String, PathBuf> {
    static BINARIES: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    BINARIES.get_or_init(|| {
        if let Some(folder) = variable("BINARIES") {
            let bootstrap = |name: &String| Path::new(&folder).join(name).join("bootstrap");
            return functions().into_iter().map(|name| (name.clone(), bootstrap(&name))).collect();
        }
        // With this test named beside them, the crates below are the ones that it was built with, and not built anew.
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo.current_dir(tests_folder()).args(["build", "--offline", "--quiet", "--message-format=json"]);
        cargo.args(["--package", "functions", "--package", "scf", "--bins", "--package", "tests", "--test", "it"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        // What Cargo tells this test of itself. The build script of a crate below asks for variables of these names,
        // so with them it would be built anew, and once more at the next `cargo test`.
        for name in ["NAME", "VERSION_MAJOR", "VERSION_MINOR", "VERSION_PATCH", "VERSION_PRE", "VERSION"] {
            cargo.env_remove(format!("CARGO_PKG_{name}"));
        }
        cargo.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
        let output = cargo.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let messages = String::from_utf8(output.stdout).unwrap();
        let messages = messages.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        messages
            .filter(|message| message["target"]["kind"] == json!(["bin"]))
            .filter_map(|message| {
                let binary = PathBuf::from(message["executable"].as_str()?);
                Some((message["target"]["name"].as_str()?.to_owned(), binary))
            })
            .collect()
    })
}

/// The names of the functions, by their sources.
pub(crate) fn functions() -> Vec<String> {
    names_in("../functions/src/bin")
}

fn names_in(folder: &str) -> Vec<String> {
    let sources = fs::read_dir(tests_folder().join(folder)).unwrap();
    let mut names: Vec<String> =
        sources.map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A request, as a phone sends it.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) signature: Option<String>,
    pub(crate) address: &'static str,
    pub(crate) body: Vec<u8>,
}

impl Sent {
    pub(crate) fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        let content_type = Some("application/json");
        Self {
            method: "POST",
            path: path.to_owned(),
            content_type,
            signature: None,
            address: "192.0.2.1",
            body: body.into(),
        }
    }

    /// With the header `Liteav-Sig`.
    pub(crate) fn signed(path: &str, body: &str, signature: Option<String>) -> Self {
        Self { signature, ..Self::post(path, body) }
    }

    /// From another address.
    pub(crate) fn from(self, address: &'static str) -> Self {
        Self { address, ..self }
    }

    pub(crate) fn headers(&self) -> BTreeMap<&'static str, String> {
        let mut headers = BTreeMap::from([
            ("accept-encoding", "gzip".to_owned()),
            ("content-length", self.body.len().to_string()),
            ("host", "lvb.example.com".to_owned()),
            ("user-agent", "okhttp/3.4.1".to_owned()),
            ("x-operator-key", OPERATOR_KEY.to_owned()),
        ]);
        headers.extend(self.content_type.map(|kind| ("content-type", kind.to_owned())));
        headers.extend(self.signature.clone().map(|signature| ("liteav-sig", signature)));
        headers
    }
}

/// What came back, without what belongs to the connection.
#[derive(Debug, PartialEq)]
pub(crate) struct Received {
    pub(crate) status: u16,
    headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Received {
    fn new(status: u16, headers: impl Iterator<Item = (String, String)>, body: String) -> Self {
        let hop = ["connection", "content-length", "date"];
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value));
        Self { status, headers: headers.filter(|(name, _)| !hop.contains(&name.as_str())).collect(), body }
    }

    /// With a `*` for all that depends on the clock or on chance, and nothing else: the two processes are asked one
    /// after the other, and draw numbers of their own.
    pub(crate) fn masked(mut self) -> Self {
        if let Some(id) = self.headers.get_mut("x-request-id").filter(|id| !id.is_empty()) {
            *id = "*".to_owned();
        }
        let digit = |c: char| c.is_ascii_digit();
        let hexadecimal = |c: char| c.is_ascii_hexdigit();
        let base64 = |c: char| c.is_ascii_alphanumeric() || "+/=;".contains(c);
        // The stream of a guest ends in txTime, so it is looked for everywhere.
        if let Some((_, after)) = self.body.split_once("txTime=") {
            let tx_time = after[..after.find(|c| !hexadecimal(c)).unwrap_or(after.len())].to_owned();
            self.body = self.body.replace(&tx_time, "*");
        }
        self.body = masked(&self.body, "txSecret=", hexadecimal);
        self.body = masked(&self.body, r#""timestamp":"#, digit);
        for name in ["keyTime", "signKey", "sign", "signature"] {
            self.body = masked(&self.body, &format!(r#""{name}":""#), base64);
        }
        self
    }
}

/// The text with a `*` for what follows each marker, if anything does.
fn masked(text: &str, marker: &str, part: impl Fn(char) -> bool) -> String {
    let mut pieces = text.split(marker);
    let mut masked = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(&part);
        masked.push_str(marker);
        masked.push_str(if rest.len() < piece.len() { "*" } else { "" });
        masked.push_str(rest);
    }
    masked
}

/// What stands between the phone and the function. Both write events of payload format 2.0.
#[derive(Clone, Copy, Debug)]
enum Front {
    HttpApi,
    FunctionUrl,
}

/// How the front hands the body on: as it is where the content type says that it is text, or else as base64.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    Text,
    Base64,
}

fn event(front: Front, body: Body, sent: &Sent) -> Value {
    let Sent { method, path, .. } = sent;
    let (account, domain, route) = match front {
        Front::HttpApi => ("123456789012", "a1b2c3.execute-api.us-east-1.amazonaws.com", format!("{method} {path}")),
        Front::FunctionUrl => ("anonymous", "a1b2c3.lambda-url.us-east-1.on.aws", "$default".to_owned()),
    };
    let mut event = json!({
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": sent.headers(),
        "requestContext": {
            "accountId": account,
            "apiId": "a1b2c3",
            "domainName": domain,
            "domainPrefix": "a1b2c3",
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": sent.address,
                "userAgent": "okhttp/3.4.1",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": route,
            "stage": "$default",
            "time": "13/Sep/2020:12:26:40 +0000",
            "timeEpoch": 1_600_000_000_000_u64,
        },
        "isBase64Encoded": matches!(body, Body::Base64),
    });
    if !sent.body.is_empty() {
        event["body"] = match body {
            Body::Text => json!(str::from_utf8(&sent.body).unwrap()),
            Body::Base64 => json!(STANDARD.encode(&sent.body)),
        };
    }
    event
}

/// What the front would send to the phone.
fn received(outcome: Outcome) -> Received {
    let Outcome::Response(response) = outcome else { panic!("{outcome:?}") };
    received_in(&response)
}

/// What the front would send to the phone for this answer of a function.
pub(crate) fn received_in(response: &Value) -> Received {
    let headers: BTreeMap<String, String> = serde_json::from_value(response["headers"].clone()).unwrap();
    let many: BTreeMap<String, Vec<String>> =
        serde_json::from_value(response["multiValueHeaders"].clone()).unwrap_or_default();
    let many = many.into_iter().flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)));
    let body = response["body"].as_str().unwrap_or_default().to_owned();
    assert_eq!(response["isBase64Encoded"], json!(false), "{response}");
    let status = response["statusCode"].as_u64().unwrap();
    Received::new(status.try_into().unwrap(), headers.into_iter().chain(many), body)
}

/// A function that runs, and what it may do to its table.
pub(crate) struct Deployed {
    function: Function,
    guard: Guard,
}

impl Deployed {
    /// Starts a function on a table, behind an address as in the cloud, where it may do what its policy allows.
    async fn start(name: &str, table: &Engine, settings: &[(String, String)]) -> Self {
        let binary = binaries().get_key_value(name).unwrap_or_else(|| panic!("{name} was not built"));
        let guard = Guard::of(binary.0);
        let address = proxy::listen(SharedHttpConnector::new(table.clone()), &guard).await;
        let mut settings = settings.to_vec();
        settings.push(at(&address));
        // Of the keys it has those that the template gives it, as the template gives them.
        let is_secret = |name: &str| SETTINGS.iter().any(|setting| setting.name == name && setting.is_secret());
        let (keys, mut settings): (Vec<_>, Vec<_>) = settings.into_iter().partition(|(name, _)| is_secret(name));
        let keys: BTreeMap<_, _> = keys.into_iter().collect();
        let given = template::secrets(name).into_iter();
        let given: Value =
            given.map(|name| (name.to_owned(), json!(keys.get(name).map_or("none", |key| key)))).collect();
        settings.push((SECRETS.to_owned(), given.to_string()));
        Self { function: Function::start(binary.1, &settings).await, guard }
    }

    /// Gives the function an event and waits for what it makes of it. Fails if it asked its table for what it may not.
    async fn invoke(&mut self, event: &Value) -> Outcome {
        let outcome = self.function.invoke(event).await;
        self.guard.assert_obeyed();
        outcome
    }
}

/// A world of its own for each side, alike in all: the same settings, and tables in which the same has happened.
pub(crate) struct Worlds {
    /// What functions are started with, but for where their table is.
    settings: Vec<(String, String)>,
    /// The table of the functions.
    table: Engine,
    /// The same, as a program sees it whose clock stands.
    pub(crate) program: Program,
    /// Where the local server listens.
    pub(crate) server: String,
}

impl Worlds {
    pub(crate) async fn new() -> Self {
        let table = Engine::in_memory().unwrap();
        let program = program_over(table.http_client(), settings).await;
        // The local server, as it is.
        let mut app = program_over(Engine::in_memory().unwrap().http_client(), settings).await.app;
        app.clock = Box::new(process::now);
        app.random = Box::new(process::random_u32);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap().to_string();
        tokio::spawn(server::serve(Arc::new(app), None, listener, server::TrustedProxy::None, std::future::pending()));
        Self { settings: environment(), table, program, server }
    }

    /// With another setting of the functions.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts a function.
    async fn start(&self, name: &str) -> Deployed {
        Deployed::start(name, &self.table, &self.settings).await
    }

    /// What a function is started with that may do everything to its table.
    pub(crate) async fn settings(&self) -> Vec<(String, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let database = self.table.database();
        tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()));
        self.settings.iter().cloned().chain([at(&address)]).collect()
    }
}

/// All of one world.
pub(crate) enum World {
    /// The local server.
    Server(String),
    /// The functions, each started when it is called for the first time.
    Functions(Vec<(String, String)>, Engine, BTreeMap<String, Deployed>),
    /// All commands in one function of SCF.
    Scf(Box<scf::Function>),
    /// A deployed stack.
    Stack(Stack),
}

/// A deployed stack: where it is, and how it is reached.
pub(crate) struct Stack {
    client: Client,
    base: String,
    callback: String,
}

impl Stack {
    /// For how long an answer may take: of an emulator that starts a process for each call.
    const READ_TIMEOUT: Duration = Duration::from_secs(30);

    /// The body of the answer.
    async fn ask(&self, function: &str, sent: &Sent) -> String {
        let at =
            if function == "live_callback" { self.callback.clone() } else { format!("{}{}", self.base, sent.path) };
        let mut request = http::Request::builder().method(sent.method).uri(at);
        for (name, value) in sent.headers() {
            if !["content-length", "host", "accept-encoding"].contains(&name) {
                request = request.header(name, value);
            }
        }
        let request = request.body(String::from_utf8(sent.body.clone()).unwrap()).unwrap();
        self.client.send_within(Self::READ_TIMEOUT, request).await.unwrap()
    }
}

impl Worlds {
    /// The one and the other.
    pub(crate) fn each(self) -> [World; 2] {
        [World::Server(self.server), World::Functions(self.settings, self.table, BTreeMap::new())]
    }
}

impl World {
    /// The stack that is deployed at `BASE_URL` and `CALLBACK_URL`, with the settings of the tests.
    pub(crate) fn deployed() -> Self {
        let [base, callback] = ["BASE_URL", "CALLBACK_URL"]
            .map(|name| variable(name).unwrap_or_else(|| panic!("{name} does not say where the stack is")));
        Self::Stack(Stack { client: Client::unconnected(), base, callback })
    }

    /// Asks the function that is there for it, or the server; the body of the answer.
    pub(crate) async fn ask(&mut self, function: &str, sent: &Sent) -> String {
        match self {
            Self::Server(server) => ask(server, sent, &sent.headers()).await.body,
            Self::Scf(scf) => scf.ask(sent).await.body,
            Self::Functions(settings, table, running) => {
                if !running.contains_key(function) {
                    running.insert(function.to_owned(), Deployed::start(function, table, settings).await);
                }
                let event = event(Front::HttpApi, Body::Text, sent);
                received(running.get_mut(function).unwrap().invoke(&event).await).body
            }
            Self::Stack(stack) => stack.ask(function, sent).await,
        }
    }
}

fn settings(name: &str) -> Option<&'static str> {
    (name == "OPERATOR_KEY").then_some(OPERATOR_KEY)
}

/// The environment of a function, but for where its table is.
fn environment() -> Vec<(String, String)> {
    let given =
        SETTINGS.iter().map(|known| known.name).filter_map(|name| Some((name, settings(name).or(setting(name))?)));
    given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The environment of a function whose table is at this address.
pub(crate) fn with_table_at(address: &str) -> Vec<(String, String)> {
    environment().into_iter().chain([at(address)]).collect()
}

/// Where the table is, in an environment.
fn at(address: &str) -> (String, String) {
    ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), address.to_owned())
}

/// Sends a request to the local server, over the wire.
pub(crate) async fn ask(server: &str, sent: &Sent, headers: &BTreeMap<&'static str, String>) -> Received {
    let mut request = format!("{} {} HTTP/1.1\r\nconnection: close\r\n", sent.method, sent.path);
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let request = [request.as_bytes(), b"\r\n", &sent.body].concat();
    let mut stream = TcpStream::connect(server).await.unwrap();
    let mut answer = String::new();
    // A server that has heard enough answers and hangs up, while the rest of the request is still on its way; what
    // counts is that the answer is there.
    stream.write_all(&request).await.ok();
    stream.read_to_string(&mut answer).await.ok();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(name, value)| (name.into(), value.into()));
    Received::new(status, headers, body.to_owned())
}

/// What is sent to a function: all that its entrypoint accepts. A function that is unknown to this test fails the test.
pub(crate) fn requests(function: &str) -> Vec<Sent> {
    let now = process::now().0;
    match function {
        "interface" => {
            let all = commands::all();
            let actions = all.iter().filter(|entry| entry.names.action.is_some());
            let mut sent: Vec<Sent> = actions.map(|entry| Sent::post(INTERFACE, action_body(entry))).collect();
            // Where apps and people come by mistake, the function URL leads to the interface.
            sent.extend(["/", "/index.php"].map(|path| Sent::post(path, "{}")));
            sent.push(Sent::post(INTERFACE, r#"{"Action":"NoSuchAction","userid":"alice"}"#));
            sent
        }
        "live_callback" => {
            let good = notices(now).into_iter().map(|notice| signed(notice, now));
            let late = notices(now).into_iter().map(|notice| signed(notice, now - 1200));
            let stale = notices(now).into_iter().map(|notice| signed(notice, now - 9000));
            let bodies: Vec<String> = good.chain(late).chain(stale).chain([forged(now)]).collect();
            CALLBACKS.iter().flat_map(|path| bodies.iter().map(|body| Sent::post(path, body.clone()))).collect()
        }
        name => {
            let all = commands::all();
            let entry = all.iter().find(|entry| entry.names.path == Some(name));
            let entry = entry.unwrap_or_else(|| panic!("{name} serves an entrypoint that is unknown to this test"));
            vec![Sent::post(&format!("/{name}"), fields(entry).to_string())]
        }
    }
}

/// A notice with a wrong signature.
fn forged(now: u64) -> String {
    signed(json!({"event_type": 0, "stream_id": "8888_alice"}), now).replace(r#""sign":""#, r#""sign":"x"#)
}

/// The ways in which one request can come in.
pub(crate) fn ways(sent: &Sent) -> Vec<(Body, Sent)> {
    let of_type = |content_type| Sent { content_type, ..sent.clone() };
    let form = || of_type(Some("application/x-www-form-urlencoded"));
    let utf8 = of_type(Some("application/json; charset=utf-8"));
    vec![
        (Body::Text, utf8.clone()),
        (Body::Base64, utf8),
        (Body::Text, form()),
        (Body::Base64, form()),
        (Body::Base64, of_type(None)),
        (Body::Text, Sent { method: "GET", body: Vec::new(), ..of_type(None) }),
    ]
}

/// Bodies that no entrypoint accepts: an empty one, no JSON, no text, and one that is too long.
pub(crate) fn nonsense(path: &str) -> [Sent; 5] {
    let huge = format!(r#"{{"userid":"alice","x":"{}"}}"#, "x".repeat(protocol::wire::MAX_BODY_BYTES));
    [
        Sent::post(path, ""),
        Sent::post(path, "{}"),
        Sent::post(path, "userid=alice&title=t"),
        Sent::post(path, b"\xff\xfe\0{".to_vec()),
        Sent::post(path, huge),
    ]
}

#[tokio::test]
async fn every_function_answers_as_the_local_server_does() {
    let (mut functions_run, mut events, mut done) = (0, 0, 0);
    for name in functions().into_iter().filter(|name| name != "sweep") {
        let worlds = Worlds::new().await;
        let mut function = worlds.start(&name).await;
        let requests = requests(&name);
        let nonsense = nonsense(&requests[0].path).map(|sent| (Body::Base64, sent));
        for (body, sent) in requests.iter().flat_map(ways).chain(nonsense) {
            for front in [Front::HttpApi, Front::FunctionUrl] {
                let functions = received(function.invoke(&event(front, body, &sent)).await);
                let servers = ask(&worlds.server, &sent, &sent.headers()).await;
                let shown = sent.body[..sent.body.len().min(300)].escape_ascii().to_string();
                let what = format!("{name}: {front:?}, {body:?}: {} {} {shown}", sent.method, sent.path);
                let good = r#"{"returnValue":0,"#;
                done += usize::from(functions.body.starts_with(good) || functions.body == r#"{"code":0}"#);
                assert_eq!(functions.masked(), servers.masked(), "{what}");
                events += 1;
            }
        }
        functions_run += 1;
    }
    println!("{functions_run} functions, {events} events, {done} of them done");
    assert!(functions_run > 0 && done > 100, "most calls should have been done: {done} of {events}");
}

#[tokio::test]
async fn every_function_may_do_what_it_is_called_for() {
    let worlds = Worlds::new().await;
    let mut world = privileges::World::on(&worlds.table, Way::ItsOwn).await;
    world.program.pass(process::now().0 - world.program.now());
    world.prepare().await;
    let mut callback = worlds.start("live_callback").await;
    for notice in notices(world.program.now()) {
        let sent = Sent::post(CALLBACKS[0], signed(notice, world.program.now()));
        let answer = received(callback.invoke(&event(Front::FunctionUrl, Body::Base64, &sent)).await);
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"code":0}"#));
    }
    for (name, calls) in CALLS {
        let command = world.written(Way::ItsOwn, name, calls[0]).command;
        let mut function = worlds.start(command).await;
        for fields in calls {
            let Call { path, body, signature, .. } = world.written(Way::ItsOwn, name, fields);
            let sent = Sent::signed(&path, &body, signature);
            let answer = received(function.invoke(&event(Front::HttpApi, Body::Text, &sent)).await).body;
            assert!([r#""code":200"#, r#""code":502"#].iter().any(|done| answer.contains(done)), "{name}: {answer}");
        }
    }
}

#[tokio::test]
async fn the_sweep_is_called_by_the_clock() {
    let worlds = Worlds::new().await;
    // A live that began when the tests did, long before the clock of the function.
    let program = program_over(worlds.table.http_client(), settings).await;
    for call in [opening(), going_online()] {
        action(&program, &call).await;
    }
    let mut function = worlds.start("sweep").await;
    let event = json!({"version": "0", "detail-type": "Scheduled Event", "source": "aws.scheduler", "detail": {}});
    for event in [event, json!({}), json!(null)] {
        let outcome = function.invoke(&event).await;
        assert!(matches!(&outcome, Outcome::Response(Value::Null)), "{outcome:?}");
    }
    assert_eq!(list(&program, 1, 1, 10).await["totalcount"], 0);
}

#[tokio::test]
async fn an_event_that_is_no_request_is_an_error_and_not_the_end() {
    let worlds = Worlds::new().await;
    let mut function = worlds.start("interface").await;
    let sent = Sent::post(INTERFACE, r#"{"Action":"FetchList","userid":"v","flag":1,"pageno":1,"pagesize":10}"#);
    let good = event(Front::HttpApi, Body::Text, &sent);
    let mut not_base64 = event(Front::HttpApi, Body::Base64, &sent);
    not_base64["body"] = json!("%%%");
    let strangers = [
        json!({}),
        json!([]),
        json!(null),
        json!("text"),
        json!({"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}}}]}),
        json!({"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}),
        not_base64,
    ];
    for stranger in strangers {
        let outcome = function.invoke(&stranger).await;
        assert!(matches!(outcome, Outcome::Error(_)), "{stranger}: {outcome:?}");
        let answer = received(function.invoke(&good).await);
        assert_eq!(answer.status, 200, "after {stranger}");
        assert!(answer.body.starts_with(r#"{"returnValue":0,"#), "after {stranger}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_function_whose_table_is_away_says_so_in_its_dialect() {
    // A port that was free a moment ago, and that nobody is told of.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut settings = environment();
    settings.push(at(&format!("http://{nobody}")));
    let mut function = Function::start(&binaries()["interface"], &settings).await;
    let list = r#"{"Action":"FetchList","userid":"v","flag":1,"pageno":1,"pagesize":10}"#;
    let answer = received(function.invoke(&event(Front::HttpApi, Body::Text, &Sent::post(INTERFACE, list))).await);
    let refused = r#"{"returnValue":2003,"returnMsg":"db operator error","returnData":[]}"#;
    assert_eq!((answer.status, answer.body.as_str()), (200, refused));
    let mut function = Function::start(&binaries()["live_callback"], &settings).await;
    let now = process::now().0;
    let notice = Sent::post(CALLBACKS[0], signed(notices(now)[0].clone(), now));
    let answer = received(function.invoke(&event(Front::FunctionUrl, Body::Base64, &notice)).await);
    // So that the cloud sends it again.
    assert_eq!((answer.status, answer.body.as_str()), (500, r#"{"code":2003}"#));
}

#[tokio::test]
async fn a_function_with_faulty_settings_ends_and_names_them_all() {
    let mut settings = environment();
    settings.push(at("http://127.0.0.1:9"));
    settings.retain(|(name, _)| name != "PUSH_KEY");
    settings.push(("BIZID".to_owned(), "no word".to_owned()));
    for name in functions() {
        let mut command = command(&binaries()[&name], "127.0.0.1:9", &settings);
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{name} started");
        assert!(said.contains("PUSH_KEY is not set") && said.contains("BIZID may contain"), "{name}: {said}");
    }
}

#[tokio::test]
async fn no_function_starts_on_a_table_of_another_version() {
    let worlds = Worlds::new().await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = worlds.table.client().put_item().table_name("mini-lvb").item("PK", text("TABLE"));
    let put = put.item("SK", text("VERSION")).item("version", AttributeValue::N("2".to_owned()));
    put.send().await.unwrap();
    let settings = worlds.settings().await;
    for name in ["interface", "sweep"] {
        let mut command = command(&binaries()[name], "127.0.0.1:9", &settings);
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("the table has version 2"), "{name}: {said}");
    }
}

/// What a function writes to its log as Lambda has it write: to a call, JSON, from INFO on.
async fn logged(function: &str, settings: &[(String, String)], event: &Value) -> Vec<Value> {
    let mut settings = settings.to_vec();
    settings.extend(
        [("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("AWS_LAMBDA_LOG_LEVEL", "INFO")]
            .map(|(a, b)| (a.to_owned(), b.to_owned())),
    );
    let (mut function, mut log) = Function::overheard(&binaries()[function], &settings).await;
    function.invoke(event).await;
    drop(function);
    let mut text = String::new();
    log.read_to_string(&mut text).await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

/// Whether a line is one that a filter of a log group looks for, of those that our template has: `{ $.a.b = "c" && .. }`.
fn is_found(line: &Value, pattern: &str) -> bool {
    let options = pattern.strip_prefix("{ $.").and_then(|pattern| pattern.strip_suffix(" }")).unwrap();
    options.split(" && $.").all(|term| {
        let (path, wanted, is_equal) = match term.split_once(" != ") {
            Some((path, wanted)) => (path, wanted, false),
            None => term.split_once(" = ").map(|(path, wanted)| (path, wanted, true)).unwrap(),
        };
        let found = path.split('.').fold(line, |value, name| &value[name]);
        // What is not there is like nothing.
        !found.is_null() && (*found == serde_json::from_str::<Value>(wanted).unwrap()) == is_equal
    })
}

/// What Lambda writes of a call that it stops after its time, and the gateway of one that it turns away.
const NOT_OURS: [&str; 2] = [
    r#"{"time":"2026-11-30T18:00:00.000Z","type":"platform.report","record":{"requestId":"1","status":"timeout"}}"#,
    r#"{"route":"POST /login","status":429,"milliseconds":1}"#,
];

#[tokio::test]
async fn the_log_has_what_the_metrics_of_the_template_look_for() {
    let template = fs::read_to_string(tests_folder().join("template/expanded.json")).unwrap();
    let template: Value = serde_json::from_str(&template).unwrap();
    let resources = template["Resources"].as_object().unwrap();
    let patterns = resources.values().filter_map(|resource| resource["Properties"]["FilterPattern"].as_str());
    // These are of a sweep that has found a live.
    let patterns = patterns.filter(|pattern| !pattern.contains("= *"));

    let mut settings = Worlds::new().await.settings().await;
    let forged = event(Front::FunctionUrl, Body::Text, &Sent::post(CALLBACKS[0], forged(process::now().0)));
    let mut lines = logged("live_callback", &settings, &forged).await;
    let table = settings.iter_mut().find(|(name, _)| name == "AWS_ENDPOINT_URL_DYNAMODB").unwrap();
    table.1 = "http://127.0.0.1:9".to_owned();
    let opening = event(Front::HttpApi, Body::Text, &Sent::post(INTERFACE, opening()));
    lines.extend(logged("interface", &settings, &opening).await);
    lines.extend(NOT_OURS.map(|line| serde_json::from_str(line).unwrap()));
    for pattern in patterns {
        assert!(lines.iter().any(|line| is_found(line, pattern)), "{pattern} finds none of {lines:#?}");
    }
    // And what the dashboard counts by.
    let dashboard = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"][0].as_str().unwrap();
    let counted = dashboard.split("| stats ").skip(1);
    let counted = counted.map(|rest| rest.split_once(" by ").unwrap().1.split_once(" |").unwrap().0);
    let names: Vec<_> = counted.flat_map(|names| names.split(", ")).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    for name in names {
        let is_there = |line: &Value| !name.split('.').fold(line, |value, name| &value[name]).is_null();
        assert!(lines.iter().any(is_there), "{name} is in none of {lines:#?}");
    }
}

#[test]
fn every_function_is_built_and_nothing_else() {
    let built: Vec<&String> = binaries().keys().collect();
    // What is deployed on AWS is laid out without those for SCF.
    let of_scf = if variable("BINARIES").is_none() { names_in("../scf/src/bin") } else { Vec::new() };
    let mut expected = [functions(), of_scf].concat();
    expected.sort();
    assert_eq!(built, expected.iter().collect::<Vec<_>>());
    assert!(binaries().values().all(|binary| Path::new(binary).is_file()));
}
