//! `get_roomservice_sign`: a login to the room service, and who gets none.

use crate::support::{
    harness::{golden, program, rest},
    steps::{OPERATOR_KEY, done_by, fields, logged_in, operated, registered, rest_code, rest_with, signed},
};

#[tokio::test]
async fn a_signature_is_given_for_ten_minutes() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let answer = signed(&program, &alice, "get_roomservice_sign", fields!()).await;
    golden("get_roomservice_sign/ok.rest.json", &answer);
}

#[tokio::test]
async fn a_banned_user_gets_none() {
    let program = operated().await;
    let alice = registered(&program, "alice").await;
    done_by(&program, &alice, "upload_room", fields!("title": "t")).await;
    let ban = r#"{"userid":"alice","forbidflag":1}"#;
    // No cloud can be told here; the ban holds all the same.
    rest_with(&program, "forbid_live", ban, "x-operator-key", OPERATOR_KEY).await;
    assert_eq!(rest_code(&signed(&program, &alice, "get_roomservice_sign", fields!()).await), 498, "logged out");
    let alice = logged_in(&program, "alice").await;
    golden("get_roomservice_sign/banned.rest.json", &signed(&program, &alice, "get_roomservice_sign", fields!()).await);
}

#[tokio::test]
async fn a_user_is_needed() {
    let program = program().await;
    golden("get_roomservice_sign/no_userid.rest.json", &rest(&program, "get_roomservice_sign", "{}").await);
}

#[tokio::test]
async fn a_caller_must_sign() {
    let program = program().await;
    let body = r#"{"userid":"alice","timestamp":1600000000,"expires":10}"#;
    golden("get_roomservice_sign/unsigned.rest.json", &rest(&program, "get_roomservice_sign", body).await);
}
