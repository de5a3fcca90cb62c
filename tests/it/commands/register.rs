//! `register`: who gets an account, and who does not.

use std::sync::Arc;

use serde_json::json;

use crate::support::{
    harness::{golden, program, program_with, rest},
    steps::{post_from, rest_code},
};
use protocol::types::{Secret, UnixSeconds, UserId};
use store::{Created, PublicProfile};

#[tokio::test]
async fn a_free_name_becomes_an_account() {
    let program = program().await;
    let body = r#"{"userid":"alice","password":"54545aaaebe107ea467ad4e31822fbb7"}"#;
    golden("register/ok.rest.json", &rest(&program, "register", body).await);
    golden("register/taken.rest.json", &rest(&program, "register", body).await);
}

#[tokio::test]
async fn names_that_differ_in_case_are_two_accounts() {
    let program = program().await;
    for name in ["alice", "ALICE", "Alice"] {
        let body = json!({"userid": name, "password": format!("of{name}")}).to_string();
        assert_eq!(rest_code(&rest(&program, "register", &body).await), 200, "{name}");
    }
    let body = r#"{"userid":"ALICE","password":"ofalice"}"#;
    assert_eq!(rest_code(&rest(&program, "login", body).await), 621, "one's password opens no other's account");
}

#[tokio::test]
async fn a_name_or_password_that_breaks_its_rule_is_refused() {
    let program = program().await;
    golden("register/bad_name.rest.json", &rest(&program, "register", r#"{"userid":"al","password":"abc"}"#).await);
    golden(
        "register/bad_password.rest.json",
        &rest(&program, "register", r#"{"userid":"alice","password":"a b"}"#).await,
    );
    let long = "a".repeat(256);
    for (name, password) in [
        (json!("1alice"), json!("abc")),
        (json!("al-ice"), json!("abc")),
        (json!("a".repeat(25)), json!("abc")),
        (json!("álice"), json!("abc")),
        (json!(["x"]), json!("abc")),
        (json!({"a": 1}), json!("abc")),
        (json!(null), json!("abc")),
        (json!("alice"), json!("")),
        (json!("alice"), json!("pass word")),
        (json!("alice"), json!("密码")),
        (json!("alice"), json!(long)),
        (json!("alice"), json!(["abc"])),
        (json!("alice"), json!({"a": 1})),
        (json!("alice"), json!(null)),
        (json!("alice"), json!("0")),
    ] {
        let body = json!({"userid": name, "password": password}).to_string();
        assert_eq!(rest_code(&rest(&program, "register", &body).await), 602, "{body}");
    }
}

#[tokio::test]
async fn nobody_becomes_the_administrator_of_the_messages() {
    let program = program().await;
    let register = async |name: &str| {
        rest_code(&rest(&program, "register", &json!({"userid": name, "password": "abc"}).to_string()).await)
    };
    assert_eq!(register("administrator").await, 612);
    assert_eq!(register("administrators").await, 200);
}

#[tokio::test]
async fn where_accounts_are_closed_nobody_registers_or_logs_in_with_a_password() {
    let program = program_with(|name| (name == "ACCOUNTS").then_some("closed")).await;
    let body = r#"{"userid":"alice","password":"abc"}"#;
    golden("register/closed.rest.json", &rest(&program, "register", body).await);
    golden("login/closed.rest.json", &rest(&program, "login", body).await);
}

#[tokio::test]
async fn who_made_the_account_whose_answer_was_lost_hears_that_it_is_there() {
    let program = program().await;
    let (user, now) = (UserId::parse("alice").unwrap(), UnixSeconds(program.now()));
    let create = async |hash: &str| {
        let hash = Secret::new(hash);
        program.app.table.create_account(&user, Some(&hash), &PublicProfile::default(), now).await.unwrap()
    };
    assert_eq!(create("$argon2id$one").await, Created::Yes);
    assert_eq!(create("$argon2id$one").await, Created::Yes, "the same, tried again");
    assert_eq!(create("$argon2id$another").await, Created::AlreadyThere);
}

#[tokio::test]
async fn numbers_blanks_and_fields_that_nobody_asked_for_do_no_harm() {
    let program = program().await;
    for body in [
        r#"{"userid":"dave","password":12345}"#,
        r#"{"userid":" erin ","password":" abc "}"#,
        r#"{"userid":"gina\u0000","password":"abc"}"#,
        r#"{"userid":"henry","password":"abc","extra":1,"nickname":"n"}"#,
        r#"{"userid":"ivan1","password":"abc","this":1}"#,
        r#"{"userid":"jane1","password":"abc","keys":["userid"]}"#,
    ] {
        assert_eq!(rest_code(&rest(&program, "register", body).await), 200, "{body}");
    }
    assert_eq!(rest_code(&rest(&program, "login", r#"{"userid":"dave","password":"12345"}"#).await), 200);
    assert_eq!(rest_code(&rest(&program, "login", r#"{"userid":"gina","password":"abc"}"#).await), 200);
}

#[tokio::test]
async fn of_sixteen_who_want_a_name_at_once_one_gets_it_and_the_others_hear_that_it_is_taken() {
    let program = Arc::new(program().await);
    let calls = (0..16).map(|number| {
        let program = Arc::clone(&program);
        tokio::spawn(async move {
            let body = json!({"userid": "alice", "password": format!("password{number}")}).to_string();
            rest_code(&rest(&program, "register", &body).await)
        })
    });
    let mut codes = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        codes.push(call.await.unwrap());
    }
    codes.sort_unstable();
    assert_eq!(codes, [vec![200], vec![612; 15]].concat());
}

#[tokio::test]
async fn an_address_makes_so_many_accounts_and_no_more_for_a_while() {
    let program = program_with(|name| (name == "ADDRESS_REGISTER_LIMIT").then_some("3")).await;
    let register = async |address: &str, name: &str| {
        let body = json!({"userid": name, "password": "abc"}).to_string();
        post_from(&program, address, "/register", &body).await
    };
    for name in ["user1", "user2", "user3"] {
        assert_eq!(rest_code(&register("203.0.113.7", name).await), 200);
    }
    golden("register/too_many.rest.json", &register("203.0.113.7", "user4").await);
    assert_eq!(rest_code(&register("203.0.113.8", "user4").await), 200, "another address");
    program.pass(900);
    assert_eq!(rest_code(&register("203.0.113.7", "user5").await), 200, "another quarter of an hour");
}

#[tokio::test]
async fn all_addresses_that_one_line_has_count_as_one() {
    let program = program_with(|name| (name == "ADDRESS_REGISTER_LIMIT").then_some("1")).await;
    let register = async |address: &str, name: &str| {
        let body = json!({"userid": name, "password": "abc"}).to_string();
        rest_code(&post_from(&program, address, "/register", &body).await)
    };
    assert_eq!(register("2001:db8:1:2::1", "user1").await, 200);
    assert_eq!(register("2001:db8:1:2:ffff::2", "user2").await, 4003);
    assert_eq!(register("2001:db8:1:3::1", "user2").await, 200);
    assert_eq!(register("203.0.113.7", "user3").await, 200);
    assert_eq!(register("::ffff:203.0.113.7", "user4").await, 4003, "the same address, as IPv6 writes it");
}
