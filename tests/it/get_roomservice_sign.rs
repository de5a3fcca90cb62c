//! `get_roomservice_sign`.

use crate::{
    harness::{golden, program, rest},
    steps::{fields, registered, signed},
};

#[tokio::test]
async fn a_signature_is_given_for_ten_minutes() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let answer = signed(&program, &alice, "get_roomservice_sign", fields!()).await;
    golden("get_roomservice_sign/ok.rest.json", &answer);
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
