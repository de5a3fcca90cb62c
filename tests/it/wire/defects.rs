//! What was wrong with the Gen-2 original when it was run, and is not so here: its holes S1 to S18, its bugs B1 to B24.
//!
//! Each test begins with the name of one of them, says what the original did, and shows that this server does not. What
//! is closed in part only says so.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Method, Request};
use serde_json::{Value, json};
use tracing::Level;

use crate::{
    support::{
        harness::{KEY, Program, START, action, notice, post, program, program_over, program_with, rest, send},
        object_store::{ObjectStore, Sent},
        steps::{
            AT_ONCE, File, PASSWORD, Phone, acknowledged, at_once, done_by, fields, file, forged, is_live, is_recorded,
            list, listed, open_room, parse, post_from, push_ends, push_starts, registered, replay, replays, rest_code,
            rest_with, room, sign_of, signed, signed_as_it_is,
        },
        watch::Watch,
    },
    wire::log::Listener,
};
use app::answer::INTERFACE;
use cli::engine::Engine;
use protocol::{
    sign::callback,
    types::{FileId, Secret, UserId},
};

const PUSH: &str = r#""event_type":1,"stream_id":"8888_alice","sequence":"1","event_time":1600000000"#;

/// A program where alice is logged in and has a room.
async fn alices() -> (Program, Phone) {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    open_room(&program, "alice", "the show").await;
    (program, alice)
}

/// The code of a signed call.
async fn attempt(program: &Program, phone: &Phone, command: &str, fields: Value) -> u64 {
    rest_code(&signed(program, phone, command, fields).await)
}

/// Registers or logs in; the answer.
async fn enter(program: &Program, command: &str, user: impl Into<Value>, password: impl Into<Value>) -> String {
    rest(program, command, &fields!("userid": user.into(), "password": password.into()).to_string()).await
}

