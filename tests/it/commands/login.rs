//! `login`: what a name and a password are traded for.

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use crate::support::{
    harness::{KEY, Program, golden, program, program_over, program_with, rest},
    steps::{PASSWORD, Phone, fields, logged_in, post_from, registered, rest_code, signed},
    watch::Watch,
};
use cli::engine::Engine;
use protocol::{
    sign::{session::Generation, user_sig},
    types::{Secret, UnixSeconds, UserId},
};
use store::{Session, keys::EXPIRES_AT};

async fn login(program: &Program, name: &str, password: &str) -> String {
    rest(program, "login", &json!({"userid": name, "password": password}).to_string()).await
}

async fn is_logged_in(program: &Program, phone: &Phone) -> bool {
    match rest_code(&signed(program, phone, "get_user_info", fields!()).await) {
        200 => true,
        498 => false,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn the_answer_has_all_that_the_apps_read_with_the_types_that_they_need() {
    let program = program().await;
    registered(&program, "alice").await;
    let answer = login(&program, "alice", PASSWORD).await;
    let parsed: Value = serde_json::from_str(&answer).unwrap();
    let data = &parsed["data"];
    let sig = data["roomservice_sign"]["userSig"].as_str().unwrap();
    let at = |seconds| UnixSeconds(program.now() + seconds);
    let proves = |moment| user_sig::verify(sig, 1_400_000_000, &Secret::new(KEY), moment);
    assert_eq!(proves(at(0)).as_deref(), Some("alice"));
    assert_eq!(proves(at(15_552_000)).as_deref(), Some("alice"), "for 180 days");
    assert_eq!(proves(at(15_552_001)), None);
    // What is drawn and what a compressor decides is not compared.
    let mut answer = answer;
    for drawn in [data["token"].as_str().unwrap(), data["refresh_token"].as_str().unwrap(), sig] {
        answer = answer.replace(drawn, "..");
    }
    golden("login/ok.rest.json", &answer);
}

#[tokio::test]
async fn a_token_is_long_and_no_two_are_alike() {
    let program = program().await;
    registered(&program, "alice").await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let answer: Value = serde_json::from_str(&login(&program, "alice", PASSWORD).await).unwrap();
        for name in ["token", "refresh_token"] {
            let token = answer["data"][name].as_str().unwrap().to_owned();
            assert!(token.len() >= 64, "256 bits of a keyed digest");
            assert!(!tokens.contains(&token));
            tokens.push(token);
        }
    }
}

#[tokio::test]
async fn a_wrong_password_and_a_name_that_nobody_has_are_refused_without_a_word_too_many() {
    let program = program().await;
    registered(&program, "alice").await;
    golden("login/wrong_password.rest.json", &login(&program, "alice", "wrong").await);
    golden("login/unknown.rest.json", &login(&program, "nobody", PASSWORD).await);
    // What is kept is not what opens the account.
    assert_eq!(rest_code(&login(&program, "alice", &PASSWORD.to_uppercase()).await), 621);
}

#[tokio::test]
async fn a_name_or_password_that_breaks_its_rule_is_refused_before_anything_is_read() {
    let program = program().await;
    for body in [
        r#"{"password":"abc"}"#,
        r#"{"userid":"alice"}"#,
        r#"{"userid":"alice","password":""}"#,
        r#"{"userid":"al","password":"abc"}"#,
        r#"{"userid":["x"],"password":"abc"}"#,
        r#"{"userid":"alice","password":{"a":1}}"#,
        "",
        "nonsense",
    ] {
        assert_eq!(rest_code(&rest(&program, "login", body).await), 602, "{body}");
    }
}

#[tokio::test]
async fn an_id_token_that_is_empty_is_none() {
    let program = program().await;
    registered(&program, "alice").await;
    let body = json!({"userid": "alice", "password": PASSWORD, "id_token": ""}).to_string();
    assert_eq!(rest_code(&rest(&program, "login", &body).await), 200);
}

#[tokio::test]
async fn a_second_login_ends_the_first_session() {
    let program = program().await;
    let first = registered(&program, "alice").await;
    let second = logged_in(&program, "alice").await;
    assert!(!is_logged_in(&program, &first).await);
    assert!(is_logged_in(&program, &second).await);
}

#[tokio::test]
async fn with_several_devices_the_oldest_session_ends() {
    let program = program_with(|name| (name == "SESSIONS_PER_USER").then_some("2")).await;
    let first = registered(&program, "alice").await;
    let second = logged_in(&program, "alice").await;
    assert!(is_logged_in(&program, &first).await && is_logged_in(&program, &second).await);
    let third = logged_in(&program, "alice").await;
    assert!(!is_logged_in(&program, &first).await);
    assert!(is_logged_in(&program, &second).await && is_logged_in(&program, &third).await);
}

#[tokio::test]
async fn sessions_that_are_over_take_no_device_s_place() {
    let program = program_with(|name| match name {
        "SESSIONS_PER_USER" => Some("2"),
        "SESSION_SECONDS" | "REFRESH_SECONDS" => Some("86400"),
        _ => None,
    });
    let program = program.await;
    registered(&program, "alice").await;
    program.pass(80_000);
    let second = logged_in(&program, "alice").await;
    program.pass(10_000);
    // The first is over.
    let third = logged_in(&program, "alice").await;
    assert!(is_logged_in(&program, &second).await && is_logged_in(&program, &third).await);
}

#[tokio::test]
async fn of_logins_at_the_same_time_one_session_is_left() {
    let program = Arc::new(program_with(|name| (name == "USER_LOGIN_LIMIT").then_some("0")).await);
    registered(&program, "alice").await;
    let calls = (0..8).map(|_| {
        let program = Arc::clone(&program);
        tokio::spawn(async move { logged_in(&program, "alice").await })
    });
    let mut live = 0;
    let mut phones = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        phones.push(call.await.unwrap());
    }
    for phone in &phones {
        live += u32::from(is_logged_in(&program, phone).await);
    }
    assert_eq!(live, 1);
}

