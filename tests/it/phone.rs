//! A day in the life of an app of each generation, wherever the commands run: on the local server, as functions of
//! Lambda, as a function of SCF. What it sends is put together here as the app does it, from what it read in the answers
//! before.

use serde_json::{Value, json};
use shared::{
    answer::{CALLBACKS, INTERFACE},
    lambda,
    sign::session::{body_digest, liteav_sig},
};

use crate::{
    harness::KEY,
    object_store::{ObjectStore, Sent as Stored},
    requests,
    runtime::{Sent, World, Worlds},
    scf::Kind,
};

/// How the apps of the two systems stamp their calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum System {
    Android,
    Ios,
}

/// The app on a phone.
struct App<'a> {
    world: &'a mut World,
    system: System,
    user: &'static str,
    token: Option<String>,
    refresh_token: String,
}

impl App<'_> {
    /// Calls a command; the answer.
    async fn ask(&mut self, command: &str, mut fields: Value) -> Value {
        let stamped = !matches!((self.system, command), (_, "register" | "login") | (System::Ios, "upload_room"));
        fields["userid"] = self.user.into();
        if stamped {
            let now = lambda::now().0;
            (fields["timestamp"], fields["expires"]) = match self.system {
                System::Android => (json!(now), json!(10)),
                System::Ios => (json!(now as f64 * 1000.0 + 123.4), json!(86_400)),
            };
        }
        let body = fields.to_string();
        let signature = self.token.as_ref().map(|token| liteav_sig(token, &body_digest(body.as_bytes())));
        let answer = self.world.ask(command, &Sent::signed(&format!("/{command}"), &body, signature)).await;
        serde_json::from_str(&answer).unwrap()
    }

    /// Calls a command that must be done; what it answers.
    async fn done(&mut self, command: &str, fields: Value) -> Value {
        let mut answer = self.ask(command, fields).await;
        assert_eq!(answer["code"], 200, "{:?}, {command}: {answer}", self.system);
        answer["data"].take()
    }

    /// Logs in, and keeps what the app keeps.
    async fn log_in(&mut self, password: &str) -> Value {
        self.token = None;
        let data = self.done("login", json!({"password": password})).await;
        self.keep(&data);
        data
    }

    fn keep(&mut self, tokens: &Value) {
        self.token = Some(tokens["token"].as_str().unwrap().to_owned());
        self.refresh_token = tokens["refresh_token"].as_str().unwrap().to_owned();
        // An iOS app stops at a text.
        assert_eq!(tokens["expires"], json!(86_400));
    }
}

/// The upload of a picture, signed with the key that the phone is handed.
fn upload(login: &Value, key: &Value, path: &str, picture: &[u8]) -> Stored {
    let info = &login["cos_info"];
    let text = |name: &str| info[name].as_str().unwrap().to_owned();
    // An iOS app stops at a text here, too.
    let appid = info["Appid"].as_u64().unwrap();
    let host = format!("{}-{appid}.cos.{}.myqcloud.com", text("Bucket"), text("Region"));
    Stored::signed_by_phone(key, &text("SecretId"), "PUT", (&host, path), picture)
}

