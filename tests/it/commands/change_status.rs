//! `change_status`, `ChangeStatus` and `StopLVB`.

use crate::support::{
    harness::{action, golden, program, rest},
    steps::{OPERATOR_KEY, action_with, column, done, fields, go_offline, go_online, list, open_room, operated, room},
};

#[tokio::test]
async fn a_room_goes_online() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    let body = r#"{"Action":"ChangeStatus","userid":"alice","status":0}"#;
    golden("change_status/ok.action.json", &action(&program, body).await);
    assert_eq!(room(&program, "alice").await["status"], "1");
}

#[tokio::test]
async fn a_room_goes_offline() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    go_online(&program, "alice").await;
    go_offline(&program, "alice").await;
    assert_eq!(room(&program, "alice").await["status"], "0");
    assert_eq!(list(&program, 1, 1, 10).await["totalcount"], 0);
}

#[tokio::test]
async fn a_room_goes_offline_the_old_way() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    go_online(&program, "alice").await;
    golden("change_status/stop.action.json", &action(&program, r#"{"Action":"StopLVB","userid":"alice"}"#).await);
    assert_eq!(room(&program, "alice").await["status"], "0");
}

#[tokio::test]
async fn a_user_without_a_room_changes_nothing() {
    let program = program().await;
    done(&program, "ChangeStatus", fields!("userid": "nobody", "status": 0)).await;
    assert_eq!(list(&program, 4, 1, 10).await["totalcount"], 0);
}

#[tokio::test]
async fn going_online_twice_counts_once() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    go_online(&program, "alice").await;
    go_online(&program, "alice").await;
    assert_eq!(list(&program, 1, 1, 10).await["totalcount"], 1);
    go_offline(&program, "alice").await;
    go_offline(&program, "alice").await;
    assert_eq!(list(&program, 1, 1, 10).await["totalcount"], 0);
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    golden(
        "change_status/unsigned.rest.json",
        &rest(&program, "change_status", r#"{"userid":"alice","status":0}"#).await,
    );
}

#[tokio::test]
async fn a_status_beyond_online_and_offline_makes_no_sense() {
    let program = program().await;
    let body = r#"{"Action":"ChangeStatus","userid":"alice","status":2}"#;
    golden("change_status/status_2.action.json", &action(&program, body).await);
    let body = r#"{"userid":"alice","status":2}"#;
    golden("change_status/status_2.rest.json", &rest(&program, "change_status", body).await);
}

#[tokio::test]
async fn a_negative_status_is_out_of_range() {
    let program = program().await;
    let body = r#"{"Action":"ChangeStatus","userid":"alice","status":-1}"#;
    golden("change_status/status_negative.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_status_that_is_no_number_is_refused() {
    let program = program().await;
    let body = r#"{"Action":"ChangeStatus","userid":"alice","status":"a"}"#;
    golden("change_status/status_text.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_status_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"ChangeStatus","userid":"alice"}"#;
    golden("change_status/no_status.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn to_stop_needs_a_user() {
    let program = program().await;
    golden("change_status/stop_nobody.action.json", &action(&program, r#"{"Action":"StopLVB"}"#).await);
}

#[tokio::test]
async fn a_banned_user_does_not_come_back_by_change_status() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    go_online(&program, "alice").await;
    let body = r#"{"Action":"ForbidLive","userid":"alice","forbidflag":1}"#;
    action_with(&program, body, "X-Operator-Key", OPERATOR_KEY).await;
    go_online(&program, "alice").await;
    let page = list(&program, 1, 1, 10).await;
    assert_eq!((column(&page, "userid"), page["totalcount"].as_u64()), (vec![], Some(0)));
}

#[tokio::test]
async fn an_injected_condition_does_not_hit_every_row() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    go_online(&program, "x' or '1'='1").await;
    assert_eq!(list(&program, 1, 1, 10).await["totalcount"], 0);
}
