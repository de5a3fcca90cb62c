//! The pictures that the cloud takes of a live: which of them are a cover, and of what.

use serde_json::Value;

use crate::support::{
    harness::{Program, START, notice, program, program_with},
    steps::{
        File, OPERATOR_KEY, acknowledged, by_operator, done, fields, is_recorded, open_room, push_ends, push_starts,
        replay, room, verdict,
    },
};
use protocol::types::StreamId;

const STREAM: &str = "8888_alice";

/// The cloud took a picture of alice's stream, so many seconds after the start of the tests.
async fn is_taken(program: &Program, picture: &str, at: u64) {
    let taken = START + at;
    let fields = format!(
        r#""event_type":200,"stream_id":"{STREAM}","pic_url":"/{picture}.jpg",
        "pic_full_url":"http://pics/{picture}.jpg","create_time":{taken}"#
    );
    acknowledged(&notice(program, &fields).await);
}

/// The name of the picture that is the cover in a row; empty if there is none.
fn cover(row: &Value) -> &str {
    let cover = row["userinfo"]["frontcover"].as_str().unwrap();
    cover.strip_prefix("http://pics/").and_then(|rest| rest.strip_suffix(".jpg")).unwrap_or(cover)
}

/// The cover of alice's room.
async fn cover_of_room(program: &Program) -> String {
    cover(&room(program, "alice").await).to_owned()
}

/// The cover of a replay of hers.
async fn cover_of_replay(program: &Program, file: &str) -> String {
    cover(&replay(program, "alice", file).await).to_owned()
}

/// A program where alice is live since its start.
async fn live() -> Program {
    let program = program().await;
    open_room(&program, "alice", "the show").await;
    push_starts(&program, STREAM, "1").await;
    program
}

/// Her live ends, and is recorded up to now.
async fn ends(program: &Program) {
    push_ends(program, STREAM, "1").await;
    let file = File { stream: STREAM, id: "v1", format: "mp4", from: START, to: program.now() };
    is_recorded(program, file).await;
}

#[tokio::test]
async fn the_newest_picture_is_the_cover_and_another_one_is_taken_once_a_minute() {
    let program = live().await;
    program.pass(100);
    for (picture, at, expected) in [("a", 10, "a"), ("b", 69, "a"), ("c", 70, "c"), ("late", 60, "c")] {
        is_taken(&program, picture, at).await;
        assert_eq!(cover_of_room(&program).await, expected, "{picture}");
    }
}

#[tokio::test]
async fn a_cover_that_was_uploaded_stays() {
    let program = program().await;
    let info = fields!("nickname": "", "headpic": "", "frontcover": "http://pics/own.jpg", "location": "", "desc": "");
    let opening = fields!("userid": "alice", "groupid": "g", "title": "t", "userinfo": info);
    done(&program, "RequestLVBAddr", opening).await;
    push_starts(&program, STREAM, "1").await;
    is_taken(&program, "a", 10).await;
    assert_eq!(cover_of_room(&program).await, "own");
}

#[tokio::test]
async fn a_replay_has_the_picture_of_its_live() {
    let program = live().await;
    is_taken(&program, "a", 10).await;
    program.pass(100);
    ends(&program).await;
    assert_eq!(cover_of_replay(&program, "v1").await, "a");
}

#[tokio::test]
async fn a_picture_that_is_told_when_its_live_is_over_is_the_cover_if_there_was_none() {
    let program = live().await;
    program.pass(100);
    ends(&program).await;
    is_taken(&program, "a", 100).await;
    assert_eq!((cover_of_room(&program).await, cover_of_replay(&program, "v1").await), ("a".into(), "a".into()));
    is_taken(&program, "b", 90).await;
    assert_eq!((cover_of_room(&program).await, cover_of_replay(&program, "v1").await), ("a".into(), "a".into()));
}

#[tokio::test]
async fn a_picture_of_no_time_of_the_live_is_no_cover() {
    let program = live().await;
    program.pass(100);
    ends(&program).await;
    program.pass(200);
    is_taken(&program, "after", 101).await;
    open_room(&program, "alice", "the next show").await;
    push_starts(&program, STREAM, "2").await;
    for (picture, at) in [("of-the-first", 50), ("between", 250)] {
        is_taken(&program, picture, at).await;
        assert_eq!(cover_of_room(&program).await, "", "{picture}");
    }
    assert_eq!(cover_of_replay(&program, "v1").await, "");
    is_taken(&program, "of-the-second", 300).await;
    assert_eq!(cover_of_room(&program).await, "of-the-second");
}

#[tokio::test]
async fn a_picture_of_a_clock_that_is_ahead_does_not_keep_others_out() {
    let program = live().await;
    program.pass(10);
    is_taken(&program, "ahead", 3_000).await;
    program.pass(60);
    is_taken(&program, "b", 70).await;
    assert_eq!(cover_of_room(&program).await, "b");
}

#[tokio::test]
async fn a_forbidden_picture_is_no_cover_and_those_of_before_do_not_come_back() {
    for policy in ["hide", "end"] {
        let program = program_with(|name| (name == "MODERATION").then_some(policy)).await;
        open_room(&program, "alice", "the show").await;
        push_starts(&program, STREAM, "1").await;
        is_taken(&program, "a", 10).await;
        program.pass(100);
        acknowledged(&notice(&program, &verdict(STREAM, "Block")).await);
        is_taken(&program, "b", 90).await;
        assert_eq!(cover_of_room(&program).await, "", "{policy}");
        ends(&program).await;
        assert_eq!(cover_of_replay(&program, "v1").await, "", "{policy}");
        is_taken(&program, "c", 95).await;
        assert_eq!(
            (cover_of_room(&program).await, cover_of_replay(&program, "v1").await),
            (String::new(), String::new()),
            "{policy}"
        );
    }
}

#[tokio::test]
async fn a_verdict_that_is_done_again_leaves_the_cover_of_the_next_show() {
    let program = program_with(|name| match name {
        "MODERATION" => Some("hide"),
        "OPERATOR_KEY" => Some(OPERATOR_KEY),
        _ => None,
    });
    let program = program.await;
    open_room(&program, "alice", "the show").await;
    push_starts(&program, STREAM, "1").await;
    program.pass(10);
    acknowledged(&notice(&program, &verdict(STREAM, "Block")).await);
    ends(&program).await;
    program.pass(100);
    open_room(&program, "alice", "the next show").await;
    push_starts(&program, STREAM, "2").await;
    is_taken(&program, "b", 111).await;
    let told = program.app.table.notice_summaries(&StreamId::parse(STREAM).unwrap()).await.unwrap();
    let judged = told.iter().find(|head| head.notice.id.starts_with("317")).unwrap();
    by_operator(&program, "replay_notices", fields!("streamid": STREAM, "id": judged.notice.id)).await;
    assert_eq!(cover_of_room(&program).await, "b");
}
