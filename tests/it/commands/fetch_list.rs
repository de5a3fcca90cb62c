//! `fetch_list`, `FetchList`: its answers; what it costs and which rows a page has is in `lists`.

use crate::support::{
    harness::{Program, START, action, golden, program, rest},
    steps::{File, column, done, fields, go_online, is_recorded, list, open_room, publish},
};

/// A live room, one that is not, a replay and a short video.
async fn fill(program: &Program) {
    let info = fields!(
        "nickname": "Alice", "headpic": "http://h/a.png", "frontcover": "http://h/c.png", "location": "Köln", "desc": "d"
    );
    let fields = fields!("userid": "alice", "groupid": "@TGS#1", "title": "hello", "userinfo": info);
    done(program, "RequestLVBAddr", fields).await;
    go_online(program, "alice").await;
    is_recorded(program, File { stream: "8888_alice", id: "v1", format: "flv", from: START - 100, to: START }).await;
    program.pass(1);
    open_room(program, "bob", "later").await;
    publish(program, "alice", "u1").await;
}

/// Checks the first page of a list.
async fn check(flag: u64, name: &str) {
    let program = program().await;
    fill(&program).await;
    let body = format!(r#"{{"Action":"FetchList","flag":{flag},"pageno":1,"pagesize":10}}"#);
    golden(&format!("fetch_list/{name}.action.json"), &action(&program, &body).await);
}

#[tokio::test]
async fn the_lives_are_listed() {
    check(1, "lives").await;
}

#[tokio::test]
async fn the_replays_are_listed() {
    check(2, "replays").await;
}

#[tokio::test]
async fn the_lives_are_listed_before_the_replays() {
    check(3, "lives_and_replays").await;
}

#[tokio::test]
async fn all_rooms_are_listed() {
    check(4, "rooms").await;
}

#[tokio::test]
async fn the_videos_are_listed() {
    check(5, "videos").await;
}

#[tokio::test]
async fn a_flag_that_is_not_known_lists_nothing() {
    check(0, "nothing").await;
    check(6, "nothing").await;
}

#[tokio::test]
async fn numbers_may_be_sent_as_text() {
    let program = program().await;
    fill(&program).await;
    let body = r#"{"Action":"FetchList","flag":"1","pageno":"1","pagesize":"10"}"#;
    golden("fetch_list/lives.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_recording_in_hls_alone_is_listed() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    is_recorded(&program, File { stream: "8888_alice", id: "v1", format: "hls", from: START - 100, to: START }).await;
    let page = list(&program, 2, 1, 10).await;
    assert_eq!((column(&page, "hls_play_url"), column(&page, "playurl")), (vec!["http://vod/v1.hls"], vec![""]));
}

#[tokio::test]
async fn the_total_is_that_of_the_rows_that_can_be_listed() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    go_online(&program, "alice").await;
    open_room(&program, "bob", "t").await;
    for n in 0..13 {
        let (id, to) = (format!("v{n}"), START - 1000 * n);
        is_recorded(&program, File { stream: "8888_alice", id: &id, format: "hls", from: to - 100, to }).await;
        publish(&program, "alice", &id).await;
    }
    for (flag, rows) in [(1, 1), (2, 13), (3, 14), (4, 2), (5, 13)] {
        let (first, second) = (list(&program, flag, 1, 10).await, list(&program, flag, 2, 10).await);
        let listed = column(&first, "userid").len() + column(&second, "userid").len();
        assert_eq!((listed, &first["totalcount"], &second["totalcount"]), (rows, &rows.into(), &rows.into()), "{flag}");
    }
}

#[tokio::test]
async fn a_video_leaves_the_total_with_its_row() {
    let program = program().await;
    publish(&program, "alice", "u1").await;
    program.pass(604_799);
    assert_eq!(list(&program, 5, 1, 10).await["totalcount"], 1);
    program.pass(1);
    let page = list(&program, 5, 1, 10).await;
    assert_eq!((page["totalcount"].as_u64(), column(&page, "fileid")), (Some(0), vec![]));
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    let body = r#"{"userid":"alice","flag":1,"pageno":1,"pagesize":10}"#;
    golden("fetch_list/unsigned.rest.json", &rest(&program, "fetch_list", body).await);
}

#[tokio::test]
async fn a_flag_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"FetchList","pageno":1,"pagesize":10}"#;
    golden("fetch_list/no_flag.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_negative_page_is_out_of_range() {
    let program = program().await;
    let body = r#"{"Action":"FetchList","flag":1,"pageno":-1,"pagesize":10}"#;
    golden("fetch_list/pageno_negative.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_page_size_that_is_no_number_is_refused() {
    let program = program().await;
    let body = r#"{"Action":"FetchList","flag":1,"pageno":1,"pagesize":"ten"}"#;
    golden("fetch_list/pagesize_text.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_page_number_beyond_all_reason_is_a_page_beyond_the_end() {
    let program = program().await;
    fill(&program).await;
    for flag in 1..=5 {
        let page = list(&program, flag, 9_223_372_036_854_775_807, 100).await;
        assert_eq!(column(&page, "userid"), Vec::<&str>::new(), "{flag}");
    }
}
