//! `merge_video_stream`, `MergeVideoStream`.

use std::time::{Duration, Instant};

use crate::support::{
    harness::{KEY, Program, START, action, golden, program, rest},
    stand_in::{
        Arrived,
        Manner::{Answers, HangsUp, IsSilent},
        program_with_cloud,
    },
    steps::{OPERATOR_KEY, action_with, code, done, fields, open_room, stream_of, without_cloud},
};
use protocol::{sign::callback, types::Secret};
use serde_json::json;

/// What the app asks of the cloud: odd blanks, numbers, escapes and order, which must arrive as they are.
const PARAMS: &str = r#"{"timestamp" : 1e9,"interface":{"para":{"b":1.0, "a":"\u4e2d\/x","output_stream_id":"8888_alice",
    "mix_stream_session_id":"8888_\u0061lice"},"interfaceName":"Mix_StreamV2"} }"#;

/// Alice asks for streams to be mixed into hers.
async fn mix(program: &Program) -> String {
    open_room(program, "alice", "t").await;
    mix_params(program, PARAMS).await
}

async fn mix_params(program: &Program, params: &str) -> String {
    action(program, &format!(r#"{{"Action":"MergeVideoStream","userid":"alice", "mergeparams":{params} }}"#)).await
}

/// The stream of a user who joins somebody else's broadcast.
async fn guest_stream(program: &Program, user: &str) -> String {
    let answer = done(program, "RequestLVBAddrForLinkMic", fields!("userid": user, "title": "t")).await;
    stream_of(answer["pushurl"].as_str().unwrap())
}

/// What the app asks of the cloud to mix a stream with itself, in the session of another one.
fn params_of(output: &str, session: &str) -> String {
    let inputs = json!([{"input_stream_id": output, "layout_params": {"image_layer": 1}}]);
    let para = json!({"output_stream_id": output, "mix_stream_session_id": session, "input_stream_list": inputs});
    json!({"interface": {"interfaceName": "Mix_StreamV2", "para": para}}).to_string()
}

#[tokio::test]
async fn the_answer_of_the_cloud_is_handed_on_as_a_text() {
    let (program, _) = program_with_cloud(Answers(200, br#"{"code":0, "message":"Success!","timestamp":1}"#)).await;
    golden("merge_video_stream/ok.action.json", &mix(&program).await);
}

#[tokio::test]
async fn a_banned_user_has_nothing_mixed() {
    let (program, cloud) = program_with_cloud(Answers(200, br#"{"code":0}"#)).await;
    open_room(&program, "alice", "t").await;
    let ban = r#"{"Action":"ForbidLive","userid":"alice","forbidflag":1}"#;
    action_with(&program, ban, "X-Operator-Key", OPERATOR_KEY).await;
    let asked = cloud.arrived().len();
    assert_eq!(code(&mix_params(&program, PARAMS).await), 10001);
    assert_eq!(cloud.arrived().len(), asked, "the cloud hears nothing of it");
}

#[tokio::test]
async fn a_refusal_of_the_cloud_is_handed_on_for_the_app_to_try_again() {
    let (program, _) = program_with_cloud(Answers(200, br#"{"code":-505,"message":"input stream not found"}"#)).await;
    golden("merge_video_stream/refused_by_cloud.action.json", &mix(&program).await);
}

#[tokio::test]
async fn the_cloud_is_asked_in_the_words_of_the_app_byte_for_byte() {
    let (program, cloud) = program_with_cloud(Answers(200, b"{}")).await;
    mix(&program).await;
    let t = START + 60;
    let sign = callback::sign(&Secret::new(KEY), &t.to_string());
    let expected = Arrived {
        method: "POST".to_owned(),
        target: format!("/common_access?cmd=1250000000&interface=Mix_StreamV2&t={t}&sign={sign}"),
        content_type: "application/json".to_owned(),
        body: PARAMS.to_owned(),
    };
    assert_eq!(cloud.arrived(), [expected]);
}

#[tokio::test]
async fn nobody_changes_the_stream_of_another_user() {
    let (program, cloud) = program_with_cloud(Answers(200, b"{}")).await;
    for user in ["alice", "bob"] {
        open_room(&program, user, "t").await;
    }
    let (own, guest) = ("8888_alice", guest_stream(&program, "alice").await);
    for stream in ["8888_bob", "8888_BOB", "1400_bob", "1400_bob_main", "8888_nobody", "8888_bob_x", "", "a b", &guest]
    {
        golden("merge_video_stream/not_own.action.json", &mix_params(&program, &params_of(stream, own)).await);
        golden("merge_video_stream/not_own.action.json", &mix_params(&program, &params_of(own, stream)).await);
    }
    assert_eq!(cloud.arrived(), [], "the cloud hears nothing of it");
}

#[tokio::test]
async fn a_stream_of_ones_own_may_come_in_lower_case_or_from_the_room_service() {
    let (program, cloud) = program_with_cloud(Answers(200, b"{}")).await;
    open_room(&program, "alice", "t").await;
    for stream in ["8888_alice", "8888_ALICE", "1400_alice", "1400_alice_main"] {
        assert_eq!(code(&mix_params(&program, &params_of(stream, stream)).await), 0, "{stream}");
    }
    assert_eq!(cloud.arrived().len(), 4);
}

#[tokio::test]
async fn a_request_that_does_not_say_once_which_stream_it_changes_is_refused() {
    let (program, cloud) = program_with_cloud(Answers(200, b"{}")).await;
    open_room(&program, "alice", "t").await;
    let own = r#""output_stream_id":"8888_alice","mix_stream_session_id":"8888_alice""#;
    for para in [
        "{}".to_owned(),
        r#"{"output_stream_id":"8888_alice"}"#.to_owned(),
        r#"{"mix_stream_session_id":"8888_alice"}"#.to_owned(),
        r#"{"output_stream_id":["8888_alice"],"mix_stream_session_id":"8888_alice"}"#.to_owned(),
        format!(r#"{{{own},"output_stream_id":"8888_bob"}}"#),
        format!(r#"{{"mix_stream_session_id":"8888_bob",{own}}}"#),
        format!(r#"{{{own}}},"para":{{"output_stream_id":"8888_bob"}}"#),
    ] {
        let answer = mix_params(&program, &format!(r#"{{"interface":{{"para":{para}}}}}"#)).await;
        golden("merge_video_stream/no_streams.action.json", &answer);
    }
    assert_eq!(cloud.arrived(), [], "the cloud hears nothing of it");
}

#[tokio::test]
async fn a_cloud_that_fails_is_reported() {
    let (program, _) = program_with_cloud(Answers(500, b"{}")).await;
    golden("merge_video_stream/cloud_fails.action.json", &mix(&program).await);
}

#[tokio::test]
async fn an_answer_that_is_no_text_is_not_handed_on() {
    let (program, _) = program_with_cloud(Answers(200, b"\xff\xfe")).await;
    golden("merge_video_stream/cloud_fails.action.json", &mix(&program).await);
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_not_handed_on() {
    let (program, _) = program_with_cloud(Answers(200, b"<html>Bad Gateway</html>")).await;
    golden("merge_video_stream/cloud_fails.action.json", &mix(&program).await);
}

#[tokio::test]
async fn a_cloud_that_hangs_up_is_reported() {
    let (program, _) = program_with_cloud(HangsUp).await;
    golden("merge_video_stream/cloud_fails.action.json", &mix(&program).await);
}

#[tokio::test]
async fn a_cloud_that_is_not_there_is_reported() {
    let program = program().await;
    golden("merge_video_stream/cloud_fails.action.json", &mix(&program).await);
}

#[tokio::test]
async fn a_cloud_that_never_answers_is_given_up_while_the_app_still_waits() {
    const APP_WAITS: Duration = Duration::from_secs(5);
    let (program, cloud) = program_with_cloud(IsSilent).await;
    let asked = Instant::now();
    golden("merge_video_stream/cloud_fails.action.json", &mix(&program).await);
    assert!(asked.elapsed() < APP_WAITS);
    assert_eq!(cloud.arrived().len(), 1, "it was asked, and once");
}

#[tokio::test]
async fn without_a_cloud_the_app_is_told_at_once_that_nothing_is_mixed() {
    golden("merge_video_stream/no_cloud.action.json", &mix(&without_cloud().await).await);
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign_and_the_cloud_is_not_asked() {
    let (program, cloud) = program_with_cloud(Answers(200, b"{}")).await;
    let body = format!(r#"{{"userid":"alice","mergeparams":{PARAMS}}}"#);
    golden("merge_video_stream/unsigned.rest.json", &rest(&program, "merge_video_stream", &body).await);
    assert_eq!(cloud.arrived(), []);
}

#[tokio::test]
async fn what_to_mix_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"MergeVideoStream","userid":"alice"}"#;
    golden("merge_video_stream/no_mergeparams.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn what_to_mix_must_be_an_object() {
    let program = program().await;
    let body = r#"{"Action":"MergeVideoStream","userid":"alice","mergeparams":"{}"}"#;
    golden("merge_video_stream/mergeparams_text.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_user_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"MergeVideoStream","mergeparams":{}}"#;
    golden("merge_video_stream/no_userid.action.json", &action(&program, body).await);
}
