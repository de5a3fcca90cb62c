//! Days in the life of apps of both generations, wherever the commands run: on the local server, as functions of Lambda,
//! as a function of SCF, in a deployed stack. What they send is put together here as the apps do it, from what they read
//! in the answers before.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    deploy::runtime::{Sent, World, Worlds},
    deploy::scf::Kind,
    support::{
        harness::KEY,
        object_store::{ObjectStore, Sent as Stored},
        requests,
        steps::stream_of,
    },
};
use app::answer::{CALLBACKS, INTERFACE};
use app::process;
use protocol::sign::session::{body_digest, liteav_sig};

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
            let now = process::now().0;
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
    let store = ObjectStore::start("AKIDtest", KEY, || process::now().0).await;
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
    let now = process::now().0;
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

/// Calls an Action as the phone of a user; what it answers.
async fn act(world: &mut World, user: &str, action: &str, mut fields: Value) -> Value {
    (fields["Action"], fields["userid"]) = (action.into(), user.into());
    let answer = world.ask("interface", &Sent::signed(INTERFACE, &fields.to_string(), None)).await;
    let mut answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["returnValue"], 0, "{fields}: {answer}");
    answer["returnData"].take()
}

/// The cloud tells something of a stream.
async fn tell(world: &mut World, mut notice: Value, stream: &str) {
    notice["stream_id"] = stream.into();
    let notice = Sent::signed(CALLBACKS[0], &requests::signed(notice, process::now().0), None);
    assert_eq!(world.ask("live_callback", &notice).await, r#"{"code":0}"#);
}

/// The row of a user in a list, or null.
async fn row(world: &mut World, viewer: &str, flag: u64, user: &str) -> Value {
    let page = act(world, viewer, "FetchList", json!({"flag": flag, "pageno": 1, "pagesize": 10})).await;
    let rows = page["pusherlist"].as_array().unwrap();
    rows.iter().find(|row| row["userid"] == user).cloned().unwrap_or_default()
}

/// Lists follow what was written, on a table of Amazon's at once or a moment later.
async fn listed(world: &mut World, viewer: &str, flag: u64, user: &str, is_there: bool) -> Value {
    for _ in 0..20 {
        let row = row(world, viewer, flag, user).await;
        if row.is_null() != is_there {
            return row;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("list {flag}, {user}: expected {is_there}");
}

/// An evening with an app of 2016: callers are not authenticated, and all calls go through one entrypoint.
async fn an_evening(world: &mut World) {
    let (host, viewer, group) = ("anna", "vera", "@TGS#evening");
    let cover = act(world, host, "GetCOSSignV2", json!({})).await;
    assert!(cover["signKey"].is_string() && cover["keyTime"].is_string(), "{cover}");
    let userinfo = json!({"nickname": "Anna", "headpic": "", "frontcover": "http://h/c.png", "location": "深圳"});
    let opening = json!({"groupid": group, "title": "今晚", "userinfo": userinfo});
    let push_url = act(world, host, "RequestLVBAddr", opening).await["pushurl"].as_str().unwrap().to_owned();
    let stream = stream_of(&push_url);

    // The phone pushes, and says so; the cloud, too.
    let now = process::now().0;
    let push = |event: u64, at: u64| json!({"event_type": event, "sequence": format!("{now}"), "event_time": at});
    tell(world, push(1, now), &stream).await;
    act(world, host, "ChangeStatus", json!({"status": 0})).await;
    let live = listed(world, viewer, 1, host, true).await;
    assert_eq!((&live["title"], &live["groupid"], &live["status"]), (&json!("今晚"), &json!(group), &json!("1")));
    assert_eq!(live["userinfo"]["nickname"], "Anna");
    assert!(live["playurl"].as_str().unwrap().contains(&stream), "{live}");

    // Somebody watches, likes, and leaves.
    let place = |flag: u64| json!({"liveuserid": host, "groupid": group, "flag": flag, "nickname": "Vera"});
    act(world, viewer, "EnterGroup", place(0)).await;
    let members = json!({"liveuserid": host, "groupid": group, "pageno": 1, "pagesize": 10});
    let members = act(world, viewer, "FetchGroupMemberList", members).await;
    assert_eq!((&members["totalcount"], &members["memberlist"][0]["nickname"]), (&json!(1), &json!("Vera")));
    // The phone names the broadcaster here, whoever calls.
    let like = json!({"type": 1, "optype": 0, "flag": 0, "fileid": ""});
    act(world, host, "ChangeCount", like).await;
    let seen = act(world, host, "GetUserInfo", json!({"type": 0, "fileid": ""})).await;
    assert_eq!(seen["viewercount"], 1);
    // Before an emulator on a busy machine the answer of the table can come so late that it is asked again.
    assert!(seen["likecount"].as_u64() >= Some(1), "{seen}");
    act(world, viewer, "QuitGroup", place(0)).await;

    // It is over; what was recorded is in the list of replays.
    tell(world, push(0, now + 1), &stream).await;
    act(world, host, "ChangeStatus", json!({"status": 1})).await;
    listed(world, viewer, 1, host, false).await;
    let file = json!({
        "event_type": 100, "video_id": "file_of_anna", "file_format": "flv", "video_url": "http://vod/anna.flv",
        "start_time": now - 1800, "end_time": now,
    });
    tell(world, file, &stream).await;
    let replay = listed(world, viewer, 2, host, true).await;
    assert_eq!((&replay["fileid"], &replay["playurl"]), (&json!("file_of_anna"), &json!("http://vod/anna.flv")));

    let video =
        json!({"file_id": "video_of_anna", "title": "短", "play_url": "http://vod/v.mp4", "userinfo": userinfo});
    act(world, host, "UploadUGCVideo", video).await;
    assert_eq!(listed(world, viewer, 5, host, true).await["playurl"], "http://vod/v.mp4");
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

#[tokio::test]
async fn a_day_with_an_app_of_gen_2_is_the_same_on_the_local_server_and_with_the_functions() {
    for mut world in Worlds::new().await.each() {
        for system in [System::Android, System::Ios] {
            a_day(&mut world, system).await;
        }
    }
}

#[tokio::test]
async fn an_evening_with_an_app_of_gen_1_is_the_same_on_the_local_server_and_with_the_functions() {
    for mut world in Worlds::new().await.each() {
        an_evening(&mut world).await;
    }
}

/// An evening with an app of Gen 1, and a day with each of Gen 2.
async fn an_evening_and_two_days(mut world: World) {
    an_evening(&mut world).await;
    for system in [System::Android, System::Ios] {
        a_day(&mut world, system).await;
    }
}

#[tokio::test]
async fn an_evening_and_two_days_with_the_web_function_of_scf() {
    an_evening_and_two_days(Worlds::new().await.scf(Kind::Web).await).await;
}

#[tokio::test]
async fn an_evening_and_two_days_with_the_event_function_of_scf() {
    an_evening_and_two_days(Worlds::new().await.scf(Kind::Event).await).await;
}

#[tokio::test]
#[ignore = "wants a fresh stack: scripts/emulate"]
async fn an_evening_and_two_days_before_a_deployed_stack() {
    an_evening_and_two_days(World::deployed()).await;
}
