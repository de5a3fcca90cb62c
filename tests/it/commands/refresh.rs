//! `refresh`: tokens traded for the next, the same ones however often the answer is lost.

use std::sync::Arc;

use serde_json::json;

use crate::support::{
    harness::{Program, golden, program, program_on, program_over, program_with, rest},
    injector::{Fault, Injector, Lasts, Strike},
    steps::{Phone, fields, logged_in, registered, rest_code, rest_with, signed},
    watch::Watch,
};
use cli::engine::Engine;

/// Alice's phone, just registered.
async fn alice(program: &Program) -> Phone {
    registered(program, "alice").await
}

/// Alice's phone after a refresh, if that was done.
fn renewed(answer: &str) -> Option<Phone> {
    Phone::with("alice", answer)
}

async fn refresh(program: &Program, token: &str) -> String {
    rest(program, "refresh", &json!({"userid": "alice", "refresh_token": token}).to_string()).await
}

async fn works(program: &Program, phone: &Phone) -> bool {
    rest_code(&signed(program, phone, "get_user_info", fields!()).await) == 200
}

#[tokio::test]
async fn a_refresh_token_is_traded_for_new_tokens_and_the_old_ones_are_over() {
    let program = program().await;
    let old = alice(&program).await;
    let answer = refresh(&program, &old.refresh_token).await;
    let new = renewed(&answer).unwrap();
    let drawn = answer.replace(&new.token, "..").replace(&new.refresh_token, "..");
    golden("refresh/ok.rest.json", &drawn);
    assert!(!works(&program, &old).await);
    assert!(works(&program, &new).await);
}

#[tokio::test]
async fn eight_threads_of_an_app_that_refresh_at_the_same_time_get_the_same_tokens() {
    for _ in 0..4 {
        let program = Arc::new(program().await);
        let old = Arc::new(alice(&program).await);
        let calls = (0..8).map(|_| {
            let (program, old) = (Arc::clone(&program), Arc::clone(&old));
            tokio::spawn(async move { renewed(&refresh(&program, &old.refresh_token).await) })
        });
        let mut won = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            won.extend(call.await.unwrap());
        }
        assert_eq!(won.len(), 8);
        let tokens = |phone: &Phone| (phone.token.clone(), phone.refresh_token.clone());
        assert!(won.iter().all(|phone| tokens(phone) == tokens(&won[0])));
        assert!(works(&program, &won[0]).await);
    }
}

#[tokio::test]
async fn a_refresh_token_gets_the_same_tokens_again_for_a_minute() {
    let program = program().await;
    let old = alice(&program).await;
    let first = refresh(&program, &old.refresh_token).await;
    for seconds in [0, 1, 59] {
        program.pass(seconds);
        assert_eq!(refresh(&program, &old.refresh_token).await, first, "the answer before was lost");
    }
    assert!(works(&program, &renewed(&first).unwrap()).await);
}

#[tokio::test]
async fn a_refresh_token_that_comes_again_after_a_minute_ends_the_session() {
    let program = program().await;
    let old = alice(&program).await;
    let new = renewed(&refresh(&program, &old.refresh_token).await).unwrap();
    program.pass(61);
    golden("refresh/used.rest.json", &refresh(&program, &old.refresh_token).await);
    assert!(!works(&program, &new).await, "two have it, and which of them is the user nobody knows");
    assert_eq!(rest_code(&refresh(&program, &new.refresh_token).await), 498);
}

#[tokio::test]
async fn a_refresh_token_that_comes_again_after_the_new_tokens_were_used_ends_the_session() {
    let program = program().await;
    let old = alice(&program).await;
    let new = renewed(&refresh(&program, &old.refresh_token).await).unwrap();
    assert!(works(&program, &new).await);
    program.pass(3);
    assert_eq!(rest_code(&refresh(&program, &old.refresh_token).await), 498);
    assert!(works(&program, &new).await, "as if another thread had sent it before");
    program.pass(1);
    assert_eq!(rest_code(&refresh(&program, &old.refresh_token).await), 498);
    assert!(!works(&program, &new).await);
}

#[tokio::test]
async fn the_first_use_of_new_tokens_is_written_down_and_the_next_one_is_not() {
    let watch = Watch::default();
    let program = program_over(watch.over(Engine::in_memory().unwrap().http_client()), |_| None).await;
    let old = alice(&program).await;
    let new = renewed(&refresh(&program, &old.refresh_token).await).unwrap();
    for expected in ["GetItem UpdateItem", "GetItem"] {
        watch.take();
        assert_eq!(rest_code(&signed(&program, &new, "get_cos_sign", fields!()).await), 200);
        let asked: Vec<_> = watch.take().into_iter().map(|asked| asked.operation).collect();
        assert_eq!(asked.join(" "), expected);
    }
}

/// Whatever becomes of a request to the table, or of its answer: who tries again has a session.
#[tokio::test]
async fn a_lost_answer_of_the_table_within_a_refresh_logs_nobody_out() {
    let injector = Injector::default();
    let engine = Engine::in_memory().unwrap();
    let program = program_on(&injector.client(engine.http_client()), "mini-lvb", |_| None).await;
    let mut phone = alice(&program).await;
    for (at, fault, lasts) in
        (1..=2).flat_map(|at| Fault::ALL.map(|fault| Lasts::ALL.map(|lasts| (at, fault, lasts)))).flatten()
    {
        injector.arm(vec![Strike { at, fault, lasts }]);
        let mut answer = refresh(&program, &phone.refresh_token).await;
        injector.call_ended().await;
        assert_eq!(injector.struck().len(), 1);
        if rest_code(&answer) == 500 {
            program.pass(60);
            answer = refresh(&program, &phone.refresh_token).await;
        }
        phone = renewed(&answer).unwrap_or_else(|| panic!("{fault:?} at {at}, {lasts:?}: {answer}"));
        assert!(works(&program, &phone).await, "{fault:?} at {at}, {lasts:?}");
    }
}

