//! What the Gen-1 entrypoint requires with `ACTION_AUTH=user-sig`, for every Action.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{
    harness::{KEY, Program, action, golden},
    steps::{action_with, code, fields, guarded, user_sig_of},
};
use app::commands;
use protocol::{
    sign::user_sig,
    types::{Secret, UnixSeconds},
};

/// The code of who did not prove who they are.
const NOT_ALLOWED: u64 = 10_000;

/// Actions that the user in `userid` does, with good fields.
fn of_oneself() -> Vec<Value> {
    let mix = json!({"output_stream_id": "8888_alice", "mix_stream_session_id": "8888_alice"});
    vec![
        fields!("Action": "RequestLVBAddr", "userid": "alice", "groupid": "g", "title": "t"),
        fields!("Action": "ChangeStatus", "userid": "alice", "status": 0),
        fields!("Action": "StopLVB", "userid": "alice"),
        fields!("Action": "EnterGroup", "userid": "alice", "liveuserid": "bob", "groupid": "g", "flag": 0),
        fields!("Action": "QuitGroup", "userid": "alice", "liveuserid": "bob", "groupid": "g", "flag": 0),
        fields!("Action": "UploadUGCVideo", "userid": "alice", "file_id": "f", "play_url": "u", "title": "t"),
        fields!("Action": "RequestLVBAddrForLinkMic", "userid": "alice", "title": "t"),
        fields!("Action": "RequestPlayUrlWithSignForLinkMic", "userid": "alice", "originStreamUrl": "rtmp://h/live/s"),
        fields!("Action": "MergeVideoStream", "userid": "alice", "mergeparams": {"interface": {"para": mix}}),
        fields!("Action": "ReportUser", "userid": "alice", "hostuserid": "bob"),
    ]
}

/// Actions that any user does, with good fields.
fn of_anyone() -> Vec<Value> {
    vec![
        fields!("Action": "ChangeCount", "userid": "bob", "type": 1, "optype": 0, "flag": 0),
        fields!("Action": "FetchList", "flag": 1, "pageno": 1, "pagesize": 10),
        fields!("Action": "GetUserInfo", "userid": "bob", "type": 0),
        fields!("Action": "FetchGroupMemberList", "liveuserid": "bob", "groupid": "g", "pageno": 1, "pagesize": 10),
        fields!("Action": "GetCOSSign"),
        fields!("Action": "GetCOSSignV2"),
        fields!("Action": "GetVodSignature"),
        fields!("Action": "GetVodSignatureV2"),
    ]
}

/// Calls an Action with this UserSig; its code.
async fn call(program: &Program, mut body: Value, sig: &str) -> u64 {
    body["usersig"] = sig.into();
    code(&action(program, &body.to_string()).await)
}

#[test]
fn every_action_but_the_operators_is_tried_here() {
    let tried: BTreeSet<String> =
        of_oneself().iter().chain(&of_anyone()).map(|body| body["Action"].as_str().unwrap().to_owned()).collect();
    let all: BTreeSet<String> = commands::all().iter().filter_map(|e| e.names.action).map(str::to_owned).collect();
    assert_eq!(all.difference(&tried).collect::<Vec<_>>(), ["ForbidLive"]);
}

#[tokio::test]
async fn a_call_without_a_user_sig_is_refused() {
    let program = guarded().await;
    for body in of_oneself().into_iter().chain(of_anyone()) {
        assert_eq!(code(&action(&program, &body.to_string()).await), NOT_ALLOWED, "{body}");
    }
}

#[tokio::test]
async fn a_call_with_the_callers_own_user_sig_is_let_in() {
    let program = guarded().await;
    let sig = user_sig_of(&program, "alice");
    for body in of_oneself().into_iter().chain(of_anyone()) {
        assert_ne!(call(&program, body.clone(), &sig).await, NOT_ALLOWED, "{body}");
    }
}

#[tokio::test]
async fn nobody_can_act_as_somebody_else() {
    let program = guarded().await;
    let sig = user_sig_of(&program, "mallory");
    for body in of_oneself() {
        assert_eq!(call(&program, body.clone(), &sig).await, NOT_ALLOWED, "{body}");
    }
}

#[tokio::test]
async fn whoever_it_is_may_read_and_like() {
    let program = guarded().await;
    let sig = user_sig_of(&program, "mallory");
    for body in of_anyone() {
        assert_ne!(call(&program, body.clone(), &sig).await, NOT_ALLOWED, "{body}");
    }
}

#[tokio::test]
async fn a_user_sig_of_another_key_is_refused() {
    let program = guarded().await;
    let sig = user_sig::sign("alice", 1_400_000_000, &Secret::new("x"), UnixSeconds(program.now()), 3600);
    for body in of_oneself().into_iter().chain(of_anyone()) {
        assert_eq!(call(&program, body.clone(), &sig).await, NOT_ALLOWED, "{body}");
    }
}

#[tokio::test]
async fn a_user_sig_of_another_app_is_refused() {
    let program = guarded().await;
    let sig = user_sig::sign("alice", 1_400_000_001, &Secret::new(KEY), UnixSeconds(program.now()), 3600);
    assert_eq!(call(&program, fields!("Action": "GetCOSSignV2"), &sig).await, NOT_ALLOWED);
}

#[tokio::test]
async fn a_user_sig_is_good_to_its_last_second_and_not_beyond() {
    let program = guarded().await;
    let sig = user_sig_of(&program, "alice");
    program.pass(3600);
    assert_eq!(call(&program, fields!("Action": "GetCOSSignV2"), &sig).await, 0);
    program.pass(1);
    assert_eq!(call(&program, fields!("Action": "GetCOSSignV2"), &sig).await, NOT_ALLOWED);
}

#[tokio::test]
async fn the_user_sig_may_stand_in_a_header() {
    let program = guarded().await;
    let sig = user_sig_of(&program, "alice");
    let answer = action_with(&program, r#"{"Action":"StopLVB","userid":"alice"}"#, "X-User-Sig", &sig).await;
    assert_eq!(code(&answer), 0);
}

#[tokio::test]
async fn a_user_id_in_other_letters_is_somebody_else() {
    let program = guarded().await;
    let sig = user_sig_of(&program, "ALICE");
    assert_eq!(call(&program, fields!("Action": "StopLVB", "userid": "alice"), &sig).await, NOT_ALLOWED);
}

#[tokio::test]
async fn nothing_is_stored_for_who_is_refused() {
    let program = guarded().await;
    let open = fields!("Action": "RequestLVBAddr", "userid": "alice", "groupid": "g", "title": "t");
    call(&program, open, &user_sig_of(&program, "mallory")).await;
    let look = fields!("Action": "GetUserInfo", "userid": "alice", "type": 0);
    assert_eq!(call(&program, look, &user_sig_of(&program, "mallory")).await, 2003);
}

#[tokio::test]
async fn a_refusal_does_not_say_what_was_wrong() {
    let program = guarded().await;
    golden(
        "change_status/no_user_sig.action.json",
        &action(&program, r#"{"Action":"StopLVB","userid":"alice"}"#).await,
    );
}
