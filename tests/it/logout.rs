//! `logout`: the session that the call is signed in ends.

use serde_json::{Value, json};

use crate::{
    harness::{golden, program, program_with, rest},
    steps::{Phone, fields, registered, rest_code, signed},
};

#[tokio::test]
async fn neither_token_is_good_for_anything_any_more() {
    let program = program().await;
    registered(&program, "alice").await;
    let login = json!({"userid": "alice", "password": "e352963bbbd32a45ce27c73b0666aabe"}).to_string();
    let answer: Value = serde_json::from_str(&rest(&program, "login", &login).await).unwrap();
    let phone = Phone { user: "alice".to_owned(), token: answer["data"]["token"].as_str().unwrap().to_owned() };
    golden("logout/ok.rest.json", &signed(&program, &phone, "logout", fields!()).await);
    golden("logout/unsigned.rest.json", &signed(&program, &phone, "logout", fields!()).await);
    let refresh = json!({"userid": "alice", "refresh_token": answer["data"]["refresh_token"]}).to_string();
    assert_eq!(rest_code(&rest(&program, "refresh", &refresh).await), 498);
    assert_eq!(rest_code(&rest(&program, "login", &login).await), 200);
}

#[tokio::test]
async fn other_devices_stay_logged_in() {
    let program = program_with(|name| (name == "SESSIONS_PER_USER").then_some("2")).await;
    let first = registered(&program, "alice").await;
    let login = r#"{"userid":"alice","password":"e352963bbbd32a45ce27c73b0666aabe"}"#;
    let answer: Value = serde_json::from_str(&rest(&program, "login", login).await).unwrap();
    let second = Phone { user: "alice".to_owned(), token: answer["data"]["token"].as_str().unwrap().to_owned() };
    signed(&program, &first, "logout", fields!()).await;
    assert_eq!(rest_code(&signed(&program, &first, "get_user_info", fields!()).await), 498);
    assert_eq!(rest_code(&signed(&program, &second, "get_user_info", fields!()).await), 200);
}

#[tokio::test]
async fn a_name_that_breaks_its_rule_is_refused() {
    let program = program().await;
    assert_eq!(rest_code(&rest(&program, "logout", r#"{"userid":"al"}"#).await), 602);
}
