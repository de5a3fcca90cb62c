//! The log: one line for each call, with who, what, from where, what came of it and why; and in warnings, whom they are
//! about.

use std::{
    io,
    sync::{Arc, Mutex},
};

use aws_sdk_dynamodb::types::AttributeValue;
use http::Request;
use serde_json::{Value, json};
use tracing::{Dispatch, Level, callsite, dispatcher};
use tracing_subscriber::fmt::{self, format::Format};

use crate::support::{
    harness::{Program, action, notice, post, program, program_over, program_with, rest, send},
    steps::{
        OPERATOR_KEY, PASSWORD, by_operator, fields, list, logged_in, open_room, push_starts, registered, rest_with,
        signed, user_sig_of,
    },
};
use cli::engine::Engine;
use protocol::{
    error::BodyFault,
    sign::session::{body_digest, liteav_sig},
    types::{ClientAddress, RequestId},
};

/// Listens to the log of this thread, on which a whole test runs, for as long as it is there.
pub(crate) struct Listener {
    text: Written,
    _guard: dispatcher::DefaultGuard,
    // While there is a second one, and after a rebuilding, whether a line is written does not depend on which thread
    // came to it first.
    _second: Dispatch,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Listener {
    /// Listens from a level on.
    pub(crate) fn from(level: Level) -> Self {
        let (text, second) = (Written::default(), Dispatch::new(fmt::fmt().with_max_level(Level::ERROR).finish()));
        let writer = text.clone();
        let format = Format::default().json();
        let lines = fmt::fmt().with_max_level(level).event_format(format).fmt_fields(fmt::format::JsonFields::new());
        let guard = dispatcher::set_default(&Dispatch::new(lines.with_writer(move || writer.clone()).finish()));
        callsite::rebuild_interest_cache();
        Self { text, _guard: guard, _second: second }
    }

    /// All that was written.
    pub(crate) fn text(&self) -> String {
        callsite::rebuild_interest_cache();
        String::from_utf8(self.text.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines of calls since this was asked last, without what differs from run to run: the fields, and the message in
    /// front.
    fn calls(&self) -> Vec<Value> {
        let text = String::from_utf8(std::mem::take(&mut *self.text.0.lock().unwrap())).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"].take());
        lines.filter(|fields| fields.get("command").is_some()).collect()
    }

    /// The line of the only call since this was asked last.
    fn call(&self) -> Value {
        let mut calls = self.calls();
        assert_eq!(calls.len(), 1, "{calls:#?}");
        calls.remove(0)
    }
}

/// What a line says beside how long the call took, and which it was.
fn told(mut line: Value) -> Value {
    let fields = line.as_object_mut().unwrap();
    assert!(fields.remove("milliseconds").unwrap().is_u64());
    assert!(fields.remove("request").unwrap().is_string());
    line
}

/// A call from an address.
fn from(address: &str, path: &str, body: &Value) -> Request<Vec<u8>> {
    let origin = ClientAddress(address.parse().unwrap());
    Request::post(path).extension(origin).body(body.to_string().into_bytes()).unwrap()
}

#[tokio::test]
async fn a_call_leaves_one_line_with_who_what_from_where_and_what_came_of_it() {
    let program = program().await;
    let log = Listener::from(Level::INFO);
    let login = json!({"userid": "alice", "password": PASSWORD});
    send(&program, from("203.0.113.7", "/login", &login)).await;
    assert_eq!(
        told(log.call()),
        json!({"message": "refused", "command": "login", "dialect": "rest", "code": 620, "reason": "no such user",
               "user": "alice", "address": "203.0.113.7"})
    );
    let enter = json!({"Action": "EnterGroup", "userid": "bobby", "liveuserid": "alice", "groupid": "g", "flag": 0,
                       "nickname": "Bob", "headpic": ""});
    send(&program, from("2001:db8::7", "/interface.php", &enter)).await;
    assert_eq!(
        told(log.call()),
        json!({"message": "done", "command": "enter_group", "dialect": "action", "code": 0,
               "user": "bobby", "host": "alice", "address": "2001:db8::7"})
    );
    notice(&program, r#""event_type":1,"stream_id":"8888_nobody","sequence":"1""#).await;
    let line = told(log.call());
    assert_eq!(
        line,
        json!({"message": "done", "command": "live_callback", "dialect": "callback", "code": 0, "stream": "8888_nobody",
               "event": 1})
    );
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_its_line() {
    let program = program().await;
    let log = Listener::from(Level::INFO);
    let register = json!({"userid": "alice", "password": PASSWORD});
    // No password is hashed before the second look.
    tokio::select! {
        biased;
        _ = send(&program, from("203.0.113.7", "/register", &register)) => unreachable!("it takes a while"),
        () = std::future::ready(()) => {}
    }
    let line = json!({"message": "given up", "command": "register", "dialect": "rest", "user": "alice",
                      "address": "203.0.113.7"});
    assert_eq!(told(log.call()), line);
}

#[tokio::test]
async fn an_answer_names_its_call_as_the_log_does() {
    let program = program().await;
    let log = Listener::from(Level::INFO);
    let mut ids = Vec::new();
    for path in ["/login", "/interface.php", "/callback/tape_callback.php", "/nowhere"] {
        let answer = post(&program, path, "{}").await;
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(log.call()["request"], id, "{path}");
        ids.push(id);
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    // A gateway has named it already, in its own log.
    let request = Request::post("/login").extension(RequestId::parse("JKJaXmPLvHcESHA=").unwrap());
    let answer = send(&program, request.body(Vec::new()).unwrap()).await;
    assert_eq!(answer.headers()["x-request-id"], "JKJaXmPLvHcESHA=");
    assert_eq!(log.call()["request"], "JKJaXmPLvHcESHA=");
}

#[tokio::test]
async fn why_a_signature_is_refused_is_in_the_log_and_not_in_the_answer() {
    let program = program_with(|name| (name == "SESSION_SECONDS").then_some("86400")).await;
    let alice = registered(&program, "alice").await;
    let log = Listener::from(Level::INFO);
    let now = program.now();
    let body = |made: u64, user: &str| json!({"userid": user, "timestamp": made, "expires": 10}).to_string();
    let sent = async |body: &str, signed: &str| {
        let signature = liteav_sig(&alice.token, &body_digest(signed.as_bytes()));
        rest_with(&program, "get_user_info", body, "liteav-sig", &signature).await
    };
    let mut answers = vec![rest(&program, "get_user_info", &body(now, "alice")).await];
    answers.push(rest_with(&program, "get_user_info", &body(now, "alice"), "liteav-sig", "abc").await);
    let unstamped = json!({"userid": "alice"}).to_string();
    for (body, signed) in [
        (unstamped.clone(), unstamped),
        (body(now - 3600, "alice"), body(now - 3600, "alice")),
        (body(now + 3600, "alice"), body(now + 3600, "alice")),
        (body(now, "alice"), body(now, "bobby")),
        (body(now, "bobby"), body(now, "bobby")),
    ] {
        answers.push(sent(&body, &signed).await);
    }
    program.pass(86_400);
    let later = body(program.now(), "alice");
    answers.push(sent(&later, &later).await);
    let reasons: Vec<_> = log.calls().into_iter().map(|line| line["reason"].as_str().unwrap().to_owned()).collect();
    let expected = [
        "the header Liteav-Sig is missing, or there is more than one",
        "Liteav-Sig does not have the length of an MD5 digest",
        "timestamp is missing",
        "timestamp is 3600 s old, and expires is 10 s",
        "timestamp is 3600 s in the future",
        "the signature does not match the body and any token of the user",
        "the user has no session",
        "the session has expired or was ended",
    ];
    assert_eq!(reasons, expected.map(|why| format!("the signature is not good: {why}")));
    for answer in answers {
        assert_eq!(answer, r#"{"code":498,"message":"Invalid Token","data":[]}"#);
    }
}

#[tokio::test]
async fn why_a_refresh_a_user_sig_or_a_notice_is_refused_is_in_the_log() {
    let program = program_with(|name| (name == "ACTION_AUTH").then_some("user-sig")).await;
    let alice = registered(&program, "alice").await;
    let log = Listener::from(Level::INFO);
    let refresh = async |token: &str| {
        rest(&program, "refresh", &json!({"userid": "alice", "refresh_token": token}).to_string()).await
    };
    refresh("forged").await;
    refresh(&alice.refresh_token).await;
    program.pass(61);
    refresh(&alice.refresh_token).await;
    refresh(&alice.refresh_token).await;
    let status = r#"{"Action":"ChangeStatus","userid":"alice","status":0"#;
    action(&program, &format!("{status}}}")).await;
    action(&program, &format!(r#"{status},"usersig":"eJx"}}"#)).await;
    action(&program, &format!(r#"{status},"usersig":"{}"}}"#, user_sig_of(&program, "bobby"))).await;
    post(&program, "/tape_callback", r#"{"t":"1","sign":"x","event_type":0,"stream_id":"s"}"#).await;
    let reason = |line: &Value| line["reason"].as_str().map(|why| why.replace("the signature is not good: ", ""));
    let reasons: Vec<_> = log.calls().iter().map(|line| reason(line).unwrap_or_else(|| "done".to_owned())).collect();
    assert_eq!(
        reasons,
        [
            "the refresh token does not belong to this user",
            "done",
            "the refresh token was used before: two parties have it, so the session ends",
            "the refresh token belongs to a session that has ended",
            "the UserSig is missing",
            "the UserSig has expired, or is not signed with IM_SECRET_KEY",
            "the UserSig belongs to another user",
            "sign was not made with CALLBACK_KEY",
        ]
    );
}

#[tokio::test]
async fn a_call_to_an_address_where_nothing_is_is_in_the_log_without_the_key_of_the_callbacks() {
    let program = program_with(|name| (name == "CALLBACK_PATH_KEY").then_some("the-key-of-callbacks")).await;
    let log = Listener::from(Level::INFO);
    post(&program, "/phpmyadmin/index.php", "").await;
    assert_eq!(
        told(log.call()),
        json!({"message": "refused", "command": "?", "dialect": "rest", "code": 400,
               "reason": "no command \"phpmyadmin/index.php\""})
    );
    post(&program, "/the-key-of-callbacks/calback/Live_callback.php", "").await;
    assert_eq!(log.call()["reason"], "no command \"<CALLBACK_PATH_KEY>/calback/Live_callback.php\"");
    action(&program, r#"{"Action":"Nonsense","userid":"alice"}"#).await;
    let line = log.call();
    assert_eq!((&line["command"], &line["user"], &line["code"]), (&json!("?"), &json!("alice"), &json!(1000)));
}

#[tokio::test]
async fn a_call_whose_body_is_wrong_is_in_the_log_under_the_command_of_its_address() {
    let program = program().await;
    let log = Listener::from(Level::INFO);
    post(&program, "/login", "userid=alice&password=secret123").await;
    assert_eq!(log.call()["command"], "login");
    send(&program, Request::get("/login").body(Vec::new()).unwrap()).await;
    assert_eq!(log.call()["command"], "login");
    for fault in [BodyFault::TooLong, BodyFault::TooSlow, BodyFault::Truncated] {
        send(&program, Request::post("/login").extension(fault).body(Vec::new()).unwrap()).await;
        let line = log.call();
        assert_eq!((&line["command"], &line["reason"]), (&json!("login"), &json!(fault.to_string())));
    }
    post(&program, "/live_callback", "no notice").await;
    assert_eq!(log.call()["command"], "live_callback");
}

#[tokio::test]
async fn a_notice_at_an_address_that_takes_none_is_in_the_log_with_that_address() {
    let program = program_with(|name| (name == "CALLBACK_PATH_KEY").then_some("the-key-of-callbacks")).await;
    let log = Listener::from(Level::INFO);
    for (path, named) in [
        ("/calback", "/calback"),
        ("/interface.php", "/interface.php"),
        ("/the-key-of-callbacks/calback", "/<CALLBACK_PATH_KEY>/calback"),
    ] {
        post(&program, path, r#"{"t":"1","sign":"x","event_type":0,"stream_id":"s"}"#).await;
        let line = log.call();
        assert_eq!((&line["dialect"], &line["code"]), (&json!("callback"), &json!(4003)));
        assert!(line["reason"].as_str().unwrap().contains(&format!("\"{named}\"")), "{line}");
    }
    // Without its key the address is none, whatever is behind it.
    post(&program, "/live_callback", r#"{"t":"1","sign":"x","event_type":0,"stream_id":"s"}"#).await;
    let line = log.call();
    assert_eq!((&line["command"], &line["code"]), (&json!("live_callback"), &json!(4003)));
    assert!(line["reason"].as_str().unwrap().contains("CALLBACK_PATH_KEY"), "{line}");
}

#[tokio::test]
async fn a_health_check_is_not_refused() {
    let program = program().await;
    let log = Listener::from(Level::INFO);
    send(&program, Request::get("/interface.php").body(Vec::new()).unwrap()).await;
    let line = log.call();
    assert_eq!((&line["message"], &line["code"]), (&json!("health check"), &json!(200)));
    post(&program, "/interface.php", "no json").await;
    assert_eq!(log.call()["message"], "refused");
}

#[tokio::test]
async fn without_users_the_log_names_nobody_and_still_tells_them_apart() {
    let program = program_with(|name| match name {
        "LOG_USERS" => Some("off"),
        "LOG_SALT" => Some("a-salt-of-the-tests"),
        "OPERATOR_KEY" => Some(OPERATOR_KEY),
        _ => None,
    });
    let program = program.await;
    let log = Listener::from(Level::INFO);
    let login = json!({"userid": "alice", "password": PASSWORD});
    send(&program, from("203.0.113.7", "/register", &login)).await;
    let registered = log.call();
    logged_in(&program, "alice").await;
    let logged_in = log.call();
    let report = json!({"Action": "ReportUser", "userid": "bobby", "hostuserid": "alice"});
    send(&program, from("203.0.113.7", "/interface.php", &report)).await;
    let reported = log.call();
    open_room(&program, "alice", "t").await;
    by_operator(&program, "forbid_live", fields!("userid": "alice", "forbidflag": 1)).await;
    notice(&program, r#""event_type":1,"stream_id":"8888_alice","sequence":"1""#).await;
    let text = log.text();
    for name in ["alice", "bobby", "203.0.113.7"] {
        assert!(!text.contains(name) && [&registered, &reported].iter().all(|line| !line.to_string().contains(name)));
    }
    let alice = registered["user"].as_str().unwrap();
    assert!(alice.len() == 16 && text.contains(alice), "{text}");
    assert_eq!((&logged_in["user"], &reported["host"]), (&json!(alice), &json!(alice)));
    assert_ne!(reported["user"], alice);
    assert_eq!(registered["address"], reported["address"]);
}

#[tokio::test]
async fn without_users_warnings_about_timelines_and_rows_name_nobody() {
    let engine = Engine::in_memory().unwrap();
    let settings = |name: &str| match name {
        "LOG_USERS" => Some("off"),
        "LOG_SALT" => Some("a-salt-of-the-tests"),
        _ => None,
    };
    let program = program_over(engine.http_client(), settings).await;
    open_room(&program, "alice", "t").await;
    let log = Listener::from(Level::INFO);
    for n in 0..260 {
        program.pass(100);
        push_starts(&program, "8888_alice", &n.to_string()).await;
    }
    let key =
        [("PK", "USER#alice"), ("SK", "ROOM")].map(|(name, value)| (name.to_owned(), AttributeValue::S(value.into())));
    let damage = engine.client().update_item().table_name("mini-lvb").set_key(Some(key.into()));
    let damage =
        damage.update_expression("SET title = :none").expression_attribute_values(":none", AttributeValue::Bool(true));
    damage.send().await.unwrap();
    list(&program, 4, 1, 10).await;
    let text = log.text();
    for message in ["a timeline is full", "an invalid item is skipped"] {
        assert!(text.contains(message), "{text}");
    }
    assert!(!text.contains("alice"), "{text}");
}

/// The lines that are of no call: their messages, users and streams.
async fn warnings(program: &Program, doing: impl AsyncFnOnce(&Program)) -> Vec<(String, Value, Value)> {
    let log = Listener::from(Level::INFO);
    doing(program).await;
    let lines = log.text();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"].take());
    let warnings = lines.filter(|fields| fields.get("command").is_none());
    warnings.map(|f| (f["message"].as_str().unwrap().to_owned(), f["user"].clone(), f["stream"].clone())).collect()
}

#[tokio::test]
async fn warnings_about_bans_and_notices_name_the_user_and_the_stream() {
    let program = program_with(|name| (name == "OPERATOR_KEY").then_some(OPERATOR_KEY)).await;
    open_room(&program, "alice", "t").await;
    let said = warnings(&program, async |program| {
        by_operator(program, "forbid_live", fields!("userid": "alice", "forbidflag": 1)).await;
        notice(program, r#""event_type":1,"stream_id":"8888_nobody","sequence":"1""#).await;
    });
    let named = |message: &str, user: Value, stream: &str| (message.to_owned(), user, json!(stream));
    assert_eq!(
        said.await,
        [
            named("an action of a ban failed and will be retried", json!("alice"), "8888_alice"),
            named("a notice is kept until its stream has an owner", Value::Null, "8888_nobody"),
        ]
    );
}

#[tokio::test]
async fn a_name_cannot_forge_a_line() {
    let program = program().await;
    let log = Listener::from(Level::INFO);
    let name = r#"x", "command": "login"#;
    let body = json!({"Action": "ChangeStatus", "userid": name, "status": 0});
    action(&program, &body.to_string()).await;
    assert_eq!(log.call()["user"], name);
    drop(signed(&program, &registered(&program, "alice").await, "get_user_info", fields!()).await);
    assert_eq!(log.calls().len(), 3);
}
