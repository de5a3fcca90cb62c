//! What was wrong with the Gen-1 original, and with the back ends of its kind, about lives and replays, and is not so here.
//!
//! Each test begins with the number of the defect: `g` in the list of the Gen-1 original, `f` as found by running it,
//! `p` in that of its peers.

use crate::support::{
    harness::{Program, START, action, notice, program, program_with, swept},
    stand_in::{Manner::Answers, program_with_cloud_api},
    steps::{
        File, OPERATOR_KEY, acknowledged, action_with, code, column, done, enter, fields, file, forged, go_online,
        is_recorded, like, list, open_room, open_room_for, operated, push_ends, push_starts, quit, replay, replays,
        room, sign_of, stream_of,
    },
};
use protocol::types::{StreamId, UserId};

/// A program in which alice has a room.
async fn with_room() -> Program {
    let program = program().await;
    open_room_for(&program, "alice", "the show", "g1").await;
    program
}

async fn status(program: &Program) -> String {
    room(program, "alice").await["status"].as_str().unwrap().to_owned()
}

/// A notice at a second of its own.
fn push(event: u8, name: &str, at: u64) -> String {
    format!(r#""event_type":{event},"stream_id":"8888_alice","sequence":"{name}","event_time":{at}"#)
}

/// A sign that was `true`, or a number of only zeros, passed; a wrong one was answered like a right one; notices were
/// good for ever and counted as often as they came.
#[tokio::test]
async fn g5_a_notice_counts_once_and_only_with_its_sign() {
    let program = with_room().await;
    let (start, t) = (push(1, "1", START), START + 600);
    for sign in ["true", "0", r#""0""#, r#""0e462097431906509019562988736854""#, r#""""#] {
        assert_eq!(forged(&program, &t.to_string(), sign, &start).await.0, 403, "{sign}");
    }
    assert_eq!(forged(&program, &(START - 3601).to_string(), &sign_of(START - 3601), &start).await.0, 403);
    assert_eq!(status(&program).await, "0");
    for _ in 0..3 {
        is_recorded(&program, file("v", "flv", START - 100, START)).await;
    }
    assert_eq!(replays(&program).await, ["v"]);
}

/// A ban was erased by the banned user's next RequestLVBAddr.
#[tokio::test]
async fn g6_a_ban_outlasts_what_the_banned_user_does() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    let ban = r#"{"Action":"ForbidLive","userid":"alice","forbidflag":1}"#;
    action_with(&program, ban, "X-Operator-Key", OPERATOR_KEY).await;
    let open = r#"{"Action":"RequestLVBAddr","userid":"alice","groupid":"g","title":"t"}"#;
    assert_eq!(code(&action(&program, open).await), 10001);
    push_starts(&program, "8888_alice", "1").await;
    assert_eq!(status(&program).await, "0");
    assert_eq!(list(&program, 4, 1, 10).await["pusherlist"][0]["forbid_status"], 1);
}

/// RequestLVBAddr reset a running room; repeated EnterGroup and QuitGroup inflated and deflated the viewers; likes of a
/// replay went to the live.
#[tokio::test]
async fn g7_counters_are_those_of_what_is_watched() {
    let program = with_room().await;
    push_starts(&program, "8888_alice", "1").await;
    is_recorded(&program, file("v", "flv", START - 100, START - 10)).await;
    for _ in 0..3 {
        enter(&program, "bob", "alice", "g1").await;
    }
    like(&program, "alice").await;
    open_room_for(&program, "alice", "renamed", "g1").await;
    let row = room(&program, "alice").await;
    assert_eq!((&row["viewercount"], &row["likecount"], &row["status"]), (&1.into(), &1.into(), &"1".into()));
    for _ in 0..3 {
        quit(&program, "bob", "alice", "g1").await;
    }
    let like = fields!("userid": "alice", "type": 1, "optype": 0, "flag": 1, "fileid": "v");
    done(&program, "ChangeCount", like).await;
    let row = room(&program, "alice").await;
    assert_eq!((&row["viewercount"], &row["likecount"]), (&0.into(), &1.into()));
    assert_eq!(replay(&program, "alice", "v").await["likecount"], 1);
}

