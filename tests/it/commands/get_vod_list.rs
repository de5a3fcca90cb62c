//! `get_vod_list`: a page of replays, as Gen-2 apps read it, and what it costs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{
    harness::{Program, START, golden, program, program_over, rest},
    steps::{
        File, Phone, column, done, done_by, fields, is_recorded, list, listed, open_room, registered, rest_code, signed,
    },
    watch::Watch,
};
use cli::engine::Engine;
use protocol::types::{Nickname, UnixSeconds, UserId};
use store::PublicProfile;

/// A program, and the phone of alice, who has a room.
async fn alices() -> (Program, Phone) {
    let program = program().await;
    let alice = registered(&program, "alice").await;
    done_by(&program, &alice, "upload_room", fields!("title": "the show", "location": "深圳")).await;
    (program, alice)
}

/// A file of alice's live.
fn file<'a>(id: &'a str, format: &'a str, from: u64, to: u64) -> File<'a> {
    File { stream: "1400_alice", id, format, from, to }
}

/// A page, as alice sees it.
async fn page(program: &Program, phone: &Phone, index: u64, count: u64) -> Value {
    done_by(program, phone, "get_vod_list", fields!("index": index, "count": count)).await
}

/// The code of an attempt to get a page.
async fn attempt(program: &Program, phone: &Phone, index: &Value, count: &Value) -> u64 {
    rest_code(&signed(program, phone, "get_vod_list", fields!("index": index, "count": count)).await)
}

#[tokio::test]
async fn a_replay_is_listed_with_all_that_any_app_reads() {
    let (program, alice) = alices().await;
    let profile = fields!("nickname": "Al", "avatar": "http://h/a.png", "sex": 1, "frontcover": "");
    done_by(&program, &alice, "upload_user_info", profile).await;
    is_recorded(&program, file("v1", "hls", START - 100, START)).await;
    is_recorded(&program, file("v2", "mp4", START - 100, START)).await;
    let fields = fields!("index": "0", "count": 200);
    golden("get_vod_list/ok.rest.json", &signed(&program, &alice, "get_vod_list", fields).await);
}

#[tokio::test]
async fn the_list_is_that_of_gen_1() {
    let (program, alice) = alices().await;
    for (n, format) in (0..25).zip(["hls", "flv"].into_iter().cycle()) {
        let (id, to) = (format!("v{n}"), START - 1000 * n);
        is_recorded(&program, file(&id, format, to - 100, to)).await;
    }
    for (index, count) in [(1, 10), (2, 10), (3, 10), (4, 10), (1, 20), (2, 20)] {
        let (gen_1, gen_2) = (list(&program, 2, index, count).await, page(&program, &alice, index, count).await);
        assert_eq!(column(&gen_1, "fileid"), listed(&gen_2, "file_id"), "page {index} of {count}");
    }
}

#[tokio::test]
async fn page_0_is_page_1_and_sizes_are_kept_between_ten_and_a_hundred() {
    let (program, alice) = alices().await;
    for n in 0..105 {
        let (id, to) = (format!("v{n}"), START - 1000 * n);
        is_recorded(&program, file(&id, "mp4", to - 100, to)).await;
    }
    for (asked, given) in [(0, 10), (9, 10), (10, 10), (11, 11), (100, 100), (200, 100)] {
        let first = page(&program, &alice, 0, asked).await;
        assert_eq!(listed(&first, "file_id").len(), given, "{asked}");
        assert_eq!(first, page(&program, &alice, 1, asked).await);
    }
    assert_eq!(listed(&page(&program, &alice, 2, 100).await, "file_id").len(), 5);
}

#[tokio::test]
async fn a_page_far_beyond_the_end_is_empty() {
    let (program, alice) = alices().await;
    is_recorded(&program, file("v1", "mp4", START - 100, START)).await;
    for index in [2, 1_000_000, i64::MAX as u64] {
        assert_eq!(page(&program, &alice, index, 20).await, json!({"list": []}), "{index}");
    }
}

#[tokio::test]
async fn index_and_count_are_whole_numbers() {
    let (program, alice) = alices().await;
    let answer = signed(&program, &alice, "get_vod_list", fields!("count": 20)).await;
    golden("get_vod_list/no_index.rest.json", &answer);
    let answer = signed(&program, &alice, "get_vod_list", fields!("index": 0, "count": -5)).await;
    golden("get_vod_list/count_negative.rest.json", &answer);
    for value in [json!("x"), json!([]), json!({}), json!(1.5), json!(""), json!(-1), json!(null)] {
        assert_eq!(attempt(&program, &alice, &value, &json!(20)).await, 602, "index {value}");
        assert_eq!(attempt(&program, &alice, &json!(0), &value).await, 602, "count {value}");
    }
    assert_eq!(attempt(&program, &alice, &json!("0"), &json!("20")).await, 200);
}

#[tokio::test]
async fn a_caller_must_sign() {
    let program = program().await;
    let body = r#"{"index":0,"count":20,"userid":"alice","timestamp":1600000000,"expires":10}"#;
    golden("get_vod_list/unsigned.rest.json", &rest(&program, "get_vod_list", body).await);
}

