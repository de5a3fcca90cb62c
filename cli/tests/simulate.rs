//! The cloud that only pretends: scripts in memory, over sockets, and on the command line.
#![expect(clippy::unwrap_used, reason = "clippy spares tests, but not the functions that they share")]

use std::{
    future::pending,
    io::Write,
    process::{Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use app::{
    App,
    answer::CALLBACKS,
    config::Config,
    process::{now, random_u32},
};
use cli::{
    engine::Engine,
    settings::{invented, judge},
    simulate::{
        cloud::{Cloud, State},
        demonstration,
        edge::{self, Remote},
        notices::Retries,
        play::{Failure, Player},
        script::{Act, Deed, How, Key, To, What, Word, parse, print, steps},
        stage::{Answer, Memory, Stage, deliver},
    },
};
use protocol::types::{Secret, StreamId, UnixSeconds};
use serde_json::Value;
use server::{TrustedProxy, serve};
use store::Table;
use tokio::{net::TcpListener, sync::Barrier};

const START: UnixSeconds = UnixSeconds(1_600_000_000);

fn config() -> Config {
    judge(&invented(), |_| None).unwrap()
}

/// A player before a fresh server in memory.
async fn player_with(config: Config) -> Player<Memory> {
    let cloud = Arc::new(Mutex::new(Cloud::new(&config, "")));
    let stage = Memory::new(config.clone(), START).await.unwrap();
    Player::new(stage, cloud, &config, Retries::NONE)
}

async fn player() -> Player<Memory> {
    player_with(config()).await
}

/// Plays a script before a fresh server; what was told.
async fn play(script: &str) -> Result<String, Failure> {
    let mut told = String::new();
    player().await.play(&parse(script).unwrap(), |line| told.extend([line, "\n"])).await?;
    Ok(told)
}

#[tokio::test]
async fn the_demonstration_passes_as_often_as_it_is_played() {
    let config = config();
    let stage = Memory::new(config.clone(), START).await.unwrap();
    for run in ["first", "second"] {
        let cloud = Arc::new(Mutex::new(Cloud::new(&config, run)));
        let steps = parse(&demonstration(run)).unwrap();
        Player::new(&stage, cloud, &config, Retries::NONE).play(&steps, |_| {}).await.unwrap();
    }
}

#[tokio::test]
async fn the_script_of_the_document_passes() {
    let document = include_str!("../../docs/simulate.md");
    let script = document.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(script.contains("expect replays alice 1"), "{script}");
    play(script).await.unwrap();
}

#[tokio::test]
async fn a_push_url_that_is_wrong_is_refused_with_the_reason() {
    let wrong =
        r#"push alice as p1 url="rtmp://8888.livepush.myqcloud.com/live/8888_alice?txSecret=0&txTime=ffffffff""#;
    let told = play(&format!("{wrong} refused=txSecret")).await.unwrap();
    assert!(
        told.contains(
            "its txSecret is missing, or wrong; are these the settings of the \
         server that gave it (--data, --config)?"
        ),
        "{told}"
    );
    let failure = play(&format!("# no good\n{wrong}")).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "line 2: it was refused: the cloud: the push URL is wrong: its txSecret is missing, or wrong; are these the settings of the \
         server that gave it (--data, --config)?"
    );
    let told = play("open alice t\nwait 86401\npush alice as p1 refused=txTime").await.unwrap();
    assert!(told.contains("its txTime is past: it expired at 1600086400"), "{told}");
    play("open alice t\nwait 86400\npush alice as p1\nexpect live alice").await.unwrap();
}

#[tokio::test]
async fn a_push_needs_a_url_and_a_name_of_its_own() {
    let failure = play("push alice as p1").await.unwrap_err();
    assert_eq!(failure.to_string(), "line 1: the server gave alice no push URL");
    let told = play("open alice t\npush alice as p1\npush alice as p1 refused").await.unwrap();
    assert!(told.contains("there is a push of this name"), "{told}");
}

#[tokio::test]
async fn a_notice_is_refused_that_is_signed_with_a_wrong_key_or_much_too_late_or_early() {
    play(
        "open alice t\npush alice as p1 key=wrong refused=403\nexpect offline alice\n\
         push alice as p2 late=3601 refused=403\npush alice as p3 skew=7200 refused=403\nexpect offline alice",
    )
    .await
    .unwrap();
    let failure = play("open alice t\npush alice as p1 key=wrong").await.unwrap_err();
    assert_eq!(failure.to_string(), r#"line 2: it was refused: HTTP status 403 {"code":4003}"#);
    let failure = play("open alice t\npush alice as p1 refused").await.unwrap_err();
    assert_eq!(failure.to_string(), "line 2: it was accepted, but should be refused");
    let failure = play("open alice t\npush alice as p1 key=wrong refused=500").await.unwrap_err();
    assert_eq!((failure.line, failure.what.contains("not for 500")), (2, true), "{failure}");
}

#[tokio::test]
async fn what_was_lost_comes_later_and_in_another_order() {
    play(
        "open alice t\npush alice as p1\nwait 60\nstop p1 lost\nwait 3\npush alice as p2\nwait 60\n\
         send p1.stop\nexpect live alice\nstop p2 again\nexpect offline alice",
    )
    .await
    .unwrap();
    play("open alice t\npush alice as p1 lost\nexpect offline alice\nsend p1\nexpect live alice").await.unwrap();
    let failure = play("send p1").await.unwrap_err();
    assert_eq!(failure.to_string(), "line 1: there is no notice p1");
}

#[tokio::test]
async fn what_happened_long_ago_is_told_now() {
    let show = "open alice t\nwait 4000\npush alice as p1 at=-700\n";
    play(&format!("{show}expect live alice\nstop p1 at=-10\nrecord p1 flv as f1\nexpect replays alice 1"))
        .await
        .unwrap();
    let failure = play(&format!("{show}stop p1 at=-640\nrecord p1 flv as f1\nexpect replays alice 1")).await;
    assert_eq!(failure.unwrap_err().to_string(), "line 6: replays of alice: expected 1, found 0", "a minute is short");
    let lost = "open alice t\npush alice as p1 lost\nwait 4300\n";
    play(&format!(
        "{lost}send p1 refused=403\nsend p1 late=601\nexpect offline alice\nsend p1 anew\nexpect live alice"
    ))
    .await
    .unwrap();
}

#[tokio::test]
async fn a_notice_may_lack_what_others_have() {
    let show = "open alice t\npush alice as p1 lost\nwait 600\n";
    play(&format!("{show}stop p1\nrecord p1 flv as f1 url=http://vod/f1.flv\nexpect replays alice 1")).await.unwrap();
    play(&format!("{show}stop p1\nrecord p1 flv as f1 url=\"\"\nexpect replays alice 0")).await.unwrap();
    play(&format!("{show}record p1 flv as f1 without=end_time refused=4002\nexpect replays alice 0")).await.unwrap();
    let failure = play(&format!("{show}stop p1 without=video_url")).await.unwrap_err();
    assert_eq!(failure.to_string(), "line 4: the notice has no video_url");
}

#[tokio::test]
async fn a_stream_that_is_not_ours_is_no_room() {
    let show = "open alice t\npush alice as p1 stream=1400_alice\nwait 600\nexpect offline alice\nstop p1\n";
    play(&format!("{show}record p1 flv as f1\nexpect replays alice 1")).await.unwrap();
}

#[tokio::test]
async fn an_operator_bans() {
    let show = "open alice t group=g\nenter bob alice group=other\nexpect viewers alice 0\nenter bob alice\n\
                expect viewers alice 1\nsay alice online\nexpect live alice\n";
    // No cloud can be told; the ban holds all the same.
    let ban = "ban alice\nexpect offline alice\nopen alice t refused=10001\n";
    play(&format!("{show}{ban}unban alice\nopen alice t")).await.unwrap();
    let settings = |name: &str| (name == "OPERATOR_KEY").then(String::new);
    let mut player = player_with(judge(&invented(), settings).unwrap()).await;
    let failure = player.play(&parse("ban alice").unwrap(), |_| {}).await.unwrap_err();
    assert_eq!(failure.to_string(), "line 1: it was refused: 10000 not allowed");
}

#[tokio::test]
async fn files_become_replays_also_twice_and_at_the_same_time() {
    let show = "open alice t\npush alice as p1\nwait 600\nstop p1\n";
    play(&format!("{show}record p1 flv as f1 again\nrecord p1 hls as f2 lost\nexpect replays alice 1\nsend f2 again\nexpect replays alice 1")).await.unwrap();
    play(&format!("{show}together\nrecord p1 flv as f1 again\nrecord p1 hls as f2\nend\nexpect replays alice 1"))
        .await
        .unwrap();
    let failure = play(&format!("{show}record p1 flv as f1\nexpect replays alice 2")).await.unwrap_err();
    assert_eq!(failure.to_string(), "line 6: replays of alice: expected 2, found 1");
}

#[tokio::test]
async fn every_other_notice_is_taken() {
    play(
        "open alice t\npush alice as p1\nshot p1\nverdict p1 Pass\nevent p1 321\nevent p1 332 again\nexpect live alice",
    )
    .await
    .unwrap();
    let failure = play("shot p1").await.unwrap_err();
    assert_eq!(failure.to_string(), "line 1: there is no push p1");
}

#[tokio::test]
async fn apps_speak_too() {
    play(
        "open alice t group=g\nsay alice online\nexpect live alice\nenter bob alice\nenter carol alice again\n\
         quit bob alice\nlike carol alice again\nexpect viewers alice 1\nexpect likes alice 2\nsay alice offline\n\
         expect offline alice",
    )
    .await
    .unwrap();
    let failure = play(&format!("open {} t", "a".repeat(300))).await.unwrap_err();
    assert!(failure.to_string().starts_with("line 1: it was refused: 1000 "), "{failure}");
    let failure = play("open alice t\nexpect live alice").await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "line 2: alice should be live, but is offline in the room's row and offline in the list"
    );
}

#[tokio::test]
async fn apps_prove_who_they_are_where_the_server_wants_it() {
    let config = judge(&invented(), |name| (name == "ACTION_AUTH").then(|| "user-sig".to_owned())).unwrap();
    let steps = parse(&demonstration("run")).unwrap();
    player_with(config).await.play(&steps, |_| {}).await.unwrap();
}

#[tokio::test]
async fn a_notice_that_is_not_taken_comes_again_byte_for_byte() {
    /// A server that is away for a time.
    struct Away {
        now: AtomicU64,
        back: u64,
        posted: Mutex<Vec<Vec<u8>>>,
    }
    impl Stage for Away {
        fn now(&self) -> UnixSeconds {
            UnixSeconds(self.now.load(Ordering::SeqCst))
        }
        async fn wait(&self, seconds: u64) {
            self.now.fetch_add(seconds, Ordering::SeqCst);
        }
        async fn post(&self, _: &str, _: Option<&Secret>, body: Vec<u8>) -> Result<Answer, String> {
            self.posted.lock().unwrap().push(body);
            match self.now().0 {
                0 => Err("no connection".to_owned()),
                now if now < self.back => Ok(Answer { status: 500, body: String::new() }),
                _ => Ok(Answer { status: 200, body: r#"{"code":0}"#.to_owned() }),
            }
        }
    }
    for (back, times, status) in [(100, 3, 200), (720, 13, 200), (721, 13, 500)] {
        let stage = Away { now: AtomicU64::new(0), back, posted: Mutex::default() };
        let answer = deliver(&stage, CALLBACKS[0], b"a notice".to_vec(), Retries::OF_TODAY).await.unwrap();
        let posted = stage.posted.into_inner().unwrap();
        assert_eq!((answer.status, posted.len()), (status, times));
        assert!(posted.iter().all(|body| body == b"a notice"));
    }
}

#[tokio::test]
async fn what_is_sent_together_is_under_way_together() {
    /// A server that answers when three have called.
    struct Meeting(Barrier);
    impl Stage for Meeting {
        fn now(&self) -> UnixSeconds {
            START
        }
        async fn wait(&self, _: u64) {}
        async fn post(&self, _: &str, _: Option<&Secret>, _: Vec<u8>) -> Result<Answer, String> {
            self.0.wait().await;
            Ok(Answer { status: 200, body: r#"{"code":0}"#.to_owned() })
        }
    }
    let config = config();
    let url = push_url(&config);
    let cloud = Arc::new(Mutex::new(Cloud::new(&config, "")));
    let mut player = Player::new(Meeting(Barrier::new(3)), cloud, &config, Retries::NONE);
    let script = format!("together\npush alice as p1 url=\"{url}\" again\nstop p1\nend");
    let play = async { player.play(&parse(&script).unwrap(), |_| {}).await };
    tokio::time::timeout(Duration::from_secs(10), play).await.expect("nobody waits for another").unwrap();
}

/// The push URL of alice.
fn push_url(config: &Config) -> String {
    let (live, stream) = (&config.live, StreamId::parse("8888_alice").unwrap());
    live.domains.push_url(&live.push_key, &stream, START.plus(60), live.recording.as_ref())
}

#[test]
fn a_fault_names_its_line() {
    for (script, fault) in [
        ("dance", "line 1: dance is no act"),
        ("\n# all well\nopen alice", "line 3: a title is missing"),
        ("open alice \"t", "line 1: a quote is not closed"),
        ("open alice \"t\"x", "line 1: a blank is missing behind a quote"),
        (r#"open alice "\t""#, r"line 1: \t means nothing"),
        ("push alice p1", "line 1: as is missing"),
        ("stop p1 twice", "line 1: stop cannot have twice"),
        ("open alice t lost", "line 1: open cannot have lost"),
        ("send p1 skew=1", "line 1: send cannot have skew"),
        ("stop p1 anew", "line 1: stop cannot have anew"),
        ("push alice as p1 url=u stream=s", "line 1: push cannot have stream"),
        ("wait 1 again", "line 1: wait cannot have again"),
        ("wait -1", "line 1: -1 is not such a number"),
        ("stop p1 late", "line 1: late wants a value: late=.."),
        ("stop p1 key=right", "line 1: key cannot be right"),
        ("stop p1 again=2", "line 1: again cannot be 2"),
        ("stop p1 lost again", "line 1: what is lost is not sent: how it is done stands behind send"),
        ("say alice maybe", "line 1: an app says online or offline, not maybe"),
        ("expect rain alice", "line 1: rain cannot be expected"),
        ("expect replays alice", "line 1: a number is missing"),
        ("end", "line 1: nothing began with together"),
        ("\ntogether\nstop p1", "line 2: together has no end"),
        ("together\nwait 1\nend", "line 2: wait cannot stand between together and end"),
        ("together\ntogether\nend", "line 2: together cannot stand between together and end"),
    ] {
        assert_eq!(parse(script).unwrap_err().to_string(), fault, "{script}");
    }
}

#[test]
fn every_act_is_read_as_it_is_written() {
    let word = |text: &str| text.to_owned();
    let awkward =
        ["alice", "", "a b", "a\"b", "a\\n", "a\nb", "a=b", "#1", "a#1", "用户", " ", "again", "\r", "\u{85}"];
    let record = |from, to, url: Option<&str>| {
        let [push, format, file] = ["p1", "mp4", "f1"].map(word);
        Deed::Record { push, format, file, from, to, url: url.map(word) }
    };
    let mut deeds = vec![
        Deed::Open { user: word("alice"), title: word("t"), group: Some(word("@TGS#1")) },
        Deed::Push { user: word("alice"), push: word("p1"), to: To::Given },
        Deed::Push { user: word("alice"), push: word("p1"), to: To::Url(word("rtmp://h/a/s?b=c&d=e")) },
        Deed::Push { user: word("alice"), push: word("p1"), to: To::Stream(word("1400_alice")) },
        Deed::Stop { push: word("p1"), errcode: None },
        record(Some(-3600), Some(-10), Some("")),
        record(None, Some(0), None),
        Deed::Shot { push: word("p1") },
        Deed::Verdict { push: word("p1"), word: word("Block") },
        Deed::Event { push: word("p1"), number: 321 },
        Deed::Send { notice: word("p1.stop") },
        Deed::Say { user: word("alice"), word: Word::Online },
        Deed::Say { user: word("alice"), word: Word::Offline },
        Deed::Enter { viewer: word("bob"), user: word("alice"), group: None },
        Deed::Enter { viewer: word("bob"), user: word("alice"), group: Some(word("g")) },
        Deed::Quit { viewer: word("bob"), user: word("alice"), group: None },
        Deed::Quit { viewer: word("bob"), user: word("alice"), group: Some(word("g")) },
        Deed::Like { viewer: word("bob"), user: word("alice") },
        Deed::Ban { user: word("alice") },
        Deed::Unban { user: word("alice") },
        Deed::Wait { seconds: 30 },
        Deed::Together,
        Deed::Stop { push: word("p1"), errcode: None },
        Deed::End,
    ];
    let whats = [What::Live, What::Offline, What::Replays(1), What::Viewers(2), What::Likes(3)];
    deeds.extend(whats.map(|what| Deed::Expect { user: word("alice"), what }));
    deeds.extend(awkward.map(|text| Deed::Open { user: word(text), title: word(text), group: Some(word(text)) }));
    let mut acts: Vec<Act> = deeds.into_iter().map(Act::from).collect();
    let stop = || Deed::Stop { push: word("p1"), errcode: None };
    let refused = |text: &str| How { refused: Some(word(text)), ..How::default() };
    let ways = [
        How { again: true, late: Some(5), skew: -7, key: Key::Wrong, ..refused("a b") },
        How { lost: true, at: -9, skew: 7, without: Some(word("a b")), ..How::default() },
        refused(""),
        refused("403"),
    ];
    acts.extend(ways.map(|how| Act { deed: stop(), how }));
    acts.push(Act { deed: Deed::Send { notice: word("p1") }, how: How { anew: true, ..How::default() } });
    let text = print(&acts);
    assert_eq!(parse(&text).unwrap(), steps(acts), "{text}");
}

/// A server over sockets whose cloud pretends; its address, the cloud, and the settings.
async fn world() -> (String, Arc<Mutex<Cloud>>, Config) {
    let [listener, port] = [TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0")];
    let (listener, port) = (listener.await.unwrap(), port.await.unwrap());
    let (server, api) = (listener.local_addr().unwrap().to_string(), port.local_addr().unwrap().to_string());
    let setting = |name: &str| match name {
        "API_URL" => Some(format!("http://{api}/common_access")),
        "CLOUD_API_URL" => Some(format!("http://{api}")),
        _ => None,
    };
    let config = judge(&invented(), setting).unwrap();
    let cloud = Arc::new(Mutex::new(Cloud::new(&config, "run-")));
    let table = Table::new(Engine::in_memory().unwrap().client(), "mini-lvb");
    table.create_if_missing().await.unwrap();
    let (clock, random) = (Box::new(now), Box::new(random_u32));
    let app = App { cloud: app::cloud::Cloud::new(&config), oidc: None, table, clock, random, config: config.clone() };
    tokio::spawn(serve(Arc::new(app), listener, TrustedProxy::None, pending()));
    let remote = Remote::new(&format!("http://{server}/"));
    tokio::spawn(edge::serve(port, Arc::clone(&cloud), remote, Retries::NONE));
    (server, cloud, config)
}

#[tokio::test]
async fn the_demonstration_passes_over_sockets() {
    let (server, cloud, config) = world().await;
    let remote = Remote::new(&format!("http://{server}"));
    let mut player = Player::new(remote, cloud, &config, Retries::NONE);
    player.play(&parse(&demonstration("run")).unwrap(), |_| {}).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_the_cloud_drops_ends_for_the_server_too() {
    let (server, cloud, config) = world().await;
    let remote = Remote::new(&format!("http://{server}"));
    let mut player = Player::new(remote, cloud, &config, Retries::NONE);
    let begin = parse("open alice t\npush alice as p1\nexpect live alice").unwrap();
    player.play(&begin, |_| {}).await.unwrap();
    let stream = StreamId::parse("8888_alice").unwrap();
    app::cloud::Cloud::new(&config).drop_stream(&stream, now()).await.unwrap();
    let is_over = parse("expect offline alice").unwrap();
    let wait = async { while player.play(&is_over, |_| {}).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("the cloud tells the server");
}

#[tokio::test]
async fn whom_an_operator_bans_the_cloud_cuts_and_refuses() {
    let (server, cloud, config) = world().await;
    let remote = Remote::new(&format!("http://{server}"));
    let mut player = Player::new(remote, Arc::clone(&cloud), &config, Retries::NONE);
    player.play(&parse("open alice t\npush alice as p1").unwrap(), |_| {}).await.unwrap();
    player.play(&parse("ban alice").unwrap(), |_| {}).await.unwrap();
    assert_eq!(cloud.lock().unwrap().state("8888_alice", now()), State::Forbidden);
    player.play(&parse("expect offline alice\npush alice as p2 refused=forbidden").unwrap(), |_| {}).await.unwrap();
    player.play(&parse("unban alice\npush alice as p2\nexpect live alice").unwrap(), |_| {}).await.unwrap();
}

#[tokio::test]
async fn an_operator_shows_no_key_where_others_can_read_it() {
    let (config, cloud) = (config(), Arc::new(Mutex::new(Cloud::new(&config(), ""))));
    let mut player = Player::new(Remote::new("http://server.example"), cloud, &config, Retries::NONE);
    let failure = player.play(&parse("ban alice").unwrap(), |_| {}).await.unwrap_err();
    let refused = "line 1: http://server.example: the operator key is sent to https, or to this machine only";
    assert_eq!(failure.to_string(), refused);
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
    let told = String::from_utf8(good.stdout).unwrap();
    assert!(good.status.success() && told.contains("   2  wait 86401\n"), "{told}");
    let bad = run("open alice t\nexpect live alice\nwait 1\n");
    let told = String::from_utf8(bad.stdout).unwrap();
    assert_eq!((bad.status.code(), told.contains("   2  expect live alice\n")), (Some(1), true), "{told}");
    assert!(!told.contains("wait 1"), "{told}");
    let why = String::from_utf8(bad.stderr).unwrap();
    assert!(why.contains("mini-lvb: line 2: alice should be live"), "{why}");
    let fault = run("open alice t\ndance\n");
    assert_eq!((fault.status.code(), fault.stdout.as_slice()), (Some(1), &b""[..]), "nothing is done of it");
    assert_eq!(String::from_utf8(fault.stderr).unwrap(), "mini-lvb: line 2: dance is no act\n");
}

#[test]
fn a_notice_has_what_the_documents_say() {
    let config = config();
    let mut cloud = Cloud::new(&config, "");
    let start = cloud.push(&push_url(&config), "p1", START).unwrap();
    let body: Value = serde_json::from_slice(&start.body(START, &cloud.key())).unwrap();
    for field in ["t", "sign", "event_type", "stream_id", "channel_id", "app", "appname", "event_time", "sequence"] {
        assert!(!body[field].is_null(), "{field}");
    }
    for field in ["node", "user_ip", "errcode", "errmsg", "stream_param", "appid", "set_id", "width", "height"] {
        assert!(!body[field].is_null(), "{field}");
    }
}
