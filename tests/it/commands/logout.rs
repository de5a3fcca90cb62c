//! `logout`: the session that the call is signed in ends.

use serde_json::json;

use crate::support::{
    harness::{golden, program, program_with, rest},
    steps::{fields, logged_in, registered, rest_code, signed},
};

#[tokio::test]
async fn neither_token_is_good_for_anything_any_more() {
    let program = program().await;
    let phone = registered(&program, "alice").await;
    golden("logout/ok.rest.json", &signed(&program, &phone, "logout", fields!()).await);
    golden("logout/unsigned.rest.json", &signed(&program, &phone, "logout", fields!()).await);
    let refresh = json!({"userid": "alice", "refresh_token": phone.refresh_token}).to_string();
    assert_eq!(rest_code(&rest(&program, "refresh", &refresh).await), 498);
    logged_in(&program, "alice").await;
}

#[tokio::test]
async fn other_devices_stay_logged_in() {
    let program = program_with(|name| (name == "SESSIONS_PER_USER").then_some("2")).await;
    let first = registered(&program, "alice").await;
    let second = logged_in(&program, "alice").await;
    signed(&program, &first, "logout", fields!()).await;
    assert_eq!(rest_code(&signed(&program, &first, "get_user_info", fields!()).await), 498);
    assert_eq!(rest_code(&signed(&program, &second, "get_user_info", fields!()).await), 200);
}

#[tokio::test]
async fn a_name_that_breaks_its_rule_is_refused() {
    let program = program().await;
    assert_eq!(rest_code(&rest(&program, "logout", r#"{"userid":"al"}"#).await), 602);
}
