//! `get_vod_sign`, `GetVodSignatureV2` and `GetVodSignature`.

use crate::support::{
    harness::{action, golden, program, rest},
    steps::{done_by, fields, registered, signed},
};

#[tokio::test]
async fn a_signature_for_uploads_is_given() {
    let program = program().await;
    golden("get_vod_sign/ok.action.json", &action(&program, r#"{"Action":"GetVodSignatureV2"}"#).await);
}

#[tokio::test]
async fn a_signature_in_the_names_of_the_first_sdk_is_given() {
    let program = program().await;
    golden("get_vod_sign/v1.action.json", &action(&program, r#"{"Action":"GetVodSignature"}"#).await);
}

#[tokio::test]
async fn no_two_signatures_are_the_same() {
    let program = program().await;
    let body = r#"{"Action":"GetVodSignatureV2"}"#;
    assert_ne!(action(&program, body).await, action(&program, body).await);
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    golden("get_vod_sign/unsigned.rest.json", &rest(&program, "get_vod_sign", r#"{"userid":"alice"}"#).await);
}

#[tokio::test]
async fn a_signed_caller_of_the_rest_dialect_gets_one_too() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    golden("get_vod_sign/ok.rest.json", &signed(&program, &alice, "get_vod_sign", fields!()).await);
    let data = done_by(&program, &alice, "get_vod_sign", fields!()).await;
    assert!(data["signature"].as_str().is_some_and(|signature| !signature.is_empty()));
}
