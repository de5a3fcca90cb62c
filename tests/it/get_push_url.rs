//! `get_push_url`, `RequestLVBAddr`.

use crate::harness::{action, golden, program, rest};

#[tokio::test]
async fn a_room_is_opened() {
    let program = program().await;
    let body = r#"{"Action":"RequestLVBAddr","userid":"alice","groupid":"@TGS#1","title":"hello"}"#;
    golden("get_push_url/ok.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    let body = r#"{"userid":"alice","groupid":"@TGS#1","title":"hello"}"#;
    golden("get_push_url/unsigned.rest.json", &rest(&program, "get_push_url", body).await);
}
