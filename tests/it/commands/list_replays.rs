//! `list_replays`.

use crate::support::{
    harness::{START, golden},
    steps::{by_operator, done_by, fields, file, forbid, is_recorded, open_room, operated, parse, registered},
};

#[tokio::test]
async fn an_operator_sees_every_replay_of_a_user_and_why_it_is_not_listed() {
    let program = operated().await;
    let alice = registered(&program, "alice").await;
    open_room(&program, "alice", "t").await;
    for (n, id) in ["shown", "hidden", "deleted", "short"].into_iter().enumerate() {
        let from = START - 40_000 + 10_000 * u64::try_from(n).unwrap();
        let seconds = if id == "short" { 10 } else { 600 };
        is_recorded(&program, file(id, "flv", from, from + seconds)).await;
    }
    done_by(&program, &alice, "update_replay", fields!("userid": "alice", "file_id": "hidden", "hidden": 1)).await;
    done_by(&program, &alice, "delete_replay", fields!("userid": "alice", "file_id": "deleted")).await;
    golden("list_replays/ok.rest.json", &by_operator(&program, "list_replays", fields!("userid": "alice")).await);
}

#[tokio::test]
async fn replays_that_a_ban_keeps_back_are_marked() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    is_recorded(&program, file("f1", "flv", START - 900, START - 100)).await;
    let row = async || {
        let answer = parse(&by_operator(&program, "list_replays", fields!("userid": "alice")).await);
        let row = &answer["data"]["list"][0];
        (row["listed"].clone(), row["withheld"].clone())
    };
    assert_eq!(row().await, (1.into(), 0.into()));
    by_operator(&program, "forbid_live", fields!("userid": "alice", "forbidflag": 1, "hide_replays": 1)).await;
    assert_eq!(row().await, (0.into(), 1.into()));
    forbid(&program, "alice", 0).await;
    assert_eq!(row().await, (1.into(), 0.into()));
}

#[tokio::test]
async fn a_user_without_replays_has_none() {
    let program = operated().await;
    golden("list_replays/none.rest.json", &by_operator(&program, "list_replays", fields!("userid": "nobody")).await);
}
