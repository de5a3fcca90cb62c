//! `get_cos_sign_v4`, `GetCOSSign`.

use crate::support::{
    harness::{action, golden, program, program_with, rest},
    steps::{fields, registered, signed},
};

#[tokio::test]
async fn a_signature_for_uploads_is_given() {
    let program = program().await;
    golden("get_cos_sign_v4/ok.action.json", &action(&program, r#"{"Action":"GetCOSSign"}"#).await);
}

#[tokio::test]
async fn signatures_are_refused_where_they_are_switched_off() {
    let program = program_with(|name| (name == "COS_SIGN_KEYS").then_some("refused")).await;
    golden("get_cos_sign_v4/switched_off.action.json", &action(&program, r#"{"Action":"GetCOSSign"}"#).await);
}

#[tokio::test]
async fn signatures_are_refused_in_the_rest_dialect_too() {
    let program = program_with(|name| (name == "COS_SIGN_KEYS").then_some("refused")).await;
    let alice = registered(&program, "alice").await;
    golden("get_cos_sign_v4/switched_off.rest.json", &signed(&program, &alice, "get_cos_sign_v4", fields!()).await);
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    golden("get_cos_sign_v4/unsigned.rest.json", &rest(&program, "get_cos_sign_v4", r#"{"userid":"alice"}"#).await);
}
