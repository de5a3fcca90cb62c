//! Rows that nobody can understand: they are left out, and the others are shown.

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use serde_json::Value;

use crate::support::{
    harness::{Program, START, notice, program_over, swept},
    steps::{
        File, OPERATOR_KEY, by_operator, column, enter, fields, go_online, is_recorded, list, listed, members,
        open_room, parse, publish, push_starts, rest_code,
    },
};
use cli::engine::Engine;

async fn program() -> (Program, Client) {
    let engine = Engine::in_memory().unwrap();
    let settings = |name: &str| (name == "OPERATOR_KEY").then_some(OPERATOR_KEY);
    (program_over(engine.http_client(), settings).await, engine.client())
}

/// Writes a value of a type that the attribute never has; or takes the attribute away.
pub(super) async fn damage(client: &Client, pk: &str, sk: &str, attribute: &str) {
    let key = [("PK", pk), ("SK", sk)].map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())));
    let request = client.update_item().table_name("mini-lvb").set_key(Some(key.into()));
    let request = request.update_expression("SET #name = :value").expression_attribute_names("#name", attribute);
    request.expression_attribute_values(":value", AttributeValue::Bool(true)).send().await.unwrap();
}

#[tokio::test]
async fn a_damaged_room_is_left_out_of_the_lists() {
    let (program, client) = program().await;
    for user in ["alice", "bob", "carol"] {
        open_room(&program, user, "t").await;
        go_online(&program, user).await;
        program.pass(10);
    }
    damage(&client, "USER#bob", "ROOM", "title").await;
    for flag in [1, 4] {
        assert_eq!(column(&list(&program, flag, 1, 10).await, "userid"), ["carol", "alice"]);
    }
}

#[tokio::test]
async fn a_damaged_replay_or_video_is_left_out_of_the_lists() {
    let (program, client) = program().await;
    open_room(&program, "alice", "t").await;
    for n in 1..=3 {
        let (id, to) = (format!("f{n}"), START - 1000 * n);
        is_recorded(&program, File { stream: "8888_alice", id: &id, format: "flv", from: to - 100, to }).await;
        publish(&program, "alice", &format!("v{n}")).await;
        program.pass(10);
    }
    damage(&client, "USER#alice", "REPLAY#f2", "parts").await;
    damage(&client, "USER#alice", "VIDEO#v2", "title").await;
    assert_eq!(column(&list(&program, 2, 1, 10).await, "fileid"), ["f1", "f3"]);
    assert_eq!(column(&list(&program, 3, 1, 10).await, "fileid"), ["f1", "f3"]);
    assert_eq!(column(&list(&program, 5, 1, 10).await, "fileid"), ["v3", "v1"]);
}

#[tokio::test]
async fn a_damaged_account_costs_a_row_of_a_list_its_face_only() {
    let (program, client) = program().await;
    let phone = crate::support::steps::registered(&program, "bobby").await;
    for user in ["alice", "bobby"] {
        open_room(&program, user, "t").await;
        is_recorded(
            &program,
            File { stream: &format!("8888_{user}"), id: user, format: "flv", from: START - 100, to: START },
        )
        .await;
    }
    crate::support::steps::registered(&program, "alice").await;
    damage(&client, "USER#alice", "ACCOUNT", "nickname").await;
    let page = crate::support::steps::done_by(&program, &phone, "get_vod_list", fields!("index": 0, "count": 10)).await;
    assert_eq!(listed(&page, "userid").len(), 2, "{page}");
}

#[tokio::test]
async fn a_damaged_count_costs_a_page_nothing_but_what_it_counts() {
    let (program, client) = program().await;
    open_room(&program, "alice", "t").await;
    go_online(&program, "alice").await;
    let counts = client.query().table_name("mini-lvb").key_condition_expression("PK = :counts");
    let counts = counts.expression_attribute_values(":counts", AttributeValue::S("COUNT#rooms".to_owned()));
    for item in counts.send().await.unwrap().items() {
        damage(&client, "COUNT#rooms", item["SK"].as_s().unwrap(), "off").await;
        damage(&client, "COUNT#rooms", item["SK"].as_s().unwrap(), "o00").await;
    }
    assert_eq!(column(&list(&program, 1, 1, 10).await, "userid"), ["alice"]);
}