#[tokio::test]
async fn a_token_of_two_generations_ago_ends_the_session_at_once() {
    let program = program().await;
    let first = alice(&program).await;
    let second = renewed(&refresh(&program, &first.refresh_token).await).unwrap();
    let third = renewed(&refresh(&program, &second.refresh_token).await).unwrap();
    assert_eq!(rest_code(&refresh(&program, &first.refresh_token).await), 498);
    assert!(!works(&program, &third).await);
}

#[tokio::test]
async fn reuse_on_one_device_does_not_end_the_session_of_another() {
    let program = program_with(|name| (name == "SESSIONS_PER_USER").then_some("2")).await;
    let one = alice(&program).await;
    let other = logged_in(&program, "alice").await;
    let renewed = renewed(&refresh(&program, &one.refresh_token).await).unwrap();
    assert!(works(&program, &renewed).await);
    program.pass(10);
    refresh(&program, &one.refresh_token).await;
    assert!(!works(&program, &renewed).await);
    assert!(works(&program, &other).await);
}

#[tokio::test]
async fn tokens_end_on_the_server_and_can_be_refreshed_for_longer() {
    let program = program_with(|name| (name == "SESSION_SECONDS").then_some("86400")).await;
    let old = alice(&program).await;
    program.pass(86_399);
    assert!(works(&program, &old).await);
    program.pass(86_400);
    assert!(!works(&program, &old).await);
    program.pass(29 * 86_400 - 1);
    let new = renewed(&refresh(&program, &old.refresh_token).await).unwrap();
    assert!(works(&program, &new).await);
    program.pass(30 * 86_400);
    assert_eq!(rest_code(&refresh(&program, &new.refresh_token).await), 498, "30 days without a sign of life");
}

#[tokio::test]
async fn no_signature_is_needed_but_a_wrong_one_is_refused() {
    let program = program().await;
    let old = alice(&program).await;
    let body = json!({"userid": "alice", "refresh_token": old.refresh_token}).to_string();
    let wrong = "0".repeat(32);
    let answer = rest_with(&program, "refresh", &body, "liteav-sig", &wrong).await;
    assert_eq!(rest_code(&answer), 498);
    let fields = fields!("refresh_token": old.refresh_token.clone());
    let new = renewed(&signed(&program, &old, "refresh", fields).await).unwrap();
    assert!(works(&program, &new).await, "as the app of 2019 signs it");
    assert_eq!(rest_code(&refresh(&program, &new.refresh_token).await), 200);
}

#[tokio::test]
async fn a_token_of_another_user_or_of_nobody_is_refused() {
    let program = program().await;
    let alice = alice(&program).await;
    registered(&program, "bobby").await;
    let body = json!({"userid": "bobby", "refresh_token": alice.refresh_token}).to_string();
    assert_eq!(rest_code(&rest(&program, "refresh", &body).await), 498);
    let (session, rest_of_it) = alice.refresh_token.split_once('.').unwrap();
    let (_, mac) = rest_of_it.split_once('.').unwrap();
    for forged in [
        format!("{session}.1.{mac}"),
        format!("{session}.00.{mac}"),
        format!("{session}.0.{}", "0".repeat(64)),
        format!("{session}.0."),
        format!("{session}.18446744073709551615.{mac}"),
        format!("{}.x", alice.refresh_token),
        alice.refresh_token.to_uppercase(),
        alice.token.clone(),
        ".".to_owned(),
        "12345".to_owned(),
    ] {
        assert_eq!(rest_code(&refresh(&program, &forged).await), 498, "{forged}");
    }
    assert!(works(&program, &alice).await, "none of this was hers");
    assert_eq!(rest_code(&rest(&program, "refresh", r#"{"userid":"alice","refresh_token":["x"]}"#).await), 602);
    assert_eq!(rest_code(&rest(&program, "refresh", r#"{"userid":"alice"}"#).await), 602);
}

#[tokio::test]
async fn keys_can_be_changed_without_logging_anybody_out() {
    const OLD: &str = "a-session-key-that-is-for-tests-only";
    const NEW: &str = "another-session-key-for-the-tests-too";
    let settings = |key: &'static str, next: &'static str| {
        move |name: &str| match name {
            "SESSION_KEY" => Some(key),
            "SESSION_KEY_NEXT" => Some(next).filter(|next| !next.is_empty()),
            _ => None,
        }
    };
    // One table for programs before, while and after the keys are changed.
    let engine = cli::engine::Engine::in_memory().unwrap();
    let world =
        async |key, next| crate::support::harness::program_over(engine.http_client(), settings(key, next)).await;
    let before = world(OLD, "").await;
    let first = alice(&before).await;
    let between = world(NEW, OLD).await;
    assert!(works(&between, &first).await);
    let second = renewed(&refresh(&between, &first.refresh_token).await).unwrap();
    let after = world(NEW, "").await;
    assert!(works(&after, &second).await);
    assert!(!works(&after, &first).await);
    assert_eq!(rest_code(&refresh(&after, &first.refresh_token).await), 498);
}