/// `true` was equal to any sign, so that nobody needed the key.
#[tokio::test]
async fn s1_a_sign_that_is_true_is_no_sign() {
    let (program, _) = alices().await;
    let t = (START + 600).to_string();
    for sign in ["true", "0", "1", "\"\"", "null", "[]"] {
        assert_ne!(forged(&program, &t, sign, PUSH).await.1, r#"{"code":0}"#, "{sign}");
        assert_ne!(forged(&program, &t, sign, &file("v", "mp4", START - 100, START).fields()).await.1, r#"{"code":0}"#);
    }
    assert!(!is_live(&program, "alice").await);
    assert_eq!(replays(&program).await, Vec::<String>::new());
}

/// What a notice said of a recording was run as SQL.
#[tokio::test]
async fn s2_what_a_notice_says_of_a_recording_is_run_nowhere() {
    let (program, _) = alices().await;
    let crafted = "http://v/q.mp4','INJECTED title','','') -- ";
    for (n, id) in ["a", "a' or '1'='1", "it's", "x', (select 1)) -- "].into_iter().enumerate() {
        let to = START - 1000 * n as u64;
        let fields = file(id, "mp4", to - 100, to).fields().replace(&format!("http://vod/{id}.mp4"), crafted);
        acknowledged(&notice(&program, &fields).await);
        let row = replay(&program, "alice", id).await;
        assert_eq!((&row["playurl"], &row["title"]), (&json!(crafted.trim()), &json!("the show")));
    }
    assert_eq!(list(&program, 2, 1, 10).await["totalcount"], 4);
}

/// A title was read from one table and run as SQL on its way into the next.
#[tokio::test]
async fn s3_a_title_is_run_nowhere_on_its_way_into_a_replay() {
    let (program, alice) = alices().await;
    for (n, title) in ["it's", r"a\b", "','','',''),('owned','x"].into_iter().enumerate() {
        done_by(&program, &alice, "upload_room", fields!("title": title, "location": title)).await;
        let (id, to) = (format!("v{n}"), START - 1000 * n as u64);
        is_recorded(&program, file(&id, "mp4", to - 100, to)).await;
        let row = replay(&program, "alice", &id).await;
        assert_eq!((&row["title"], &row["userinfo"]["location"]), (&json!(title), &json!(title)));
    }
    assert_eq!(list(&program, 2, 1, 10).await["totalcount"], 3);
}

/// Nobody looked at `timestamp` and `expires`. A call may still be repeated for as long as it says and clocks may be off,
/// and `upload_room` and `upload_ugc` for as long as the session: iOS sends them without a timestamp.
#[tokio::test]
async fn s4_a_call_is_not_good_for_ever() {
    let (program, alice) = alices().await;
    let at = async |when: Value| {
        let mut fields = fields!("userid": "alice", "expires": 10);
        if !when.is_null() {
            fields["timestamp"] = when;
        }
        rest_code(&signed_as_it_is(&program, &alice, "get_cos_sign", fields).await)
    };
    assert_eq!(at(json!(START)).await, 200);
    for when in [json!(START - 80_000), json!(START + 80_000), json!("x"), json!([]), json!(true), json!(null)] {
        assert_eq!(at(when.clone()).await, 498, "{when}");
    }
    program.pass(311);
    assert_eq!(at(json!(START)).await, 498, "the very call that was good");
}

/// Nobody looked at the `t` of a notice either, nor whether it was a number.
#[tokio::test]
async fn s5_a_notice_is_not_good_for_ever() {
    let (program, _) = alices().await;
    let (t, sign) = ((START + 600).to_string(), sign_of(START + 600));
    program.pass(600 + 3601);
    assert_eq!(forged(&program, &t, &sign, PUSH).await, (403, r#"{"code":4004}"#.to_owned()));
    assert_eq!(forged(&program, "9000000000", &sign_of(9_000_000_000), PUSH).await.0, 403, "from the future");
    for (t, digested) in [(r#"["a"]"#, "Array"), ("null", ""), ("\"\"", ""), ("true", "1"), ("\"x\"", "x")] {
        let sign = format!("\"{}\"", callback::sign(&Secret::new(KEY), digested));
        assert_ne!(forged(&program, t, &sign, PUSH).await.1, r#"{"code":0}"#, "{t}");
    }
    assert!(!is_live(&program, "alice").await);
}

/// A day was announced, and the session lived for ever. Here it ends 30 days after its last use.
#[tokio::test]
async fn s6_a_session_ends_on_the_server() {
    let (program, alice) = alices().await;
    program.pass(30 * 86_400 - 1);
    assert_eq!(attempt(&program, &alice, "get_user_info", fields!()).await, 200);
    program.pass(30 * 86_400);
    assert_eq!(attempt(&program, &alice, "get_user_info", fields!()).await, 498);
}

/// A token was a `rand()`, which whoever saw one call could find by trying. The programs of the tests all draw the same
/// numbers, so what differs between two of them comes from the key.
#[tokio::test]
async fn s7_a_token_is_not_found_by_trying_what_may_have_been_drawn() {
    let tokens = async |key: &'static str| {
        let program = program_with(|name| (name == "SESSION_KEY").then_some(key)).await;
        let alice = registered(&program, "alice").await;
        [alice.token, alice.refresh_token.rsplit_once('.').unwrap().1.to_owned()]
    };
    let one = tokens("a-session-key-that-is-for-tests-only").await;
    let other = tokens("another-session-key-for-the-tests-too").await;
    for (one, other) in one.iter().zip(&other) {
        assert!(one.len() == 64 && one.bytes().all(|byte| byte.is_ascii_hexdigit()), "256 bits");
        assert_ne!(one, other);
    }
}

/// The fields of a body became local variables: `keys` let others in past the rules, `this` stopped PHP.
#[tokio::test]
async fn s8_no_field_breaks_into_the_program() {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    let smuggled = fields!(
        "nickname": "Al", "sex": 1, "title": "smuggled", "location": "l", "status": 0,
        "keys": ["userid", "nickname", "avatar", "sex", "frontcover", "title", "location"], "this": 1,
    );
    done_by(&program, &alice, "upload_user_info", smuggled).await;
    assert_eq!(list(&program, 4, 1, 10).await["totalcount"], 0, "no room is made");
    let fewer = fields!("title": "t", "location": "here", "keys": ["userid", "title"], "this": {});
    done_by(&program, &alice, "upload_room", fewer).await;
    assert_eq!(room(&program, "alice").await["userinfo"]["location"], "here");
    done_by(&program, &alice, "get_vod_list", fields!("index": 0, "count": 10, "keys": [], "this": 1)).await;
    for (user, more) in [("ivan1", r#""this":1"#), ("jane1", r#""keys":["userid"]"#), ("kate1", r#""rules":1,"req":2"#)]
    {
        let body = format!(r#"{{"userid":"{user}","password":"abc",{more}}}"#);
        assert_eq!(rest_code(&rest(&program, "register", &body).await), 200, "{more}");
    }
}

/// The web root was the source tree, with the passwords of the database in it.
#[tokio::test]
async fn s9_no_address_is_a_file() {
    let program = program().await;
    for path in [
        "/conf/cdn.route.ini",
        "/conf/cdn.inc.ini",
        "/conf/OutDefine.php",
        "/conf/cdn.route.ini/x.php",
        "/createDB.sh",
        "/liteav_demo.nginx",
        "/interface/login.php",
        "/dao/redis_cache.php",
        "/log/",
        "/log/interface_info.log.php",
        "/..%2f..%2fetc/passwd",
        "/../../etc/passwd",
        "/.htaccess",
        "/.git/config",
        "/Cargo.toml",
        "/README.md",
        "/template.yaml",
        "/docs/protocol.md",
    ] {
        for (method, status) in [("GET", 404), ("HEAD", 404), ("POST", 200)] {
            let answer = send(&program, Request::builder().method(method).uri(path).body(Vec::new()).unwrap()).await;
            assert_eq!((answer.status().as_u16(), rest_code(answer.body())), (status, 400), "{method} {path}");
        }
    }
}

/// The log held whole requests and answers. There is no log file here (and no address for one, see S9); what is written
/// holds nothing secret down to `debug`, and with `LOG_USERS=off` at `info`, which is the default, nobody's name.
/// `scripts/replay` searches the log of a whole server for everything that it sent and got.
#[tokio::test]
async fn s10_the_log_holds_neither_secrets_nor_names() {
    let log = Listener::from(Level::DEBUG);
    let program = program_with(|name| match name {
        "LOG_USERS" => Some("off"),
        "LOG_SALT" => Some("a-salt-of-the-tests"),
        _ => None,
    });
    let program = program.await;
    let mut secrets = vec![PASSWORD.to_owned(), KEY.to_owned(), "a-session-key-that".to_owned()];
    let alice = registered(&program, "alice_in_chains").await;
    let login = parse(&enter(&program, "login", "alice_in_chains", PASSWORD).await);
    let session = Phone::with("alice_in_chains", &login.to_string()).unwrap();
    secrets.extend([alice.token, alice.refresh_token, session.token.clone(), session.refresh_token.clone()]);
    secrets.push(login["data"]["roomservice_sign"]["userSig"].as_str().unwrap().to_owned());
    enter(&program, "login", "alice_in_chains", "wrongpassword").await;
    secrets.push("wrongpassword".to_owned());
    for command in ["get_user_info", "get_cos_sign", "upload_room"] {
        let answer = parse(&signed(&program, &session, command, fields!("title": "a secret title")).await);
        secrets.extend(answer["data"]["signKey"].as_str().map(str::to_owned));
    }
    secrets.push("a secret title".to_owned());
    let refresh = fields!("userid": "alice_in_chains", "refresh_token": session.refresh_token);
    let renewed = rest(&program, "refresh", &refresh.to_string()).await;
    secrets.push(Phone::with("alice_in_chains", &renewed).unwrap().token);
    let url = open_room(&program, "alice_in_chains", "t").await;
    secrets.push(url.split_once("txSecret=").unwrap().1[..32].to_owned());
    notice(&program, PUSH).await;
    forged(&program, "1", "\"thewrongsign\"", PUSH).await;
    secrets.extend(["thewrongsign".to_owned(), sign_of(START + 600).trim_matches('"').to_owned()]);
    let log = log.text();
    for told in ["login", "refresh", "upload_room", "live_callback", "get_push_url"] {
        assert!(log.contains(&format!(r#""command":"{told}""#)), "{told} is missing in {log}");
    }
    for secret in &secrets {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    let mut by_default = log.lines().filter(|line| !line.contains("DEBUG"));
    assert_eq!(by_default.find(|line| line.contains("alice")), None);
}

/// The password was stored as it came. A short one is still taken: what comes is the app's digest, of which nobody can
/// tell how long the password was.
#[tokio::test]
async fn s11_what_is_kept_of_a_password_opens_nothing() {
    let program = program().await;
    let mut kept = Vec::new();
    for name in ["alice", "bobby"] {
        registered(&program, name).await;
        let account = program.app.table.account_and_sessions(&UserId::parse(name).unwrap()).await.unwrap().0.unwrap();
        kept.push(account.password.unwrap().expose().to_owned());
    }
    assert_ne!(kept[0], kept[1], "one password, salted twice");
    for kept in kept {
        assert!(kept.starts_with("$argon2id$") && !kept.contains(PASSWORD), "{kept}");
        let digits: String = kept.rsplit('$').next().unwrap().chars().filter(char::is_ascii_alphanumeric).collect();
        for shown in [kept, digits] {
            assert_ne!(rest_code(&enter(&program, "login", "alice", shown).await), 200);
        }
    }
}

/// One could try names and passwords without end. That 620, 621 and 612 tell which names there are stays so, because the
/// apps show it; but not for any number of names, and not by the time that it takes.
#[tokio::test]
async fn s12_nobody_tries_without_end_or_learns_from_the_time() {
    let program = program_with(|name| name.ends_with("_LIMIT").then_some("8")).await;
    registered(&program, "alice").await;
    let attempt = async |address: &str, command: &str, user: &str, password: &str| {
        let body = fields!("userid": user, "password": password).to_string();
        rest_code(&post_from(&program, address, command, &body).await)
    };
    let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
    for n in 0..8 {
        let start = Instant::now();
        assert_eq!(attempt(&format!("192.0.2.{n}"), "/login", "alice", "wrong").await, 621);
        known = known.min(start.elapsed());
        let start = Instant::now();
        assert_eq!(attempt("203.0.113.7", "/login", &format!("nobody{n}"), "wrong").await, 620);
        unknown = unknown.min(start.elapsed());
        assert_eq!(attempt("203.0.113.7", "/register", "alice", "abc").await, 612);
    }
    assert_eq!(attempt("192.0.2.9", "/login", "alice", PASSWORD).await, 4003);
    assert_eq!(attempt("203.0.113.7", "/login", "nobody9", "wrong").await, 4003);
    assert_eq!(attempt("203.0.113.7", "/register", "alice", "abc").await, 4003);
    // Without the slow hash it is a fifth, or less.
    assert!(unknown * 4 > known, "{known:?} and {unknown:?}");
}

/// Every phone got a key that signs anything in the bucket, deletion included. Old apps know nothing else, so by default
/// they get it still, and only the rights of the COS key limit it. With `COS_SIGN_KEYS=refused` nobody does.
#[tokio::test]
async fn s13_where_keys_are_refused_a_phone_can_do_one_upload_and_no_more() {
    let program = program_with(|name| (name == "COS_SIGN_KEYS").then_some("refused")).await;
    let alice = registered(&program, "alice").await;
    for command in ["get_cos_sign", "get_cos_sign_v4"] {
        let answer = parse(&signed(&program, &alice, command, fields!()).await);
        assert_eq!((&answer["code"], &answer["data"]), (&json!(403), &json!({})), "{command}");
    }
    for name in ["GetCOSSign", "GetCOSSignV2"] {
        let answer = parse(&action(&program, &fields!("Action": name).to_string()).await);
        assert_eq!((&answer["returnValue"], &answer["returnData"]), (&json!(10_000), &json!([])), "{name}");
    }
    let store = ObjectStore::of(&program).await;
    let grant = done_by(&program, &alice, "get_cos_grant", fields!("size": 7, "type": "image/png")).await;
    let told = Sent::as_told(&grant, b"picture");
    for (method, target) in [("PUT", "/bobby/1.png"), ("DELETE", told.target.as_str()), ("GET", "/")] {
        let other = Sent { method: method.to_owned(), target: target.to_owned(), ..told.clone() };
        assert_eq!(store.send(&other).await.0, 403, "{method} {target}");
    }
    assert_eq!(store.send(&told).await.0, 200);
    assert_eq!(store.count(), 1);
}

/// `ALICE` logged in to the account of `alice`, with a session and an IM identity of its own.
#[tokio::test]
async fn s14_other_letters_are_another_user() {
    let (program, alice) = alices().await;
    assert_eq!(rest_code(&enter(&program, "login", "ALICE", PASSWORD).await), 620);
    let shouting = Phone { user: "ALICE".to_owned(), ..alice };
    assert_eq!(attempt(&program, &shouting, "get_user_info", fields!()).await, 498);
    assert_eq!(rest_code(&enter(&program, "register", "ALICE", "another").await), 200);
    assert_eq!(rest_code(&enter(&program, "login", "alice", "another").await), 621);
}

/// Of eight uses of one refresh token at once up to five succeeded, with tokens of their own, and one that came again went
/// unnoticed. Here all get the same tokens, and as soon as those are used the old one is nobody's.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s15_a_refresh_token_gets_one_set_of_tokens() {
    let program = Arc::new(program().await);
    let old = registered(&program, "alice").await;
    let body = Arc::new(fields!("userid": "alice", "refresh_token": old.refresh_token).to_string());
    let answers = at_once(&program, |program, _| {
        let body = Arc::clone(&body);
        async move { rest(&program, "refresh", &body).await }
    });
    let won: Vec<Phone> = answers.await.iter().filter_map(|answer| Phone::with("alice", answer)).collect();
    assert!(won.len() == AT_ONCE && won.iter().all(|phone| phone.token == won[0].token));
    assert_eq!(attempt(&program, &won[0], "get_user_info", fields!()).await, 200);
    program.pass(4);
    assert_eq!(rest_code(&rest(&program, "refresh", &body).await), 498);
    assert_eq!(attempt(&program, &won[0], "get_user_info", fields!()).await, 498, "two have it: nobody keeps it");
}

/// Any method carried a call, so that a link could.
#[tokio::test]
async fn s16_only_post_carries_a_call() {
    let program = program().await;
    registered(&program, "alice").await;
    let login = fields!("userid": "alice", "password": PASSWORD).to_string();
    let open = r#"{"Action":"RequestLVBAddr","userid":"alice","groupid":"g","title":"t"}"#;
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::PATCH] {
        for (path, body) in [("/login", login.as_str()), (INTERFACE, open)] {
            let request = Request::builder().method(method.clone()).uri(path).body(body.into()).unwrap();
            let answer = parse(send(&program, request).await.body());
            assert!(answer["code"] == 602 || answer["returnValue"] == 4001, "{method} {path}: {answer}");
        }
    }
    assert_eq!(list(&program, 4, 1, 10).await["totalcount"], 0);
}

/// A portrait or a cover was any text, a sex any number.
#[tokio::test]
async fn s17_no_picture_is_a_script_and_no_sex_is_any_number() {
    let (program, alice) = alices().await;
    for script in ["javascript:alert(1)", " JavaScript:alert(1)", "java\tscript:x", "data:text/html,x", "vbscript:x"] {
        for field in ["avatar", "frontcover"] {
            let fields = fields!("sex": 1, field: script);
            assert_eq!(attempt(&program, &alice, "upload_user_info", fields).await, 602, "{field} {script:?}");
        }
        let fields = fields!("title": "t", "frontcover": script);
        assert_eq!(attempt(&program, &alice, "upload_room", fields).await, 602, "{script:?}");
    }
    for sex in [2, -2, 2_147_483_647] {
        assert_eq!(attempt(&program, &alice, "upload_user_info", fields!("sex": sex)).await, 602, "{sex}");
    }
    let profile = done_by(&program, &alice, "get_user_info", fields!()).await;
    assert_eq!((&profile["avatar"], &profile["sex"]), (&json!(""), &json!(-1)));
}

/// A recording that said it was of next year stayed on top of the list for a year.
#[tokio::test]
async fn s18_no_recording_is_of_the_future_or_of_ages() {
    let (program, _) = alices().await;
    is_recorded(&program, file("tomorrow", "mp4", START, START + 90_000)).await;
    is_recorded(&program, file("ages", "mp4", 1, START)).await;
    is_recorded(&program, file("backwards", "mp4", START, START - 100)).await;
    is_recorded(&program, file("v1", "mp4", START - 100, START)).await;
    assert_eq!(replays(&program).await, ["v1"]);
}

/// That no row was changed was taken for an error, and answered with 500.
#[tokio::test]
async fn b1_a_profile_that_does_not_change_is_no_error() {
    let (program, alice) = alices().await;
    for _ in 0..2 {
        let profile = fields!("nickname": "Al", "avatar": "http://h/a.png", "sex": 1, "frontcover": "");
        done_by(&program, &alice, "upload_user_info", profile).await;
    }
}

/// A nickname, portrait or cover that was missing or null broke the SQL.
#[tokio::test]
async fn b2_what_a_profile_leaves_out_keeps_its_value() {
    let (program, alice) = alices().await;
    let profile = fields!("nickname": "Al", "avatar": "http://h/a.png", "sex": 1, "frontcover": "http://h/c.png");
    done_by(&program, &alice, "upload_user_info", profile.clone()).await;
    let nothing = fields!("sex": 1, "nickname": null, "avatar": null, "frontcover": null);
    for less in [fields!("sex": 1), nothing] {
        done_by(&program, &alice, "upload_user_info", less).await;
        let kept = done_by(&program, &alice, "get_user_info", fields!()).await;
        assert!(profile.as_object().unwrap().iter().all(|(name, value)| kept[name] == *value), "{kept}");
    }
}

/// So did a missing location of a room, which the newest app does not send.
#[tokio::test]
async fn b3_a_room_needs_no_location() {
    let (program, alice) = alices().await;
    for fields in [fields!("title": "t"), fields!("title": "t", "location": null)] {
        done_by(&program, &alice, "upload_room", fields).await;
        assert_eq!(room(&program, "alice").await["userinfo"]["location"], "");
    }
}

/// A profile was written into the room too, without a title, which always failed and was never said.
#[tokio::test]
async fn b4_a_profile_does_not_write_the_room() {
    let (program, alice) = alices().await;
    let before = list(&program, 4, 1, 10).await;
    let profile = fields!("nickname": "Al", "sex": 1, "title": "another", "location": "elsewhere");
    done_by(&program, &alice, "upload_user_info", profile).await;
    let after = list(&program, 4, 1, 10).await;
    for field in ["title", "timestamp", "status"] {
        assert_eq!(before["pusherlist"][0][field], after["pusherlist"][0][field]);
    }
    assert_eq!(after["pusherlist"][0]["userinfo"]["location"], "");
}

/// The second format of a recording moved its end to now: it changed its place, or came back although it was too old.
#[tokio::test]
async fn b5_a_second_format_does_not_move_the_end() {
    let (program, _) = alices().await;
    is_recorded(&program, file("old", "mp4", START - 7200, START - 6600)).await;
    is_recorded(&program, file("new", "mp4", START - 3600, START - 3000)).await;
    program.pass(5000);
    is_recorded(&program, file("old-hls", "hls", START - 7200, START - 6600)).await;
    assert_eq!(replays(&program).await, ["new", "old"]);
    assert_eq!(replay(&program, "alice", "old").await["timestamp"], START - 6600);
    program.pass(7 * 86_400);
    is_recorded(&program, file("new-hls", "hls", START - 3600, START - 3000)).await;
    assert_eq!(replays(&program).await, Vec::<String>::new());
}

/// With the end that moved, a later recording was taken for part of an earlier one, and lost; so was one that overlaps two.
#[tokio::test]
async fn b6_no_recording_is_lost_in_another() {
    let (program, _) = alices().await;
    is_recorded(&program, file("v1", "mp4", START - 4000, START - 3800)).await;
    is_recorded(&program, file("v1-hls", "hls", START - 4000, START - 3800)).await;
    is_recorded(&program, file("v2", "mp4", START - 3000, START - 2900)).await;
    is_recorded(&program, file("v3", "mp4", START - 4000, START - 2000)).await;
    assert_eq!(replays(&program).await, ["v1"], "they overlap: one replay");
    let (user, file) = (UserId::parse("alice").unwrap(), FileId::parse("v3").unwrap());
    let parts = program.app.table.replay(&user, &file).await.unwrap().unwrap().parts;
    let files: Vec<&str> = parts.iter().map(|part| part.file.as_str()).collect();
    assert_eq!(files, ["v3", "v1-hls", "v1", "v2"]);
    assert_eq!(replay(&program, "alice", "v2").await["playurl"], "http://vod/v3.mp4", "the one that is the whole");
}

/// Two formats that were announced in the same second became two rows, and of copies some were refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b7_formats_and_copies_that_come_at_once_are_one_replay() {
    let program = Arc::new(alices().await.0);
    at_once(&program, |program, n| async move {
        let format = ["mp4", "hls"][n % 2];
        is_recorded(&program, file(format, format, START - 100, START)).await;
    })
    .await;
    let page = list(&program, 2, 1, 10).await;
    let row = &page["pusherlist"][0];
    assert_eq!(page["totalcount"], 1);
    assert_eq!((&row["playurl"], &row["hls_play_url"]), (&"http://vod/mp4.mp4".into(), &"http://vod/hls.hls".into()));
}

/// Whatever was not exactly `mp4` was played as HLS.
#[tokio::test]
async fn b8_only_hls_is_played_as_hls() {
    let (program, _) = alices().await;
    for (n, format) in ["\"flv\"", "\"MP4\"", "null", "\"\"", "\"HLS\""].into_iter().enumerate() {
        let (id, to) = (format!("v{n}"), START - 1000 * n as u64);
        let fields = file(&id, "f", to - 100, to).fields().replace(r#""file_format":"f""#, "\"file_format\":");
        acknowledged(
            &notice(&program, &fields.replace("\"file_format\":", &format!("\"file_format\":{format}"))).await,
        );
        let row = replay(&program, "alice", &id).await;
        let (is_file, is_hls) = (row["playurl"] != "", row["hls_play_url"] != "");
        assert_eq!((is_file, is_hls), (format != "\"HLS\"", format == "\"HLS\""), "{format}");
    }
}

/// The title of a room could be longer than that of a replay, and its recordings were lost.
#[tokio::test]
async fn b9_a_recording_of_the_longest_title_is_kept() {
    let (program, alice) = alices().await;
    let title = "播".repeat(255);
    done_by(&program, &alice, "upload_room", fields!("title": title.as_str())).await;
    is_recorded(&program, file("v1", "mp4", START - 100, START)).await;
    assert_eq!(replay(&program, "alice", "v1").await["title"], title);
}

/// A letter was the number 0, a list the text `Array`: somebody could register by that name.
#[tokio::test]
async fn b10_a_letter_is_no_number_and_a_list_no_text() {
    let (program, alice) = alices().await;
    for odd in [json!(["x"]), json!({"a": 1}), json!([])] {
        for command in ["register", "login"] {
            assert_eq!(rest_code(&enter(&program, command, odd.clone(), "abc").await), 602, "{odd}");
            assert_eq!(rest_code(&enter(&program, command, "carol", odd.clone()).await), 602, "{odd}");
        }
        for (command, fields) in [
            ("upload_user_info", fields!("sex": 1, "nickname": odd.clone())),
            ("upload_user_info", fields!("sex": 1, "avatar": odd.clone())),
            ("upload_room", fields!("title": odd.clone())),
            ("upload_room", fields!("title": "t", "location": odd.clone())),
        ] {
            assert_eq!(attempt(&program, &alice, command, fields).await, 602, "{command} {odd}");
        }
    }
    for odd in [json!("x"), json!(""), json!([]), json!({})] {
        assert_eq!(attempt(&program, &alice, "upload_user_info", fields!("sex": odd.clone())).await, 602, "{odd}");
        let page = fields!("index": odd.clone(), "count": 20);
        assert_eq!(attempt(&program, &alice, "get_vod_list", page).await, 602, "{odd}");
    }
}

/// The text "0" was empty. As a password it still is: recorded traffic tries to register with it, and counts on the
/// refusal.
#[tokio::test]
async fn b11_a_title_may_be_0() {
    let (program, alice) = alices().await;
    for title in [json!("0"), json!(0)] {
        done_by(&program, &alice, "upload_room", fields!("title": title, "location": "0")).await;
        let row = room(&program, "alice").await;
        assert_eq!((&row["title"], &row["userinfo"]["location"]), (&json!("0"), &json!("0")));
    }
}

/// It was looked at before its blanks were cut.
#[tokio::test]
async fn b12_a_title_of_blanks_is_empty() {
    let (program, alice) = alices().await;
    for title in ["   ", "\t\n", ""] {
        assert_eq!(attempt(&program, &alice, "upload_room", fields!("title": title)).await, 602, "{title:?}");
    }
    assert_eq!(room(&program, "alice").await["title"], "the show");
}

/// A page number times its size became a fraction, which is no SQL.
#[tokio::test]
async fn b13_a_page_far_beyond_the_end_is_empty() {
    let (program, alice) = alices().await;
    is_recorded(&program, file("v1", "mp4", START - 100, START)).await;
    let page = fields!("index": i64::MAX, "count": 20);
    assert_eq!(done_by(&program, &alice, "get_vod_list", page).await, json!({"list": []}));
    let beyond = format!(r#"{{"userid":"alice","index":{}0,"count":20}}"#, u64::MAX);
    assert_eq!(rest_code(&rest(&program, "get_vod_list", &beyond).await), 602);
}

/// A bad sign was answered with a word, or as if the notice had been taken.
#[tokio::test]
async fn b14_a_bad_sign_is_refused_with_a_number_whatever_the_event() {
    let (program, _) = alices().await;
    let wrong = format!("\"{}\"", "0".repeat(32));
    for event in ["0", "1", "100", "200", "317"] {
        let fields = file("v1", "mp4", START - 100, START).fields();
        let fields = fields.replace("\"event_type\":100", &format!("\"event_type\":{event}"));
        let answer = forged(&program, &(START + 600).to_string(), &wrong, &fields).await;
        assert_eq!(answer, (403, r#"{"code":4003}"#.to_owned()), "{event}");
    }
}

/// The document asked for no signature, the code did: who came late had no token to sign with.
#[tokio::test]
async fn b15_who_refreshes_late_needs_no_signature() {
    let (program, alice) = alices().await;
    program.pass(10 * 86_400);
    let body = fields!("userid": "alice", "refresh_token": alice.refresh_token).to_string();
    assert_eq!(rest_code(&rest(&program, "refresh", &body).await), 200);
    let wrong = rest_with(&program, "refresh", &body, "liteav-sig", &"0".repeat(32)).await;
    assert_eq!(rest_code(&wrong), 498, "but one that is there is looked at");
}

/// A name was looked for, then inserted: who lost the race got 500.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b16_of_many_who_register_a_name_at_once_none_gets_500() {
    let program = Arc::new(program().await);
    let mut codes = at_once(&program, |program, n| async move {
        rest_code(&enter(&program, "register", "alice", format!("password{n}")).await)
    })
    .await;
    codes.sort_unstable();
    assert_eq!(codes, [vec![200], vec![612; AT_ONCE - 1]].concat());
}

/// A row of the replays whose account was gone showed the face of the row before.
#[tokio::test]
async fn b17_a_row_without_an_account_does_not_show_the_face_of_another() {
    let (program, alice) = alices().await;
    let profile = fields!("nickname": "Al", "avatar": "http://h/a.png", "sex": 1);
    done_by(&program, &alice, "upload_user_info", profile).await;
    open_room(&program, "gone", "t").await;
    is_recorded(&program, file("v1", "mp4", START - 100, START)).await;
    is_recorded(&program, File { stream: "8888_gone", ..file("v2", "mp4", START - 1100, START - 1000) }).await;
    let page = done_by(&program, &alice, "get_vod_list", fields!("index": 0, "count": 20)).await;
    assert_eq!(listed(&page, "nickname"), ["Al", ""]);
    assert_eq!(listed(&page, "avatar"), ["http://h/a.png", ""]);
}

/// `password error | login fail: alicepassword error`
#[tokio::test]
async fn b18_what_is_said_of_a_failed_login_is_said_once() {
    let (program, _) = alices().await;
    let message = async |user: &str| parse(&enter(&program, "login", user, "wrong").await)["message"].take();
    assert_eq!(message("alice").await, "password error");
    assert_eq!(message("nobody").await, "not exist | user");
}

/// Slashes were dropped, or `index.php` was added. One at the end is a slip, and means the command.
#[tokio::test]
async fn b19_an_address_is_what_it_says() {
    let (program, _) = alices().await;
    let body = fields!("userid": "alice", "password": PASSWORD).to_string();
    for name in ["lo/gin", "login//", "login/index.php", "login.php"] {
        let answer = parse(&rest(&program, name, &body).await);
        assert_eq!((&answer["code"], &answer["message"]), (&json!(400), &json!(format!("Bad Request | {name}"))));
    }
    assert_eq!(parse(&rest(&program, "login/", &body).await)["code"], 200);
}

/// The cloud was made to call again, in vain.
#[tokio::test]
async fn b20_a_notice_of_a_stream_that_nobody_knows_is_acknowledged() {
    let (program, _) = alices().await;
    registered(&program, "erin").await;
    for stream in ["8888_nobody", "nounderscore", "1400_ghost_user", "1400_erin", "x_ALICE_extra", ""] {
        push_starts(&program, stream, "1").await;
        push_ends(&program, stream, "1").await;
        is_recorded(&program, File { stream, ..file("v1", "mp4", START - 100, START) }).await;
    }
    assert_eq!(replays(&program).await, Vec::<String>::new());
}

/// They were called `text/html`.
#[tokio::test]
async fn b21_answers_to_notices_are_json() {
    let (program, _) = alices().await;
    let path = "/callback/tape_callback.php";
    let (good, bad) =
        (notice(&program, PUSH).await, post(&program, path, r#"{"t":1,"sign":"x","event_type":0}"#).await);
    for answer in [good, bad, post(&program, path, "").await] {
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert!(parse(answer.body())["code"].is_u64());
    }
}

/// A body that PHP could not follow got status 500 and nothing.
#[tokio::test]
async fn b22_a_body_that_makes_no_sense_is_answered_in_the_envelope() {
    let (program, alice) = alices().await;
    for body in ["\"alice\"", "5", "[1]", "[[]]", "true", "{", "", "\u{0}", r#"{"userid":["alice"]}"#, r#"{"":{}}"#] {
        for command in ["register", "login", "refresh", "get_user_info", "upload_room", "get_vod_list"] {
            let answer = post(&program, &format!("/{command}"), body).await;
            assert_eq!((answer.status().as_u16(), rest_code(answer.body())), (200, 602), "{command} {body}");
        }
    }
    let fields = fields!("userid": ["alice"], "timestamp": START, "expires": 10);
    assert_eq!(rest_code(&signed_as_it_is(&program, &alice, "get_cos_sign", fields).await), 498);
}

/// The document named codes, an address and fields that the code did not have, and the other way round.
#[tokio::test]
async fn b23_what_the_document_names_is_there() {
    let document = include_str!("../../../docs/protocol.md");
    let section = |name: &str| {
        let (_, after) = document.split_once(&format!("\n### `{name}`\n")).unwrap();
        after.split("\n### ").next().unwrap().to_owned()
    };
    let (program, alice) = alices().await;
    let profile = done_by(&program, &alice, "get_user_info", fields!()).await;
    let login = parse(&enter(&program, "login", "alice", PASSWORD).await)["data"].take();
    for (command, data) in [
        ("login", &login),
        ("login", &login["roomservice_sign"]),
        ("login", &login["cos_info"]),
        ("get_user_info", &profile),
    ] {
        for key in data.as_object().unwrap().keys() {
            assert!(section(command).contains(&format!("`{key}`")), "{key} of {command}");
        }
    }
    assert!(profile["userid"] == "alice" && login["roomservice_sign"]["accountType"] == "");
    let codes = document.split_once("\n### Codes\n").unwrap().1.split("\n### ").next().unwrap();
    assert!(["610", "611", "601"].iter().all(|code| !codes.contains(code)), "{codes}");
    assert_eq!(rest_code(&enter(&program, "register", "al", "abc").await), 602);
    assert_eq!(rest_code(&enter(&program, "register", "carol", "a b").await), 602);
    let fields = format!(r#"{{"t":{},"sign":{},{PUSH}}}"#, START + 600, sign_of(START + 600));
    acknowledged(&post(&program, "/tape_callback", fields).await);
}

/// A page was a sort of all replays, and then a query for the user of each row.
#[tokio::test]
async fn b24_a_page_of_replays_costs_its_rows_and_one_request_for_all_their_users() {
    let (engine, watch) = (Engine::in_memory().unwrap(), Watch::default());
    let program = program_over(watch.over(engine.http_client()), |_| None).await;
    let alice = registered(&program, "alice").await;
    for n in 0..25 {
        let (user, id) = (format!("user{n}"), format!("v{n}"));
        open_room(&program, &user, "t").await;
        let stream = format!("8888_{user}");
        is_recorded(&program, File { stream: &stream, ..file(&id, "mp4", START - 100, START) }).await;
    }
    watch.take();
    let page = done_by(&program, &alice, "get_vod_list", fields!("index": 1, "count": 10)).await;
    let asked = watch.take();
    let operations: Vec<_> = asked.iter().map(|asked| asked.operation.as_str()).collect();
    // Whose session it is; the counts; the rows; who made them.
    assert_eq!(operations, ["GetItem", "BatchGetItem", "Query", "BatchGetItem"]);
    assert_eq!((asked[2].items, listed(&page, "file_id").len()), (10, 10));
}

#[test]
fn each_defect_has_its_test() {
    let tests = include_str!("defects.rs").lines().filter_map(|line| line.split_once("fn ")?.1.split_once('_'));
    let is_id = |name: &&str| name[1..].parse::<u32>().is_ok();
    let ids: Vec<&str> = tests.map(|(name, _)| name).filter(is_id).collect();
    let all: Vec<String> = (1..=18).map(|n| format!("s{n}")).chain((1..=24).map(|n| format!("b{n}"))).collect();
    assert_eq!(ids, all);
}