#[tokio::test]
async fn a_user_is_tried_so_often_and_no_more_for_a_while() {
    let program = program_with(|name| (name == "USER_LOGIN_LIMIT").then_some("3")).await;
    registered(&program, "alice").await;
    for _ in 0..3 {
        assert_eq!(rest_code(&login(&program, "alice", "wrong").await), 621);
    }
    golden("login/too_many.rest.json", &login(&program, "alice", PASSWORD).await);
    program.pass(900);
    assert_eq!(rest_code(&login(&program, "alice", PASSWORD).await), 200);
}

#[tokio::test]
async fn guesses_that_come_at_once_do_not_slip_through() {
    let program = Arc::new(program_with(|name| (name == "USER_LOGIN_LIMIT").then_some("3")).await);
    registered(&program, "alice").await;
    let calls = (0..12).map(|number| {
        let program = Arc::clone(&program);
        tokio::spawn(async move { rest_code(&login(&program, "alice", &format!("guess{number}")).await) })
    });
    let mut looked_at = 0;
    for call in calls.collect::<Vec<_>>() {
        looked_at += u32::from(call.await.unwrap() == 621);
    }
    assert_eq!(looked_at, 3);
}

#[tokio::test]
async fn good_logins_that_come_at_once_lock_nobody_out() {
    let program = Arc::new(program_with(|name| (name.ends_with("LOGIN_LIMIT")).then_some("2")).await);
    registered(&program, "alice").await;
    let calls = (0..12).map(|_| {
        let program = Arc::clone(&program);
        tokio::spawn(async move { rest_code(&login(&program, "alice", PASSWORD).await) })
    });
    for call in calls.collect::<Vec<_>>() {
        let code = call.await.unwrap();
        assert!(code == 200 || code == 4003, "{code}: some come while others are looked at");
    }
    assert_eq!(rest_code(&login(&program, "alice", PASSWORD).await), 200);
}

#[tokio::test]
async fn logins_that_succeed_do_not_use_up_the_limit() {
    let program = program_with(|name| (name.ends_with("LOGIN_LIMIT")).then_some("3")).await;
    registered(&program, "alice").await;
    for _ in 0..5 {
        assert_eq!(rest_code(&login(&program, "alice", PASSWORD).await), 200);
    }
    for _ in 0..3 {
        assert_eq!(rest_code(&login(&program, "alice", "wrong").await), 621);
    }
    assert_eq!(rest_code(&login(&program, "alice", PASSWORD).await), 4003);
}

