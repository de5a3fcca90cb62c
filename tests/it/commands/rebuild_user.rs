//! `rebuild_user`.

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use serde_json::Value;

use crate::support::{
    harness::{Program, START, golden, program_over, rest, swept},
    steps::{
        File, OPERATOR_KEY, by_operator, column, done, fields, is_recorded, list, open_room, operated, parse,
        push_ends, push_starts, replay, room,
    },
    watch::Watch,
};
use cli::engine::Engine;
use store::keys::{LIST, POSITION};

/// The rows of alice, to be damaged by hand.
struct Rows(Client);

impl Rows {
    fn key(sk: &str) -> [(String, AttributeValue); 2] {
        [("PK", "USER#alice"), ("SK", sk)].map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())))
    }

    async fn delete(&self, sk: &str) {
        let request = self.0.delete_item().table_name("mini-lvb").set_key(Some(Self::key(sk).into()));
        request.send().await.unwrap();
    }

    async fn set(&self, sk: &str, name: &str, value: AttributeValue) {
        let request = self.0.update_item().table_name("mini-lvb").set_key(Some(Self::key(sk).into()));
        let request = request.update_expression("SET #name = :value").expression_attribute_names("#name", name);
        request.expression_attribute_values(":value", value).send().await.unwrap();
    }

    async fn remove(&self, sk: &str, names: [&str; 2]) {
        let request = self.0.update_item().table_name("mini-lvb").set_key(Some(Self::key(sk).into()));
        let request =
            request.update_expression("REMOVE #first, #second").expression_attribute_names("#first", names[0]);
        request.expression_attribute_names("#second", names[1]).send().await.unwrap();
    }

    /// Takes evidence of a kind out of the timeline.
    async fn forget(&self, kind: &str) {
        let request = self.0.get_item().table_name("mini-lvb").set_key(Some(Self::key("TIMELINE").into()));
        let item = request.send().await.unwrap().item.unwrap();
        let mut timeline: Value = serde_json::from_str(item["timeline"].as_s().unwrap()).unwrap();
        assert!(!timeline[kind].as_array().unwrap().is_empty(), "{timeline}");
        timeline[kind] = Value::Array(Vec::new());
        self.set("TIMELINE", "timeline", AttributeValue::S(timeline.to_string())).await;
    }
}

/// Alice has broadcast for 200 seconds, of which there are two files.
async fn broadcast() -> (Program, Rows) {
    let engine = Engine::in_memory().unwrap();
    let settings = |name: &str| (name == "OPERATOR_KEY").then_some(OPERATOR_KEY);
    let program = program_over(engine.http_client(), settings).await;
    open_room(&program, "alice", "the show").await;
    push_starts(&program, "8888_alice", "1").await;
    program.pass(200);
    push_ends(&program, "8888_alice", "1").await;
    for (id, format) in [("f1", "flv"), ("h1", "hls")] {
        is_recorded(&program, File { stream: "8888_alice", id, format, from: START, to: START + 200 }).await;
    }
    (program, Rows(engine.client()))
}

/// What differs, and what differs when that is repaired.
async fn rebuild(program: &Program) -> (Vec<String>, Vec<String>) {
    in_parts(program, fields!("userid": "alice")).await
}

/// The same, part by part.
async fn in_parts(program: &Program, mut fields: Value) -> (Vec<String>, Vec<String>) {
    let (mut differences, mut left) = (Vec::new(), Vec::new());
    loop {
        let answer = parse(&by_operator(program, "rebuild_user", fields.clone()).await);
        for (name, lines) in [("differences", &mut differences), ("left", &mut left)] {
            let more = answer["data"][name].as_array().unwrap_or_else(|| panic!("{answer}"));
            lines.extend(more.iter().map(|line| line.as_str().unwrap().to_owned()));
        }
        fields["after"] = answer["data"]["next"].clone();
        if fields["after"].is_null() {
            return (differences, left);
        }
    }
}

/// Has all notices of alice's stream done again, part by part.
async fn replay_all(program: &Program) -> u64 {
    let (mut fields, mut done) = (fields!("streamid": "8888_alice"), 0);
    loop {
        let answer = parse(&by_operator(program, "replay_notices", fields.clone()).await);
        let rows = answer["data"]["list"].as_array().unwrap_or_else(|| panic!("{answer}"));
        done += rows.len() as u64;
        fields["after"] = answer["data"]["next"].clone();
        if fields["after"].is_null() {
            return done;
        }
    }
}

