//! The binaries for Tencent SCF in processes of their own, as SCF runs them, held to what the local server answers.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

use crate::{
    deploy::runtime::{
        Body, Received, Sent, World, Worlds, ask, binaries, functions, nonsense, received_in, requests, ways,
        with_table_at,
    },
    support::{
        harness::{action, variable},
        scf_runtime_api::{EventFunction, Said},
    },
};
use app::answer::INTERFACE;

/// The two ways in which SCF runs all commands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Web,
    Event,
}

/// All commands in one function of SCF, running.
pub(crate) enum Function {
    Web(Web),
    Event(EventFunction),
}

/// A web function: its process, and where it listens.
pub(crate) struct Web {
    _process: Child,
    address: String,
}

/// The command that starts a function as SCF does: with these settings, and no other environment than SCF's.
fn command(name: &str, settings: &[(String, String)]) -> Command {
    // Those that a deployment would have may be tried in place of those that were built just now.
    let binary =
        variable("SCF_BINARIES").map_or_else(|| binaries()[name].clone(), |folder| Path::new(&folder).join(name));
    let mut command = Command::new::<PathBuf>(binary);
    command.env_clear().kill_on_drop(true).stdin(Stdio::null());
    command.envs([
        ("AWS_ACCESS_KEY_ID", "AKIDtest"),
        ("AWS_SECRET_ACCESS_KEY", "for-tests-only"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("SCF_FUNCTIONNAME", "mini-lvb"),
        ("TENCENTCLOUD_RUNENV", "SCF"),
        ("TZ", "UTC"),
    ]);
    command.envs(settings.iter().cloned());
    command
}

impl Function {
    /// Starts a function with these settings.
    pub(crate) async fn start(kind: Kind, settings: &[(String, String)]) -> Self {
        match kind {
            Kind::Web => Self::Web(Web::start(settings).await),
            Kind::Event => Self::Event(EventFunction::start(command("scf_event", settings)).await),
        }
    }

    /// What a phone gets for a request.
    pub(crate) async fn ask(&mut self, sent: &Sent) -> Received {
        self.ask_as(Body::Text, sent).await
    }

    /// The same; an event has the body as it is, or else as base64.
    async fn ask_as(&mut self, body: Body, sent: &Sent) -> Received {
        match self {
            Self::Web(web) => ask(&web.address, sent, &headers(sent)).await,
            Self::Event(function) => {
                let said = function.invoke(event(body, sent).to_string()).await;
                let Said::Response(response) = said else { panic!("{said:?}") };
                received_in(&serde_json::from_str(&response).unwrap())
            }
        }
    }
}

impl Web {
    async fn start(settings: &[(String, String)]) -> Self {
        let mut command = command("scf_web", settings);
        let mut process = command.env("PORT", "0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut log = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = loop {
            let line: Value = serde_json::from_str(&log.next_line().await.unwrap().expect("it starts")).unwrap();
            if line["fields"]["message"] == "listening" {
                let address = line["fields"]["address"].as_str().unwrap();
                break address.strip_prefix("0.0.0.0:").expect("it listens at every address").to_owned();
            }
        };
        // A pipe that nobody reads would fill up.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        Self { _process: process, address: format!("127.0.0.1:{port}") }
    }
}

impl Worlds {
    /// One world, with all in one function of SCF.
    pub(crate) async fn scf(&self, kind: Kind) -> World {
        World::Scf(Box::new(Function::start(kind, &self.settings().await).await))
    }
}

/// A request's headers, with what SCF adds.
fn headers(sent: &Sent) -> BTreeMap<&'static str, String> {
    let mut headers = sent.headers();
    headers.insert("x-scf-remote-addr", sent.address.to_owned());
    headers.insert("x-forwarded-for", "6.6.6.6".to_owned());
    headers
}

/// The event for a request: a function URL hands its body on as text; one that is compatible with an API gateway, or
/// such a gateway, can hand it on as base64, and says more.
fn event(body: Body, sent: &Sent) -> Value {
    let mut event = json!({
        "headers": headers(sent), "httpMethod": sent.method, "path": sent.path, "queryString": {},
    });
    match body {
        Body::Text => event["body"] = json!(str::from_utf8(&sent.body).unwrap()),
        Body::Base64 => {
            event["body"] = json!(STANDARD.encode(&sent.body));
            event["isBase64Encoded"] = json!(true);
            event["headerParameters"] = json!({});
            event["pathParameters"] = json!({});
            event["queryStringParameters"] = json!({});
            event["requestContext"] = json!({
                "httpMethod": sent.method, "identity": {}, "path": sent.path, "serviceId": "service-f94sy04v",
                "sourceIp": sent.address, "stage": "release",
            });
        }
    }
    event
}