/// `a@b`, `a-b` and `a_b` shared one stream: event 1 put all of them online, and recordings were lost.
#[tokio::test]
async fn g8_users_whose_names_look_alike_have_streams_of_their_own() {
    let program = program().await;
    for (n, user) in ["a@b", "a-b", "a_b"].into_iter().enumerate() {
        let stream = stream_of(&open_room(&program, user, user).await);
        push_starts(&program, &stream, "1").await;
        let live = list(&program, 1, 1, 10).await;
        assert_eq!(column(&live, "userid").len(), n + 1, "{user}");
        let id = format!("v{n}");
        is_recorded(&program, File { stream: &stream, id: &id, format: "flv", from: START - 100, to: START }).await;
        let row = done(&program, "GetUserInfo", fields!("userid": user, "type": 1, "fileid": id)).await;
        assert_eq!(row["title"], user);
    }
}

/// The total counted rows that no page had; recordings with HLS only could not be seen; replays stood by the wrong time.
#[tokio::test]
async fn g10_the_total_is_the_number_of_rows() {
    let program = with_room().await;
    push_starts(&program, "8888_alice", "1").await;
    is_recorded(&program, file("hls", "hls", START - 5000, START - 4000)).await;
    is_recorded(&program, file("flv", "flv", START - 9000, START - 3000)).await;
    is_recorded(&program, file("new", "flv", START - 900, START - 800)).await;
    for (flag, total) in [(1, 1), (2, 2), (3, 3), (4, 1)] {
        let page = list(&program, flag, 1, 10).await;
        assert_eq!(
            (page["totalcount"].as_u64(), page["pusherlist"].as_array().unwrap().len()),
            (Some(total), usize::try_from(total).unwrap())
        );
    }
    assert_eq!(replays(&program).await, ["new", "hls"]);
}

/// A recording took the title that the room had when its notice came; one of an unknown stream was refused for good.
#[tokio::test]
async fn g11_a_recording_has_the_title_of_its_live_and_none_is_refused_for_good() {
    let program = with_room().await;
    for fields in [push(1, "1", START), push(0, "1", START + 500)] {
        acknowledged(&notice(&program, &fields).await);
    }
    program.pass(1000);
    open_room(&program, "alice", "the next show").await;
    is_recorded(&program, file("v", "flv", START + 1, START + 499)).await;
    assert_eq!(replay(&program, "alice", "v").await["title"], "the show");
    is_recorded(&program, File { stream: "1400_nobody", id: "w", format: "flv", from: START - 100, to: START }).await;
    let kept = program.app.table.notice_summaries(&StreamId::parse("1400_nobody").unwrap()).await.unwrap();
    assert_eq!(kept[0].status.name(), "parked");
}

