//! `upload_room`: a broadcaster says what they are about to show.

use serde_json::{Value, json};

use crate::support::{
    harness::{Program, golden, program, rest},
    steps::{
        OPERATOR_KEY, Phone, action_with, column, done_by, fields, go_online, list, logged_in, open_room_for, operated,
        registered, rest_code, room, signed, signed_as_it_is,
    },
};

/// A program, and alice's phone.
async fn alices() -> (Program, Phone) {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    (program, alice)
}

/// The code of an attempt to open a room with these fields.
async fn attempt(program: &Program, phone: &Phone, fields: Value) -> u64 {
    rest_code(&signed(program, phone, "upload_room", fields).await)
}

#[tokio::test]
async fn a_room_is_opened_and_stands_in_the_list_of_all() {
    let (program, alice) = alices().await;
    let fields = fields!("title": "hi", "frontcover": "http://h/c.png", "location": "深圳");
    golden("upload_room/ok.rest.json", &signed(&program, &alice, "upload_room", fields).await);
    let page = list(&program, 4, 1, 10).await;
    let row = &page["pusherlist"][0];
    assert_eq!((&row["userid"], &row["title"], &row["status"]), (&json!("alice"), &json!("hi"), &json!("0")));
    assert_eq!(row["userinfo"]["frontcover"], "http://h/c.png");
    assert_eq!(row["userinfo"]["location"], "深圳");
}

#[tokio::test]
async fn a_location_that_is_missing_or_null_is_empty() {
    let (program, alice) = alices().await;
    for fields in
        [fields!("title": "t"), fields!("title": "t", "location": null), fields!("title": "t", "location": "")]
    {
        done_by(&program, &alice, "upload_room", fields).await;
        assert_eq!(room(&program, "alice").await["userinfo"]["location"], "");
    }
}

#[tokio::test]
async fn the_submitted_cover_is_kept_and_that_of_the_account_is_the_default() {
    let (program, alice) = alices().await;
    let account = fields!("nickname": "Al", "avatar": "http://h/a.png", "sex": 0, "frontcover": "http://h/account.png");
    done_by(&program, &alice, "upload_user_info", account).await;
    for (fields, cover) in [
        (fields!("title": "t", "frontcover": "http://h/own.png"), "http://h/own.png"),
        (fields!("title": "t", "frontCover": "http://h/camel.png"), "http://h/camel.png"),
        (fields!("title": "t"), "http://h/account.png"),
        (fields!("title": "t", "frontcover": null), "http://h/account.png"),
        (fields!("title": "t", "frontcover": ""), "http://h/account.png"),
    ] {
        done_by(&program, &alice, "upload_room", fields).await;
        assert_eq!(room(&program, "alice").await["userinfo"]["frontcover"], cover);
    }
}

#[tokio::test]
async fn gen_1_viewers_see_the_nickname_and_the_portrait_of_the_account() {
    let (program, alice) = alices().await;
    let account = fields!("nickname": "Al", "avatar": "http://h/a.png", "sex": 0, "frontcover": "");
    done_by(&program, &alice, "upload_user_info", account).await;
    done_by(&program, &alice, "upload_room", fields!("title": "t", "frontcover": "http://h/c.png")).await;
    let info = room(&program, "alice").await["userinfo"].take();
    assert_eq!((&info["nickname"], &info["headpic"]), (&json!("Al"), &json!("http://h/a.png")));
}

#[tokio::test]
async fn a_cover_that_a_page_would_run_is_refused() {
    let (program, alice) = alices().await;
    assert_eq!(attempt(&program, &alice, fields!("title": "t", "frontcover": "javascript:alert(1)")).await, 602);
    assert_eq!(list(&program, 4, 1, 10).await["totalcount"], 0);
}

#[tokio::test]
async fn a_title_is_needed() {
    let (program, alice) = alices().await;
    golden("upload_room/no_title.rest.json", &signed(&program, &alice, "upload_room", fields!()).await);
    for title in [json!(""), json!("   "), json!(null), json!(["x"]), json!({})] {
        assert_eq!(attempt(&program, &alice, fields!("title": title)).await, 602, "{title}");
    }
    for title in [json!("0"), json!(0), json!(123)] {
        assert_eq!(attempt(&program, &alice, fields!("title": title)).await, 200, "{title}");
    }
}

