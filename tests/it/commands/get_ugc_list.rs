//! `get_ugc_list`: a page of short videos, as Gen-2 apps read it.

use serde_json::json;

use crate::support::{
    harness::{golden, program, rest},
    steps::{column, done_by, fields, list, listed, publish, registered, signed},
};

#[tokio::test]
async fn a_video_is_listed_under_the_nickname_of_now() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let video = fields!(
        "file_id": "u1", "title": "clip", "play_url": "http://h/u1.mp4", "frontcover": "http://h/c.png", "location": "深圳",
    );
    done_by(&program, &alice, "upload_ugc", video).await;
    let profile = fields!("nickname": "Al", "avatar": "http://h/a.png", "sex": 1, "frontcover": "");
    done_by(&program, &alice, "upload_user_info", profile).await;
    let fields = fields!("index": "0", "count": 20);
    golden("get_ugc_list/ok.rest.json", &signed(&program, &alice, "get_ugc_list", fields).await);
}

#[tokio::test]
async fn the_list_is_that_of_gen_1() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    for n in 0..25 {
        publish(&program, "bob", &format!("u{n}")).await;
        program.pass(1);
    }
    for index in 1..=4 {
        let page = done_by(&program, &alice, "get_ugc_list", fields!("index": index, "count": 10)).await;
        assert_eq!(listed(&page, "file_id"), column(&list(&program, 5, index, 10).await, "fileid"), "page {index}");
    }
}

#[tokio::test]
async fn a_video_is_listed_for_seven_days() {
    let program = program().await;
    publish(&program, "bob", "u1").await;
    program.pass(7 * 86400 - 1);
    let vera = registered(&program, "vera").await;
    let page = || done_by(&program, &vera, "get_ugc_list", fields!("index": 0, "count": 10));
    assert_eq!(listed(&page().await, "create_time"), ["2020-09-13 20:26:40"]);
    program.pass(1);
    assert_eq!(page().await, json!({"list": []}));
}

#[tokio::test]
async fn index_and_count_are_whole_numbers() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let answer = signed(&program, &alice, "get_ugc_list", fields!("index": 0)).await;
    golden("get_ugc_list/no_count.rest.json", &answer);
    let answer = signed(&program, &alice, "get_ugc_list", fields!("index": -1, "count": 10)).await;
    golden("get_ugc_list/index_negative.rest.json", &answer);
}

#[tokio::test]
async fn a_caller_must_sign() {
    let program = program().await;
    let body = r#"{"index":0,"count":20,"userid":"alice","timestamp":1600000000,"expires":10}"#;
    golden("get_ugc_list/unsigned.rest.json", &rest(&program, "get_ugc_list", body).await);
}