/// Alice has broadcast so often, for 100 seconds each, and of each live there are two files.
async fn broadcasts(program: &Program, lives: u64) {
    open_room(program, "alice", "the show").await;
    for n in 0..lives {
        push_starts(program, "8888_alice", &n.to_string()).await;
        program.pass(100);
        push_ends(program, "8888_alice", &n.to_string()).await;
        let (from, to) = (program.now() - 100, program.now());
        for format in ["flv", "hls"] {
            let id = format!("{format}-{n}");
            is_recorded(program, File { stream: "8888_alice", id: &id, format, from, to }).await;
        }
        program.pass(1000);
    }
}

/// Every row of alice's, but for the timeline, and how long the list of replays is.
async fn written(program: &Program, rows: &Rows) -> (Vec<String>, Value) {
    let (mut written, mut from) = (Vec::new(), None);
    loop {
        let request = rows.0.query().table_name("mini-lvb").key_condition_expression("PK = :alice");
        let alice = AttributeValue::S("USER#alice".to_owned());
        let page = request.expression_attribute_values(":alice", alice).set_exclusive_start_key(from).send().await;
        let page = page.unwrap();
        let items = page.items().iter().filter(|item| item["SK"].as_s().unwrap() != "TIMELINE");
        written.extend(items.map(|item| {
            let attributes = item.iter().filter(|(name, _)| *name != "revision");
            format!("{:?}", attributes.collect::<std::collections::BTreeMap<_, _>>())
        }));
        from = page.last_evaluated_key;
        if from.is_none() {
            return (written, list(program, 2, 1, 10).await["totalcount"].clone());
        }
    }
}

/// Puts so many notices of long ago into the ledger, all of which were applied.
async fn keep_notices(rows: &Rows, count: u64) {
    let s = |text: String| AttributeValue::S(text);
    for n in 0..count {
        let at = START - 20 * 24 * 3600 + 100 * n;
        let (event, push) = (n % 2, n / 2);
        let body = format!(
            r#"{{"event_type":{event},"stream_id":"8888_alice","sequence":"old-{push}","event_time":{at},"t":1,"sign":""}}"#
        );
        let item = [
            ("PK", s("NOTICE#8888_alice".to_owned())),
            ("SK", s(format!("{event} old-{push}"))),
            ("stream", s("8888_alice".to_owned())),
            ("body", s(body)),
            ("received_at", AttributeValue::N(at.to_string())),
            ("times", AttributeValue::N("1".to_owned())),
            ("fate", s("applied".to_owned())),
            ("user", s("alice".to_owned())),
        ];
        let item = item.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        rows.0.put_item().table_name("mini-lvb").set_item(Some(item)).send().await.unwrap();
    }
}

/// What it costs to replay so many notices, and to rebuild their user: requests to the table, and items read.
async fn cost_of(notices: u64) -> [u64; 2] {
    let (engine, watch) = (Engine::in_memory().unwrap(), Watch::default());
    let settings = |name: &str| (name == "OPERATOR_KEY").then_some(OPERATOR_KEY);
    let program = program_over(watch.over(engine.http_client()), settings).await;
    open_room(&program, "alice", "t").await;
    keep_notices(&Rows(engine.client()), notices).await;
    let spent = || watch.take().iter().map(|asked| 1 + asked.items).sum();
    watch.take();
    assert_eq!(replay_all(&program).await, notices);
    let replayed = spent();
    assert_eq!(rebuild(&program).await, (vec![], vec![]));
    [replayed, spent()]
}

/// That just this differs, is repaired, and differs no more.
#[track_caller]
fn assert_repaired((differences, left): (Vec<String>, Vec<String>), expected: &[&str]) {
    assert_eq!(differences, expected);
    assert_eq!(left, [""; 0]);
}

#[tokio::test]
async fn nothing_differs_where_nothing_happened_to_the_rows() {
    let (program, _) = broadcast().await;
    let answer = by_operator(&program, "rebuild_user", fields!("userid": "alice")).await;
    golden("rebuild_user/ok.rest.json", &answer);
}

#[tokio::test]
async fn rows_that_are_missing_or_wrong_are_reported_and_repaired() {
    let (program, rows) = broadcast().await;
    rows.delete("REPLAY#f1").await;
    rows.delete("REPLAY#h1").await;
    rows.delete(&format!("LIVE#{START}")).await;
    rows.set("ROOM", "list", AttributeValue::S("online".to_owned())).await;
    let answer = by_operator(&program, "rebuild_user", fields!("userid": "alice", "dry_run": 1)).await;
    golden("rebuild_user/dry_run.rest.json", &answer);
    assert_eq!(room(&program, "alice").await["status"], "1", "it is not repaired yet");
    let expected = [
        "the room is online and should be offline",
        "the live of 2020-09-13T12:26:40Z is not written",
        "the replay f1 is not written",
    ];
    assert_repaired(rebuild(&program).await, &expected);
    assert_eq!(room(&program, "alice").await["status"], "0");
    assert_eq!(crate::support::steps::replay(&program, "alice", "h1").await["title"], "the show");
    assert_repaired(rebuild(&program).await, &[]);
}

