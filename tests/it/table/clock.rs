//! A clock that is ahead for a while, ours or the cloud's, does no harm when it is right again.

use serde_json::Value;

use crate::support::{
    harness::{Program, notice, program, program_with, swept},
    stand_in::{Manner::Answers, program_with_cloud_api},
    steps::{
        File, OPERATOR_KEY, acknowledged, by_operator, column, enter, fields, go_offline, go_online, is_recorded, like,
        list, members, open_room, operated, parse, push_ends, push_starts, room, verdict,
    },
};

const STREAM: &str = "8888_alice";
/// By how much our clock is ahead.
const AHEAD: u64 = 2 * 24 * 3600;
/// For how long.
const BAD_SECONDS: u64 = 40;

/// The clock is right again.
fn heals(program: &Program) {
    program.pass(BAD_SECONDS);
    program.turn_back(AHEAD);
}

/// A notice of the cloud about alice's stream, with the time of the event.
async fn told(program: &Program, event: u8, sequence: &str, at: u64) {
    let fields = format!(r#""event_type":{event},"stream_id":"{STREAM}","sequence":"{sequence}","event_time":{at}"#);
    acknowledged(&notice(program, &fields).await);
}

/// A picture of alice's stream is taken now.
async fn picture(program: &Program) {
    let at = program.now();
    let picture = format!(
        r#""event_type":200,"stream_id":"{STREAM}","pic_url":"/{at}","pic_full_url":"http://pics/{at}","create_time":{at}"#
    );
    acknowledged(&notice(program, &picture).await);
}

/// What alice's room shows: its title, whether it is live, its likes; the list of lives must agree.
async fn shown(program: &Program) -> (String, bool, u64) {
    let row = room(program, "alice").await;
    let is_listed = column(&list(program, 1, 1, 10).await, "userid") == ["alice"];
    assert_eq!(row["status"] == "1", is_listed, "{row}");
    (row["title"].as_str().unwrap().to_owned(), is_listed, row["likecount"].as_u64().unwrap())
}

/// What an app and the cloud do when the clock is right again works as ever.
async fn works(program: &Program, what: &str) {
    let show = "the next show".to_owned();
    program.pass(10);
    open_room(program, "alice", &show).await;
    assert_eq!(shown(program).await, (show.clone(), false, 0), "{what}: opened");
    program.pass(1);
    told(program, 1, "now", program.now()).await;
    assert_eq!(shown(program).await, (show.clone(), true, 0), "{what}: started");
    like(program, "alice").await;
    program.pass(70);
    picture(program).await;
    let cover = room(program, "alice").await["userinfo"]["frontcover"].as_str().unwrap().to_owned();
    assert_eq!(cover, format!("http://pics/{}", program.now()), "{what}");
    go_offline(program, "alice").await;
    assert_eq!(shown(program).await, (show.clone(), false, 1), "{what}: offline");
    program.pass(1);
    go_online(program, "alice").await;
    assert_eq!(shown(program).await, (show.clone(), true, 1), "{what}: online");
    program.pass(1);
    push_ends(program, STREAM, "now").await;
    assert_eq!(shown(program).await, (show.clone(), false, 1), "{what}: ended");
    let answer = parse(&by_operator(program, "rebuild_user", fields!("userid": "alice", "dry_run": 1)).await);
    assert_eq!(answer["data"]["differences"], Value::Array(Vec::new()), "{what}");
}

#[tokio::test]
async fn what_is_done_while_our_clock_is_ahead_locks_no_room() {
    for is_new in [false, true] {
        for what in ["open", "online", "offline", "start", "end", "picture", "ban"] {
            let program = operated().await;
            if !is_new {
                open_room(&program, "alice", "the show").await;
                told(&program, 1, "before", program.now()).await;
                program.pass(100);
            }
            program.pass(AHEAD);
            if is_new || what == "open" {
                open_room(&program, "alice", "in the jump").await;
            }
            let now = program.now();
            match what {
                "online" => go_online(&program, "alice").await,
                "offline" => go_offline(&program, "alice").await,
                "start" => told(&program, 1, "ahead", now).await,
                "end" => told(&program, 0, "before", now).await,
                "picture" => picture(&program).await,
                "ban" => {
                    for banned in [1, 0] {
                        by_operator(&program, "forbid_live", fields!("userid": "alice", "forbidflag": banned)).await;
                    }
                }
                _ => {}
            }
            swept(&program).await;
            heals(&program);
            // What was on may go on: the app leaves it.
            go_offline(&program, "alice").await;
            works(&program, what).await;
        }
    }
}

#[tokio::test]
async fn a_live_that_was_taken_for_silent_while_our_clock_was_ahead_goes_on() {
    let program = program_with(|name| (name == "SILENCE_SECONDS").then_some("600")).await;
    open_room(&program, "alice", "the show").await;
    push_starts(&program, STREAM, "1").await;
    program.pass(60);
    program.pass(AHEAD);
    swept(&program).await;
    assert!(!shown(&program).await.1, "nothing was heard for two days");
    heals(&program);
    picture(&program).await;
    assert!(shown(&program).await.1);
}

#[tokio::test]
async fn what_became_due_while_our_clock_was_ahead_is_looked_after_at_once() {
    let answer = |state: &'static [u8]| Answers(200, state);
    let active = answer(br#"{"Response":{"StreamState":"active","RequestId":"r"}}"#);
    let (program, cloud) = program_with_cloud_api(active).await;
    open_room(&program, "alice", "the show").await;
    push_starts(&program, STREAM, "1").await;
    program.pass(AHEAD);
    swept(&program).await;
    heals(&program);
    cloud.behave(answer(br#"{"Response":{"StreamState":"inactive","RequestId":"r"}}"#));
    for _ in 0..4 {
        swept(&program).await;
        program.pass(30);
    }
    assert!(!shown(&program).await.1, "its end was lost, and nobody waited for two days");
}

#[tokio::test]
async fn an_event_of_a_time_to_come_counts_as_of_now() {
    let program = program().await;
    open_room(&program, "alice", "the show").await;
    push_starts(&program, STREAM, "1").await;
    for (sequence, ahead) in [("1", 31), ("2", 3000), ("3", AHEAD)] {
        program.pass(10);
        told(&program, 0, sequence, program.now() + ahead).await;
        assert!(!shown(&program).await.1, "{ahead}");
        program.pass(10);
        let next = (sequence.parse::<u64>().unwrap() + 1).to_string();
        told(&program, 1, &next, program.now()).await;
        assert!(shown(&program).await.1, "{ahead}");
    }
    for (sequence, ahead) in [("5", 31), ("6", 3000), ("7", AHEAD)] {
        program.pass(10);
        told(&program, 1, sequence, program.now() + ahead).await;
        assert!(shown(&program).await.1, "{ahead}");
        program.pass(10);
        told(&program, 0, sequence, program.now()).await;
        assert!(!shown(&program).await.1, "{ahead}");
    }
}

#[tokio::test]
async fn a_viewer_who_came_while_our_clock_was_ahead_does_not_stay_for_days() {
    let program = program_with(|name| (name == "MEMBER_SECONDS").then_some("60")).await;
    open_room(&program, "alice", "the show").await;
    push_starts(&program, STREAM, "1").await;
    program.pass(AHEAD);
    enter(&program, "bob", "alice", "@alice").await;
    swept(&program).await;
    heals(&program);
    let heads = async || members(&program, "alice", "@alice").await["totalcount"].as_u64().unwrap();
    swept(&program).await;
    assert_eq!(heads().await, 1, "nobody is thrown out");
    program.pass(601);
    swept(&program).await;
    assert_eq!(heads().await, 0);
}

#[tokio::test]
async fn a_ban_that_was_given_while_our_clock_was_ahead_lasts_until_the_moment_that_the_operator_said() {
    let program = operated().await;
    open_room(&program, "alice", "the show").await;
    let until = program.now() + 10 * 24 * 3600;
    program.pass(AHEAD);
    by_operator(&program, "forbid_live", fields!("userid": "alice", "forbidflag": 1, "until": until)).await;
    heals(&program);
    push_starts(&program, STREAM, "1").await;
    let is_banned_at = async |at: u64| {
        program.pass(at - program.now());
        swept(&program).await;
        list(&program, 4, 1, 10).await["pusherlist"][0]["forbid_status"].as_u64().unwrap()
    };
    for (at, expected) in [(until - AHEAD + 10, 1), (until - 1, 1), (until + 60, 0)] {
        assert_eq!(is_banned_at(at).await, expected, "at {at}, and the ban is until {until}");
    }
}

#[tokio::test]
async fn a_clock_that_was_never_set_ends_no_ban_and_brings_no_forbidden_replay_back() {
    let settings = |name: &str| match name {
        "MODERATION" => Some("hide"),
        "OPERATOR_KEY" => Some(OPERATOR_KEY),
        _ => None,
    };
    let program = program_with(settings).await;
    open_room(&program, "alice", "the show").await;
    push_starts(&program, STREAM, "1").await;
    program.pass(100);
    let block = format!(r#"{},"screenshotTime":{}"#, verdict(STREAM, "Block"), program.now() - 50);
    acknowledged(&notice(&program, &block).await);
    push_ends(&program, STREAM, "1").await;
    let (from, to) = (program.now() - 100, program.now());
    is_recorded(&program, File { stream: STREAM, id: "v1", format: "mp4", from, to }).await;
    let until = program.now() + 10 * 24 * 3600;
    by_operator(&program, "forbid_live", fields!("userid": "alice", "forbidflag": 1, "until": until)).await;
    let seconds = program.now() - 100;
    program.turn_back(seconds);
    swept(&program).await;
    go_offline(&program, "alice").await;
    is_recorded(&program, File { stream: STREAM, id: "old", format: "mp4", from: 10, to: 90 }).await;
    push_ends(&program, STREAM, "2").await;
    program.pass(seconds + 60);
    swept(&program).await;
    is_recorded(&program, File { stream: STREAM, id: "v2", format: "flv", from, to }).await;
    push_starts(&program, STREAM, "3").await;
    assert_eq!(list(&program, 4, 1, 10).await["pusherlist"][0]["forbid_status"], 1);
    assert_eq!(column(&list(&program, 2, 1, 10).await, "fileid"), [""; 0]);
}
