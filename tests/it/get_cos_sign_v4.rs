//! `get_cos_sign_v4`, `GetCOSSign`.

use crate::harness::{action, golden, program, rest};

#[tokio::test]
async fn a_signature_for_uploads_is_given() {
    let program = program().await;
    golden("get_cos_sign_v4/ok.action.json", &action(&program, r#"{"Action":"GetCOSSign"}"#).await);
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    golden("get_cos_sign_v4/unsigned.rest.json", &rest(&program, "get_cos_sign_v4", r#"{"userid":"alice"}"#).await);
}
