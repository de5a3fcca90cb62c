//! `quit_group`, `QuitGroup`.

use crate::support::{
    harness::{action, golden, program, rest},
    steps::{enter, members, open_room, quit, room},
};

#[tokio::test]
async fn a_viewer_leaves() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    enter(&program, "bob", "alice", "@alice").await;
    let body = r#"{"Action":"QuitGroup","userid":"bob","liveuserid":"alice","groupid":"@alice","flag":0}"#;
    golden("quit_group/ok.action.json", &action(&program, body).await);
    assert_eq!(room(&program, "alice").await["viewercount"], 0);
    assert_eq!(members(&program, "alice", "@alice").await["totalcount"], 0);
}

#[tokio::test]
async fn a_stranger_who_leaves_counts_nothing() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    enter(&program, "bob", "alice", "@alice").await;
    quit(&program, "stranger", "alice", "@alice").await;
    assert_eq!(room(&program, "alice").await["viewercount"], 1);
    assert_eq!(members(&program, "alice", "@alice").await["totalcount"], 1);
}

#[tokio::test]
async fn a_viewer_who_leaves_twice_counts_once() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    enter(&program, "bob", "alice", "@alice").await;
    enter(&program, "carol", "alice", "@alice").await;
    quit(&program, "bob", "alice", "@alice").await;
    quit(&program, "bob", "alice", "@alice").await;
    assert_eq!(room(&program, "alice").await["viewercount"], 1);
}

#[tokio::test]
async fn a_group_with_a_quote_in_its_name_can_be_left() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    enter(&program, "bob", "alice", "g'1").await;
    quit(&program, "bob", "alice", "g'1").await;
    assert_eq!(members(&program, "alice", "g'1").await["totalcount"], 0);
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    let body = r#"{"userid":"bob","liveuserid":"alice","groupid":"g","flag":0}"#;
    golden("quit_group/unsigned.rest.json", &rest(&program, "quit_group", body).await);
}

#[tokio::test]
async fn a_flag_beyond_live_and_replay_makes_no_sense() {
    let program = program().await;
    let body = r#"{"Action":"QuitGroup","userid":"bob","liveuserid":"alice","groupid":"g","flag":2}"#;
    golden("quit_group/flag_2.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_viewer_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"QuitGroup","liveuserid":"alice","groupid":"g","flag":0}"#;
    golden("quit_group/no_userid.action.json", &action(&program, body).await);
}