#[tokio::test]
async fn a_damaged_member_is_left_out_of_the_group_and_others_still_leave_it() {
    let (program, client) = program().await;
    open_room(&program, "alice", "t").await;
    for viewer in ["bob", "carol"] {
        enter(&program, viewer, "alice", "@alice").await;
    }
    let query = client.query().table_name("mini-lvb").key_condition_expression("PK = :group");
    let group = "GROUP#5#alice#@alice";
    let items = query.expression_attribute_values(":group", AttributeValue::S(group.to_owned())).send().await.unwrap();
    let bob = items.items().iter().find(|item| item["SK"].as_s().unwrap().ends_with("#bob")).unwrap();
    for attribute in ["nickname", "seen_at"] {
        damage(&client, group, bob["SK"].as_s().unwrap(), attribute).await;
    }
    assert_eq!(column_of_members(&members(&program, "alice", "@alice").await), ["carol"]);
    program.pass(24 * 3600);
    assert_eq!(swept(&program).await.failed, 0);
    assert_eq!(column_of_members(&members(&program, "alice", "@alice").await), [""; 0]);
}

fn column_of_members(page: &Value) -> Vec<&str> {
    page["memberlist"].as_array().unwrap().iter().map(|row| row["userid"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_damaged_notice_is_left_out_of_what_operators_see_and_do() {
    let (program, client) = program().await;
    for stream in ["rs_bob", "rs_carol", "rs_dave"] {
        push_starts(&program, stream, "1").await;
        program.pass(1);
    }
    notice(&program, r#""event_type":0,"stream_id":"rs_bob","sequence":"1""#).await;
    damage(&client, "NOTICE#rs_carol", "1 1", "received_at").await;
    damage(&client, "NOTICE#rs_bob", "1 1", "received_at").await;
    let ids = |answer: &str| -> Vec<String> {
        let answer = parse(answer);
        let rows = answer["data"]["list"].as_array().unwrap_or_else(|| panic!("{answer}"));
        rows.iter()
            .map(|row| format!("{} {}", row["streamid"].as_str().unwrap(), row["id"].as_str().unwrap()))
            .collect()
    };
    let unsettled = by_operator(&program, "list_notices", fields!()).await;
    assert_eq!(ids(&unsettled), ["rs_bob 0 1", "rs_dave 1 1"]);
    assert_eq!(ids(&by_operator(&program, "list_notices", fields!("streamid": "rs_bob")).await), ["rs_bob 0 1"]);
    assert_eq!(ids(&by_operator(&program, "replay_notices", fields!("streamid": "rs_bob")).await), ["rs_bob 0 1"]);
}

#[tokio::test]
async fn a_damaged_live_or_replay_keeps_nobody_from_rebuilding_or_banning_its_user() {
    let (program, client) = program().await;
    open_room(&program, "alice", "t").await;
    for n in 1..=2 {
        push_starts(&program, "8888_alice", &n.to_string()).await;
        program.pass(100);
        crate::support::steps::push_ends(&program, "8888_alice", &n.to_string()).await;
        let (id, to) = (format!("f{n}"), program.now());
        is_recorded(&program, File { stream: "8888_alice", id: &id, format: "flv", from: to - 100, to }).await;
        program.pass(1000);
    }
    damage(&client, "USER#alice", "REPLAY#f1", "started_at").await;
    damage(&client, "USER#alice", &format!("LIVE#{START}"), "started_at").await;
    let answer = by_operator(&program, "rebuild_user", fields!("userid": "alice", "dry_run": 1)).await;
    assert_eq!(rest_code(&answer), 200, "{answer}");
    let ban = fields!("userid": "alice", "forbidflag": 1, "hide_replays": 1);
    by_operator(&program, "forbid_live", ban).await;
    assert_eq!(column(&list(&program, 2, 1, 10).await, "fileid"), [""; 0]);
}
