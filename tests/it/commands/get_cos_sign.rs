//! `get_cos_sign`, `GetCOSSignV2`.

use serde_json::Value;

use crate::support::{
    harness::{Program, action, golden, program, program_with, rest},
    object_store::{ObjectStore, Sent},
    steps::{done, fields, registered, signed as signed_by},
};

/// A request that a phone signs by itself with the key of an answer.
fn signed(answer: &Value, method: &str, path: &str, body: &[u8]) -> Sent {
    Sent::signed_by_phone(answer, "AKIDtest", method, ("covers-1250000000.cos.ap-guangzhou.myqcloud.com", path), body)
}

/// A program that gives no keys.
async fn refusing() -> Program {
    program_with(|name| (name == "COS_SIGN_KEYS").then_some("refused")).await
}

#[tokio::test]
async fn a_key_for_uploads_is_given() {
    let program = program().await;
    golden("get_cos_sign/ok.action.json", &action(&program, r#"{"Action":"GetCOSSignV2"}"#).await);
}

#[tokio::test]
async fn with_the_key_a_phone_uploads_for_30_seconds() {
    let program = program().await;
    let store = ObjectStore::of(&program).await;
    let key = done(&program, "GetCOSSignV2", fields!()).await;
    let sent = signed(&key, "PUT", "/head_pic/alice_1.png", b"picture");
    program.pass(30);
    assert_eq!(store.send(&sent).await, (200, String::new()));
    assert_eq!(store.object("/head_pic/alice_1.png").as_deref(), Some(b"picture".as_slice()));
    program.pass(1);
    assert_eq!(store.send(&sent).await, (403, "time".to_owned()));
}

#[tokio::test]
async fn a_key_is_good_at_once_where_the_clock_of_the_storage_is_a_minute_behind() {
    let program = program().await;
    let key = done(&program, "GetCOSSignV2", fields!()).await;
    let sent = signed(&key, "PUT", "/head_pic/alice_1.png", b"picture");
    assert_eq!(ObjectStore::behind(&program, 60).await.send(&sent).await, (200, String::new()));
    assert_eq!(ObjectStore::behind(&program, 61).await.send(&sent).await, (403, "time".to_owned()));
}

/// What the protocol warns of: nothing but the rights of the COS key stops this.
#[tokio::test]
async fn with_the_key_a_phone_deletes_what_another_uploaded() {
    let program = program().await;
    let store = ObjectStore::of(&program).await;
    let key = done(&program, "GetCOSSignV2", fields!("userid": "alice")).await;
    store.send(&signed(&key, "PUT", "/head_pic/alice_1.png", b"picture")).await;
    let key = done(&program, "GetCOSSignV2", fields!("userid": "bob")).await;
    assert_eq!(store.send(&signed(&key, "DELETE", "/head_pic/alice_1.png", b"")).await.0, 200);
    assert_eq!(store.count(), 0);
}

#[tokio::test]
async fn keys_are_refused_where_they_are_switched_off() {
    let program = refusing().await;
    golden("get_cos_sign/switched_off.action.json", &action(&program, r#"{"Action":"GetCOSSignV2"}"#).await);
}

#[tokio::test]
async fn keys_are_refused_in_the_rest_dialect_too() {
    let program = refusing().await;
    let alice = registered(&program, "alice").await;
    golden("get_cos_sign/switched_off.rest.json", &signed_by(&program, &alice, "get_cos_sign", fields!()).await);
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_who_signs_gets_a_key() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    golden("get_cos_sign/ok.rest.json", &signed_by(&program, &alice, "get_cos_sign", fields!()).await);
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    golden("get_cos_sign/unsigned.rest.json", &rest(&program, "get_cos_sign", r#"{"userid":"alice"}"#).await);
}
