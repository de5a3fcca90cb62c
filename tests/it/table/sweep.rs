//! What the sweep looks after, and what it costs when there is nothing.

use super::damaged::damage;
use crate::support::{
    harness::{Program, START, action, notice, program, program_over, program_with, swept},
    stand_in::{Manner, Manner::Answers, StandIn, program_with_cloud_api, program_with_cloud_api_and},
    steps::{
        File, OPERATOR_KEY, action_with, code, column, done_by, fields, go_online, is_recorded, list, open_room,
        push_ends, push_starts, registered, room,
    },
    watch::Watch,
};
use app::sweep::{RECHECK_SECONDS, SweepReport};
use cli::engine::Engine;
use protocol::types::{StreamId, UserId};
use store::{Notice, NoticeStatus};

const ACTIVE: Manner = Answers(200, br#"{"Response":{"StreamState":"active","RequestId":"r"}}"#);
const INACTIVE: Manner = Answers(200, br#"{"Response":{"StreamState":"inactive","RequestId":"r"}}"#);
const FAILS: Manner = Answers(500, b"");
/// How often a server of one's own sweeps.
const EVERY: u64 = 30;

/// Sweeps as often as there is time for in so many seconds.
async fn sweep_for(program: &Program, seconds: u64) {
    for _ in 0..seconds / EVERY {
        program.pass(EVERY);
        swept(program).await;
    }
}

#[tokio::test]
async fn a_round_says_how_long_the_longest_live_goes_on() {
    let (program, _cloud) = live(ACTIVE).await;
    assert_eq!(swept(&program).await.oldest_live_seconds, None, "nothing is due");
    program.pass(3_600);
    open_room(&program, "bob", "t").await;
    push_starts(&program, "8888_bob", "1").await;
    program.pass(60);
    let round = swept(&program).await;
    assert_eq!((round.lives, round.oldest_live_seconds), (2, Some(3_660)));
    for stream in ["8888_alice", "8888_bob"] {
        push_ends(&program, stream, "1").await;
    }
    program.pass(600);
    assert_eq!(swept(&program).await.oldest_live_seconds, None);
}

fn alice() -> UserId {
    UserId::parse("alice").unwrap()
}

async fn is_live(program: &Program) -> bool {
    let is_listed = column(&list(program, 1, 1, 10).await, "userid") == ["alice"];
    assert_eq!(room(program, "alice").await["status"] == "1", is_listed);
    is_listed
}

/// Why the last live of alice ended.
async fn reason(program: &Program) -> String {
    program.app.table.lives(&alice()).await.unwrap().pop().unwrap().reason
}

/// Alice is live by the word of the cloud, which can be asked.
async fn live(manner: Manner) -> (Program, StandIn) {
    let (program, cloud) = program_with_cloud_api(manner).await;
    open_room(&program, "alice", "t").await;
    push_starts(&program, "8888_alice", "1").await;
    assert!(is_live(&program).await);
    (program, cloud)
}

#[tokio::test]
async fn a_table_in_which_nothing_is_open_is_asked_one_query() {
    let watch = Watch::default();
    let program = program_over(watch.over(Engine::in_memory().unwrap().http_client()), |_| None).await;
    open_room(&program, "alice", "t").await;
    push_starts(&program, "8888_alice", "1").await;
    let end = r#""event_type":0,"stream_id":"8888_alice","sequence":"1""#;
    notice(&program, end).await;
    is_recorded(&program, File { stream: "8888_alice", id: "v", format: "flv", from: START - 100, to: START }).await;
    for seconds in [0, 3600, 86_400] {
        program.pass(seconds);
        watch.take();
        assert_eq!(swept(&program).await, SweepReport::default());
        let asked: Vec<String> = watch.take().into_iter().map(|asked| asked.operation).collect();
        assert_eq!(asked, ["Query"]);
    }
}

#[tokio::test]
async fn a_live_whose_end_was_lost_is_over_within_two_minutes() {
    let (program, cloud) = live(ACTIVE).await;
    sweep_for(&program, 600).await;
    assert!(is_live(&program).await, "for as long as the cloud knows it");
    cloud.behave(INACTIVE);
    sweep_for(&program, 120).await;
    assert!(!is_live(&program).await);
    assert_eq!(reason(&program).await, "vanished");
    let asked = cloud.arrived().len();
    sweep_for(&program, 600).await;
    assert_eq!(cloud.arrived().len(), asked, "nobody asks about what is over");
}

#[tokio::test]
async fn a_function_that_is_called_once_a_minute_ends_it_within_two_minutes_too() {
    let (program, cloud) = live(ACTIVE).await;
    sweep_for(&program, 60).await;
    cloud.behave(INACTIVE);
    for minute in 1..=2 {
        program.pass(60);
        // In doubt it stays for half a minute and looks again: at most once, or it would meet the next call.
        if swept(&program).await.needs_recheck {
            program.pass(RECHECK_SECONDS);
            swept(&program).await;
            program.app.now();
        }
        assert_eq!(is_live(&program).await, minute == 1, "{minute}");
        program.pass(0);
    }
}

#[tokio::test]
async fn misses_count_only_one_after_the_other() {
    let (program, cloud) = live(ACTIVE).await;
    for _ in 0..5 {
        cloud.behave(INACTIVE);
        sweep_for(&program, 60).await;
        cloud.behave(ACTIVE);
        sweep_for(&program, 30).await;
    }
    assert!(is_live(&program).await);
}

#[tokio::test]
async fn a_cloud_that_cannot_be_asked_ends_nothing() {
    let (program, _) = live(FAILS).await;
    sweep_for(&program, 1800).await;
    assert!(is_live(&program).await);
}

#[tokio::test]
async fn a_live_of_which_nothing_is_heard_is_over_after_a_while() {
    let program = program_with(|name| (name == "SILENCE_SECONDS").then_some("600")).await;
    open_room(&program, "alice", "t").await;
    push_starts(&program, "8888_alice", "1").await;
    sweep_for(&program, 300).await;
    let picture =
        format!(r#""event_type":200,"stream_id":"8888_alice","pic_url":"/1.jpg","create_time":{}"#, program.now());
    notice(&program, &picture).await;
    sweep_for(&program, 570).await;
    assert!(is_live(&program).await, "a picture is a sign of life");
    sweep_for(&program, 60).await;
    assert!(!is_live(&program).await);
    assert_eq!(reason(&program).await, "silent");
}

#[tokio::test]
async fn pictures_of_a_stream_do_not_put_off_what_is_left_to_do_of_a_ban() {
    let (program, cloud) = live(FAILS).await;
    let ban = r#"{"Action":"ForbidLive","userid":"alice","forbidflag":1}"#;
    action_with(&program, ban, "x-operator-key", OPERATOR_KEY).await;
    push_starts(&program, "8888_alice", "2").await;
    let told = || cloud.headers().iter().filter(|headers| headers["x-tc-action"] == "ForbidLiveStream").count();
    let before = told();
    for second in 0..12 {
        program.pass(10);
        let at = program.now();
        let picture =
            format!(r#""event_type":200,"stream_id":"8888_alice","pic_url":"/{second}.jpg","create_time":{at}"#);
        notice(&program, &picture).await;
        if second % 3 == 2 {
            swept(&program).await;
        }
    }
    assert!(told() > before, "the cloud is told again while pictures come");
}

#[tokio::test]
async fn a_picture_of_what_was_thought_to_be_over_takes_that_back() {
    let (program, _) = live(INACTIVE).await;
    sweep_for(&program, 120).await;
    assert!(!is_live(&program).await);
    let picture =
        format!(r#""event_type":200,"stream_id":"8888_alice","pic_url":"/1.jpg","create_time":{}"#, program.now());
    notice(&program, &picture).await;
    assert!(is_live(&program).await);
}

#[tokio::test]
async fn a_live_that_the_end_of_another_push_ended_comes_back_if_the_cloud_says_that_it_runs() {
    for (manner, expected) in [(ACTIVE, true), (INACTIVE, false), (FAILS, false)] {
        let (program, cloud) = live(manner).await;
        program.pass(10);
        push_ends(&program, "8888_alice", "2").await;
        assert!(!is_live(&program).await);
        sweep_for(&program, 60).await;
        assert_eq!(is_live(&program).await, expected);
        assert_eq!(program.app.table.lives(&alice()).await.unwrap().len(), 1, "it is one live");
        sweep_for(&program, 300).await;
        let asked = cloud.arrived().len();
        sweep_for(&program, 300).await;
        assert_eq!(cloud.arrived().len() > asked, expected, "what is over is asked about for a while only");
    }
}

#[tokio::test]
async fn what_a_process_that_died_left_half_done_is_finished_and_counted() {
    for step in 0..8 {
        let watch = Watch::default();
        let program = program_over(watch.over(Engine::in_memory().unwrap().http_client()), |_| None).await;
        let program = std::sync::Arc::new(program);
        for user in ["alice", "bob"] {
            open_room(&program, user, "t").await;
            program.pass(7);
        }
        let reached = std::sync::Arc::new(tokio::sync::Notify::new());
        watch.interrupt("UpdateItem", step, {
            let reached = std::sync::Arc::clone(&reached);
            move || async move {
                reached.notify_one();
                std::future::pending().await
            }
        });
        let call = tokio::spawn({
            let program = std::sync::Arc::clone(&program);
            async move { go_online(&program, "alice").await }
        });
        tokio::select! {
            () = reached.notified() => call.abort(),
            _ = async { while !call.is_finished() { tokio::task::yield_now().await } } => {}
        }
        // A call with fewer writes than that was not interrupted, and the sweep is not to be.
        watch.interrupt("UpdateItem", usize::MAX, || async {});
        program.pass(300);
        for _ in 0..3 {
            swept(&program).await;
            program.pass(120);
        }
        let total = list(&program, 1, 1, 10).await["totalcount"].as_u64().unwrap();
        assert_eq!(total, u64::from(is_live(&program).await), "interrupted at write {step}");
        assert_eq!(list(&program, 4, 1, 10).await["totalcount"], 2);
        if step > 0 {
            assert!(is_live(&program).await, "interrupted at write {step}");
        }
    }
}

#[tokio::test]
async fn a_notice_that_was_kept_and_no_more_is_dealt_with() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    let stream = StreamId::parse("8888_alice").unwrap();
    let body = r#"{"t":1,"sign":"","event_type":1,"stream_id":"8888_alice","sequence":"1"}"#.to_owned();
    let kept = Notice { stream: stream.clone(), id: "1 1".to_owned(), body, is_late: false, reason: None };
    program.app.table.record_notice(&kept, program.app.now(), 3600).await.unwrap();
    program.pass(60);
    swept(&program).await;
    assert!(!is_live(&program).await, "the cloud's own next try may still come");
    program.pass(60);
    swept(&program).await;
    assert!(is_live(&program).await);
    let entry = program.app.table.notice(&stream, "1 1").await.unwrap().unwrap();
    assert_eq!(entry.status, NoticeStatus::Applied(alice()));
}

#[tokio::test]
async fn one_round_runs_all_tasks_however_many_are_due() {
    /// More than are asked for at a time.
    const NOTICES: usize = 1_100;
    let program = program().await;
    for n in 0..NOTICES {
        let stream = StreamId::parse(&format!("9999_{n}")).unwrap();
        let notice = Notice { stream, id: "1 1".to_owned(), body: "{}".to_owned(), is_late: false, reason: None };
        program.app.table.record_notice(&notice, program.app.now(), 3600).await.unwrap();
    }
    program.pass(120);
    assert_eq!(swept(&program).await.due, NOTICES);
    assert_eq!(swept(&program).await.due, 0);
}

#[tokio::test]
async fn a_recording_that_came_before_the_room_becomes_a_replay() {
    let program = program().await;
    let phone = registered(&program, "alice").await;
    let file = File { stream: "1400_alice", id: "v", format: "mp4", from: START - 100, to: START };
    is_recorded(&program, file).await;
    assert!(column(&list(&program, 2, 1, 10).await, "fileid").is_empty());
    done_by(&program, &phone, "upload_room", fields!("title": "t")).await;
    program.pass(60);
    swept(&program).await;
    assert_eq!(column(&list(&program, 2, 1, 10).await, "fileid"), ["v"]);
}

#[tokio::test]
async fn a_viewer_whose_app_died_leaves_and_one_who_is_heard_of_stays() {
    let program = program_with(|name| (name == "MEMBER_SECONDS").then_some("600")).await;
    open_room(&program, "alice", "t").await;
    go_online(&program, "alice").await;
    let group = room(&program, "alice").await["groupid"].as_str().unwrap().to_owned();
    let enter = |viewer: &str| {
        format!(r#"{{"Action":"EnterGroup","userid":"{viewer}","liveuserid":"alice","groupid":"{group}","flag":0}}"#)
    };
    for viewer in ["bob", "carol"] {
        assert_eq!(code(&action(&program, &enter(viewer)).await), 0);
    }
    sweep_for(&program, 300).await;
    assert_eq!(code(&action(&program, &enter("carol")).await), 0);
    sweep_for(&program, 270).await;
    assert_eq!(room(&program, "alice").await["viewercount"], 2);
    sweep_for(&program, 60).await;
    assert_eq!(room(&program, "alice").await["viewercount"], 1);
    let members = format!(
        r#"{{"Action":"FetchGroupMemberList","userid":"x","liveuserid":"alice","groupid":"{group}","pageno":1,"pagesize":10}}"#
    );
    let answer: serde_json::Value = serde_json::from_str(&action(&program, &members).await).unwrap();
    assert_eq!(answer["returnData"]["totalcount"], 1);
    assert_eq!(answer["returnData"]["memberlist"][0]["userid"], "carol");
    sweep_for(&program, 600).await;
    assert_eq!(room(&program, "alice").await["viewercount"], 0);
}

#[tokio::test]
async fn a_replay_that_was_kept_for_long_enough_is_deleted_with_its_files() {
    let (program, cloud) = program_with_cloud_api_and(
        Answers(200, br#"{"Response":{"RequestId":"r"}}"#),
        &[("REPLAY_KEPT_SECONDS", "864000")],
    )
    .await;
    open_room(&program, "alice", "t").await;
    let file = format!(
        r#""event_type":100,"stream_id":"8888_alice","video_id":"v","file_id":"7447","video_url":"http://vod/v.flv",
        "file_format":"flv","start_time":{},"end_time":{START}"#,
        START - 100
    );
    notice(&program, &file).await;
    let is_there = async || {
        code(&action(&program, r#"{"Action":"GetUserInfo","userid":"alice","type":1,"fileid":"v"}"#).await) == 0
    };
    program.pass(863_999);
    swept(&program).await;
    assert!(is_there().await);
    program.pass(1);
    swept(&program).await;
    assert!(!is_there().await);
    let actions: Vec<String> = cloud.headers().iter().map(|headers| headers["x-tc-action"].clone()).collect();
    assert_eq!(actions, ["DeleteMedia"]);
}

#[tokio::test]
async fn a_replay_that_cannot_be_read_when_it_is_to_be_deleted_is_put_off_for_a_minute() {
    let engine = Engine::in_memory().unwrap();
    let settings = |name: &str| (name == "REPLAY_KEPT_SECONDS").then_some("864000");
    let program = program_over(engine.http_client(), settings).await;
    open_room(&program, "alice", "t").await;
    is_recorded(&program, File { stream: "8888_alice", id: "v", format: "flv", from: START - 100, to: START }).await;
    damage(&engine.client(), "USER#alice", "REPLAY#v", "ended_at").await;
    program.pass(864_000);
    let round = swept(&program).await;
    assert_eq!((round.due, round.failed), (1, 1));
    assert_eq!(swept(&program).await.due, 0, "it takes no place in the next round");
    program.pass(60);
    assert_eq!(swept(&program).await.due, 1);
}

async fn banned(program: &Program, more: &str) -> String {
    let body = format!(r#"{{"Action":"ForbidLive","userid":"alice","forbidflag":1{more}}}"#);
    action_with(program, &body, "X-Operator-Key", OPERATOR_KEY).await
}

#[tokio::test]
async fn a_ban_runs_out() {
    let (program, cloud) = live(Answers(200, br#"{"Response":{"RequestId":"r"}}"#)).await;
    assert_eq!(code(&banned(&program, &format!(r#","until":{}"#, program.now() + 3600)).await), 0);
    sweep_for(&program, 3570).await;
    assert_eq!(list(&program, 4, 1, 10).await["pusherlist"][0]["forbid_status"], 1);
    sweep_for(&program, 60).await;
    assert_eq!(list(&program, 4, 1, 10).await["pusherlist"][0]["forbid_status"], 0);
    let actions: Vec<String> = cloud.headers().iter().map(|headers| headers["x-tc-action"].clone()).collect();
    assert_eq!(actions, ["ForbidLiveStream", "DropLiveStream", "ResumeLiveStream"]);
    assert!(open_room(&program, "alice", "t").await.starts_with("rtmp://"));
}

#[tokio::test]
async fn the_steps_of_a_ban_are_tried_until_they_are_done() {
    let (program, cloud) = live(FAILS).await;
    assert_ne!(code(&banned(&program, "").await), 0, "the operator hears that the cloud could not be told");
    assert!(!is_live(&program).await, "the ban holds");
    sweep_for(&program, 120).await;
    cloud.behave(Answers(200, br#"{"Response":{"RequestId":"r"}}"#));
    let tried = cloud.arrived().len();
    assert!(tried > 2, "{tried}");
    sweep_for(&program, 120).await;
    let actions: Vec<String> = cloud.headers()[tried..].iter().map(|headers| headers["x-tc-action"].clone()).collect();
    assert_eq!(actions, ["ForbidLiveStream", "DropLiveStream"]);
}

#[tokio::test]
async fn the_cloud_is_told_again_of_a_ban_that_it_would_forget() {
    let (program, cloud) = live(Answers(200, br#"{"Response":{"RequestId":"r"}}"#)).await;
    banned(&program, "").await;
    for days in [79, 2] {
        program.pass(days * 86_400);
        swept(&program).await;
    }
    let forbids = cloud.headers().iter().filter(|headers| headers["x-tc-action"] == "ForbidLiveStream").count();
    assert_eq!(forbids, 2);
}

#[tokio::test]
async fn a_ban_takes_the_replays_along_and_gives_them_back() {
    let (program, _) = live(Answers(200, br#"{"Response":{"RequestId":"r"}}"#)).await;
    is_recorded(&program, File { stream: "8888_alice", id: "v1", format: "flv", from: START - 1000, to: START - 800 })
        .await;
    banned(&program, r#","hide_replays":1"#).await;
    assert_eq!(list(&program, 2, 1, 10).await["totalcount"], 0);
    is_recorded(&program, File { stream: "8888_alice", id: "v2", format: "flv", from: START - 500, to: START - 300 })
        .await;
    assert_eq!(list(&program, 2, 1, 10).await["totalcount"], 0, "nor one that comes later");
    let lift = r#"{"Action":"ForbidLive","userid":"alice","forbidflag":0}"#;
    assert_eq!(code(&action_with(&program, lift, "X-Operator-Key", OPERATOR_KEY).await), 0);
    assert_eq!(column(&list(&program, 2, 1, 10).await, "fileid"), ["v2", "v1"]);
}

#[tokio::test]
async fn a_ban_that_runs_out_while_its_user_comes_back_ends_in_the_cloud_too() {
    let (program, cloud) = live(Answers(200, br#"{"Response":{"RequestId":"r"}}"#)).await;
    let (from, to) = (START - 1000, START - 800);
    is_recorded(&program, File { stream: "8888_alice", id: "v", format: "flv", from, to }).await;
    banned(&program, &format!(r#","hide_replays":1,"until":{}"#, program.now() + 60)).await;
    program.pass(61);
    assert!(open_room(&program, "alice", "t").await.starts_with("rtmp://"));
    sweep_for(&program, 120).await;
    assert_eq!(cloud.headers().last().unwrap()["x-tc-action"], "ResumeLiveStream");
    assert_eq!(column(&list(&program, 2, 1, 10).await, "fileid"), ["v"]);
}

#[tokio::test]
async fn a_live_of_many_files_is_one_replay_and_its_user_can_be_banned() {
    let (program, _) = live(Answers(200, br#"{"Response":{"RequestId":"r"}}"#)).await;
    for n in 0..120 {
        let (id, from) = (format!("v{n}"), START + 10 * n);
        is_recorded(&program, File { stream: "8888_alice", id: &id, format: "flv", from, to: from + 10 }).await;
    }
    let row = &list(&program, 2, 1, 10).await["pusherlist"][0];
    assert_eq!((&row["fileid"], &row["timestamp"]), (&"v0".into(), &(START + 1200).into()));
    assert_eq!(code(&banned(&program, r#","hide_replays":1"#).await), 0);
    assert!(!is_live(&program).await);
    assert_eq!(list(&program, 2, 1, 10).await["totalcount"], 0);
}
