//! `list_bans`.

use serde_json::Value;

use crate::support::{
    harness::{Program, START, golden, swept},
    steps::{by_operator, fields, forbid, open_room, operated, parse},
};

async fn banned(program: &Program) -> Vec<String> {
    let answer = parse(&by_operator(program, "list_bans", fields!()).await);
    let name = |row: &Value| row["userid"].as_str().unwrap().to_owned();
    answer["data"]["list"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn a_ban_is_listed_with_all_that_was_said_of_it_until_it_is_lifted() {
    let program = operated().await;
    for user in ["alice", "bobby"] {
        open_room(&program, user, "t").await;
    }
    let ban = fields!(
        "userid": "alice", "forbidflag": 1, "until": START + 5000, "reason": "spam", "actor": "eve", "hide_replays": 1,
    );
    by_operator(&program, "forbid_live", ban).await;
    program.pass(10);
    forbid(&program, "bobby", 1).await;
    golden("list_bans/ok.rest.json", &by_operator(&program, "list_bans", fields!()).await);
    forbid(&program, "bobby", 0).await;
    assert_eq!(banned(&program).await, ["alice"]);
}

#[tokio::test]
async fn a_ban_that_is_repeated_is_listed_once_with_its_new_reason() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    for reason in ["one", "two"] {
        program.pass(10);
        by_operator(&program, "forbid_live", fields!("userid": "alice", "forbidflag": 1, "reason": reason)).await;
    }
    let answer = parse(&by_operator(&program, "list_bans", fields!()).await);
    assert_eq!(answer["data"]["list"].as_array().unwrap().len(), 1);
    assert_eq!(answer["data"]["list"][0]["reason"], "two");
}

#[tokio::test]
async fn a_ban_that_has_ended_is_not_listed_before_or_after_the_sweep_lifts_it() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    by_operator(&program, "forbid_live", fields!("userid": "alice", "forbidflag": 1, "until": START + 100)).await;
    program.pass(99);
    assert_eq!(banned(&program).await, ["alice"]);
    program.pass(1);
    assert!(banned(&program).await.is_empty());
    swept(&program).await;
    assert!(banned(&program).await.is_empty());
}

#[tokio::test]
async fn bans_come_in_pages_the_latest_first() {
    let program = operated().await;
    for n in 0..12 {
        let user = format!("host{n:02}");
        open_room(&program, &user, "t").await;
        forbid(&program, &user, 1).await;
        program.pass(1);
    }
    let page =
        async |index: u64| parse(&by_operator(&program, "list_bans", fields!("index": index, "count": 10)).await);
    let (first, second) = (page(1).await, page(2).await);
    assert_eq!((&first["data"]["list"][0]["userid"], &first["data"]["more"]), (&"host11".into(), &1.into()));
    assert_eq!((&second["data"]["list"][1]["userid"], &second["data"]["more"]), (&"host00".into(), &0.into()));
}
