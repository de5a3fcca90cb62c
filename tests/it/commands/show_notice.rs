//! `show_notice`.

use crate::support::{
    harness::{golden, rest},
    steps::{by_operator, fields, open_room, operated, push_starts},
};

#[tokio::test]
async fn a_notice_is_shown_as_it_came_but_for_its_signature() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    push_starts(&program, "8888_alice", "1").await;
    let fields = fields!("streamid": "8888_alice", "id": "1 1");
    golden("show_notice/ok.rest.json", &by_operator(&program, "show_notice", fields).await);
}

#[tokio::test]
async fn a_notice_that_never_came_is_not_found() {
    let program = operated().await;
    let fields = fields!("streamid": "8888_alice", "id": "1 1");
    golden("show_notice/not_there.rest.json", &by_operator(&program, "show_notice", fields).await);
    let fields = fields!("streamid": "8888_alice", "id": "x".repeat(601));
    golden("show_notice/long_id.rest.json", &by_operator(&program, "show_notice", fields).await);
    let answer = by_operator(&program, "show_notice", fields!("streamid": "8888_alice")).await;
    golden("show_notice/no_id.rest.json", &answer);
}

#[tokio::test]
async fn who_is_no_operator_is_shown_nothing() {
    let program = operated().await;
    let answer = rest(&program, "show_notice", r#"{"streamid":"8888_alice","id":"1 1"}"#).await;
    golden("show_notice/no_key.rest.json", &answer);
}