async fn a_day(world: &mut World, system: System) {
    let user = if system == System::Android { "android_alice" } else { "ios_alice" };
    // md5(md5("secret123") + user), as the app computes it.
    let digest = |text: &str| body_digest(text.as_bytes());
    let password = digest(&format!("{}{user}", digest("secret123")));
    let mut app = App { world, system, user, token: None, refresh_token: String::new() };

    assert_eq!(app.done("register", json!({"password": password})).await, json!({}));
    assert_eq!(app.ask("register", json!({"password": password})).await["code"], 612);
    assert_eq!(app.ask("login", json!({"password": digest("wrong")})).await["code"], 621);
    let login = app.log_in(&password).await;
    let im = &login["roomservice_sign"];
    assert!(im["sdkAppID"].is_u64() && im["userSig"].is_string() && im["accountType"].is_string(), "{im}");
    assert_eq!(im["userID"], user);

    // A portrait and a cover go to the storage, then the profile says where they are.
    let store = ObjectStore::start("AKIDtest", KEY, || lambda::now().0).await;
    let key = app.done("get_cos_sign", json!({})).await;
    let path = format!("/{user}/1600000000.png");
    assert_eq!(store.send(&upload(&login, &key, &path, b"a picture")).await, (200, String::new()));
    assert_eq!(store.object(&path).as_deref(), Some(b"a picture".as_slice()));
    let picture = format!("http://covers-1250000000.cos.ap-guangzhou.myqcloud.com{path}");
    let profile = json!({"nickname": "Alice 爱丽丝", "avatar": picture, "sex": 1, "frontcover": picture});
    app.done("upload_user_info", profile.clone()).await;
    let read = app.done("get_user_info", json!({})).await;
    for (name, value) in profile.as_object().unwrap() {
        assert_eq!(&read[name], value);
    }

    // A live, its recording, and the list that has it.
    let room = match system {
        System::Android => json!({"userId": user, "title": "今晚", "frontCover": picture, "location": "深圳"}),
        System::Ios => json!({"title": "今晚", "frontcover": picture, "location": "深圳"}),
    };
    app.done("upload_room", room).await;
    let now = lambda::now().0;
    let file = format!("file_of_{user}");
    let recorded = json!({
        "event_type": 100, "stream_id": format!("1250000000_{user}_{now}"), "video_id": file, "file_format": "mp4",
        "video_url": "http://vod/v.mp4", "start_time": now - 600, "end_time": now - 5,
    });
    let notice = Sent::signed(CALLBACKS[1], &requests::signed(recorded, now), None);
    assert_eq!(app.world.ask("live_callback", &notice).await, r#"{"code":0}"#);
    let page = match system {
        System::Android => json!({"index": "0", "count": 200}),
        System::Ios => json!({"index": 0, "count": 20}),
    };
    let list = app.done("get_vod_list", page).await;
    let replay = list["list"].as_array().unwrap().iter().find(|replay| replay["file_id"] == file).unwrap();
    for (name, value) in [
        ("userid", json!(user)),
        ("nickname", json!("Alice 爱丽丝")),
        ("avatar", json!(picture)),
        ("title", json!("今晚")),
        ("frontcover", json!(picture)),
        ("location", json!("深圳")),
        ("play_url", json!("http://vod/v.mp4")),
        ("hls_play_url", json!("")),
        ("likecount", json!(0)),
        ("like_count", json!(0)),
        ("viewercount", json!(0)),
        ("viewer_count", json!(0)),
    ] {
        assert_eq!(replay[name], value, "{name}");
    }
    assert!(replay["create_time"].is_string() && replay["start_time"].is_string(), "{replay}");

    // A short video.
    assert!(app.done("get_vod_sign", json!({})).await["signature"].is_string());
    let video =
        json!({"file_id": format!("v_{user}"), "title": "短", "play_url": "http://vod/s.mp4", "frontcover": picture});
    app.done("upload_ugc", video).await;
    let videos = app.done("get_ugc_list", json!({"index": 1, "count": 20})).await;
    assert!(videos["list"].as_array().unwrap().iter().any(|video| video["userid"] == user), "{videos}");
    assert_eq!(app.done("get_roomservice_sign", json!({})).await["sign"].as_str().unwrap().len(), 32);

    // The tokens change, and then they are over.
    let (old_token, old_refresh) = (app.token.clone(), app.refresh_token.clone());
    let tokens = app.done("refresh", json!({"refresh_token": old_refresh})).await;
    app.keep(&tokens);
    app.done("get_user_info", json!({})).await;
    let new_token = std::mem::replace(&mut app.token, old_token);
    assert_eq!(app.ask("get_user_info", json!({})).await["code"], 498);
    app.token = new_token;
    app.done("logout", json!({})).await;
    assert_eq!(app.ask("get_user_info", json!({})).await["code"], 498);
    let last = app.refresh_token.clone();
    assert_eq!(app.ask("refresh", json!({"refresh_token": last})).await["code"], 498);
}

#[tokio::test]
async fn attempts_are_counted_by_where_the_gateway_says_that_they_come_from() {
    let [_, mut functions] = Worlds::new().await.with("ADDRESS_LOGIN_LIMIT", "1").each();
    let guess = Sent::signed("/login", r#"{"userid":"nobody","password":"wrong"}"#, None);
    let mut codes = Vec::new();
    for address in ["192.0.2.1", "192.0.2.1", "192.0.2.2"] {
        let answer: Value = serde_json::from_str(&functions.ask("login", &guess.clone().from(address)).await).unwrap();
        codes.push(answer["code"].as_u64().unwrap());
    }
    assert_eq!(codes, [620, 4003, 620]);
}

/// A day with an app of Gen 1: a live from its beginning to its replay, with somebody who watches.
async fn a_day_of_gen_1(world: &mut World) {
    let open = json!({
        "userid": "alice", "groupid": "@TGS#1", "title": "今晚",
        "userinfo": {"nickname": "Alice", "headpic": "", "frontcover": "", "location": "深圳", "desc": ""},
    });
    let opened = done(world, "RequestLVBAddr", open).await;
    assert!(opened["pushurl"].as_str().unwrap().contains("/8888_alice?bizid=8888&"), "{opened}");
    done(world, "GetCOSSignV2", json!({"userid": "alice"})).await;
    let now = lambda::now().0;
    let told = |fields: Value| Sent::signed(CALLBACKS[0], &requests::signed(fields, now), None);
    let pushes = |event: u8, at: u64| {
        told(json!({"event_type": event, "stream_id": "8888_alice", "sequence": "1", "event_time": at}))
    };
    assert_eq!(world.ask("live_callback", &pushes(1, now - 600)).await, r#"{"code":0}"#);
    done(world, "ChangeStatus", json!({"userid": "alice", "status": 0})).await;
    let page = |flag: u8| json!({"userid": "bob", "flag": flag, "pageno": 1, "pagesize": 20});
    let lives = done(world, "FetchList", page(1)).await;
    assert_eq!((&lives["totalcount"], &lives["pusherlist"][0]["title"]), (&json!(1), &json!("今晚")), "{lives}");

    let watching = json!({
        "userid": "bob", "liveuserid": "alice", "groupid": "@TGS#1", "nickname": "Bob", "headpic": "", "flag": 0,
    });
    done(world, "EnterGroup", watching.clone()).await;
    let like = json!({"userid": "alice", "type": 1, "optype": 0, "flag": 0, "fileid": ""});
    done(world, "ChangeCount", like).await;
    let group = json!({"userid": "bob", "liveuserid": "alice", "groupid": "@TGS#1", "pageno": 1, "pagesize": 20});
    let members = done(world, "FetchGroupMemberList", group).await;
    assert_eq!(members["totalcount"], 1, "{members}");
    let live = done(world, "GetUserInfo", json!({"userid": "alice", "type": 0, "fileid": ""})).await;
    assert_eq!((&live["likecount"], &live["viewercount"]), (&json!(1), &json!(1)), "{live}");
    done(world, "QuitGroup", watching).await;

    done(world, "ChangeStatus", json!({"userid": "alice", "status": 1})).await;
    assert_eq!(world.ask("live_callback", &pushes(0, now - 5)).await, r#"{"code":0}"#);
    let recorded = told(json!({
        "event_type": 100, "stream_id": "8888_alice", "video_id": "gen1", "file_format": "flv",
        "video_url": "http://vod/1.flv", "start_time": now - 600, "end_time": now - 5,
    }));
    assert_eq!(world.ask("live_callback", &recorded).await, r#"{"code":0}"#);
    let lists = done(world, "FetchList", page(3)).await;
    let replays: Vec<&Value> = lists["pusherlist"].as_array().unwrap().iter().map(|row| &row["fileid"]).collect();
    assert_eq!(replays, ["gen1"], "{lists}");
    let forged =
        Sent::signed(CALLBACKS[0], r#"{"t":4102444800,"sign":"0","event_type":1,"stream_id":"8888_alice"}"#, None);
    assert_ne!(world.ask("live_callback", &forged).await, r#"{"code":0}"#);
}

/// Calls an Action that must be done; what it answers.
async fn done(world: &mut World, action: &str, mut fields: Value) -> Value {
    fields["Action"] = action.into();
    let answer = world.ask("interface", &Sent::signed(INTERFACE, &fields.to_string(), None)).await;
    let mut answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["returnValue"], 0, "{action}: {answer}");
    answer["returnData"].take()
}

/// A day with an app of each generation.
async fn days(world: &mut World) {
    a_day_of_gen_1(world).await;
    for system in [System::Android, System::Ios] {
        a_day(world, system).await;
    }
}

#[tokio::test]
async fn a_day_with_each_app_is_the_same_on_the_local_server_and_with_the_functions() {
    for mut world in Worlds::new().await.each() {
        days(&mut world).await;
    }
}

#[tokio::test]
async fn a_day_with_each_app_is_the_same_with_the_web_function_of_scf() {
    days(&mut Worlds::new().await.scf(Kind::Web).await).await;
}

#[tokio::test]
async fn a_day_with_each_app_is_the_same_with_the_event_function_of_scf() {
    days(&mut Worlds::new().await.scf(Kind::Event).await).await;
}