/// Three misses in all, whatever came between them, ended a healthy live.
#[tokio::test]
async fn g13_only_misses_one_after_the_other_end_a_live() {
    let inactive = Answers(200, br#"{"Response":{"StreamState":"inactive","RequestId":"r"}}"#);
    let active = Answers(200, br#"{"Response":{"StreamState":"active","RequestId":"r"}}"#);
    let (program, cloud) = program_with_cloud_api(inactive).await;
    open_room(&program, "alice", "t").await;
    push_starts(&program, "8888_alice", "1").await;
    for manner in [inactive, inactive, active, inactive, inactive, active] {
        cloud.behave(manner);
        program.pass(30);
        swept(&program).await;
        assert_eq!(status(&program).await, "1");
    }
}

/// Not in the list, but the same: a live that nobody ended stayed for ever.
#[tokio::test]
async fn g13_a_live_that_nobody_ends_is_over_some_day() {
    let program = program_with(|name| (name == "SILENCE_SECONDS").then_some("3600")).await;
    open_room(&program, "alice", "t").await;
    go_online(&program, "alice").await;
    program.pass(3600);
    swept(&program).await;
    assert_eq!(status(&program).await, "0");
}

/// `event_type` null was event 0 and took the room offline; `true` was event 100.
#[tokio::test]
async fn f_an_event_is_what_its_number_says() {
    let program = with_room().await;
    push_starts(&program, "8888_alice", "1").await;
    for event in ["null", "true", r#""text""#, "[]", "{}"] {
        let fields = format!(r#""event_type":{event},"stream_id":"8888_alice","sequence":"1""#);
        acknowledged(&notice(&program, &fields).await);
        assert_eq!(status(&program).await, "1", "{event}");
    }
}

/// A quote in a title lost the recording.
#[tokio::test]
async fn f_a_title_with_a_quote_is_a_title() {
    let program = program().await;
    let title = r#"it\'s "a" \ show"#;
    open_room(&program, "alice", title).await;
    is_recorded(&program, file("v", "flv", START - 100, START)).await;
    assert_eq!(replay(&program, "alice", "v").await["title"], title);
}

/// A banned user came back with ChangeStatus.
#[tokio::test]
async fn f_a_banned_user_does_not_come_back_by_change_status() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    let ban = r#"{"Action":"ForbidLive","userid":"alice","forbidflag":1}"#;
    action_with(&program, ban, "X-Operator-Key", OPERATOR_KEY).await;
    go_online(&program, "alice").await;
    assert_eq!(status(&program).await, "0");
}

/// Replays were files: the parts of three hours and those of a reconnect were rows of their own, and those of a minute vanished.
#[tokio::test]
async fn p9_the_parts_of_a_live_are_one_replay() {
    let program = with_room().await;
    let hours = 3600;
    for fields in [push(1, "1", START), push(0, "1", START + 7 * hours), push(1, "2", START + 7 * hours + 20)] {
        acknowledged(&notice(&program, &fields).await);
    }
    program.pass(8 * hours);
    for (n, (from, to)) in [(0, 3), (3, 6), (6, 7)].into_iter().enumerate() {
        let (from, to) = (START + from * hours, START + to * hours);
        is_recorded(&program, file(&format!("v{n}"), "mp4", from, to)).await;
    }
    is_recorded(&program, file("hls", "hls", START, START + 7 * hours)).await;
    is_recorded(&program, file("short", "mp4", START + 7 * hours + 20, START + 7 * hours + 60)).await;
    acknowledged(&notice(&program, &push(0, "2", START + 7 * hours + 60)).await);
    assert_eq!(replays(&program).await, ["v0"]);
    let row = replay(&program, "alice", "short").await;
    assert_eq!((&row["fileid"], &row["playurl"]), (&"v0".into(), &"http://vod/v0.mp4".into()));
    assert_eq!(
        (&row["hls_play_url"], &row["timestamp"]),
        (&"http://vod/hls.hls".into(), &(START + 7 * hours + 60).into())
    );
}

/// Ends were lost, came hours later, or before their start.
#[tokio::test]
async fn p10_ends_may_come_late_twice_or_first() {
    let program = with_room().await;
    program.pass(300);
    let told = [push(0, "1", START + 10), push(1, "1", START), push(1, "2", START + 200), push(0, "1", START + 10)];
    for fields in told {
        acknowledged(&notice(&program, &fields).await);
    }
    assert_eq!(status(&program).await, "1", "the second push runs");
    push_ends(&program, "8888_alice", "2").await;
    let lives = program.app.table.lives(&UserId::parse("alice").unwrap()).await.unwrap();
    let spans: Vec<_> = lives.iter().map(|live| (live.started_at.0 - START, live.ended_at.is_some())).collect();
    assert_eq!(spans, [(0, true), (200, true)]);
}
