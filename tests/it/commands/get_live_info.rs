//! `get_live_info`, `GetUserInfo`.

use crate::support::{
    harness::{Program, START, action, golden, program, rest},
    steps::{File, done, fields, go_online, is_recorded, publish},
};

/// Opens alice's room with everything that can be said of it.
async fn open_full_room(program: &Program) {
    let info = fields!(
        "nickname": "Alice", "headpic": "http://h/a.png", "frontcover": "http://h/c.png", "location": "Köln", "desc": "d"
    );
    let fields = fields!("userid": "alice", "groupid": "@TGS#1", "title": "hello", "userinfo": info);
    done(program, "RequestLVBAddr", fields).await;
}

#[tokio::test]
async fn a_live_is_told() {
    let program = program().await;
    open_full_room(&program).await;
    go_online(&program, "alice").await;
    let body = r#"{"Action":"GetUserInfo","userid":"alice","type":0}"#;
    golden("get_live_info/live.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_replay_is_told() {
    let program = program().await;
    open_full_room(&program).await;
    for (id, format) in [("v1", "flv"), ("v2", "hls")] {
        is_recorded(&program, File { stream: "8888_alice", id, format, from: START - 100, to: START }).await;
    }
    let body = r#"{"Action":"GetUserInfo","userid":"alice","type":1,"fileid":"v1"}"#;
    golden("get_live_info/replay.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_video_is_told() {
    let program = program().await;
    publish(&program, "alice", "u1").await;
    let body = r#"{"Action":"GetUserInfo","userid":"alice","type":2,"fileid":"u1"}"#;
    golden("get_live_info/video.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_room_that_is_not_there_is_not_found() {
    let program = program().await;
    let body = r#"{"Action":"GetUserInfo","userid":"nobody","type":0}"#;
    golden("get_live_info/no_room.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_replay_that_is_not_there_is_not_found() {
    let program = program().await;
    let body = r#"{"Action":"GetUserInfo","userid":"alice","type":1,"fileid":"none"}"#;
    golden("get_live_info/no_replay.action.json", &action(&program, body).await);
    let unnamed = r#"{"Action":"GetUserInfo","userid":"alice","type":1}"#;
    golden("get_live_info/no_replay.action.json", &action(&program, unnamed).await);
}

#[tokio::test]
async fn a_video_that_is_not_there_is_not_found() {
    let program = program().await;
    let body = r#"{"Action":"GetUserInfo","userid":"alice","type":2,"fileid":"none"}"#;
    golden("get_live_info/no_video.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_type_beyond_video_makes_no_sense() {
    let program = program().await;
    let body = r#"{"Action":"GetUserInfo","userid":"alice","type":3}"#;
    golden("get_live_info/type_3.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_user_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"GetUserInfo","type":0}"#;
    golden("get_live_info/no_userid.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    let body = r#"{"userid":"bob","liveuserid":"alice","type":0}"#;
    golden("get_live_info/unsigned.rest.json", &rest(&program, "get_live_info", body).await);
}