#[tokio::test]
async fn an_address_guesses_so_often_and_no_more_for_a_while_whoever_it_guesses_for() {
    let program = program_with(|name| (name == "ADDRESS_LOGIN_LIMIT").then_some("3")).await;
    registered(&program, "alice").await;
    let guess = async |address: &str, name: &str| {
        let body = json!({"userid": name, "password": "wrong"}).to_string();
        rest_code(&post_from(&program, address, "/login", &body).await)
    };
    for name in ["nobody1", "nobody2", "nobody3"] {
        assert_eq!(guess("203.0.113.7", name).await, 620);
    }
    assert_eq!(guess("203.0.113.7", "alice").await, 4003);
    assert_eq!(guess("203.0.113.8", "alice").await, 621);
}

#[tokio::test]
async fn what_a_client_says_of_its_address_is_not_looked_at() {
    let program = program_with(|name| (name == "ADDRESS_LOGIN_LIMIT").then_some("1")).await;
    let body = r#"{"userid":"nobody","password":"wrong"}"#;
    let guess = async |header: &str, value: &str| {
        rest_code(&crate::support::steps::rest_with(&program, "login", body, header, value).await)
    };
    assert_eq!(guess("x-forwarded-for", "1.1.1.1").await, 620);
    for (header, value) in [
        ("x-forwarded-for", "1.1.1.2"),
        ("x-real-ip", "1.1.1.3"),
        ("forwarded", "for=1.1.1.4"),
        ("client-ip", "1.1.1.5"),
    ] {
        assert_eq!(guess(header, value).await, 4003, "{header}");
    }
}

/// What takes the time is compared in `password.rs`; here, that nothing else is done for the one and not for the other.
#[tokio::test]
async fn for_a_name_that_nobody_has_the_same_is_done_as_for_a_wrong_password() {
    let watch = Watch::default();
    let program = program_over(watch.over(Engine::in_memory().unwrap().http_client()), |_| None).await;
    registered(&program, "alice").await;
    let done = async |name: &str| {
        watch.take();
        login(&program, name, "wrong").await;
        watch.take().into_iter().map(|asked| asked.operation).collect::<Vec<_>>()
    };
    assert_eq!(done("nobody").await, done("alice").await);
}

#[tokio::test]
async fn an_account_of_who_became_an_administrator_later_lets_nobody_in() {
    let engine = Engine::in_memory().unwrap();
    let before = program_over(engine.http_client(), |_| None).await;
    registered(&before, "bobby").await;
    let after =
        program_over(engine.http_client(), |name| (name == "IM_ADMINISTRATORS").then_some("root1, bobby")).await;
    assert_eq!(rest_code(&login(&after, "bobby", PASSWORD).await), 620);
}

#[tokio::test]
async fn a_session_whose_start_was_written_twice_is_there_once() {
    let program = program_with(|name| (name == "SESSIONS_PER_USER").then_some("2")).await;
    let first = registered(&program, "alice").await;
    let (user, now) = (UserId::parse("alice").unwrap(), UnixSeconds(program.now()));
    let session = Session {
        generation: Generation { session: "5e55".to_owned(), number: 0 },
        renewed_at: now,
        is_unused: false,
        expires_at: now.plus(60),
        refresh_until: now.plus(60),
    };
    for _ in 0..2 {
        let seen = program.app.table.sessions(&user).await.unwrap();
        program.app.table.start_session(&user, seen, &session, 2, now).await.unwrap();
    }
    assert_eq!(program.app.table.sessions(&user).await.unwrap().live(now).count(), 2);
    assert!(is_logged_in(&program, &first).await, "the other device");
}

#[tokio::test]
async fn the_counts_of_attempts_go_when_their_quarter_of_an_hour_is_over() {
    let engine = Engine::in_memory().unwrap();
    let program = program_over(engine.http_client(), |_| None).await;
    login(&program, "nobody", "wrong").await;
    let counts = engine.client().query().table_name("mini-lvb").key_condition_expression("PK = :count");
    let counts =
        counts.expression_attribute_values(":count", AttributeValue::S("ATTEMPTS#USER_LOGIN#nobody".to_owned()));
    let expiry = counts.send().await.unwrap().items()[0][EXPIRES_AT].as_n().unwrap().parse::<u64>().unwrap();
    assert!(expiry.is_multiple_of(900) && (program.now()..=program.now() + 900).contains(&expiry), "{expiry}");
}
