//! `get_link_mic_play_url`, `RequestPlayUrlWithSignForLinkMic`.

use serde_json::Value;

use crate::support::{
    harness::{Program, action, golden, program, program_with, rest},
    steps::{
        OPERATOR_KEY, action_with, code, done, done_by, enter, fields, guarded, open_room, operated, parse, registered,
        signed, stream_of, user_sig_of,
    },
};

#[tokio::test]
async fn a_play_url_is_signed() {
    let program = program().await;
    let body = r#"{"Action":"RequestPlayUrlWithSignForLinkMic","userid":"bob",
        "originStreamUrl":"rtmp://8888.liveplay.myqcloud.com/live/8888_alice"}"#;
    golden("get_link_mic_play_url/ok.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_url_that_has_a_query_does_not_come_out_broken() {
    let program = program().await;
    let body = r#"{"Action":"RequestPlayUrlWithSignForLinkMic","userid":"bob",
        "originStreamUrl":"rtmp://8888.liveplay.myqcloud.com/live/8888_alice?a=1"}"#;
    golden("get_link_mic_play_url/ok.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    let body = r#"{"userid":"bob","originStreamUrl":"rtmp://h/live/8888_alice"}"#;
    golden("get_link_mic_play_url/unsigned.rest.json", &rest(&program, "get_link_mic_play_url", body).await);
}

#[tokio::test]
async fn a_url_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"RequestPlayUrlWithSignForLinkMic","userid":"bob"}"#;
    golden("get_link_mic_play_url/no_url.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_url_that_names_no_stream_makes_no_sense() {
    let program = program().await;
    let body = r#"{"Action":"RequestPlayUrlWithSignForLinkMic","userid":"bob","originStreamUrl":"rtmp://h/live/"}"#;
    golden("get_link_mic_play_url/no_stream.action.json", &action(&program, body).await);
}

/// Calls an Action as a user who proves who they are; the body of the answer.
async fn call(program: &Program, user: &str, action_name: &str, mut fields: Value) -> String {
    (fields["Action"], fields["userid"]) = (action_name.into(), user.into());
    fields["usersig"] = user_sig_of(program, user).into();
    action(program, &fields.to_string()).await
}

/// The same, for a call that must be done; what it answers.
async fn called(program: &Program, user: &str, action_name: &str, fields: Value) -> Value {
    let mut answer = parse(&call(program, user, action_name, fields).await);
    assert_eq!(answer["returnValue"], 0, "{user} {action_name}: {answer}");
    answer["returnData"].take()
}

/// Asks, as a user who proves who they are, for a stream to be signed.
async fn ask(program: &Program, user: &str, stream: &str) -> String {
    let fields = fields!("originStreamUrl": format!("rtmp://h/live/{stream}"));
    call(program, user, "RequestPlayUrlWithSignForLinkMic", fields).await
}

/// The same, for a stream that is a guest of this broadcaster; the code.
async fn ask_in(program: &Program, user: &str, host: &str, stream: &str) -> u64 {
    let fields = fields!("originStreamUrl": format!("rtmp://h/live/{stream}"), "liveuserid": host);
    code(&call(program, user, "RequestPlayUrlWithSignForLinkMic", fields).await)
}

/// Users open their rooms, each with the group `@<user>`.
async fn open(program: &Program, users: &[&str]) {
    for user in users {
        called(program, user, "RequestLVBAddr", fields!("groupid": format!("@{user}"), "title": "t")).await;
    }
}

/// A viewer comes to the live of a broadcaster, or leaves it.
async fn visit(program: &Program, action_name: &str, viewer: &str, host: &str) {
    let fields = fields!("liveuserid": host, "groupid": format!("@{host}"), "flag": 0);
    called(program, viewer, action_name, fields).await;
}

/// A stream is lent to a guest.
async fn join(program: &Program, guest: &str) -> String {
    let answer = called(program, guest, "RequestLVBAddrForLinkMic", fields!("title": "t")).await;
    stream_of(answer["playurl"].as_str().unwrap())
}

