//! `merge_video_stream`, `MergeVideoStream`.

use std::time::{Duration, Instant};

use crate::support::{
    harness::{KEY, Program, START, action, golden, program, rest},
    stand_in::{
        Arrived,
        Manner::{Answers, HangsUp, IsSilent},
        program_with_cloud,
    },
    steps::{OPERATOR_KEY, action_with, code, open_room, without_cloud},
};
use protocol::{sign::callback, types::Secret};

/// What the app asks of the cloud: odd blanks, numbers, escapes and order, which must arrive as they are.
const PARAMS: &str =
    r#"{"timestamp" : 1e9,"interface":{"para":{"b":1.0, "a":"\u4e2d\/x"},"interfaceName":"Mix_StreamV2"} }"#;

/// Asks for streams to be mixed.
async fn mix(program: &Program) -> String {
    action(program, &format!(r#"{{"Action":"MergeVideoStream","userid":"alice", "mergeparams":{PARAMS} }}"#)).await
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
    assert_eq!(code(&mix(&program).await), 10001);
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
    let body = r#"{"userid":"alice","mergeparams":{"a":1}}"#;
    golden("merge_video_stream/unsigned.rest.json", &rest(&program, "merge_video_stream", body).await);
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
