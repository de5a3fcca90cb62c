//! `change_count`, `ChangeCount`.

use crate::support::{
    harness::{START, action, golden, program, program_on, rest},
    injector::{Fault, Injector, Lasts, Strike},
    steps::{File, code, done, fields, is_recorded, like, open_room, replay, room},
};
use cli::engine::Engine;

#[tokio::test]
async fn a_like_is_counted() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    let body = r#"{"Action":"ChangeCount","userid":"alice","type":1,"optype":0,"flag":0,"fileid":""}"#;
    golden("change_count/ok.action.json", &action(&program, body).await);
    assert_eq!(room(&program, "alice").await["likecount"], 1);
}

#[tokio::test]
async fn a_like_is_taken_back_but_never_below_zero() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    like(&program, "alice").await;
    for _ in 0..2 {
        done(&program, "ChangeCount", fields!("userid": "alice", "type": 1, "optype": 1, "flag": 0)).await;
    }
    like(&program, "alice").await;
    assert_eq!(room(&program, "alice").await["likecount"], 1);
}

#[tokio::test]
async fn a_viewer_is_counted() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    done(&program, "ChangeCount", fields!("userid": "alice", "type": 0, "optype": 0, "flag": 0)).await;
    assert_eq!(room(&program, "alice").await["viewercount"], 1);
}

#[tokio::test]
async fn a_like_on_a_replay_does_not_hit_the_live() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    let file = File { stream: "8888_alice", id: "v1", format: "flv", from: START - 100, to: START };
    is_recorded(&program, file).await;
    let like = fields!("userid": "alice", "type": 1, "optype": 0, "flag": 1, "fileid": "v1");
    done(&program, "ChangeCount", like).await;
    assert_eq!(replay(&program, "alice", "v1").await["likecount"], 1);
    assert_eq!(room(&program, "alice").await["likecount"], 0);
}

#[tokio::test]
async fn a_like_finds_a_replay_by_any_of_its_files() {
    let program = program().await;
    open_room(&program, "alice", "t").await;
    for (id, format) in [("v1", "flv"), ("v2", "hls")] {
        is_recorded(&program, File { stream: "8888_alice", id, format, from: START - 100, to: START }).await;
    }
    let like = fields!("userid": "alice", "type": 1, "optype": 0, "flag": 1, "fileid": "v2");
    done(&program, "ChangeCount", like).await;
    assert_eq!(replay(&program, "alice", "v1").await["likecount"], 1);
}

#[tokio::test]
async fn nothing_is_counted_where_there_is_nothing() {
    let program = program().await;
    for flag in [0, 1] {
        let like = fields!("userid": "nobody", "type": 1, "optype": 0, "flag": flag, "fileid": "f");
        done(&program, "ChangeCount", like).await;
    }
    let body = r#"{"Action":"GetUserInfo","userid":"nobody","type":0}"#;
    assert_eq!(crate::support::steps::code(&action(&program, body).await), 2003);
}

#[tokio::test]
async fn a_caller_of_the_rest_dialect_must_sign() {
    let program = program().await;
    let body = r#"{"userid":"bob","liveuserid":"alice","type":1,"optype":0,"flag":0}"#;
    golden("change_count/unsigned.rest.json", &rest(&program, "change_count", body).await);
}

#[tokio::test]
async fn a_counter_beyond_viewers_and_likes_makes_no_sense() {
    let program = program().await;
    let body = r#"{"Action":"ChangeCount","userid":"alice","type":2,"optype":0,"flag":0}"#;
    golden("change_count/type_2.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn an_operation_beyond_add_and_subtract_makes_no_sense() {
    let program = program().await;
    let body = r#"{"Action":"ChangeCount","userid":"alice","type":1,"optype":2,"flag":0}"#;
    golden("change_count/optype_2.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_flag_beyond_live_and_replay_makes_no_sense() {
    let program = program().await;
    let body = r#"{"Action":"ChangeCount","userid":"alice","type":1,"optype":0,"flag":2}"#;
    golden("change_count/flag_2.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_replay_is_counted_by_its_file() {
    let program = program().await;
    let body = r#"{"Action":"ChangeCount","userid":"alice","type":1,"optype":0,"flag":1}"#;
    golden("change_count/no_fileid.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_counter_is_needed() {
    let program = program().await;
    let body = r#"{"Action":"ChangeCount","userid":"alice","optype":0,"flag":0}"#;
    golden("change_count/no_type.action.json", &action(&program, body).await);
}

#[tokio::test]
async fn a_like_of_which_nobody_knows_whether_it_counted_is_not_counted_again() {
    const LIKES: u64 = 6;
    for fault in Fault::ALL {
        let injector = Injector::default();
        let program =
            program_on(&injector.client(Engine::in_memory().unwrap().http_client()), "mini-lvb", |_| None).await;
        open_room(&program, "alice", "t").await;
        let mut acknowledged = 0;
        for _ in 0..LIKES {
            injector.arm(vec![Strike { at: 1, fault, lasts: Lasts::Once }]);
            let body = r#"{"Action":"ChangeCount","userid":"alice","type":1,"optype":0,"flag":0}"#;
            acknowledged += u64::from(code(&action(&program, body).await) == 0);
            assert_eq!(injector.struck().len(), 1);
        }
        let counted = if fault.takes_effect() || fault.is_tried_again() { LIKES } else { 0 };
        assert_eq!(room(&program, "alice").await["likecount"], counted, "{fault:?}");
        // Only what is known to have counted is said to have.
        assert_eq!(acknowledged, if fault.is_tried_again() { LIKES } else { 0 }, "{fault:?}");
    }
}