/// The code of those who have no part in a live.
const NOT_ALLOWED: u64 = 10_000;

#[tokio::test]
async fn with_user_sig_a_stream_that_we_did_not_give_out_is_not_signed() {
    let program = guarded().await;
    golden("get_link_mic_play_url/not_ours.action.json", &ask(&program, "bob", "8888_alice").await);
}

#[tokio::test]
async fn with_user_sig_the_stream_of_a_room_is_signed_for_its_broadcaster_and_who_is_in_its_group() {
    let program = guarded().await;
    open(&program, &["alice", "zoe"]).await;
    assert_eq!(code(&ask(&program, "alice", "8888_alice").await), 0);
    golden("get_link_mic_play_url/not_allowed.action.json", &ask(&program, "bob", "8888_alice").await);
    visit(&program, "EnterGroup", "bob", "zoe").await;
    assert_eq!(code(&ask(&program, "bob", "8888_alice").await), NOT_ALLOWED, "in the group of another");
    visit(&program, "EnterGroup", "bob", "alice").await;
    assert_eq!(code(&ask(&program, "bob", "8888_alice").await), 0);
    visit(&program, "QuitGroup", "bob", "alice").await;
    assert_eq!(code(&ask(&program, "bob", "8888_alice").await), NOT_ALLOWED);
}

#[tokio::test]
async fn the_group_of_a_replay_gives_no_part_in_the_live() {
    let program = guarded().await;
    open(&program, &["alice"]).await;
    let fields = fields!("liveuserid": "alice", "groupid": "f1", "flag": 1);
    called(&program, "bob", "EnterGroup", fields).await;
    assert_eq!(code(&ask(&program, "bob", "8888_alice").await), NOT_ALLOWED);
}

#[tokio::test]
async fn with_user_sig_the_stream_of_a_guest_is_signed_for_the_host_and_for_who_is_in_the_same_live() {
    let program = guarded().await;
    open(&program, &["alice", "zoe"]).await;
    for viewer in ["carol", "dave"] {
        visit(&program, "EnterGroup", viewer, "alice").await;
    }
    visit(&program, "EnterGroup", "erin", "zoe").await;
    let stream = join(&program, "carol").await;
    for user in ["carol", "alice"] {
        assert_eq!(code(&ask(&program, user, &stream).await), 0, "{user}");
    }
    for user in ["dave", "erin", "zoe", "nobody"] {
        assert_eq!(code(&ask(&program, user, &stream).await), NOT_ALLOWED, "{user} says not in whose live");
    }
    assert_eq!(ask_in(&program, "dave", "alice", &stream).await, 0);
    for (user, host) in [("erin", "alice"), ("erin", "zoe"), ("zoe", "zoe"), ("zoe", "alice"), ("dave", "zoe")] {
        assert_eq!(ask_in(&program, user, host, &stream).await, NOT_ALLOWED, "{user} in the live of {host}");
    }
    visit(&program, "QuitGroup", "carol", "alice").await;
    assert_eq!(code(&ask(&program, "alice", &stream).await), NOT_ALLOWED, "she left");
}

#[tokio::test]
async fn nobody_gets_into_a_live_by_naming_it() {
    let program = guarded().await;
    open(&program, &["alice", "zoe"]).await;
    visit(&program, "EnterGroup", "erin", "zoe").await;
    for host in ["zoe", "erin", "nobody"] {
        assert_eq!(ask_in(&program, "erin", host, "8888_alice").await, NOT_ALLOWED, "{host}");
    }
}

#[tokio::test]
async fn with_user_sig_the_stream_of_a_guest_is_signed_while_it_is_lent() {
    let program = guarded().await;
    let stream = join(&program, "carol").await;
    assert_eq!(stream, format!("8888_carol_{:x}", program.now() + 10800));
    program.pass(10799);
    assert_eq!(code(&ask(&program, "carol", &stream).await), 0);
    program.pass(1);
    assert_eq!(code(&ask(&program, "carol", &stream).await), 2003);
}