#[tokio::test]
async fn texts_of_the_longest_length_are_kept_and_one_character_more_is_refused() {
    let (program, alice) = alices().await;
    let text = |length| "播".repeat(length);
    done_by(&program, &alice, "upload_room", fields!("title": text(255), "location": text(128))).await;
    let row = room(&program, "alice").await;
    assert_eq!((&row["title"], &row["userinfo"]["location"]), (&json!(text(255)), &json!(text(128))));
    assert_eq!(attempt(&program, &alice, fields!("title": text(256))).await, 602);
    assert_eq!(attempt(&program, &alice, fields!("title": "t", "location": text(129))).await, 602);
}

#[tokio::test]
async fn fields_that_nobody_knows_are_ignored() {
    let (program, alice) = alices().await;
    let fields = fields!("title": "t", "keys": ["userid", "location"], "this": {}, "status": 0, "group": "g");
    done_by(&program, &alice, "upload_room", fields).await;
    let row = room(&program, "alice").await;
    assert_eq!((&row["status"], &row["groupid"]), (&json!("0"), &json!("")));
}

#[tokio::test]
async fn a_user_is_needed_who_can_have_an_account() {
    let (program, alice) = alices().await;
    golden("upload_room/no_userid.rest.json", &rest(&program, "upload_room", r#"{"title":"t"}"#).await);
    let fields = fields!("userid": "al", "title": "t");
    assert_eq!(rest_code(&signed_as_it_is(&program, &alice, "upload_room", fields).await), 602);
}

#[tokio::test]
async fn a_caller_must_sign() {
    let (program, _) = alices().await;
    let body = r#"{"userid":"alice","title":"t","timestamp":1600000000,"expires":10}"#;
    golden("upload_room/unsigned.rest.json", &rest(&program, "upload_room", body).await);
}

#[tokio::test]
async fn a_caller_need_not_say_when() {
    let (program, alice) = alices().await;
    let fields = fields!("userid": "alice", "title": "from iOS");
    assert_eq!(rest_code(&signed_as_it_is(&program, &alice, "upload_room", fields).await), 200);
    assert_eq!(room(&program, "alice").await["title"], "from iOS");
}

#[tokio::test]
async fn a_caller_may_spell_the_user_in_camel_case() {
    let (program, alice) = alices().await;
    let fields = fields!("userId": "alice", "title": "t");
    assert_eq!(rest_code(&signed_as_it_is(&program, &alice, "upload_room", fields).await), 200);
}

#[tokio::test]
async fn a_user_has_one_room_and_uploading_it_again_renews_it() {
    let (program, alice) = alices().await;
    done_by(&program, &alice, "upload_room", fields!("title": "first")).await;
    go_online(&program, "alice").await;
    let before = room(&program, "alice").await;
    program.pass(60);
    done_by(&program, &alice, "upload_room", fields!("title": "second")).await;
    let page = list(&program, 4, 1, 10).await;
    assert_eq!((column(&page, "title"), column(&page, "status")), (vec!["second"], vec!["1"]));
    assert_eq!(page["pusherlist"][0]["timestamp"], before["timestamp"]);
}

#[tokio::test]
async fn a_room_keeps_its_group() {
    let (program, alice) = alices().await;
    open_room_for(&program, "alice", "t", "g1").await;
    done_by(&program, &alice, "upload_room", fields!("title": "t")).await;
    assert_eq!(room(&program, "alice").await["groupid"], "g1");
}

#[tokio::test]
async fn a_ban_holds() {
    let program = operated().await;
    let alice = registered(&program, "alice").await;
    done_by(&program, &alice, "upload_room", fields!("title": "before")).await;
    let ban = r#"{"Action":"ForbidLive","userid":"alice","forbidflag":1}"#;
    action_with(&program, ban, "x-operator-key", OPERATOR_KEY).await;
    let alice = logged_in(&program, "alice").await;
    let answer = signed(&program, &alice, "upload_room", fields!("title": "after")).await;
    golden("upload_room/banned.rest.json", &answer);
    let row = room(&program, "alice").await;
    assert_eq!(row["title"], "before");
}
