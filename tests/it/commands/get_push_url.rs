//! `get_push_url`, `RequestLVBAddr`.

use crate::support::{
    harness::{START, action, golden, program, program_over, program_with, rest},
    steps::{
        File, OPERATOR_KEY, action_with, code, column, done, enter, fields, go_offline, go_online, is_recorded, like,
        list, open_room, open_room_for, operated, push_starts, quit, room, stream_of,
    },
    watch::Watch,
};
use cli::engine::Engine;
use protocol::types::{StreamId, Text, UserId};
use store::{BroadcastInfo, Profile};

#[tokio::test]
async fn a_room_is_opened() {
    let program = program().await;
    let body = r#"{"Action":"RequestLVBAddr","userid":"alice","groupid":"@TGS#1","title":"hello"}"#;
    golden("get_push_url/ok.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_push_url_asks_for_no_recording_when_it_is_switched_off() {
    let program = program_with(|name| (name == "RECORD_FORMATS").then_some("none")).await;
    let body = r#"{"Action":"RequestLVBAddr","userid":"alice","groupid":"@TGS#1","title":"hello"}"#;
    golden("get_push_url/no_recording.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    let body = r#"{"userid":"alice","groupid":"@TGS#1","title":"hello"}"#;
    golden("get_push_url/unsigned.rest.json", &rest(&program, "get_push_url", body).await);
}

#[tokio::test]
async fn a_room_needs_a_user() {
    let program = program().await;
    let body = r#"{"Action":"RequestLVBAddr","groupid":"@TGS#1","title":"hello"}"#;
    golden("get_push_url/no_userid.action.json", &action(&program, body).await);
    let body = r#"{"groupid":"@TGS#1","title":"hello"}"#;
    golden("get_push_url/no_userid.rest.json", &rest(&program, "get_push_url", body).await);
}

#[tokio::test]
async fn a_room_needs_a_group() {
    let program = program().await;
    let body = r#"{"Action":"RequestLVBAddr","userid":"alice","groupid":"","title":"hello"}"#;
    golden("get_push_url/no_groupid.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_room_needs_a_title() {
    let program = program().await;
    let body = r#"{"Action":"RequestLVBAddr","userid":"alice","groupid":"@TGS#1","title":"  "}"#;
    golden("get_push_url/no_title.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_title_that_is_too_long_is_refused_and_the_longest_is_not() {
    let program = program().await;
    let open = |chars| {
        let title = "播".repeat(chars);
        format!(r#"{{"Action":"RequestLVBAddr","userid":"alice","groupid":"@TGS#1","title":"{title}"}}"#)
    };
    assert_eq!(code(&action(&program, &open(128)).await), 0);
    golden("get_push_url/title_too_long.action.json", &action(&program, &open(129)).await);
}

#[tokio::test]
async fn a_banned_user_gets_no_push_url() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    ban(&program).await;
    let body = r#"{"Action":"RequestLVBAddr","userid":"alice","groupid":"@TGS#1","title":"hello"}"#;
    golden("get_push_url/banned.action.json", &action(&program, body).await);
}

/// Bans alice. The cloud of this program is nowhere; the ban holds all the same.
async fn ban(program: &crate::support::harness::Program) {
    let body = r#"{"Action":"ForbidLive","userid":"alice","forbidflag":1}"#;
    action_with(program, body, "X-Operator-Key", OPERATOR_KEY).await;
}

#[tokio::test]
async fn a_ban_is_not_erased_by_opening_the_room_again() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    ban(&program).await;
    action(&program, r#"{"Action":"RequestLVBAddr","userid":"alice","groupid":"g","title":"t"}"#).await;
    go_online(&program, "alice").await;
    assert_eq!(list(&program, 4, 1, 10).await["pusherlist"][0]["forbid_status"], 1);
    assert_eq!(room(&program, "alice").await["status"], "0");
}

#[tokio::test]
async fn opening_a_room_that_is_live_does_not_knock_it_offline() {
    let program = program().await;
    open_room(&program, "alice", "before").await;
    go_online(&program, "alice").await;
    program.pass(50);
    open_room(&program, "alice", "after").await;
    let row = room(&program, "alice").await;
    assert_eq!((row["status"].as_str(), row["title"].as_str()), (Some("1"), Some("after")));
    assert_eq!(list(&program, 1, 1, 10).await["totalcount"], 1);
}

#[tokio::test]
async fn opening_a_room_that_is_live_does_not_reset_its_counters() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    go_online(&program, "alice").await;
    like(&program, "alice").await;
    enter(&program, "bob", "alice", "@alice").await;
    open_room(&program, "alice", "t").await;
    let row = room(&program, "alice").await;
    assert_eq!((row["likecount"].as_u64(), row["viewercount"].as_u64()), (Some(1), Some(1)));
}

#[tokio::test]
async fn a_new_show_begins_at_zero_and_at_the_top_of_the_list() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    like(&program, "alice").await;
    program.pass(10);
    open_room(&program, "bob", "t").await;
    program.pass(10);
    open_room(&program, "alice", "again").await;
    assert_eq!(room(&program, "alice").await["likecount"], 0);
    let page = list(&program, 4, 1, 10).await;
    assert_eq!((column(&page, "userid"), page["totalcount"].as_u64()), (vec!["alice", "bob"], Some(2)));
}

#[tokio::test]
async fn a_viewer_of_the_last_show_who_leaves_late_is_not_missing_in_this_one() {
    let program = program().await;
    open_room_for(&program, "alice", "yesterday", "@one").await;
    enter(&program, "bob", "alice", "@one").await;
    program.pass(86400);
    open_room_for(&program, "alice", "today", "@two").await;
    enter(&program, "carol", "alice", "@two").await;
    quit(&program, "bob", "alice", "@one").await;
    assert_eq!(room(&program, "alice").await["viewercount"], 1);
}

#[tokio::test]
async fn a_viewer_who_never_left_the_last_show_counts_in_this_one() {
    let program = program().await;
    open_room(&program, "alice", "yesterday").await;
    enter(&program, "bob", "alice", "@alice").await;
    program.pass(86400);
    open_room(&program, "alice", "today").await;
    enter(&program, "bob", "alice", "@alice").await;
    assert_eq!(room(&program, "alice").await["viewercount"], 1);
    quit(&program, "bob", "alice", "@alice").await;
    assert_eq!(room(&program, "alice").await["viewercount"], 0);
}

#[tokio::test]
async fn users_whose_names_look_alike_do_not_share_a_stream() {
    let program = program().await;
    let mut streams = Vec::new();
    for user in ["a@b", "a-b", "a_b", "a#b"] {
        streams.push(stream_of(&open_room(&program, user, "t").await));
    }
    assert_eq!(streams[0], "8888_a_b", "the first keeps the original's name");
    streams.sort();
    streams.dedup();
    assert_eq!(streams.len(), 4, "{streams:?}");
}

#[tokio::test]
async fn the_start_of_a_push_puts_only_its_own_room_online() {
    let program = program().await;
    open_room(&program, "a_b", "t").await;
    let stream = stream_of(&open_room(&program, "a-b", "t").await);
    push_starts(&program, &stream, "1").await;
    assert_eq!(column(&list(&program, 1, 1, 10).await, "userid"), ["a-b"]);
}

#[tokio::test]
async fn a_stream_stays_its_users_when_the_room_is_opened_again() {
    let program = program().await;
    open_room(&program, "a_b", "t").await;
    let first = stream_of(&open_room(&program, "a-b", "t").await);
    go_online(&program, "a-b").await;
    go_offline(&program, "a-b").await;
    program.pass(100);
    assert_eq!(stream_of(&open_room(&program, "a-b", "t").await), first);
}

#[tokio::test]
async fn users_are_told_apart_by_the_case_of_their_letters() {
    let program = program().await;
    open_room(&program, "alice", "small").await;
    open_room(&program, "ALICE", "large").await;
    assert_eq!(room(&program, "alice").await["title"], "small");
    assert_eq!(list(&program, 4, 1, 10).await["totalcount"], 2);
}

#[tokio::test]
async fn quotes_and_backslashes_are_stored_as_they_are() {
    let program = program().await;
    let said = r#"it\'s "1' OR '1'='1" \ \\ %_ -- ;"#;
    let info = fields!("nickname": said, "headpic": said, "frontcover": said, "location": said, "desc": said);
    let user = r#"it\'s "1' OR '1'='1" \ -- ;"#;
    let fields = fields!("userid": user, "groupid": said, "title": said, "userinfo": info);
    done(&program, "RequestLVBAddr", fields).await;
    let row = room(&program, user).await;
    assert_eq!(row["userid"], user);
    for stored in [
        &row["groupid"],
        &row["title"],
        &row["userinfo"]["nickname"],
        &row["userinfo"]["headpic"],
        &row["userinfo"]["frontcover"],
        &row["userinfo"]["location"],
        &row["userinfo"]["desc"],
    ] {
        assert_eq!(stored, said);
    }
}

#[tokio::test]
async fn a_body_cannot_set_what_it_has_no_field_for() {
    let program = program().await;
    let fields = fields!(
        "userid": "alice", "groupid": "g", "title": "t", "status": 1, "viewer_count": 9, "likes": 9, "banned": true,
        "this": {}, "keys": [], "stream": "8888_bob", "userinfo": {"status": 1, "opened_at": 1}
    );
    done(&program, "RequestLVBAddr", fields).await;
    open_room(&program, "zoe", "t").await;
    let (alice, zoe) = (room(&program, "alice").await, room(&program, "zoe").await);
    for field in ["status", "likecount", "viewercount", "timestamp"] {
        assert_eq!(alice[field], zoe[field], "{field}");
    }
    assert_eq!(alice["playurl"], "http://8888.liveplay.myqcloud.com/live/8888_alice.flv");
}

#[tokio::test]
async fn numbers_are_taken_for_text() {
    let program = program().await;
    done(&program, "RequestLVBAddr", fields!("userid": 7, "groupid": 1.5, "title": true)).await;
    assert_eq!(room(&program, "7").await["title"], "1");
}

#[tokio::test]
async fn nobody_can_take_the_stream_that_a_user_with_a_common_name_falls_back_on() {
    let program = program().await;
    // The suffix is eight digits of a digest with a key: these are the digests without one.
    for user in ["a_b", "a_b_a1ca0ed6"] {
        open_room(&program, user, "t").await;
    }
    let stream = stream_of(&open_room(&program, "a@b", "t").await);
    assert!(stream.starts_with("8888_a_b_") && stream != "8888_a_b_a1ca0ed6", "{stream}");
    assert_eq!(stream_of(&open_room(&program, "a@b", "t").await), stream, "and it stays");
}

/// Users of whose names the cloud takes no stream (267/31084), or whose names would lead elsewhere in a URL.
const UNFIT: [&str; 15] = [
    "用户",
    "用戶",
    "Zoë",
    "e😀",
    "john doe",
    "o'neil",
    r#"say "hi""#,
    "a`b",
    r"a\b",
    "a|b",
    "<b>",
    "x.flv?",
    "a/../b",
    "a&bizid=1",
    "%61lice",
];

#[tokio::test]
async fn who_has_a_name_that_the_cloud_takes_in_no_stream_pushes_one_that_it_takes() {
    let program = program().await;
    let mut streams = Vec::new();
    for user in UNFIT {
        let url = open_room(&program, user, "t").await;
        let (stream, query) =
            url.strip_prefix("rtmp://8888.livepush.myqcloud.com/live/").unwrap().split_once('?').unwrap();
        let is_plain = stream.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        assert!(stream.starts_with("8888_") && is_plain && !query.contains('?'), "{user}: {url}");
        let row = room(&program, user).await;
        assert_eq!(row["playurl"], format!("http://8888.liveplay.myqcloud.com/live/{stream}.flv"));
        assert_eq!(row["hls_play_url"], format!("http://8888.liveplay.myqcloud.com/live/{stream}.m3u8"));
        program.pass(100);
        assert_eq!(stream_of(&open_room(&program, user, "again").await), stream, "{user} keeps it");
        streams.push(stream.to_owned());
    }
    for (user, stream) in UNFIT.iter().zip(&streams) {
        push_starts(&program, stream, "1").await;
        assert_eq!(room(&program, user).await["status"], "1", "{user}");
    }
    assert_eq!(list(&program, 1, 1, 100).await["totalcount"], UNFIT.len(), "one stream each: {streams:?}");
}

#[tokio::test]
async fn a_room_that_has_a_stream_that_the_cloud_does_not_take_gets_another_one() {
    let program = program().await;
    // As a release before this rule wrote it.
    let (user, old) = (UserId::parse("用户").unwrap(), StreamId::parse("8888_用户").unwrap());
    let show = BroadcastInfo {
        group: None,
        title: Text::parse("t").unwrap(),
        profile: Profile::default(),
        description: Text::default(),
    };
    let streams = [old.clone(), old.clone()];
    let broadcaster = program.app.broadcaster(&user);
    let opening = broadcaster.open_room(&show, &streams, |_| true);
    program.guard.serve("get_push_url", opening).await.unwrap();
    let row = room(&program, "用户").await;
    assert_eq!(row["playurl"], format!("http://8888.liveplay.myqcloud.com/live/{old}.flv"));
    program.pass(100);
    let stream = stream_of(&open_room(&program, "用户", "t").await);
    assert!(stream.is_ascii(), "{stream}");
    // What was pushed before is still theirs.
    is_recorded(&program, File { stream: old.as_str(), id: "v1", format: "flv", from: START - 100, to: START }).await;
    assert_eq!(list(&program, 2, 1, 10).await["totalcount"], 1);
}

#[tokio::test]
async fn a_name_of_letters_digits_and_symbols_is_part_of_its_stream() {
    let program = program().await;
    for (user, name) in [("e.x", "e.x"), ("ea@x", "ea_x"), ("a+b=c:d;e,f", "a+b=c:d;e,f"), ("(a)~!$*", "(a)~!$*")] {
        let url = open_room(&program, user, "t").await;
        assert!(url.starts_with(&format!("rtmp://8888.livepush.myqcloud.com/live/8888_{name}?")), "{url}");
    }
}

#[tokio::test]
async fn asking_again_while_the_room_is_live_answers_the_time_at_which_it_was_opened() {
    let program = program().await;
    let ask = async || {
        let fields = fields!("userid": "alice", "groupid": "@alice", "title": "t");
        let answer = done(&program, "RequestLVBAddr", fields).await;
        assert_eq!(answer["timestamp"], room(&program, "alice").await["timestamp"], "share links name the live by it");
        answer["timestamp"].as_u64().unwrap()
    };
    assert_eq!(ask().await, START);
    go_online(&program, "alice").await;
    program.pass(50);
    assert_eq!(ask().await, START);
    go_offline(&program, "alice").await;
    program.pass(100);
    assert_eq!(ask().await, START + 150, "another live");
}

#[tokio::test]
async fn asking_again_costs_a_read_and_three_writes_while_the_room_is_live_and_seven_when_it_is_not() {
    let watch = Watch::default();
    let program = program_over(watch.over(Engine::in_memory().unwrap().http_client()), |_| None).await;
    open_room(&program, "alice", "t").await;
    let asked_again = async || {
        program.pass(100);
        watch.take();
        open_room(&program, "alice", "t").await;
        watch.take().into_iter().map(|asked| asked.operation).collect::<Vec<_>>()
    };
    let requests = |writes| [vec!["BatchGetItem"], vec!["UpdateItem"; writes]].concat();
    assert_eq!(asked_again().await, requests(7));
    go_online(&program, "alice").await;
    for _ in 0..2 {
        assert_eq!(asked_again().await, requests(3));
    }
}
