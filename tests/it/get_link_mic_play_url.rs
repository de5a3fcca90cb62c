//! `get_link_mic_play_url`, `RequestPlayUrlWithSignForLinkMic`.

use crate::{
    harness::{Program, action, golden, program, rest},
    steps::{code, fields, guarded, user_sig_of},
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

/// Asks, as bob who proves that he is bob, for a stream to be signed.
async fn ask(program: &Program, stream: &str) -> String {
    let body = fields!(
        "Action": "RequestPlayUrlWithSignForLinkMic", "userid": "bob", "originStreamUrl": format!("rtmp://h/live/{stream}"),
        "usersig": user_sig_of(program, "bob")
    );
    action(program, &body.to_string()).await
}

#[tokio::test]
async fn with_user_sig_a_stream_that_we_did_not_give_out_is_not_signed() {
    let program = guarded().await;
    golden("get_link_mic_play_url/not_ours.action.json", &ask(&program, "8888_alice").await);
}

#[tokio::test]
async fn with_user_sig_the_stream_of_a_room_is_signed() {
    let program = guarded().await;
    let body = fields!(
        "Action": "RequestLVBAddr", "userid": "alice", "groupid": "g", "title": "t",
        "usersig": user_sig_of(&program, "alice")
    );
    action(&program, &body.to_string()).await;
    assert_eq!(code(&ask(&program, "8888_alice").await), 0);
}

#[tokio::test]
async fn with_user_sig_the_stream_of_a_guest_is_signed_while_it_is_lent() {
    let program = guarded().await;
    let body = fields!(
        "Action": "RequestLVBAddrForLinkMic", "userid": "carol", "title": "t", "usersig": user_sig_of(&program, "carol")
    );
    action(&program, &body.to_string()).await;
    let stream = format!("8888_carol_{:x}", program.now() + 10800);
    program.pass(10799);
    assert_eq!(code(&ask(&program, &stream).await), 0);
    program.pass(1);
    assert_eq!(code(&ask(&program, &stream).await), 2003);
}
