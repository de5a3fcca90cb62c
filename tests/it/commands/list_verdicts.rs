//! `list_verdicts`.

use crate::support::{
    harness::{START, golden, notice},
    steps::{by_operator, fields, forbid, open_room, operated, parse, push_starts, verdict},
};

#[tokio::test]
async fn verdicts_are_listed_newest_first_with_their_picture_and_what_followed() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    push_starts(&program, "8888_alice", "1").await;
    program.pass(10);
    notice(&program, &verdict("8888_alice", "Review")).await;
    program.pass(10);
    let of_nobody = format!(r#"{},"img":"http://pictures/1.jpg","label":"Porn""#, verdict("rs_nobody", "Block"));
    notice(&program, &of_nobody).await;
    program.pass(10);
    let at = START + 25;
    let block = format!(r#"{},"img":"http://pictures/2.jpg","screenshotTime":{at}"#, verdict("8888_alice", "Block"));
    notice(&program, &block).await;
    golden("list_verdicts/ok.rest.json", &by_operator(&program, "list_verdicts", fields!()).await);
    forbid(&program, "alice", 1).await;
    let answer = parse(&by_operator(&program, "list_verdicts", fields!()).await);
    let row = &answer["data"]["list"][0];
    assert_eq!((&row["state"], &row["banned"]), (&"offline".into(), &1.into()));
}

#[tokio::test]
async fn verdicts_are_listed_for_thirty_days_and_in_pages() {
    let program = operated().await;
    for n in 0..11 {
        notice(&program, &format!(r#"{},"n":{n}"#, verdict("rs_nobody", "Block"))).await;
        program.pass(1);
    }
    let page =
        async |index: u64| parse(&by_operator(&program, "list_verdicts", fields!("index": index, "count": 10)).await);
    let length = |answer: &serde_json::Value| answer["data"]["list"].as_array().unwrap().len();
    let (first, second) = (page(1).await, page(2).await);
    assert_eq!((length(&first), &first["data"]["more"]), (10, &1.into()));
    assert_eq!((length(&second), &second["data"]["more"]), (1, &0.into()));
    program.pass(31 * 24 * 3600);
    assert_eq!(length(&page(1).await), 0);
}

#[tokio::test]
async fn other_notices_are_no_verdicts() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    push_starts(&program, "8888_alice", "1").await;
    let answer = parse(&by_operator(&program, "list_verdicts", fields!()).await);
    assert_eq!(answer["data"]["list"].as_array().unwrap().len(), 0);
}