/// The event of a timer.
fn clock() -> Value {
    json!({"Type": "Timer", "TriggerName": "minute", "Time": "2020-09-13T12:26:00Z", "Message": ""})
}

/// A request that is done, by any function.
fn good() -> Sent {
    Sent::post(INTERFACE, r#"{"Action":"FetchList","userid":"v","flag":1,"pageno":1,"pagesize":10}"#)
}

async fn answers_as_the_local_server_does(kind: Kind) {
    let (mut asked, mut done) = (0, 0);
    for name in functions().into_iter().filter(|name| name != "sweep") {
        let worlds = Worlds::new().await;
        let mut function = Function::start(kind, &worlds.settings().await).await;
        let requests = requests(&name);
        let nonsense = nonsense(&requests[0].path).map(|sent| (Body::Base64, sent));
        let nowhere = [Sent::post("/nowhere", "{}"), Sent { method: "GET", ..Sent::post("/nowhere", "") }];
        let nowhere = nowhere.map(|sent| (Body::Text, sent));
        for (body, sent) in requests.iter().flat_map(ways).chain(nonsense).chain(nowhere) {
            let scf = function.ask_as(body, &sent).await;
            let server = ask(&worlds.server, &sent, &sent.headers()).await;
            let shown = sent.body[..sent.body.len().min(300)].escape_ascii().to_string();
            done += usize::from(scf.body.starts_with(r#"{"returnValue":0,"#) || scf.body == r#"{"code":0}"#);
            assert_eq!(scf.masked(), server.masked(), "{name}: {body:?}: {} {} {shown}", sent.method, sent.path);
            asked += 1;
        }
    }
    println!("{kind:?}: {asked} requests, {done} of them done");
    assert!(done > 100, "most calls should have been done: {done} of {asked}");
}

#[tokio::test]
async fn the_web_function_answers_as_the_local_server_does() {
    answers_as_the_local_server_does(Kind::Web).await;
}

#[tokio::test]
async fn the_event_function_answers_as_the_local_server_does() {
    answers_as_the_local_server_does(Kind::Event).await;
}

#[tokio::test]
async fn attempts_are_counted_by_where_scf_says_that_they_come_from() {
    for (kind, body) in [(Kind::Web, Body::Text), (Kind::Event, Body::Text), (Kind::Event, Body::Base64)] {
        let worlds = Worlds::new().await.with("ADDRESS_LOGIN_LIMIT", "1");
        let mut function = Function::start(kind, &worlds.settings().await).await;
        let guess = Sent::post("/login", r#"{"userid":"nobody","password":"wrong"}"#);
        let mut codes = Vec::new();
        for address in ["192.0.2.1", "192.0.2.1", "192.0.2.2"] {
            let answer = function.ask_as(body, &guess.clone().from(address)).await.body;
            codes.push(serde_json::from_str::<Value>(&answer).unwrap()["code"].as_u64().unwrap());
        }
        assert_eq!(codes, [620, 4003, 620], "{kind:?}, {body:?}");
    }
}

#[tokio::test]
async fn the_clock_sweeps() {
    let worlds = Worlds::new().await;
    // A live of 2020, of which nothing was heard since.
    let open = r#"{"Action":"RequestLVBAddr","userid":"alice","groupid":"g","title":"t"}"#;
    let online = r#"{"Action":"ChangeStatus","userid":"alice","status":0}"#;
    for call in [open, online] {
        assert!(action(&worlds.program, call).await.starts_with(r#"{"returnValue":0,"#), "{call}");
    }
    let mut function = Function::start(Kind::Event, &worlds.settings().await).await;
    assert!(function.ask(&good()).await.body.contains(r#""totalcount":1,"#));
    let Function::Event(scf) = &mut function else { unreachable!("it is one") };
    assert_eq!(scf.invoke(clock().to_string()).await, Said::Response("null".to_owned()));
    let swept = function.ask(&good()).await.body;
    assert!(swept.contains(r#""totalcount":0,"#), "{swept}");
}

#[tokio::test]
async fn a_sweep_that_fails_is_an_error_and_not_the_end() {
    let mut function = away().await;
    for _ in 0..2 {
        let said = function.invoke(clock().to_string()).await;
        assert_eq!(said, Said::Error("the sweep failed".to_owned()));
    }
}

/// A function whose table is away.
async fn away() -> EventFunction {
    // A port that was free a moment ago, and that nobody is told of.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    EventFunction::start(command("scf_event", &with_table_at(&format!("http://{nobody}")))).await
}

/// Events that are none, and what is said of each.
fn malformed() -> Vec<(Vec<u8>, &'static str)> {
    const NEITHER: &str = "the event is neither a call nor the clock's";
    const NO_PATH: &str = "the call has no path";
    const NO_HTTP: &str = "the call is no HTTP";
    const NO_BASE64: &str = "the body is not base64";
    const NO_TEXT: &str = "the event is too large, or no text";
    let event = || event(Body::Base64, &good());
    let with = |field: &str, value: Value| {
        let mut event = event();
        event[field] = value;
        event.to_string().into_bytes()
    };
    let without = |field: &str| {
        let mut event = event();
        event.as_object_mut().unwrap().remove(field);
        event.to_string().into_bytes()
    };
    let whole = event().to_string().into_bytes();
    let mut malformed: Vec<(Vec<u8>, &str)> = [
        "",
        " ",
        "{",
        "}",
        "{}",
        "[]",
        "null",
        "true",
        "0",
        "-1e999",
        "\"text\"",
        "text",
        "{\"httpMethod\":\"POST\"}",
        "{\"path\":\"/login\"}",
        "{\"Type\":\"timer\"}",
        "{\"Type\":\"Clock\"}",
        "{\"Type\":1}",
        "{\"Type\":null}",
        "[{\"Type\":\"Timer\"}]",
        "\u{feff}{\"Type\":\"Timer\"}",
        "{\"Type\":\"Timer\"} and more",
        "{\"Records\":[{\"cos\":{\"cosBucket\":{\"name\":\"b\"}}}]}",
        "{\"Type\":\"Timer\",\"Type\":\"Timer\"}",
        "\0",
    ]
    .map(|text| (text.as_bytes().to_vec(), NEITHER))
    .to_vec();
    malformed.extend([
        (without("httpMethod"), NEITHER),
        (without("path"), NEITHER),
        (with("httpMethod", json!(1)), NEITHER),
        (with("httpMethod", json!(null)), NEITHER),
        (with("path", json!(["/login"])), NEITHER),
        (with("path", json!(null)), NEITHER),
        (with("headers", json!("a: b")), NEITHER),
        (with("headers", json!([])), NEITHER),
        (with("headers", json!({"a": 1})), NEITHER),
        (with("headers", json!({"a": ["b"]})), NEITHER),
        (with("headers", json!({"a": null})), NEITHER),
        (with("body", json!({"Action": "FetchList"})), NEITHER),
        (with("body", json!(7)), NEITHER),
        (with("isBase64Encoded", json!("true")), NEITHER),
        (with("isBase64Encoded", json!(1)), NEITHER),
        (with("requestContext", json!("192.0.2.1")), NEITHER),
        (with("requestContext", json!({"sourceIp": 1})), NEITHER),
        (with("path", json!("")), NO_PATH),
        (with("path", json!("login")), NO_PATH),
        (with("path", json!("http://192.0.2.1/login")), NO_PATH),
        (with("path", json!("/a b")), NO_HTTP),
        (with("path", json!("/\u{7f}\r\n")), NO_HTTP),
        (with("path", json!(format!("/{}", "x".repeat(70_000)))), NO_HTTP),
        (with("httpMethod", json!("")), NO_HTTP),
        (with("httpMethod", json!("PO ST")), NO_HTTP),
        (with("headers", json!({"": "b"})), NO_HTTP),
        (with("headers", json!({"a b": "c"})), NO_HTTP),
        (with("headers", json!({"a": "b\r\nliteav-sig: c"})), NO_HTTP),
        (with("body", json!("%%%")), NO_BASE64),
        (with("body", json!("e30")), NO_BASE64),
        (whole[..whole.len() - 1].to_vec(), NEITHER),
        ([&whole[..], b"]"].concat(), NEITHER),
        ("[".repeat(100_000).into_bytes(), NEITHER),
        (format!("{{\"a\":{}", "{\"a\":".repeat(100_000)).into_bytes(), NEITHER),
        (b"\xff\xfe{}".to_vec(), NO_TEXT),
        ([&whole[..10], b"\xc3", &whole[10..]].concat(), NO_TEXT),
        (vec![b'x'; 9 * 1024 * 1024], NO_TEXT),
    ]);
    malformed
}

#[tokio::test]
async fn events_that_are_none_are_errors_and_not_the_end() {
    let worlds = Worlds::new().await;
    let mut function = EventFunction::start(command("scf_event", &worlds.settings().await)).await;
    let malformed = malformed();
    println!("{} events that are none", malformed.len());
    for (event, reason) in malformed {
        let shown = event[..event.len().min(300)].escape_ascii().to_string();
        assert_eq!(function.invoke(event).await, Said::Error(reason.to_owned()), "{shown}");
        let Said::Response(answer) = function.invoke(event_of(&good())).await else { panic!("after {shown}") };
        assert!(answer.contains(r#"\"returnValue\":0,"#), "after {shown}: {answer}");
    }
}

fn event_of(sent: &Sent) -> String {
    event(Body::Text, sent).to_string()
}

#[tokio::test]
async fn what_an_event_need_not_have_may_be_missing() {
    let worlds = Worlds::new().await;
    let mut function = EventFunction::start(command("scf_event", &worlds.settings().await)).await;
    let health = r#"{\"returnValue\":4001,"#;
    for event in [
        json!({"httpMethod": "GET", "path": INTERFACE}),
        json!({"httpMethod": "POST", "path": INTERFACE, "headers": null, "body": null, "isBase64Encoded": null}),
        json!({"httpMethod": "POST", "path": INTERFACE, "headers": {"user-agent": "手机"}, "requestContext": null}),
        json!({"httpMethod": "POST", "path": INTERFACE, "requestContext": {"sourceIp": "nonsense"}, "body": "{"}),
    ] {
        let said = function.invoke(event.to_string()).await;
        assert!(matches!(&said, Said::Response(answer) if answer.contains(health)), "{event}: {said:?}");
    }
}

#[tokio::test]
async fn a_function_whose_table_is_away_says_so_in_its_dialect() {
    let mut function = Function::Event(away().await);
    let answer = function.ask(&good()).await;
    let refused = r#"{"returnValue":2003,"returnMsg":"db operator error","returnData":[]}"#;
    assert_eq!((answer.status, answer.body.as_str()), (200, refused));
}

#[tokio::test]
async fn a_runtime_api_that_fails_for_a_moment_is_asked_again() {
    let worlds = Worlds::new().await;
    let mut function = EventFunction::start(command("scf_event", &worlds.settings().await)).await;
    for failures in [1, 4] {
        assert!(matches!(function.invoke(event_of(&good())).await, Said::Response(_)), "{failures}");
        function.fail(failures);
    }
    assert!(matches!(function.invoke(event_of(&good())).await, Said::Response(_)));
}

#[tokio::test]
async fn a_runtime_api_that_goes_on_failing_ends_the_process_and_nothing_is_done_twice() {
    let worlds = Worlds::new().await;
    let mut function = EventFunction::start(command("scf_event", &worlds.settings().await)).await;
    assert!(matches!(function.invoke(event_of(&good())).await, Said::Response(_)));
    let before = function.asked();
    function.fail(usize::MAX);
    let (status, words) = function.ends_at(event_of(&good())).await;
    assert!(!status.success() && words.contains("SCF's runtime API does not answer: HTTP status 500"), "{words}");
    // The one that was waiting got its event, or did not; after that, one thing was tried, and not for long.
    assert!(function.asked() - before <= 7, "{} requests", function.asked() - before);
}

#[tokio::test]
async fn a_runtime_api_that_is_gone_ends_the_process() {
    let worlds = Worlds::new().await;
    let mut function = EventFunction::start(command("scf_event", &worlds.settings().await)).await;
    assert!(matches!(function.invoke(event_of(&good())).await, Said::Response(_)));
    let (status, words) = function.ends_alone().await;
    assert!(!status.success() && words.contains("SCF's runtime API does not answer: no connection"), "{words}");
}

/// What a start that must fail says.
async fn complaint(name: &str, settings: &[(String, String)], others: &[(&str, &str)]) -> String {
    let mut command = command(name, settings);
    let output =
        command.envs(others.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped()).output().await.unwrap();
    assert!(!output.status.success(), "{name} started");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn a_start_that_fails_says_why() {
    let mut settings = with_table_at("http://127.0.0.1:9");
    let said = complaint("scf_event", &settings, &[]).await;
    assert!(said.contains("SCF_RUNTIME_API is not set"), "{said}");
    let said = complaint("scf_web", &settings, &[("PORT", "http")]).await;
    assert!(said.contains("PORT must be a port number, and is http"), "{said}");
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let taken = listener.local_addr().unwrap();
    let said = complaint("scf_web", &settings, &[("PORT", &taken.port().to_string())]).await;
    assert!(said.contains(&taken.to_string()), "{said}");
    settings.retain(|(name, _)| name != "PUSH_KEY");
    settings.push(("BIZID".to_owned(), "no word".to_owned()));
    for name in ["scf_event", "scf_web"] {
        let said = complaint(name, &settings, &[]).await;
        assert!(said.contains("PUSH_KEY is not set") && said.contains("BIZID may contain"), "{name}: {said}");
    }
}
