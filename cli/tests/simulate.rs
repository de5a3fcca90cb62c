//! `mini-lvb simulate`: scripts in memory, over HTTP, and on the command line.
#![expect(clippy::unwrap_used, reason = "clippy spares tests, but not the functions that they share")]

use std::{
    fs,
    future::pending,
    io::Write,
    process::{Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use app::{App, answer::CALLBACKS, config::Config, process::now};
use cli::{
    cloud_account::account,
    engine::Engine,
    settings::{config_from, generated},
    simulate::{
        backend::{Answer, Backend, Memory, deliver},
        demonstration,
        network::{self, Remote},
        play::Player,
        script::{Action, Error, parse, print},
    },
};
use cloud::{
    account::{Account, State},
    notices::Retries,
};
use protocol::types::{Secret, StreamId, UnixSeconds};
use serde_json::Value;
use server::{TrustedProxy, serve};
use store::Table;
use tokio::{net::TcpListener, sync::Barrier};

const START: UnixSeconds = UnixSeconds(1_600_000_000);

fn config() -> Config {
    config_with(|_| None)
}

fn config_with(setting: impl Fn(&str) -> Option<String>) -> Config {
    config_from(&generated(), setting).unwrap()
}

/// Plays a script on a backend; returns what was printed.
async fn play_on(
    backend: &impl Backend,
    cloud: &Mutex<Account>,
    config: &Config,
    script: &str,
) -> Result<String, Error> {
    let mut printed = String::new();
    let mut player = Player::new(backend, cloud, config, Retries::NONE);
    player.play(&parse(script).unwrap(), |line| printed.extend([line, "\n"])).await?;
    Ok(printed)
}

/// Plays a script on a fresh server in memory with these settings.
async fn play_with(config: Config, script: &str) -> Result<String, Error> {
    let backend = Memory::new(config.clone(), START).await.unwrap();
    play_on(&backend, &Mutex::new(account(&config, "")), &config, script).await
}

/// Plays a script on a fresh server in memory.
async fn play(script: &str) -> Result<String, Error> {
    play_with(config(), script).await
}

#[tokio::test]
async fn the_demonstration_passes_as_often_as_it_is_played() {
    let config = config();
    let backend = Memory::new(config.clone(), START).await.unwrap();
    for run in ["first", "second"] {
        let cloud = Mutex::new(account(&config, run));
        play_on(&backend, &cloud, &config, &demonstration(run)).await.unwrap();
    }
}

/// The script of the document, and those in the folder `scripts`.
fn examples() -> Vec<String> {
    let document = include_str!("../../docs/simulate.md");
    let script = document.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts")).unwrap();
    files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).chain([script.to_owned()]).collect()
}

#[tokio::test]
async fn every_example_passes() {
    for script in examples() {
        play(&script).await.unwrap_or_else(|error| panic!("{script}{error}"));
    }
}

#[test]
fn every_statement_is_printed_so_that_it_is_parsed_again() {
    let parsed = |script: &str| parse(script).unwrap().into_iter().map(|step| step.statement).collect::<Vec<_>>();
    let mut statements: Vec<_> = examples().iter().flat_map(|script| parsed(script)).collect();
    for word in ["alice", "", "a b", "a\"b", "a\\n", "a\nb", "a=b", "#1", "a#1", "用户", " ", "again", "\r", "\u{85}"]
    {
        let word = || word.to_owned();
        statements.push(Action::Open { user: word(), title: word(), group: Some(word()) }.into());
    }
    let printed = print(&statements);
    assert_eq!(parsed(&printed), statements, "{printed}");
    let actions = parse("dance").unwrap_err().reason;
    for action in actions.split_once(": ").unwrap().1.split(", ") {
        assert!(printed.lines().any(|line| line.split(' ').next() == Some(action)), "an example of {action}");
    }
    assert_eq!(parsed("  stop at=-9 \"p1\"  again # the end"), parsed("stop p1 again at=-9"));
}

#[tokio::test]
async fn a_script_fails_in_the_line_in_which_the_server_differs() {
    for (script, error) in [
        ("push alice as p1", "line 1: the server gave alice no push URL"),
        ("send p1", "line 1: there is no notice p1"),
        ("shot p1", "line 1: there is no push p1"),
        ("stop p1", "line 1: no push p1 is running"),
        ("open alice t\npush alice as p1\nstop p1 without=url", "line 3: the notice has no url"),
        ("open alice t\npush alice as p1 key=wrong", "line 2: it was refused: HTTP status 403 {\"code\":4003}"),
        ("open alice t\npush alice as p1 refused", "line 2: it was accepted, but should be refused"),
        (
            "open alice t\npush alice as p1 key=wrong refused=500",
            "line 2: it was refused, but not for 500: HTTP status 403 {\"code\":4003}",
        ),
        (
            "# no good\npush alice as p1 url=rtmp://8888.livepush.myqcloud.com/live/8888_alice?txSecret=0&txTime=ffffffff",
            "line 2: it was refused: the cloud: the push URL is wrong: its txSecret is missing, or wrong; are these the \
             settings of the server that gave it (--data, --config)?",
        ),
        ("open alice t\nexpect live alice", "line 2: status of alice: expected live, found offline"),
        ("open alice t\nexpect replays alice 1", "line 2: replays of alice: expected 1, found 0"),
        ("open alice t\n\nexpect likes alice 1", "line 3: likes of alice: expected 1, found 0"),
    ] {
        assert_eq!(play(script).await.unwrap_err().to_string(), error, "{script}");
    }
    let long = play(&format!("open {} t", "a".repeat(300))).await.unwrap_err().to_string();
    assert!(long.starts_with("line 1: it was refused: 1000 "), "{long}");
    let without_key = config_with(|name| (name == "OPERATOR_KEY").then(String::new));
    let ban = play_with(without_key, "ban alice").await.unwrap_err().to_string();
    assert_eq!(ban, "line 1: it was refused: 10000 not allowed");
}

#[tokio::test]
async fn an_expected_refusal_is_printed_with_its_reason() {
    let printed = play("open alice t\nwait 86401\npush alice as p1 refused=txTime").await.unwrap();
    let reason = "the cloud: the push URL is wrong: its txTime is past: it expired at 1600086400";
    assert!(printed.ends_with(&format!("        refused, as expected: {reason}\n")), "{printed}");
}

#[tokio::test]
async fn apps_prove_who_they_are_where_the_server_wants_it() {
    let config = config_with(|name| (name == "ACTION_AUTH").then(|| "user-sig".to_owned()));
    play_with(config, &demonstration("run")).await.unwrap();
}

#[tokio::test]
async fn a_notice_that_is_not_taken_comes_again_byte_for_byte() {
    /// A server that is away for a time.
    #[derive(Default)]
    struct Away {
        now: AtomicU64,
        back: u64,
        posted: Mutex<Vec<String>>,
        reports: Mutex<Vec<String>>,
    }
    impl Backend for Away {
        fn now(&self) -> UnixSeconds {
            UnixSeconds(self.now.load(Ordering::SeqCst))
        }
        async fn wait(&self, seconds: u64) {
            self.now.fetch_add(seconds, Ordering::SeqCst);
        }
        fn report(&self, line: &str) {
            self.reports.lock().unwrap().push(line.to_owned());
        }
        async fn post(&self, _: &str, _: Option<&Secret>, body: String) -> Result<Answer, String> {
            self.posted.lock().unwrap().push(body);
            match self.now().0 {
                0 => Err("no connection".to_owned()),
                now if now < self.back => Ok(Answer { status: 500, body: String::new() }),
                _ => Ok(Answer { status: 200, body: r#"{"code":0}"#.to_owned() }),
            }
        }
    }
    for (back, times, status) in [(100, 3, 200), (720, 13, 200), (721, 13, 500)] {
        let backend = Away { back, ..Away::default() };
        let answer = deliver(&backend, CALLBACKS[0], "a notice".to_owned(), Retries::DEFAULT).await.unwrap();
        assert_eq!((answer.status, backend.posted.into_inner().unwrap()), (status, vec!["a notice".to_owned(); times]));
        let reports = backend.reports.into_inner().unwrap();
        assert_eq!(reports.len(), times - 1, "each time that it is sent again");
        assert_eq!(
            reports[..2],
            ["no connection; again in 60 s (1 of 12)", "HTTP status 500; again in 60 s (2 of 12)"]
        );
    }
}

#[tokio::test]
async fn what_is_sent_together_is_under_way_together() {
    /// A server that answers when three have called.
    struct Meeting(Barrier);
    impl Backend for Meeting {
        fn now(&self) -> UnixSeconds {
            START
        }
        async fn wait(&self, _: u64) {}
        async fn post(&self, _: &str, _: Option<&Secret>, _: String) -> Result<Answer, String> {
            self.0.wait().await;
            Ok(Answer { status: 200, body: r#"{"code":0}"#.to_owned() })
        }
    }
    let config = config();
    let script = format!("together\npush alice as p1 url=\"{}\" again\nstop p1\nend", push_url(&config));
    let (backend, cloud) = (Meeting(Barrier::new(3)), Mutex::new(account(&config, "")));
    let play = play_on(&backend, &cloud, &config, &script);
    tokio::time::timeout(Duration::from_secs(10), play).await.expect("nobody waits for another").unwrap();
}

/// The push URL of alice.
fn push_url(config: &Config) -> String {
    let (live, stream) = (&config.live, StreamId::parse("8888_alice").unwrap());
    live.domains.push_url(&live.push_key, &stream, START.plus(60), live.recording.as_ref())
}

#[test]
fn an_error_names_its_line_and_what_was_expected() {
    for (script, error) in [
        ("dance", "line 1: dance is not an action; expected one of: open, push, stop, record, "),
        ("group=g", "line 1: an action is missing"),
        ("\n# all well\nopen alice", "line 3: TITLE is missing; expected: open USER TITLE [group=GROUP] [again] "),
        ("open alice \"t", "line 1: a quote is not closed"),
        ("open alice \"t\"x", "line 1: a blank is missing after a quote"),
        (r#"open alice "\t""#, r#"line 1: \t is not valid; expected \", \\ or \n"#),
        ("push alice p1", "line 1: as is missing; expected: push USER as PUSH [url=URL] [stream=STREAM] [again] "),
        ("push alice as p1 url=u stream=s", "line 1: push cannot have both url and stream"),
        ("say alice maybe", "line 1: maybe is not valid; expected: say USER online|offline [again] [refused[=TEXT]]"),
        ("wait -1", "line 1: -1 is not valid; expected: wait SECONDS"),
        ("wait 1 again", "line 1: wait cannot have again; expected: wait SECONDS"),
        ("open alice t lost", "line 1: open cannot have lost; expected: open USER TITLE [group=GROUP] [again] "),
        ("send p1 skew=1", "line 1: send cannot have skew; expected: send NOTICE [again] [refused[=TEXT]] "),
        ("stop p1 twice", "line 1: stop cannot have twice; expected: stop PUSH [errcode=ERRCODE] [again] "),
        ("stop p1 anew", "line 1: stop cannot have anew; "),
        ("stop p1 late", "line 1: late has no value; "),
        ("stop p1 late=x", "line 1: x is not valid; "),
        ("stop p1 key=right", "line 1: key cannot be right; "),
        ("stop p1 again=2", "line 1: again cannot be 2; "),
        ("stop p1 lost again", "line 1: a lost notice is not sent, so only at, skew and without can stand beside lost"),
        (
            "expect rain alice",
            "line 1: rain is not valid; expected: expect live USER|offline USER|replays USER NUMBER|",
        ),
        ("expect replays alice", "line 1: NUMBER is missing; expected: expect "),
        ("end", "line 1: end has no together before it"),
        ("\ntogether\nstop p1", "line 2: together has no end"),
        ("together\nwait 1\nend", "line 2: wait 1 cannot stand between together and end"),
        ("together\ntogether\nend", "line 2: together cannot stand between together and end"),
    ] {
        let found = parse(script).unwrap_err().to_string();
        assert!(found.starts_with(error), "{script}: {found}");
    }
}

/// A server over sockets, and its simulated cloud.
struct World {
    remote: Remote,
    cloud: Arc<Mutex<Account>>,
    config: Config,
}

impl World {
    async fn new() -> Self {
        let [listener, port] = [TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0")];
        let (listener, port) = (listener.await.unwrap(), port.await.unwrap());
        let (server, api) = (listener.local_addr().unwrap(), port.local_addr().unwrap());
        let config = config_with(|name| match name {
            "API_URL" => Some(format!("http://{api}/common_access")),
            "CLOUD_API_URL" => Some(format!("http://{api}")),
            _ => None,
        });
        let cloud = Arc::new(Mutex::new(account(&config, "run-")));
        let table = Table::new(Engine::in_memory().unwrap().client(), "mini-lvb");
        table.create_if_missing().await.unwrap();
        let app = App::new(config.clone(), table);
        tokio::spawn(serve(Arc::new(app), None, listener, TrustedProxy::None, pending()));
        let remote = Remote::new(&format!("http://{server}/"));
        tokio::spawn(network::serve(port, Arc::clone(&cloud), remote.clone(), Retries::NONE));
        Self { remote, cloud, config }
    }

    async fn play(&self, script: &str) -> Result<String, Error> {
        play_on(&self.remote, &self.cloud, &self.config, script).await
    }
}

#[tokio::test]
async fn the_demonstration_passes_over_sockets() {
    World::new().await.play(&demonstration("run")).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_the_cloud_drops_ends_for_the_server_too() {
    let world = World::new().await;
    world.play("open alice t\npush alice as p1\nexpect live alice").await.unwrap();
    let stream = StreamId::parse("8888_alice").unwrap();
    app::cloud::Cloud::new(&world.config).drop_stream(&stream, now()).await.unwrap();
    let wait = async { while world.play("expect offline alice").await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("the cloud tells the server");
}

#[tokio::test]
async fn whom_an_operator_bans_the_cloud_cuts_and_refuses() {
    let world = World::new().await;
    let mut player = Player::new(&world.remote, &world.cloud, &world.config, Retries::NONE);
    player.play(&parse("open alice t\npush alice as p1\nban alice").unwrap(), |_| {}).await.unwrap();
    assert_eq!(world.cloud.lock().unwrap().state("8888_alice", now()), State::Forbidden);
    let unban =
        "expect offline alice\npush alice as p2 refused=forbidden\nunban alice\npush alice as p2\nexpect live alice";
    player.play(&parse(unban).unwrap(), |_| {}).await.unwrap();
}

#[tokio::test]
async fn an_operator_shows_no_key_where_others_can_read_it() {
    let (remote, config) = (Remote::new("http://server.example"), config());
    let refused = play_on(&remote, &Mutex::new(account(&config, "")), &config, "ban alice").await.unwrap_err();
    let expected = "line 1: http://server.example: the operator key is sent only over https, or to this machine; give the address with https://";
    assert_eq!(refused.to_string(), expected);
}

/// Runs `mini-lvb simulate --memory` with a script on its standard input.
fn run(script: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mini-lvb"));
    command.args(["simulate", "--memory", "-"]).env_clear();
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

#[test]
fn the_command_says_what_it_does_and_how_it_ended() {
    let good = run("open alice t\nwait 86401\npush alice as p1 refused");
    let printed = String::from_utf8(good.stdout).unwrap();
    assert!(good.status.success() && printed.contains("   2  wait 86401\n"), "{printed}");
    let bad = run("open alice t\nexpect live alice\nwait 1\n");
    let printed = String::from_utf8(bad.stdout).unwrap();
    assert_eq!((bad.status.code(), printed.contains("   2  expect live alice\n")), (Some(1), true), "{printed}");
    assert!(!printed.contains("wait 1"), "{printed}");
    let error = String::from_utf8(bad.stderr).unwrap();
    assert!(error.contains("mini-lvb: line 2: status of alice: expected live"), "{error}");
    let invalid = run("open alice t\ndance\n");
    assert_eq!((invalid.status.code(), invalid.stdout.as_slice()), (Some(1), &b""[..]), "nothing is done of it");
    let error = String::from_utf8(invalid.stderr).unwrap();
    assert!(error.starts_with("mini-lvb: line 2: dance is not an action; expected one of: "), "{error}");
}

#[test]
fn a_notice_has_what_the_documents_say() {
    let config = config();
    let mut cloud = account(&config, "");
    let start = cloud.push(&push_url(&config), "p1", START).unwrap();
    let body: Value = serde_json::from_str(&start.body(START, &cloud.settings().callback_key)).unwrap();
    for field in [
        "t",
        "sign",
        "event_type",
        "stream_id",
        "channel_id",
        "app",
        "appname",
        "event_time",
        "sequence",
        "node",
        "user_ip",
        "errcode",
        "errmsg",
        "stream_param",
        "appid",
        "set_id",
        "width",
        "height",
    ] {
        assert!(!body[field].is_null(), "{field}");
    }
}