#[tokio::test]
async fn banned_users_get_no_play_url_and_nobody_gets_theirs() {
    let settings = |name: &str| match name {
        "ACTION_AUTH" => Some("user-sig"),
        "OPERATOR_KEY" => Some(OPERATOR_KEY),
        _ => None,
    };
    let program = program_with(settings).await;
    open(&program, &["alice", "bob"]).await;
    visit(&program, "EnterGroup", "bob", "alice").await;
    visit(&program, "EnterGroup", "alice", "bob").await;
    let ban = r#"{"Action":"ForbidLive","userid":"bob","forbidflag":1}"#;
    action_with(&program, ban, "X-Operator-Key", OPERATOR_KEY).await;
    golden("get_link_mic_play_url/banned.action.json", &ask(&program, "bob", "8888_alice").await);
    assert_eq!(code(&ask(&program, "bob", "8888_bob").await), 10001, "not even their own");
    assert_eq!(code(&ask(&program, "alice", "8888_bob").await), NOT_ALLOWED);
}

#[tokio::test]
async fn banned_users_get_no_play_url_where_callers_are_believed_either() {
    let program = operated().await;
    open_room(&program, "bob", "t").await;
    let ban = r#"{"Action":"ForbidLive","userid":"bob","forbidflag":1}"#;
    action_with(&program, ban, "X-Operator-Key", OPERATOR_KEY).await;
    let body =
        r#"{"Action":"RequestPlayUrlWithSignForLinkMic","userid":"bob","originStreamUrl":"rtmp://h/live/8888_a"}"#;
    golden("get_link_mic_play_url/banned.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn in_the_rest_dialect_the_caller_must_be_in_the_group_too() {
    let program = program().await;
    let bobby = registered(&program, "bobby").await;
    open_room(&program, "alice", "t").await;
    let fields = fields!("originStreamUrl": "rtmp://h/live/8888_alice");
    let answer = signed(&program, &bobby, "get_link_mic_play_url", fields.clone()).await;
    golden("get_link_mic_play_url/not_allowed.rest.json", &answer);
    enter(&program, "bobby", "alice", "@alice").await;
    done_by(&program, &bobby, "get_link_mic_play_url", fields).await;
}

#[tokio::test]
async fn what_is_no_stream_url_breaks_the_rule_of_its_field() {
    let program = program().await;
    for url in [
        "hello",
        "8888_alice",
        "javascript:alert(1)",
        "ftp://h/live/8888_alice",
        "rtmp://",
        "rtmp:///live/s",
        "rtmp://h",
        "rtmp://h/",
        "rtmp:h/live/s",
        "//h/live/s",
        "rtmp://h?/live/s",
        "rtmp://h/a b",
    ] {
        let body = fields!("Action": "RequestPlayUrlWithSignForLinkMic", "userid": "bob", "originStreamUrl": url);
        let answer = action(&program, &body.to_string()).await;
        assert_eq!(code(&answer), 1000, "{url}: {answer}");
    }
    let body = r#"{"Action":"RequestPlayUrlWithSignForLinkMic","userid":"bob","originStreamUrl":"hello"}"#;
    golden("get_link_mic_play_url/no_url_at_all.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_stream_with_a_dot_in_its_name_is_signed_whole() {
    let program = program().await;
    let signature = async |url: &str| {
        let fields = fields!("userid": "bob", "originStreamUrl": url);
        let answer = done(&program, "RequestPlayUrlWithSignForLinkMic", fields).await;
        let url = answer["streamUrlWithSignature"].as_str().unwrap().to_owned();
        url.split_once('?').unwrap().1.to_owned()
    };
    let whole = signature("rtmp://h/live/8888_e.x").await;
    assert_ne!(whole, signature("rtmp://h/live/8888_e").await);
    for url in ["http://h/live/8888_e.x.flv", "http://h/live/8888_e.x.m3u8"] {
        assert_eq!(signature(url).await, whole);
    }
}
