//! `upload_ugc`, `UploadUGCVideo`.

use serde_json::json;

use crate::support::{
    harness::{action, golden, program, rest},
    steps::{column, fields, list, publish, registered, rest_code, signed, signed_as_it_is},
};

#[tokio::test]
async fn a_video_is_published() {
    let program = program().await;
    let body = r#"{"Action":"UploadUGCVideo","userid":"alice","file_id":"u1","play_url":"http://vod/u1.mp4",
        "title":"hi","userinfo":{"nickname":"Alice"}}"#;
    golden("upload_ugc/ok.action.json", &action(&program, body).await);
    assert_eq!(column(&list(&program, 5, 1, 10).await, "fileid"), ["u1"]);
}

#[tokio::test]
async fn a_video_that_is_published_again_moves_to_the_top_and_counts_once() {
    let program = program().await;
    for file in ["u1", "u2", "u1"] {
        publish(&program, "alice", file).await;
        program.pass(1);
    }
    let page = list(&program, 5, 1, 10).await;
    assert_eq!((column(&page, "fileid"), page["totalcount"].as_u64()), (vec!["u1", "u2"], Some(2)));
}

#[tokio::test]
async fn two_users_may_publish_the_same_file() {
    let program = program().await;
    publish(&program, "alice", "u1").await;
    publish(&program, "bob", "u1").await;
    assert_eq!(list(&program, 5, 1, 10).await["totalcount"], 2);
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    let body = r#"{"userid":"alice","file_id":"u1","play_url":"http://vod/u1.mp4","title":"hi"}"#;
    golden("upload_ugc/unsigned.rest.json", &rest(&program, "upload_ugc", body).await);
}

#[tokio::test]
async fn an_app_of_gen_2_says_what_it_says_beside_the_title_and_need_not_say_when() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let fields = fields!(
        "userid": "alice", "file_id": "u1", "play_url": "http://vod/u1.mp4", "title": "hi",
        "frontcover": "http://h/c.png", "location": "深圳",
    );
    assert_eq!(rest_code(&signed_as_it_is(&program, &alice, "upload_ugc", fields).await), 200);
    let fields =
        fields!("userid": "alice", "file_id": "u2", "play_url": "u", "title": "t", "frontcover": "javascript:x");
    assert_eq!(rest_code(&signed_as_it_is(&program, &alice, "upload_ugc", fields).await), 602);
    let page = list(&program, 5, 1, 10).await;
    let info = &page["pusherlist"][0]["userinfo"];
    assert_eq!((info["frontcover"].as_str(), info["location"].as_str()), (Some("http://h/c.png"), Some("深圳")));
}

#[tokio::test]
async fn a_file_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"UploadUGCVideo","userid":"alice","play_url":"http://vod/u1.mp4","title":"hi"}"#;
    golden("upload_ugc/no_file_id.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_play_url_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"UploadUGCVideo","userid":"alice","file_id":"u1","title":"hi"}"#;
    golden("upload_ugc/no_play_url.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_title_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"UploadUGCVideo","userid":"alice","file_id":"u1","play_url":"http://vod/u1.mp4"}"#;
    golden("upload_ugc/no_title.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn nothing_that_a_page_would_run_is_published() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let video = fields!("file_id": "f1", "title": "t", "play_url": "http://vod/v.mp4");
    for (name, value) in [
        ("play_url", json!("javascript:alert(1)")),
        ("frontcover", json!("javascript:alert(1)")),
        ("userinfo", json!({"frontcover": "javascript:alert(1)"})),
        ("userinfo", json!({"headpic": "vbscript:x"})),
    ] {
        let mut spoiled = video.clone();
        spoiled[name] = value;
        assert_eq!(rest_code(&signed(&program, &alice, "upload_ugc", spoiled.clone()).await), 602, "{spoiled}");
    }
    assert_eq!(rest_code(&signed(&program, &alice, "upload_ugc", video).await), 200);
}
