//! `forbid_live`, `ForbidLive`.

use crate::support::{
    harness::{KEY, Program, START, action, golden, program, rest, swept},
    stand_in::{Arrived, Manner::Answers, program_with_cloud},
    steps::{
        OPERATOR_KEY, action_with, code, column, forbid, go_online, list, open_room, operated, push_starts, rest_with,
        room, without_cloud,
    },
};
use protocol::{sign::callback, types::Secret};

/// The same at the command's own address.
async fn forbid_by_rest(program: &Program, body: &str) -> String {
    rest_with(program, "forbid_live", body, "X-Operator-Key", OPERATOR_KEY).await
}

#[tokio::test]
async fn an_operator_bans_a_user() {
    let (program, _) = program_with_cloud(Answers(200, br#"{"ret":0}"#)).await;
    open_room(&program, "alice", "t").await;
    go_online(&program, "alice").await;
    golden("forbid_live/ok.action.json", &forbid(&program, "alice", 1).await);
    assert_eq!(list(&program, 1, 1, 10).await["totalcount"], 0);
    let row = &list(&program, 4, 1, 10).await["pusherlist"][0];
    assert_eq!((row["forbid_status"].as_u64(), row["status"].as_str()), (Some(1), Some("0")));
}

#[tokio::test]
async fn an_operator_bans_a_user_in_the_rest_dialect() {
    let (program, _) = program_with_cloud(Answers(200, br#"{"ret":0}"#)).await;
    open_room(&program, "alice", "t").await;
    let answer = forbid_by_rest(&program, r#"{"userid":"alice","forbidflag":1}"#).await;
    golden("forbid_live/ok.rest.json", &answer);
    assert_eq!(list(&program, 4, 1, 10).await["pusherlist"][0]["forbid_status"], 1);
}

#[tokio::test]
async fn the_cloud_is_told_to_cut_the_stream_and_to_take_it_again() {
    let (program, cloud) = program_with_cloud(Answers(200, br#"{"ret":0}"#)).await;
    open_room(&program, "alice", "t").await;
    forbid(&program, "alice", 1).await;
    forbid(&program, "alice", 0).await;
    let t = START + 60;
    let sign = callback::sign(&Secret::new(KEY), &t.to_string());
    let call = |status: u8| Arrived {
        method: "GET".to_owned(),
        target: format!(
            "/common_access?cmd=1250000000&interface=Live_Channel_SetStatus&Param.s.channel_id=8888_alice\
             &Param.n.status={status}&t={t}&sign={sign}"
        ),
        content_type: String::new(),
        body: String::new(),
    };
    assert_eq!(cloud.arrived(), [call(0), call(1)]);
}

#[tokio::test]
async fn a_name_cannot_smuggle_parameters_into_the_call_to_the_cloud() {
    let (program, cloud) = program_with_cloud(Answers(200, br#"{"ret":0}"#)).await;
    let user = "a;Param.n.status=1 x+中";
    open_room(&program, user, "t").await;
    let body = format!(r#"{{"Action":"ForbidLive","userid":"{user}","forbidflag":1}}"#);
    assert_eq!(code(&action_with(&program, &body, "X-Operator-Key", OPERATOR_KEY).await), 0);
    let target = &cloud.arrived()[0].target;
    assert!(target.contains("channel_id=8888_a_Param_n_status_1_x_64c12ba99f2339cc&Param.n.status=0&t="), "{target}");
}

#[tokio::test]
async fn a_ban_is_lifted() {
    let (program, _) = program_with_cloud(Answers(200, br#"{"ret":0}"#)).await;
    open_room(&program, "alice", "t").await;
    forbid(&program, "alice", 1).await;
    assert_eq!(code(&forbid(&program, "alice", 0).await), 0);
    go_online(&program, "alice").await;
    assert_eq!(column(&list(&program, 1, 1, 10).await, "userid"), ["alice"]);
}

#[tokio::test]
async fn a_ban_that_is_repeated_counts_once() {
    let (program, _) = program_with_cloud(Answers(200, br#"{"ret":0}"#)).await;
    for user in ["alice", "bob"] {
        open_room(&program, user, "t").await;
        go_online(&program, user).await;
    }
    forbid(&program, "alice", 1).await;
    forbid(&program, "alice", 1).await;
    assert_eq!(list(&program, 1, 1, 10).await["totalcount"], 1);
}

#[tokio::test]
async fn the_push_of_a_banned_user_does_not_put_the_room_online() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    forbid(&program, "alice", 1).await;
    push_starts(&program, "8888_alice", "1").await;
    assert_eq!(room(&program, "alice").await["status"], "0");
}

#[tokio::test]
async fn a_stream_that_was_never_pushed_can_be_banned() {
    let (program, _) = program_with_cloud(Answers(200, br#"{"ret":20601}"#)).await;
    open_room(&program, "alice", "t").await;
    golden("forbid_live/ok.action.json", &forbid(&program, "alice", 1).await);
}

#[tokio::test]
async fn a_cloud_that_refuses_is_reported_and_the_ban_holds() {
    let (program, _) = program_with_cloud(Answers(200, br#"{"ret":10001}"#)).await;
    open_room(&program, "alice", "t").await;
    golden("forbid_live/cloud_fails.action.json", &forbid(&program, "alice", 1).await);
    assert_eq!(list(&program, 4, 1, 10).await["pusherlist"][0]["forbid_status"], 1);
}

#[tokio::test]
async fn a_cloud_that_fails_is_reported() {
    let (program, _) = program_with_cloud(Answers(500, br#"{"ret":0}"#)).await;
    open_room(&program, "alice", "t").await;
    golden("forbid_live/cloud_fails.action.json", &forbid(&program, "alice", 1).await);
    let answer = forbid_by_rest(&program, r#"{"userid":"alice","forbidflag":1}"#).await;
    golden("forbid_live/cloud_fails.rest.json", &answer);
}

#[tokio::test]
async fn a_cloud_that_talks_garbage_is_reported() {
    let (program, _) = program_with_cloud(Answers(200, b"<html>")).await;
    open_room(&program, "alice", "t").await;
    golden("forbid_live/cloud_fails.action.json", &forbid(&program, "alice", 1).await);
}

#[tokio::test]
async fn a_cloud_that_is_not_there_is_reported() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    golden("forbid_live/cloud_fails.action.json", &forbid(&program, "alice", 1).await);
}

#[tokio::test]
async fn without_a_cloud_a_ban_succeeds_and_nothing_is_left_to_try_again() {
    let program = without_cloud().await;
    open_room(&program, "alice", "t").await;
    push_starts(&program, "8888_alice", "1").await;
    golden("forbid_live/ok.action.json", &forbid(&program, "alice", 1).await);
    assert_eq!(room(&program, "alice").await["status"], "0");
    program.pass(3600);
    assert_eq!(swept(&program).await.due, 0, "no call to the cloud is tried again");
    golden("forbid_live/ok.action.json", &forbid(&program, "alice", 0).await);
    assert!(open_room(&program, "alice", "t").await.starts_with("rtmp://"));
    program.pass(3600);
    assert_eq!(swept(&program).await.due, 0);
}

#[tokio::test]
async fn who_has_no_operator_key_is_refused_and_nothing_is_banned() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    let body = r#"{"Action":"ForbidLive","userid":"alice","forbidflag":1}"#;
    golden("forbid_live/no_key.action.json", &action(&program, body).await);
    let body = r#"{"userid":"alice","forbidflag":1}"#;
    golden("forbid_live/no_key.rest.json", &rest(&program, "forbid_live", body).await);
    assert_eq!(list(&program, 4, 1, 10).await["pusherlist"][0]["forbid_status"], 0);
}

#[tokio::test]
async fn a_wrong_operator_key_is_refused() {
    let program = operated().await;
    let body = r#"{"Action":"ForbidLive","userid":"alice","forbidflag":1}"#;
    golden("forbid_live/no_key.action.json", &action_with(&program, body, "X-Operator-Key", "guess").await);
}

#[tokio::test]
async fn where_no_operator_key_is_set_nobody_is_an_operator() {
    let program = program().await;
    let body = r#"{"Action":"ForbidLive","userid":"alice","forbidflag":1}"#;
    golden("forbid_live/no_key.action.json", &action_with(&program, body, "X-Operator-Key", "").await);
}

#[tokio::test]
async fn who_has_no_room_cannot_be_banned() {
    let program = operated().await;
    golden("forbid_live/no_room.action.json", &forbid(&program, "alice", 1).await);
    let answer = forbid_by_rest(&program, r#"{"userid":"alice","forbidflag":1}"#).await;
    golden("forbid_live/no_room.rest.json", &answer);
}

#[tokio::test]
async fn a_flag_beyond_allow_and_forbid_makes_no_sense() {
    let program = operated().await;
    golden("forbid_live/forbidflag_2.action.json", &forbid(&program, "alice", 2).await);
    let answer = forbid_by_rest(&program, r#"{"userid":"alice","forbidflag":2}"#).await;
    golden("forbid_live/forbidflag_2.rest.json", &answer);
}

#[tokio::test]
async fn a_user_is_needed() {
    let program = operated().await;
    golden("forbid_live/no_userid.rest.json", &forbid_by_rest(&program, r#"{"forbidflag":1}"#).await);
}
