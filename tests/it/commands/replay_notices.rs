//! `replay_notices`.

use crate::support::{
    harness::{Program, START, golden, notice},
    steps::{File, by_operator, column, fields, is_recorded, list, open_room, operated, parse, push_starts, room},
};

/// What became of the notices of a stream when they were done again.
async fn again(program: &Program, stream: &str) -> Vec<(String, String)> {
    let answer = parse(&by_operator(program, "replay_notices", fields!("streamid": stream)).await);
    let rows = answer["data"]["list"].as_array().unwrap_or_else(|| panic!("{answer}"));
    rows.iter().map(|row| (row["id"].as_str().unwrap().to_owned(), row["fate"].as_str().unwrap().to_owned())).collect()
}

#[tokio::test]
async fn what_waited_for_its_user_is_done() {
    let program = operated().await;
    let file = File { stream: "rs_alice", id: "f1", format: "flv", from: START - 100, to: START };
    is_recorded(&program, file).await;
    assert_eq!(again(&program, "rs_alice").await, [("100 f1".to_owned(), "parked".to_owned())]);
    open_room(&program, "alice", "t").await;
    let answer = by_operator(&program, "replay_notices", fields!("streamid": "rs_alice", "id": "100 f1")).await;
    golden("replay_notices/ok.rest.json", &answer);
    assert_eq!(column(&list(&program, 2, 1, 10).await, "fileid"), ["f1"]);
}

#[tokio::test]
async fn what_was_done_is_not_done_twice() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    push_starts(&program, "8888_alice", "1").await;
    program.pass(10);
    is_recorded(&program, File { stream: "8888_alice", id: "f1", format: "flv", from: START - 100, to: START }).await;
    let applied = |id: &str| (id.to_owned(), "applied".to_owned());
    for _ in 0..2 {
        assert_eq!(again(&program, "8888_alice").await, [applied("1 1"), applied("100 f1")]);
    }
    assert_eq!(list(&program, 2, 1, 10).await["totalcount"], 1);
    assert_eq!(room(&program, "alice").await["status"], "1");
}

#[tokio::test]
async fn only_what_tells_of_pushes_and_files_is_done_again_all_together() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    notice(&program, r#""event_type":200,"stream_id":"8888_alice","pic_url":"/1""#).await;
    notice(&program, r#""event_type":317,"streamId":"8888_alice","suggestion":"block""#).await;
    assert_eq!(again(&program, "8888_alice").await, []);
}

#[tokio::test]
async fn a_notice_that_never_came_is_not_found() {
    let program = operated().await;
    let answer = by_operator(&program, "replay_notices", fields!("streamid": "8888_alice", "id": "1 1")).await;
    golden("replay_notices/not_there.rest.json", &answer);
}
