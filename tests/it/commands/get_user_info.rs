//! `get_user_info`: what the user says of themselves, and to nobody else.

use crate::support::{
    harness::{golden, program, program_over, rest},
    steps::{done_by, fields, registered, rest_code, signed},
    watch::Watch,
};
use cli::engine::Engine;

#[tokio::test]
async fn a_new_account_says_nothing_of_its_user() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    golden("get_user_info/new.rest.json", &signed(&program, &alice, "get_user_info", fields!()).await);
}

#[tokio::test]
async fn what_was_uploaded_is_there() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let profile =
        fields!("nickname": "Alice 爱丽丝", "avatar": "http://h/a.png", "sex": 1, "frontcover": "http://h/c.png");
    done_by(&program, &alice, "upload_user_info", profile).await;
    golden("get_user_info/ok.rest.json", &signed(&program, &alice, "get_user_info", fields!()).await);
}

#[tokio::test]
async fn without_a_signature_or_a_good_name_nothing_is_told() {
    let program = program().await;
    registered(&program, "alice").await;
    let body = format!(r#"{{"userid":"alice","timestamp":{},"expires":10}}"#, program.now());
    golden("get_user_info/unsigned.rest.json", &rest(&program, "get_user_info", &body).await);
    golden("get_user_info/bad_name.rest.json", &rest(&program, "get_user_info", r#"{"userid":"al"}"#).await);
    assert_eq!(rest_code(&rest(&program, "get_user_info", "{}").await), 602);
}

#[tokio::test]
async fn session_and_account_are_read_in_one_request() {
    let watch = Watch::default();
    let program = program_over(watch.over(Engine::in_memory().unwrap().http_client()), |_| None).await;
    let alice = registered(&program, "alice").await;
    watch.take();
    done_by(&program, &alice, "get_user_info", fields!()).await;
    let asked: Vec<String> = watch.take().into_iter().map(|asked| asked.operation).collect();
    assert_eq!(asked, ["BatchGetItem"]);
}
