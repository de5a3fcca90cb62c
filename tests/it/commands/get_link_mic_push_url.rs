//! `get_link_mic_push_url`, `RequestLVBAddrForLinkMic`.

use crate::support::{
    harness::{Program, START, action, golden, program, rest},
    steps::{OPERATOR_KEY, action_with, code, done, fields, list, open_room, operated, push_starts, stream_of},
};

/// Asks for a guest's push URL; the stream in it.
async fn join(program: &Program, user: &str) -> String {
    let answer = done(program, "RequestLVBAddrForLinkMic", fields!("userid": user, "title": "t")).await;
    stream_of(answer["pushurl"].as_str().unwrap())
}

#[tokio::test]
async fn a_guest_gets_a_stream() {
    let program = program().await;
    let body = r#"{"Action":"RequestLVBAddrForLinkMic","userid":"bob","title":"hi"}"#;
    golden("get_link_mic_push_url/ok.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_guest_who_asks_again_in_the_same_second_gets_the_same_stream() {
    let program = program().await;
    assert_eq!(join(&program, "bob").await, join(&program, "bob").await);
}

#[tokio::test]
async fn guests_whose_names_look_alike_do_not_share_a_stream() {
    let program = program().await;
    assert_ne!(join(&program, "a@b").await, join(&program, "a_b").await);
}

#[tokio::test]
async fn a_guest_whose_name_the_cloud_takes_in_no_stream_pushes_one_that_it_takes() {
    let program = program().await;
    let mut streams = Vec::new();
    for user in ["用户", "用戶", "john doe", "x.flv?"] {
        let answer = done(&program, "RequestLVBAddrForLinkMic", fields!("userid": user, "title": "t")).await;
        let url = answer["playurl"].as_str().unwrap();
        let stream = url.strip_prefix("rtmp://8888.liveplay.myqcloud.com/live/8888_").unwrap();
        assert!(stream.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{user}: {url}");
        streams.push(stream.to_owned());
    }
    streams.sort();
    streams.dedup();
    assert_eq!(streams.len(), 4, "{streams:?}");
}

#[tokio::test]
async fn a_guest_is_not_given_the_stream_of_somebody_elses_room() {
    let program = program().await;
    let until = START + 10800;
    let room = stream_of(&open_room(&program, &format!("bob_{until:x}"), "t").await);
    assert_ne!(join(&program, "bob").await, room);
}

#[tokio::test]
async fn the_push_of_a_guest_puts_no_room_online() {
    let program = program().await;
    open_room(&program, "bob", "t").await;
    let stream = join(&program, "bob").await;
    push_starts(&program, &stream, "1").await;
    assert_eq!(list(&program, 1, 1, 10).await["totalcount"], 0);
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    let body = r#"{"userid":"bob","title":"hi"}"#;
    golden("get_link_mic_push_url/unsigned.rest.json", &rest(&program, "get_link_mic_push_url", body).await);
}

#[tokio::test]
async fn a_guest_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"RequestLVBAddrForLinkMic","title":"hi"}"#;
    golden("get_link_mic_push_url/no_userid.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_title_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"RequestLVBAddrForLinkMic","userid":"bob"}"#;
    golden("get_link_mic_push_url/no_title.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_banned_user_is_no_guest_either() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    let ban = r#"{"Action":"ForbidLive","userid":"alice","forbidflag":1}"#;
    action_with(&program, ban, "X-Operator-Key", OPERATOR_KEY).await;
    let body = r#"{"Action":"RequestLVBAddrForLinkMic","userid":"alice","title":"t"}"#;
    assert_eq!(code(&action(&program, body).await), 10001);
}
