//! Every function's binary in a process of its own, as Lambda runs it, held to what the local server answers.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, OnceLock},
};

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cli::{engine::Engine, serve};
use serde_json::{Value, json};
use shared::{
    answer::{CALLBACKS, INTERFACE},
    commands,
    config::SETTINGS,
    lambda,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    guard::Guard,
    harness::{action, program_over, setting, tests_folder},
    lambda_runtime_api::{Function, Outcome, command},
    privileges::{self, CALLS, Call, Way},
    proxy,
    requests::{action_body, fields, going_online, notices, opening, signed},
    steps::list,
};

const OPERATOR_KEY: &str = "an-operator-of-the-tests";

/// Where the binaries are, by their names. Cargo builds them: it builds those of another package for a test of its own
/// accord only as tests, and it knows best which of them are out of date.
fn binaries() -> &'static BTreeMap<String, PathBuf> {
    static BINARIES: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    BINARIES.get_or_init(|| {
        // With this test named beside them, the crates below are the ones that it was built with, and not built anew.
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo.current_dir(tests_folder()).args(["build", "--offline", "--quiet", "--message-format=json"]);
        cargo.args(["--package", "functions", "--bins", "--package", "tests", "--test", "it"]);
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
fn functions() -> Vec<String> {
    let sources = fs::read_dir(tests_folder().join("../functions/src/bin")).unwrap();
    let mut names: Vec<String> =
        sources.map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A request, as a phone sends it.
#[derive(Clone)]
pub(crate) struct Sent {
    method: &'static str,
    path: String,
    content_type: Option<&'static str>,
    signature: Option<String>,
    address: &'static str,
    body: Vec<u8>,
}

impl Sent {
    fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
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

    fn headers(&self) -> BTreeMap<&'static str, String> {
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
struct Received {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Received {
    fn new(status: u16, headers: impl Iterator<Item = (String, String)>, body: String) -> Self {
        let hop = ["connection", "content-length", "date"];
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value));
        Self { status, headers: headers.filter(|(name, _)| !hop.contains(&name.as_str())).collect(), body }
    }

    /// With a `*` for all that depends on the clock or on chance, and nothing else: the two processes are asked one
    /// after the other, and draw numbers of their own.
    fn masked(mut self) -> Self {
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
enum Body {
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
    /// Where the local server listens.
    server: String,
}

impl Worlds {
    pub(crate) async fn new() -> Self {
        let table = Engine::in_memory().unwrap();
        program_over(table.http_client(), settings).await;
        // The local server, as it is.
        let mut app = program_over(Engine::in_memory().unwrap().http_client(), settings).await.app;
        app.clock = Box::new(lambda::now);
        app.random = Box::new(lambda::getrandom_u32);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap().to_string();
        tokio::spawn(serve::serve(Arc::new(app), listener, None, std::future::pending()));
        Self { settings: environment(), table, server }
    }

    /// Starts a function.
    async fn start(&self, name: &str) -> Deployed {
        Deployed::start(name, &self.table, &self.settings).await
    }
}

/// All of one world.
pub(crate) enum World {
    /// The local server.
    Server(String),
    /// The functions, each started when it is called for the first time.
    Functions(Vec<(String, String)>, Engine, BTreeMap<String, Deployed>),
}

impl Worlds {
    /// The one and the other.
    pub(crate) fn each(self) -> [World; 2] {
        [World::Server(self.server), World::Functions(self.settings, self.table, BTreeMap::new())]
    }
}

impl World {
    /// With another setting of its functions, none of which has been started yet.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Functions(settings, ..) = &mut self {
            settings.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Asks the function that is there for it, or the server; the body of the answer.
    pub(crate) async fn ask(&mut self, function: &str, sent: &Sent) -> String {
        match self {
            Self::Server(server) => ask(server, sent).await.body,
            Self::Functions(settings, table, running) => {
                if !running.contains_key(function) {
                    running.insert(function.to_owned(), Deployed::start(function, table, settings).await);
                }
                let event = event(Front::HttpApi, Body::Text, sent);
                received(running.get_mut(function).unwrap().invoke(&event).await).body
            }
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

/// Where the table is, in an environment.
fn at(address: &str) -> (String, String) {
    ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), address.to_owned())
}

/// Sends a request to the local server, over the wire.
async fn ask(server: &str, sent: &Sent) -> Received {
    let mut request = format!("{} {} HTTP/1.1\r\nconnection: close\r\n", sent.method, sent.path);
    for (name, value) in sent.headers() {
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

/// What is sent to a function: all that its door is for. A function that is not known here fails the test.
fn requests(function: &str) -> Vec<Sent> {
    let now = lambda::now().0;
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
            let forged = signed(json!({"event_type": 0, "stream_id": "8888_alice"}), now).replace(r#""sign":""#, "$0x");
            let bodies: Vec<String> = good.chain(late).chain(stale).chain([forged]).collect();
            CALLBACKS.iter().flat_map(|path| bodies.iter().map(|body| Sent::post(path, body.clone()))).collect()
        }
        name => {
            let all = commands::all();
            let entry = all.iter().find(|entry| entry.names.path == Some(name));
            let entry = entry.unwrap_or_else(|| panic!("{name} serves no door that is known here"));
            vec![Sent::post(&format!("/{name}"), fields(entry).to_string())]
        }
    }
}

/// The ways in which one request can come in.
fn ways(sent: &Sent) -> Vec<(Body, Sent)> {
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

/// What no door is for: nothing, no JSON, no text, and too much.
fn nonsense(path: &str) -> [Sent; 5] {
    let huge = format!(r#"{{"userid":"alice","x":"{}"}}"#, "x".repeat(shared::wire::MAX_BODY_BYTES));
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
                let servers = ask(&worlds.server, &sent).await;
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
    world.program.pass(lambda::now().0 - world.program.now());
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
    let now = lambda::now().0;
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
        assert!(said.contains("PUSH_KEY is not set") && said.contains("BIZID may hold"), "{name}: {said}");
    }
}

#[test]
fn every_function_is_built_and_nothing_else() {
    let built: Vec<&String> = binaries().keys().collect();
    let expected = functions();
    assert_eq!(built, expected.iter().collect::<Vec<_>>());
    assert!(binaries().values().all(|binary| Path::new(binary).is_file()));
}
