//! `get_cos_sign`, `GetCOSSignV2`.

use crate::harness::{action, golden, program, rest};

#[tokio::test]
async fn a_key_for_uploads_is_given() {
    let program = program().await;
    golden("get_cos_sign/ok.action.json", &action(&program, r#"{"Action":"GetCOSSignV2"}"#).await);
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    golden("get_cos_sign/unsigned.rest.json", &rest(&program, "get_cos_sign", r#"{"userid":"alice"}"#).await);
}