#[tokio::test]
async fn the_second_format_does_not_move_the_end() {
    let (program, alice) = alices().await;
    is_recorded(&program, file("v1", "mp4", START - 7200, START - 6600)).await;
    program.pass(5000);
    is_recorded(&program, file("v2", "hls", START - 7200, START - 6600)).await;
    let list = page(&program, &alice, 0, 20).await;
    let end = UnixSeconds(START - 6600).in_china();
    assert_eq!((listed(&list, "file_id"), listed(&list, "create_time")), (vec!["v1"], vec![end.as_str()]));
}

#[tokio::test]
async fn the_second_format_does_not_bring_an_expired_replay_back() {
    let (program, _) = alices().await;
    is_recorded(&program, file("v1", "mp4", START - 7200, START - 6600)).await;
    program.pass(7 * 86400 - 6600);
    is_recorded(&program, file("v2", "hls", START - 7200, START - 6600)).await;
    // The session of alice is over too.
    let vera = registered(&program, "vera").await;
    assert_eq!(page(&program, &vera, 0, 20).await, json!({"list": []}));
}

#[tokio::test]
async fn a_later_recording_is_not_lost_in_an_earlier_one() {
    let (program, alice) = alices().await;
    is_recorded(&program, file("v1", "mp4", START - 4000, START - 3800)).await;
    program.pass(60);
    is_recorded(&program, file("v1-hls", "hls", START - 4000, START - 3800)).await;
    is_recorded(&program, file("v2", "mp4", START - 3000, START - 2900)).await;
    let list = page(&program, &alice, 0, 20).await;
    assert_eq!(listed(&list, "play_url"), ["http://vod/v2.mp4", "http://vod/v1.mp4"]);
}

#[tokio::test]
async fn the_nickname_is_that_of_now() {
    let (program, alice) = alices().await;
    is_recorded(&program, file("v1", "mp4", START - 100, START)).await;
    for nickname in ["Al", "Alice"] {
        let profile = fields!("nickname": nickname, "avatar": "http://h/a.png", "sex": 1, "frontcover": "");
        done_by(&program, &alice, "upload_user_info", profile).await;
        let list = page(&program, &alice, 0, 20).await;
        assert_eq!((listed(&list, "nickname"), listed(&list, "avatar")), (vec![nickname], vec!["http://h/a.png"]));
    }
}

#[tokio::test]
async fn a_row_without_an_account_is_shown_as_it_is_and_not_as_the_row_before() {
    let (program, alice) = alices().await;
    let profile = fields!("nickname": "Al", "avatar": "http://h/a.png", "sex": 1, "frontcover": "");
    done_by(&program, &alice, "upload_user_info", profile).await;
    let carla =
        fields!("userid": "carla", "groupid": "g", "title": "t", "userinfo": {"nickname": "C", "headpic": "c.png"});
    done(&program, "RequestLVBAddr", carla).await;
    open_room(&program, "gone", "t").await;
    for (n, user) in ["gone", "carla", "alice"].into_iter().enumerate() {
        let (id, stream, to) = (format!("v{n}"), format!("8888_{user}"), START - 900 + 100 * n as u64);
        is_recorded(&program, File { stream: &stream, id: &id, format: "mp4", from: to - 100, to }).await;
    }
    let list = page(&program, &alice, 0, 20).await;
    assert_eq!(listed(&list, "userid"), ["alice", "carla", "gone"]);
    assert_eq!(listed(&list, "nickname"), ["Al", "C", ""]);
    assert_eq!(listed(&list, "avatar"), ["http://h/a.png", "c.png", ""]);
}

#[tokio::test]
async fn a_page_of_a_hundred_users_costs_one_request_more_than_its_rows() {
    let (engine, watch) = (Engine::in_memory().unwrap(), Watch::default());
    let program = program_over(watch.over(engine.http_client()), |_| None).await;
    let alice = registered(&program, "alice").await;
    for n in 0..105 {
        let (user, id) = (format!("user{n}"), format!("v{n}"));
        let face = PublicProfile { nickname: Nickname::parse(&id).unwrap(), ..PublicProfile::default() };
        let account = UserId::parse(&user).unwrap();
        program.app.table.create_account(&account, None, &face, UnixSeconds(START)).await.unwrap();
        open_room(&program, &user, "t").await;
        let stream = format!("8888_{user}");
        is_recorded(&program, File { stream: &stream, id: &id, format: "mp4", from: START - 100, to: START }).await;
    }
    watch.take();
    let list = page(&program, &alice, 1, 200).await;
    let asked = watch.take();
    let operations: Vec<_> = asked.iter().map(|asked| asked.operation.as_str()).collect();
    // Whose session it is; the counts; the rows; who made them.
    assert_eq!(operations, ["GetItem", "BatchGetItem", "Query", "BatchGetItem"]);
    assert_eq!((asked[2].items, asked[3].items), (100, 100));
    assert_eq!(listed(&list, "nickname"), listed(&list, "file_id"));
    assert_eq!(listed(&list, "userid").into_iter().collect::<BTreeSet<_>>().len(), 100);
}
