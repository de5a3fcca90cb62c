//! What a Gen-2 call must carry to be believed: a signature of its very bytes, in a session that lives, of now.

use aws_sdk_dynamodb::types::AttributeValue;
use http::Request;
use serde_json::json;

use crate::support::{
    harness::{Program, program, program_on, program_over, program_with, send},
    injector::{Fault, Injector, Lasts, Strike},
    steps::{
        OPERATOR_KEY, PASSWORD, Phone, by_operator, fields, logged_in, open_room, registered, rest_code, rest_with,
        signed,
    },
    watch::Watch,
};
use cli::engine::Engine;
use protocol::sign::session::{body_digest, liteav_sig};

const DAY: u64 = 86_400;

fn sig(phone: &Phone, body: &str) -> String {
    liteav_sig(&phone.token, &body_digest(body.as_bytes()))
}

/// The code of a call with this body, signed over these bytes.
async fn signed_over(program: &Program, phone: &Phone, body: &str, signed: &str) -> u64 {
    rest_code(&rest_with(program, "get_user_info", body, "liteav-sig", &sig(phone, signed)).await)
}

async fn call(program: &Program, phone: &Phone, body: &str) -> u64 {
    signed_over(program, phone, body, body).await
}

#[tokio::test]
async fn the_signature_covers_every_byte_as_it_was_sent() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let now = program.now();
    let body = format!(r#"{{"userid":"alice","timestamp":{now},"expires":10}}"#);
    assert_eq!(call(&program, &alice, &body).await, 200);
    assert_eq!(
        call(&program, &alice, &format!(r#" {{"expires":10, "timestamp":{now} ,"userid":" alice "}}"#)).await,
        200
    );
    for other in [&body[1..], &body[..body.len() - 1], &body.replace("10", "11"), &format!("{body} "), ""] {
        assert_eq!(signed_over(&program, &alice, &body, other).await, 498, "{other}");
    }
    let right = sig(&alice, &body);
    for wrong in [
        right.to_uppercase(),
        right[1..].to_owned(),
        format!("{right}0"),
        format!("{right}, {right}"),
        "0".repeat(32),
        body_digest(body.as_bytes()),
        liteav_sig("", &body_digest(body.as_bytes())),
    ] {
        let answer = rest_with(&program, "get_user_info", &body, "liteav-sig", &wrong).await;
        assert_eq!(rest_code(&answer), 498, "{wrong}");
    }
}

#[tokio::test]
async fn a_signature_that_is_there_twice_is_none() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let body = format!(r#"{{"userid":"alice","timestamp":{},"expires":10}}"#, program.now());
    for headers in [["x".to_owned(), sig(&alice, &body)], [sig(&alice, &body), "x".to_owned()]] {
        let request = headers.iter().fold(Request::post("/get_user_info"), |r, value| r.header("liteav-sig", value));
        let answer = send(&program, request.body(body.clone().into_bytes()).unwrap()).await;
        assert_eq!(rest_code(answer.body()), 498);
    }
}

#[tokio::test]
async fn one_user_s_signature_is_not_another_s() {
    let program = program().await;
    let (alice, bobby) = (registered(&program, "alice").await, registered(&program, "bobby").await);
    let body = format!(r#"{{"userid":"alice","timestamp":{},"expires":10}}"#, program.now());
    assert_eq!(call(&program, &bobby, &body).await, 498);
    assert_eq!(call(&program, &alice, &body.replace("alice", "ALICE")).await, 498);
    assert_eq!(call(&program, &alice, &body.replace("alice", "nobody")).await, 498);
}

#[tokio::test]
async fn a_call_is_good_for_as_long_as_it_says_and_a_phone_s_clock_may_be_off() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let now = program.now();
    let skew = 300;
    let at = async |timestamp: u64, expires: u64| {
        call(&program, &alice, &json!({"userid": "alice", "timestamp": timestamp, "expires": expires}).to_string())
            .await
    };
    assert_eq!(at(now, 10).await, 200);
    assert_eq!(at(now - 10 - skew, 10).await, 200);
    assert_eq!(at(now - 10 - skew - 1, 10).await, 498, "stale");
    assert_eq!(at(now + skew, 10).await, 200);
    assert_eq!(at(now + skew + 1, 10).await, 498, "from the future");
    assert_eq!(at(now - skew - 1, 0).await, 498);
    // As iOS, which sends how long its session is: but no longer than that.
    assert_eq!(at(now - 80_000, 86_400).await, 200);
    assert_eq!(at(now - 90_000, 1_000_000).await, 498);
}

#[tokio::test]
async fn a_moment_is_seconds_or_milliseconds_a_number_or_a_text() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let now = program.now();
    for timestamp in [
        format!("{now}"),
        format!("\"{now}\""),
        format!("{now}123.4"),
        format!("{now}123"),
        format!("{now}.5"),
        format!("{}e3", now),
    ] {
        let body = format!(r#"{{"userid":"alice","timestamp":{timestamp},"expires":86400}}"#);
        assert_eq!(call(&program, &alice, &body).await, 200, "{timestamp}");
    }
    for timestamp in ["\"x\"", "-1", "null", "[]", "{}", "true", "\"\"", "1e300", "0", "\"NaN\"", "\"inf\""] {
        let body = format!(r#"{{"userid":"alice","timestamp":{timestamp},"expires":10}}"#);
        assert_eq!(call(&program, &alice, &body).await, 498, "{timestamp}");
    }
    for expires in ["\"x\"", "-1", "[]", "1.5"] {
        let body = format!(r#"{{"userid":"alice","timestamp":{now},"expires":{expires}}}"#);
        assert_eq!(call(&program, &alice, &body).await, 498, "{expires}");
    }
    assert_eq!(call(&program, &alice, r#"{"userid":"alice","expires":10}"#).await, 498, "missing");
}

#[tokio::test]
async fn an_android_app_that_signs_a_second_later_than_it_writes_passes() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let now = program.now();
    let body = |second| format!(r#"{{"userid":"alice","timestamp":{second},"expires":10}}"#);
    assert_eq!(signed_over(&program, &alice, &body(now), &body(now + 1)).await, 200);
    assert_eq!(signed_over(&program, &alice, &body(now), &body(now + 2)).await, 498);
    assert_eq!(signed_over(&program, &alice, &body(now), &body(now - 1)).await, 498);
    // Nothing but the moment may differ.
    let other = body(now + 1).replace("10", "11");
    assert_eq!(signed_over(&program, &alice, &body(now), &other).await, 498);
}

#[tokio::test]
async fn how_far_a_clock_may_be_off_is_a_setting() {
    let program = program_with(|name| (name == "CLOCK_SKEW_SECONDS").then_some("0")).await;
    let alice = registered(&program, "alice").await;
    let at = async |timestamp: u64| {
        call(&program, &alice, &json!({"userid": "alice", "timestamp": timestamp, "expires": 10}).to_string()).await
    };
    assert_eq!(at(program.now() - 10).await, 200);
    assert_eq!(at(program.now() - 11).await, 498);
    assert_eq!(at(program.now() + 1).await, 498);
}

#[tokio::test]
async fn only_post_is_served() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let body = format!(r#"{{"userid":"alice","timestamp":{},"expires":10}}"#, program.now());
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let request = Request::builder().method(method).uri("/get_user_info").header("liteav-sig", sig(&alice, &body));
        let answer = send(&program, request.body(body.clone().into_bytes()).unwrap()).await;
        assert_eq!(rest_code(answer.body()), 602, "{method}, as without a body");
    }
    let request = Request::options("/login").body(Vec::new()).unwrap();
    let answer = send(&program, request).await;
    assert_eq!((answer.status().as_u16(), answer.headers()["allow"].to_str().unwrap()), (405, "POST"));
}

#[tokio::test]
async fn a_signed_call_costs_one_read_before_its_own_work_and_an_unsigned_one_none() {
    let watch = Watch::default();
    let program = program_over(watch.over(Engine::in_memory().unwrap().http_client()), |_| None).await;
    let alice = registered(&program, "alice").await;
    watch.take();
    assert_eq!(rest_code(&signed(&program, &alice, "get_cos_sign", fields!()).await), 200);
    let asked: Vec<String> = watch.take().into_iter().map(|asked| asked.operation).collect();
    assert_eq!(asked, ["GetItem"]);
    let body = format!(r#"{{"userid":"alice","timestamp":{},"expires":10}}"#, program.now());
    assert_eq!(rest_code(&crate::support::harness::rest(&program, "get_cos_sign", &body).await), 498);
    assert!(watch.take().is_empty());
}

#[tokio::test]
async fn a_session_that_is_used_does_not_end_and_one_of_which_30_days_nothing_was_heard_does() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let works = async || rest_code(&signed(&program, &alice, "get_cos_sign", fields!()).await) == 200;
    // As an app of Android, which never asks for other tokens. The days of a year, then months of it.
    for seconds in std::iter::repeat_n(DAY, 100).chain([29 * DAY; 12]) {
        program.pass(seconds);
        assert!(works().await, "after {} days", (program.now() - crate::support::harness::START) / DAY);
    }
    let body = json!({"userid": "alice", "refresh_token": alice.refresh_token}).to_string();
    assert_eq!(
        rest_code(&crate::support::harness::rest(&program, "refresh", &body).await),
        200,
        "it can be refreshed as long"
    );
    let alice = logged_in(&program, "alice").await;
    program.pass(30 * DAY - 1);
    assert_eq!(rest_code(&signed(&program, &alice, "get_user_info", fields!()).await), 200, "with the account");
    program.pass(30 * DAY);
    assert_eq!(rest_code(&signed(&program, &alice, "get_user_info", fields!()).await), 498);
}

#[tokio::test]
async fn a_session_is_prolonged_once_a_day_however_often_it_is_used() {
    let watch = Watch::default();
    let program = program_over(watch.over(Engine::in_memory().unwrap().http_client()), |_| None).await;
    let alice = registered(&program, "alice").await;
    let asked_after = async |seconds: u64| {
        program.pass(seconds);
        watch.take();
        assert_eq!(rest_code(&signed(&program, &alice, "get_cos_sign", fields!()).await), 200);
        watch.take().into_iter().map(|asked| asked.operation).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(asked_after(DAY - 1).await, "GetItem");
    assert_eq!(asked_after(1).await, "GetItem UpdateItem");
    assert_eq!(asked_after(0).await, "GetItem");
    assert_eq!(asked_after(DAY - 1).await, "GetItem");
    assert_eq!(asked_after(5 * DAY).await, "GetItem UpdateItem");
}

#[tokio::test]
async fn a_call_whose_session_cannot_be_prolonged_is_served_all_the_same() {
    let injector = Injector::default();
    let engine = Engine::in_memory().unwrap();
    let program = program_on(&injector.client(engine.http_client()), "mini-lvb", |_| None).await;
    let alice = registered(&program, "alice").await;
    for fault in Fault::ALL {
        for lasts in Lasts::ALL {
            program.pass(DAY);
            injector.arm(vec![Strike { at: 2, fault, lasts }]);
            let answer = signed(&program, &alice, "get_cos_sign", fields!()).await;
            injector.call_ended().await;
            assert_eq!(rest_code(&answer), 200, "{fault:?} {lasts:?}");
            assert!(injector.struck()[0].starts_with("UpdateItem"), "{:?}", injector.struck());
        }
    }
}

#[tokio::test]
async fn what_the_table_holds_signs_nothing_and_opens_no_account() {
    let engine = Engine::in_memory().unwrap();
    let program = program_over(engine.http_client(), |_| None).await;
    let alice = registered(&program, "alice").await;
    // All that is hers, whatever our own code makes of it.
    let mut kept = String::new();
    for partition in ["USER#alice", "SESSIONS#alice"] {
        let hers = engine.client().query().table_name("mini-lvb").key_condition_expression("PK = :alice");
        let hers = hers.expression_attribute_values(":alice", AttributeValue::S(partition.to_owned()));
        kept += &format!("{:?}", hers.send().await.unwrap().items());
    }
    assert!(kept.contains("SESSIONS") && kept.contains("$argon2id$v=19$"), "{kept}");
    let mac = alice.refresh_token.rsplit('.').next().unwrap();
    for secret in [alice.token.as_str(), mac, PASSWORD] {
        assert!(!kept.contains(secret), "{kept}");
    }
}

#[tokio::test]
async fn a_write_that_was_late_does_not_bring_back_a_session_that_a_ban_ended() {
    let (engine, watch) = (Engine::in_memory().unwrap(), Watch::default());
    let settings = |name: &str| (name == "OPERATOR_KEY").then_some(OPERATOR_KEY);
    let program = program_over(watch.over(engine.http_client()), settings).await;
    let other = program_over(engine.http_client(), settings).await;
    open_room(&program, "alice", "t").await;
    let old = registered(&program, "alice").await;
    for program in [&program, &other] {
        program.pass(DAY);
    }
    // The use of the session is about to be written down.
    watch.interrupt("UpdateItem", 0, move || async move {
        by_operator(&other, "forbid_live", fields!("userid": "alice", "forbidflag": 1)).await;
        logged_in(&other, "alice").await;
    });
    assert_eq!(rest_code(&signed(&program, &old, "get_user_info", fields!()).await), 200);
    assert_eq!(rest_code(&signed(&program, &old, "get_user_info", fields!()).await), 498);
}