#[tokio::test]
async fn evidence_that_is_missing_is_added_from_the_ledger() {
    let (program, rows) = broadcast().await;
    rows.forget("f").await;
    rows.delete("REPLAY#f1").await;
    rows.delete("REPLAY#h1").await;
    let expected = [
        r#"the timeline lacks the notice "100 f1" of 8888_alice, received at 2020-09-13T12:30:00Z"#,
        r#"the timeline lacks the notice "100 h1" of 8888_alice, received at 2020-09-13T12:30:00Z"#,
    ];
    assert_repaired(rebuild(&program).await, &expected);
    // Who took the row away did not count it out, and the sweep counts again.
    program.pass(600);
    swept(&program).await;
    let page = list(&program, 2, 1, 10).await;
    assert_eq!((column(&page, "fileid"), page["totalcount"].as_u64()), (vec!["f1"], Some(1)));
}

#[tokio::test]
async fn lives_that_are_wrong_are_reported_and_repaired() {
    let (program, rows) = broadcast().await;
    rows.set(&format!("LIVE#{START}"), "ended_at", AttributeValue::N((START + 60).to_string())).await;
    let stray = format!("LIVE#{}", START + 100);
    for (name, value) in [("started_at", START + 100), ("ended_at", START + 150), ("broadcast", START)] {
        rows.set(&stray, name, AttributeValue::N(value.to_string())).await;
    }
    let expected = [
        "the live of 2020-09-13T12:26:40Z ended at 2020-09-13T12:27:40Z (stopped) \
         and should have ended at 2020-09-13T12:30:00Z (stopped)",
        "the live of 2020-09-13T12:28:20Z should not be there",
    ];
    assert_repaired(rebuild(&program).await, &expected);
}

#[tokio::test]
async fn replays_that_are_wrong_are_reported_and_repaired() {
    let (program, rows) = broadcast().await;
    rows.set("REPLAY#f1", "ended_at", AttributeValue::N((START + 60).to_string())).await;
    rows.set("REPLAY#f1", "play_url", AttributeValue::S("http://vod/other.flv".to_owned())).await;
    rows.set("REPLAY#f1", "parts", AttributeValue::S("[]".to_owned())).await;
    rows.delete("REPLAY#h1").await;
    let expected = [
        "the replay f1 ends at 2020-09-13T12:27:40Z and should at 2020-09-13T12:30:00Z",
        r#"the replay f1 has the playurl "http://vod/other.flv" and should have "http://vod/f1.flv""#,
        "the replay f1 lacks the file f1",
        "the replay f1 lacks the file h1",
        "the replay f1 is not found by its file h1",
    ];
    assert_repaired(rebuild(&program).await, &expected);
    assert_eq!(list(&program, 2, 1, 10).await["totalcount"], 1);
}

#[tokio::test]
async fn lives_and_replays_with_the_title_of_another_start_request_are_reported_and_repaired() {
    let (program, rows) = broadcast().await;
    rows.set(&format!("LIVE#{START}"), "info_at", AttributeValue::N((START - 50).to_string())).await;
    rows.set("REPLAY#f1", "title", AttributeValue::S("an earlier show".to_owned())).await;
    let expected = [
        "the live of 2020-09-13T12:26:40Z has the information of 2020-09-13T12:25:50Z \
         and should have that of 2020-09-13T12:26:40Z",
        r#"the replay f1 has the title "an earlier show" and should have "the show""#,
    ];
    assert_repaired(rebuild(&program).await, &expected);
    assert_eq!(replay(&program, "alice", "f1").await["title"], "the show");
}

