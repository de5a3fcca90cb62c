//! `get_cos_grant`: what one grant uploads, and what it does not.

use serde_json::Value;

use crate::support::{
    harness::{KEY, Program, golden, program, program_with, rest},
    object_store::{ObjectStore, Sent},
    steps::{Phone, done_by, fields, registered, rest_code, signed},
};
use protocol::{
    sign::cos,
    types::{Secret, UnixSeconds},
};

const HOST: &str = "covers-1250000000.cos.ap-guangzhou.myqcloud.com";

/// Asks for a grant; the answer.
async fn ask(program: &Program, phone: &Phone, size: u64, kind: &str) -> String {
    signed(program, phone, "get_cos_grant", fields!("size": size, "type": kind)).await
}

/// A grant.
async fn granted(program: &Program, phone: &Phone, size: u64, kind: &str) -> Value {
    done_by(program, phone, "get_cos_grant", fields!("size": size, "type": kind)).await
}

/// That the storage takes the request, and none that differs from it in anything that a grant is about.
async fn is_good_for_itself_only(store: &ObjectStore, sent: &Sent) {
    let with = |change: fn(&mut Sent)| {
        let mut changed = sent.clone();
        change(&mut changed);
        changed
    };
    for other in [
        with(|sent| sent.target = sent.target.replace("/alice/", "/bobby/")),
        with(|sent| sent.target = sent.target.replace(".png", "1.png")),
        with(|sent| sent.host = sent.host.replace("covers", "others")),
        with(|sent| {
            sent.body.push(b'!');
            sent.headers.insert("content-length".to_owned(), sent.body.len().to_string());
        }),
        with(|sent| drop(sent.headers.insert("content-type".to_owned(), "text/html".to_owned()))),
        with(|sent| "GET".clone_into(&mut sent.method)),
        with(|sent| "DELETE".clone_into(&mut sent.method)),
    ] {
        assert_eq!(store.send(&other).await, (403, "signature".to_owned()), "{other:?}");
    }
    assert_eq!(store.count(), 0);
    assert_eq!(store.send(sent).await, (200, String::new()));
    assert_eq!(store.object(&sent.target).as_ref(), Some(&sent.body));
}

#[tokio::test]
async fn what_is_signed_for_one_upload_is_good_for_that_only() {
    let program = program().await;
    let store = ObjectStore::of(&program).await;
    let headers = [("Host", HOST), ("Content-Length", "7"), ("Content-Type", "image/png")];
    let request = cos::Request { method: "PUT", path: "/alice/1.png", parameters: &[], headers: &headers };
    let now = UnixSeconds(program.now());
    let key = cos::derive(&Secret::new(KEY), now, now.plus(30));
    let authorization = key.authorization("AKIDtest", request);
    let headers = fields!("Authorization": authorization, "Content-Length": "7", "Content-Type": "image/png");
    let grant = fields!("method": "PUT", "url": cos::url(&format!("https://{HOST}"), request.path), "headers": headers);
    is_good_for_itself_only(&store, &Sent::as_told(&grant, b"picture")).await;
}

#[tokio::test]
async fn a_grant_is_given() {
    let mut program = program().await;
    let alice = registered(&program, "alice").await;
    // The name must not depend on what else was drawn before.
    program.app.random = Box::new(|| 0x00c0_ffee);
    golden("get_cos_grant/ok.rest.json", &ask(&program, &alice, 12_345, "image/jpeg").await);
}

#[tokio::test]
async fn a_grant_is_good_for_one_object_size_type_and_method() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let store = ObjectStore::of(&program).await;
    let grant = granted(&program, &alice, 7, "image/png").await;
    is_good_for_itself_only(&store, &Sent::as_told(&grant, b"picture")).await;
}

#[tokio::test]
async fn a_grant_ends_when_it_says() {
    let program = program_with(|name| (name == "COS_SIGN_SECONDS").then_some("45")).await;
    let alice = registered(&program, "alice").await;
    let store = ObjectStore::of(&program).await;
    let grant = granted(&program, &alice, 7, "image/gif").await;
    assert_eq!(grant["expires"], program.now() + 45);
    let sent = Sent::as_told(&grant, b"picture");
    program.pass(45);
    assert_eq!(store.send(&sent).await.0, 200);
    program.pass(1);
    assert_eq!(store.send(&sent).await, (403, "time".to_owned()));
}

#[tokio::test]
async fn a_grant_is_good_at_once_where_the_clock_of_the_storage_is_a_minute_behind() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let grant = granted(&program, &alice, 7, "image/png").await;
    let sent = Sent::as_told(&grant, b"picture");
    assert_eq!(ObjectStore::behind(&program, 60).await.send(&sent).await, (200, String::new()));
    assert_eq!(ObjectStore::behind(&program, 61).await.send(&sent).await, (403, "time".to_owned()));
}

#[tokio::test]
async fn every_object_has_a_name_of_its_own_in_the_folder_of_its_user() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let store = ObjectStore::of(&program).await;
    for (at, kind) in ["jpeg", "jpeg", "png", "webp", "gif"].into_iter().enumerate() {
        let grant = granted(&program, &alice, 7, &format!("image/{kind}")).await;
        let (_, path) = grant["url"].as_str().unwrap().split_once(HOST).unwrap();
        let name = path.strip_prefix("/alice/").unwrap().strip_suffix(&kind.replace("jpeg", "jpg")).unwrap();
        assert!(name.len() == 33 && name.trim_end_matches(|c: char| c.is_ascii_hexdigit() || c == '.').is_empty());
        assert_eq!(store.send(&Sent::as_told(&grant, b"picture")).await.0, 200);
        assert_eq!(store.count(), at + 1);
    }
}

#[tokio::test]
async fn a_picture_that_is_too_large_is_refused() {
    let program = program_with(|name| (name == "COS_MAX_BYTES").then_some("1000")).await;
    let alice = registered(&program, "alice").await;
    granted(&program, &alice, 1000, "image/png").await;
    golden("get_cos_grant/too_large.rest.json", &ask(&program, &alice, 1001, "image/png").await);
}

#[tokio::test]
async fn a_call_that_is_not_signed_is_refused() {
    let program = program().await;
    let body = r#"{"userid":"alice","size":12345,"type":"image/jpeg"}"#;
    golden("get_cos_grant/unsigned.rest.json", &rest(&program, "get_cos_grant", body).await);
}

#[tokio::test]
async fn fields_that_are_missing_or_break_their_rules_are_refused() {
    let program = program().await;
    for (name, body) in [
        ("no_userid", r#"{"size":12345,"type":"image/jpeg"}"#),
        ("no_size", r#"{"userid":"alice","type":"image/jpeg"}"#),
        ("size_0", r#"{"userid":"alice","size":0,"type":"image/jpeg"}"#),
        ("size_text", r#"{"userid":"alice","size":"1.5","type":"image/jpeg"}"#),
        ("no_type", r#"{"userid":"alice","size":12345}"#),
        ("type_svg", r#"{"userid":"alice","size":12345,"type":"image/svg+xml"}"#),
    ] {
        golden(&format!("get_cos_grant/{name}.rest.json"), &rest(&program, "get_cos_grant", body).await);
    }
    for kind in ["image/JPEG", "image/png; charset=utf-8", "text/html", "png", ""] {
        let body = fields!("userid": "alice", "size": 12345, "type": kind).to_string();
        assert_eq!(rest_code(&rest(&program, "get_cos_grant", &body).await), 602, "{kind}");
    }
}
