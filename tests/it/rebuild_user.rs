//! `rebuild_user`.

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use cli::engine::Engine;
use serde_json::Value;

use crate::{
    harness::{Program, START, golden, program_over, rest, swept},
    steps::{
        File, OPERATOR_KEY, by_operator, column, fields, is_recorded, list, open_room, operated, parse, push_ends,
        push_starts, room,
    },
};

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
    let answer = parse(&by_operator(program, "rebuild_user", fields!("userid": "alice")).await);
    let lines = |name: &str| -> Vec<String> {
        let lines = answer["data"][name].as_array().unwrap_or_else(|| panic!("{answer}"));
        lines.iter().map(|line| line.as_str().unwrap().to_owned()).collect()
    };
    (lines("differences"), lines("left"))
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
    assert_eq!(crate::steps::replay(&program, "alice", "h1").await["title"], "the show");
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
        "the replay f1 is not written",
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
    for (name, value) in [("started_at", START + 100), ("ended_at", START + 150), ("show", START)] {
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
async fn a_recording_of_long_ago_that_is_nowhere_becomes_a_replay_again() {
    let (program, rows) = broadcast().await;
    program.pass(9 * 24 * 3600);
    assert_repaired(rebuild(&program).await, &[]);
    rows.delete("REPLAY#f1").await;
    let expected = [r#"the timeline lacks the notice "100 f1" of 8888_alice, received at 2020-09-13T12:30:00Z"#];
    assert_repaired(rebuild(&program).await, &expected);
    assert_eq!(crate::steps::replay(&program, "alice", "f1").await["fileid"], "f1");
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