#[tokio::test]
async fn a_recording_of_long_ago_that_is_nowhere_becomes_a_replay_again() {
    let (program, rows) = broadcast().await;
    program.pass(9 * 24 * 3600);
    assert_repaired(rebuild(&program).await, &[]);
    rows.delete("REPLAY#f1").await;
    let expected = [r#"the timeline lacks the notice "100 f1" of 8888_alice, received at 2020-09-13T12:30:00Z"#];
    assert_repaired(rebuild(&program).await, &expected);
    assert_eq!(crate::support::steps::replay(&program, "alice", "f1").await["fileid"], "f1");
}

#[tokio::test]
async fn only_an_operator_rebuilds_a_user_who_has_a_room() {
    let program = operated().await;
    golden("rebuild_user/no_key.rest.json", &rest(&program, "rebuild_user", r#"{"userid":"alice"}"#).await);
    golden("rebuild_user/no_room.rest.json", &by_operator(&program, "rebuild_user", fields!("userid": "alice")).await);
    golden("rebuild_user/no_userid.rest.json", &by_operator(&program, "rebuild_user", fields!()).await);
    let fields = fields!("userid": "alice", "dry_run": 2);
    golden("rebuild_user/dry_run_2.rest.json", &by_operator(&program, "rebuild_user", fields).await);
}

#[tokio::test]
async fn what_a_timeline_has_no_room_for_is_not_missing_and_stays_as_it_is_written() {
    // Of each there are two files, and a timeline keeps 400.
    const LIVES: u64 = 210;
    let engine = Engine::in_memory().unwrap();
    let settings = |name: &str| (name == "OPERATOR_KEY").then_some(OPERATOR_KEY);
    let (program, rows) = (program_over(engine.http_client(), settings).await, Rows(engine.client()));
    broadcasts(&program, LIVES).await;
    let before = written(&program, &rows).await;
    assert_eq!(before.1, LIVES);
    let rehearsal = in_parts(&program, fields!("userid": "alice", "dry_run": 1)).await;
    assert_eq!(rehearsal, (vec![], vec![]));
    assert_eq!(rebuild(&program).await, (vec![], vec![]));
    assert!(written(&program, &rows).await == before, "rebuild_user changed rows");
    assert_eq!(replay_all(&program).await, 4 * LIVES);
    assert!(written(&program, &rows).await == before, "replay_notices changed rows");
    // What is not forgotten is repaired all the same.
    let last = LIVES - 1;
    rows.delete(&format!("REPLAY#flv-{last}")).await;
    rows.delete(&format!("REPLAY#hls-{last}")).await;
    assert_repaired(rebuild(&program).await, &[&format!("the replay flv-{last} is not written")]);
    assert_eq!(
        crate::support::steps::replay(&program, "alice", &format!("hls-{last}")).await["fileid"],
        format!("flv-{last}")
    );
}

#[tokio::test]
async fn a_new_file_of_a_live_with_more_files_than_a_timeline_keeps_changes_only_what_it_adds() {
    let engine = Engine::in_memory().unwrap();
    let program = program_over(engine.http_client(), |_| None).await;
    open_room(&program, "alice", "t").await;
    push_starts(&program, "8888_alice", "1").await;
    let address = |id: &str, format: &str| format!("http://vod/{}{id}.{format}", "\u{2070e}".repeat(900));
    let record = async |id: &str, format: &str, from: u64, to: u64| {
        let url = address(id, format);
        let fields = format!(
            r#""event_type":100,"stream_id":"8888_alice","video_id":"{id}","file_format":"{format}",
            "video_url":"{url}","start_time":{from},"end_time":{to}"#
        );
        crate::support::steps::acknowledged(&crate::support::harness::notice(&program, &fields).await);
    };
    record("first", "hls", START, START + 10).await;
    for n in 0..60 {
        program.pass(20);
        record(&format!("f{n}"), "flv", program.now() - 20, program.now()).await;
    }
    let row = done(&program, "GetUserInfo", fields!("userid": "alice", "type": 1, "fileid": "f59")).await;
    assert_eq!(row["fileid"], "first");
    assert_eq!(row["hls_play_url"].as_str().unwrap(), address("first", "hls"));
    assert_eq!(row["playurl"].as_str().unwrap(), address("f0", "flv"));
}

#[tokio::test]
async fn replaying_and_rebuilding_cost_ten_times_as_much_for_ten_times_as_many_notices() {
    let [few, many] = [cost_of(300).await, cost_of(3_000).await];
    for (few, many) in few.into_iter().zip(many) {
        assert!(many <= 11 * few, "{few} for 300 notices, and {many} for 3,000");
    }
}

#[tokio::test]
async fn a_replay_that_is_kept_out_for_a_verdict_that_nobody_gave_is_listed_again() {
    let (program, rows) = broadcast().await;
    rows.set("REPLAY#f1", "forbidden", AttributeValue::Bool(true)).await;
    rows.set("REPLAY#f1", "revision", AttributeValue::N("1".to_owned())).await;
    rows.remove("REPLAY#f1", [LIST, POSITION]).await;
    let (differences, left) = rebuild(&program).await;
    let expected = "the replay f1 is kept out of the list for a forbidden picture and should not be".to_owned();
    assert!(differences.contains(&expected), "{differences:?}");
    assert_eq!(left, [""; 0]);
    assert_eq!(column(&list(&program, 2, 1, 10).await, "fileid"), ["f1"]);
}
