//! A fresh program on its own embedded table, with a clock that stands still.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use aws_sdk_dynamodb::{Client, types::TimeToLiveSpecification};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use http::{Request, Response};

use crate::support::guard::{Guard, function_of};
use app::{
    App,
    answer::{answer_anywhere, entrypoint_at},
    config::Config,
    sweep::{self, SweepReport},
};
use cli::{engine, engine::Engine};
use protocol::{
    sign::callback::sign,
    types::{Secret, UnixSeconds},
};
use store::{Table, keys::EXPIRES_AT};

/// When every program starts: 2020-09-13 12:26:40 UTC.
pub(crate) const START: u64 = 1_600_000_000;
/// The key of the test's notices, and of everything else that wants one.
pub(crate) const KEY: &str = "a-key-for-tests-only";

/// A server of one's own.
pub(crate) struct Program {
    pub(crate) app: App,
    pub(crate) guard: Guard,
    now: Arc<AtomicU64>,
}

impl Program {
    /// A server that is there already, with a clock that stands still from now on, and with no guard before its table.
    pub(crate) fn of(app: App) -> Self {
        let now = Arc::new(AtomicU64::new(app.now().0));
        Self { app, guard: Guard::default(), now }
    }

    /// The moment at which its clock stands.
    pub(crate) fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    /// Its clock.
    pub(crate) fn clock(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let now = Arc::clone(&self.now);
        move || now.load(Ordering::SeqCst)
    }

    /// Moves its clock back.
    pub(crate) fn turn_back(&self, seconds: u64) {
        self.now.fetch_sub(seconds, Ordering::SeqCst);
    }

    /// Moves its clock on.
    pub(crate) fn pass(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }
}

/// A fresh program.
pub(crate) async fn program() -> Program {
    program_with(|_| None).await
}

/// A fresh program with settings of its own.
pub(crate) async fn program_with(settings: impl Fn(&str) -> Option<&'static str>) -> Program {
    match engine_url() {
        // Another engine is one for all tests, so each program has a table of its own there.
        Some(url) => {
            static TABLES: AtomicU32 = AtomicU32::new(0);
            let name = format!("it-{}-{}", std::process::id(), TABLES.fetch_add(1, Ordering::SeqCst));
            let client = engine::client_of(url);
            let program = program_on(&client, &name, settings).await;
            never_expire(&client, &name).await;
            program
        }
        None => program_over(Engine::in_memory().unwrap().http_client(), settings).await,
    }
}

/// Keeps an engine from deleting what has expired by its own clock: the clock of the tests stands in 2020.
async fn never_expire(client: &Client, table: &str) {
    let expiry = TimeToLiveSpecification::builder().enabled(false).attribute_name(EXPIRES_AT).build().unwrap();
    client.update_time_to_live().table_name(table).time_to_live_specification(expiry).send().await.unwrap();
}

/// A fresh program that reaches its table through this HTTP client.
pub(crate) async fn program_over(http: SharedHttpClient, settings: impl Fn(&str) -> Option<&'static str>) -> Program {
    program_on(&store::connect::in_process(http), "mini-lvb", settings).await
}

/// A fresh program on the table of this name, to which it may do what the functions may that it stands for.
pub(crate) async fn program_on(
    client: &Client,
    table: &str,
    settings: impl Fn(&str) -> Option<&'static str>,
) -> Program {
    let guard = Guard::default();
    let guarded = guard.over(client.config().http_client().unwrap());
    let table = Table::new(Client::from_conf(client.config().to_builder().http_client(guarded).build()), table);
    let config = Config::read(|name| settings(name).or_else(|| setting(name)).map(str::to_owned)).unwrap();
    table.create_if_missing().await.unwrap();
    let now = Arc::new(AtomicU64::new(START));
    let clock = {
        let now = Arc::clone(&now);
        Box::new(move || UnixSeconds(now.load(Ordering::SeqCst)))
    };
    let drawn = AtomicU32::new(0);
    let random = Box::new(move || drawn.fetch_add(2, Ordering::SeqCst) + 2);
    Program { app: App { clock, random, ..App::new(config, table) }, guard, now }
}

/// The settings of the tests. The cloud is an address where nobody listens.
pub(crate) fn setting(name: &str) -> Option<&'static str> {
    match name {
        "ACTION_AUTH" => Some("open"),
        "BIZID" => Some("8888"),
        "LIVE_APPID" | "COS_APPID" => Some("1250000000"),
        "API_URL" => Some("http://127.0.0.1:9/common_access"),
        "CLOUD_API_URL" => Some("none"),
        "COS_BUCKET" => Some("covers"),
        "COS_SECRET_ID" | "CLOUD_API_SECRET_ID" => Some("AKIDtest"),
        "IM_SDK_APP_ID" => Some("1400000000"),
        "PUSH_KEY" | "API_KEY" | "COS_SECRET_KEY" | "CLOUD_API_SECRET_KEY" | "IM_SECRET_KEY" => Some(KEY),
        "SESSION_KEY" => Some("a-session-key-that-is-for-tests-only"),
        _ => None,
    }
}

/// Another engine that the suite is to run against.
fn engine_url() -> Option<String> {
    variable("ENGINE_URL")
}

#[expect(clippy::disallowed_methods, reason = "the tests' one place that reads the environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Sends a request to the entrypoint at its path, as the local server does.
pub(crate) async fn send(program: &Program, request: Request<Vec<u8>>) -> Response<String> {
    // Where no function is, none asks for anything.
    let function = entrypoint_at(request.uri().path()).map_or("interface", function_of);
    program.guard.serve(function, answer_anywhere(&program.app, request)).await
}

/// The sweep comes by; what it did.
pub(crate) async fn swept(program: &Program) -> SweepReport {
    program.guard.serve("sweep", sweep::run(&program.app)).await.unwrap()
}

/// Posts a body to an address.
pub(crate) async fn post(program: &Program, path: &str, body: impl Into<Vec<u8>>) -> Response<String> {
    send(program, Request::post(path).body(body.into()).unwrap()).await
}

/// Calls a Gen-1 Action; the body of the answer.
pub(crate) async fn action(program: &Program, body: &str) -> String {
    post(program, "/interface.php", body).await.into_body()
}

/// Calls a command at its own address, unsigned; the body of the answer.
pub(crate) async fn rest(program: &Program, command: &str, body: &str) -> String {
    post(program, &format!("/{command}"), body).await.into_body()
}

/// Sends a notice of the cloud, signed, that expires in ten minutes; `fields` are JSON members.
pub(crate) async fn notice(program: &Program, fields: &str) -> Response<String> {
    let t = program.now() + 600;
    let sign = sign(&Secret::new(KEY), &t.to_string());
    post(program, "/callback/Live_callback.php", format!(r#"{{"t":{t},"sign":"{sign}",{fields}}}"#)).await
}

/// Compares an answer with the golden file of this name; `UPDATE_GOLDEN=1` writes it instead.
#[track_caller]
pub(crate) fn golden(name: &str, answer: &str) {
    let file = tests_folder().join("golden").join(name);
    if variable("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, format!("{answer}\n")).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(answer, expected.trim_end(), "{name}");
}

/// The folder of this package.
pub(crate) fn tests_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
