//! `list_rooms`.

use serde_json::Value;

use crate::support::{
    harness::{golden, notice, program, program_with, rest},
    steps::{OPERATOR_KEY, by_operator, fields, go_online, like, open_room, operated, parse, push_starts, verdict},
};

/// A field of every row of an answer.
fn column<'a>(answer: &'a Value, field: &str) -> Vec<&'a str> {
    answer["data"]["list"].as_array().unwrap().iter().map(|row| row[field].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_operator_sees_the_live_rooms_and_their_numbers() {
    let program = operated().await;
    for user in ["alice", "bobby"] {
        open_room(&program, user, "the show").await;
        program.pass(5);
    }
    go_online(&program, "alice").await;
    like(&program, "alice").await;
    golden("list_rooms/ok.rest.json", &by_operator(&program, "list_rooms", fields!()).await);
}

#[tokio::test]
async fn hidden_rooms_come_first_and_pages_go_on_after_them() {
    let program = program_with(|name| match name {
        "OPERATOR_KEY" => Some(OPERATOR_KEY),
        "MODERATION" => Some("hide"),
        _ => None,
    })
    .await;
    for n in 0..14 {
        let user = format!("host{n:02}");
        open_room(&program, &user, "t").await;
        push_starts(&program, &format!("8888_{user}"), "1").await;
        program.pass(1);
    }
    for user in ["host03", "host07"] {
        notice(&program, &verdict(&format!("8888_{user}"), "Block")).await;
    }
    let page =
        async |index: u64| parse(&by_operator(&program, "list_rooms", fields!("index": index, "count": 10)).await);
    let (first, second, third) = (page(1).await, page(2).await, page(3).await);
    assert_eq!(first["data"]["totalcount"], 14);
    assert_eq!(column(&first, "userid")[..4], ["host07", "host03", "host13", "host12"]);
    assert_eq!(column(&first, "state")[..3], ["hidden", "hidden", "live"]);
    assert_eq!(column(&second, "userid"), ["host04", "host02", "host01", "host00"]);
    assert!(column(&third, "userid").is_empty());
}

#[tokio::test]
async fn the_room_of_a_user_is_found_live_or_not() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    let found = parse(&by_operator(&program, "list_rooms", fields!("userid": "alice")).await);
    assert_eq!((column(&found, "state"), &found["data"]["totalcount"]), (vec!["offline"], &1.into()));
    golden("list_rooms/no_room.rest.json", &by_operator(&program, "list_rooms", fields!("userid": "nobody")).await);
}

#[tokio::test]
async fn lists_of_operators_are_refused_to_others() {
    for program in [operated().await, program().await] {
        for command in ["list_rooms", "list_bans", "list_reports", "list_verdicts"] {
            golden(&format!("{command}/no_key.rest.json"), &rest(&program, command, "{}").await);
        }
        let replays = rest(&program, "list_replays", r#"{"userid":"alice"}"#).await;
        golden("list_replays/no_key.rest.json", &replays);
    }
}
