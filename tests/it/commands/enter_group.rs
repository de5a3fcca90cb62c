//! `enter_group`, `EnterGroup`.

use crate::support::{
    harness::{START, action, golden, program, rest},
    steps::{File, column, done, enter, fields, is_recorded, list, members, open_room, quit, replay, room},
};

#[tokio::test]
async fn every_replay_that_is_listed_can_be_entered() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    let longest = "文".repeat(200);
    is_recorded(&program, File { stream: "8888_alice", id: &longest, format: "flv", from: START - 100, to: START })
        .await;
    assert_eq!(column(&list(&program, 2, 1, 10).await, "fileid"), [longest.as_str()]);
    let fields = fields!("userid": "bob", "liveuserid": "alice", "groupid": longest, "flag": 1);
    done(&program, "EnterGroup", fields).await;
    assert_eq!(replay(&program, "alice", &longest).await["viewercount"], 1);
    assert_eq!(members(&program, "alice", &longest).await["totalcount"], 1);
    done(&program, "QuitGroup", fields!("userid": "bob", "liveuserid": "alice", "groupid": longest, "flag": 1)).await;
    assert_eq!(replay(&program, "alice", &longest).await["viewercount"], 0);
}

#[tokio::test]
async fn a_viewer_comes_to_a_live() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    let body = r#"{"Action":"EnterGroup","userid":"bob","liveuserid":"alice","groupid":"@alice","nickname":"Bob",
        "headpic":"http://h/b.png","flag":0}"#;
    golden("enter_group/ok.action.json", &action(&program, body).await);
    assert_eq!(room(&program, "alice").await["viewercount"], 1);
}

#[tokio::test]
async fn a_viewer_comes_to_a_replay() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    let file = File { stream: "8888_alice", id: "v1", format: "flv", from: START - 100, to: START };
    is_recorded(&program, file).await;
    let who = fields!("userid": "bob", "liveuserid": "alice", "groupid": "v1", "flag": 1);
    done(&program, "EnterGroup", who.clone()).await;
    done(&program, "EnterGroup", who.clone()).await;
    assert_eq!(replay(&program, "alice", "v1").await["viewercount"], 1);
    assert_eq!(room(&program, "alice").await["viewercount"], 0, "the live has its own");
    done(&program, "QuitGroup", who).await;
    assert_eq!(replay(&program, "alice", "v1").await["viewercount"], 0);
}

#[tokio::test]
async fn a_viewer_who_enters_twice_counts_once() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    enter(&program, "bob", "alice", "@alice").await;
    enter(&program, "bob", "alice", "@alice").await;
    assert_eq!(room(&program, "alice").await["viewercount"], 1);
    assert_eq!(members(&program, "alice", "@alice").await["totalcount"], 1);
    quit(&program, "bob", "alice", "@alice").await;
    assert_eq!(room(&program, "alice").await["viewercount"], 0);
}

#[tokio::test]
async fn a_viewer_who_enters_again_under_another_name_has_that_name() {
    let program = program().await;
    for name in ["Bob", "Robert"] {
        let fields = fields!("userid": "bob", "liveuserid": "alice", "groupid": "g", "flag": 0, "nickname": name);
        done(&program, "EnterGroup", fields).await;
    }
    assert_eq!(members(&program, "alice", "g").await["memberlist"][0]["nickname"], "Robert");
}

#[tokio::test]
async fn a_host_with_a_quote_in_the_name_sees_the_members() {
    let program = program().await;
    open_room(&program, "o'neil", "t").await;
    enter(&program, "bob", "o'neil", "g'1").await;
    assert_eq!(members(&program, "o'neil", "g'1").await["memberlist"][0]["userid"], "bob");
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    let body = r#"{"userid":"bob","liveuserid":"alice","groupid":"g","flag":0}"#;
    golden("enter_group/unsigned.rest.json", &rest(&program, "enter_group", body).await);
}

#[tokio::test]
async fn an_unknown_flag_lists_nobody_whom_it_does_not_count() {
    let program = program().await;
    let body = r#"{"Action":"EnterGroup","userid":"bob","liveuserid":"alice","groupid":"g","flag":2}"#;
    golden("enter_group/flag_2.action.json", &action(&program, body).await);
    assert_eq!(members(&program, "alice", "g").await["totalcount"], 0);
}

#[tokio::test]
async fn a_host_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"EnterGroup","userid":"bob","groupid":"g","flag":0}"#;
    golden("enter_group/no_liveuserid.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_group_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"EnterGroup","userid":"bob","liveuserid":"alice","flag":0}"#;
    golden("enter_group/no_groupid.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_flag_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"EnterGroup","userid":"bob","liveuserid":"alice","groupid":"g"}"#;
    golden("enter_group/no_flag.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_nickname_that_is_too_long_is_refused() {
    let program = program().await;
    let name = "n".repeat(129);
    let body = format!(
        r#"{{"Action":"EnterGroup","userid":"bob","liveuserid":"alice","groupid":"g","flag":0,"nickname":"{name}"}}"#
    );
    golden("enter_group/nickname_too_long.action.json", &action(&program, &body).await);
}

#[tokio::test]
async fn a_viewer_of_other_groups_is_not_counted_in_the_room() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    for n in 0..3 {
        done(
            &program,
            "EnterGroup",
            fields!("userid": "v", "liveuserid": "alice", "groupid": format!("x{n}"), "flag": 0),
        )
        .await;
    }
    assert_eq!(room(&program, "alice").await["viewercount"], 0);
    done(&program, "EnterGroup", fields!("userid": "v", "liveuserid": "alice", "groupid": "@alice", "flag": 0)).await;
    assert_eq!(room(&program, "alice").await["viewercount"], 1);
}

#[tokio::test]
async fn who_comes_to_a_live_and_leaves_it_as_a_replay_is_not_left_over() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    let of = |flag: u8| fields!("userid": "v", "liveuserid": "alice", "groupid": "@alice", "flag": flag);
    done(&program, "EnterGroup", of(0)).await;
    done(&program, "QuitGroup", of(1)).await;
    assert_eq!(room(&program, "alice").await["viewercount"], 0);
    done(&program, "EnterGroup", of(0)).await;
    done(&program, "EnterGroup", of(1)).await;
    assert_eq!(room(&program, "alice").await["viewercount"], 0, "they watch the replay now");
}
