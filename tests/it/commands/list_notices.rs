//! `list_notices`.

use serde_json::{Value, json};

use crate::support::{
    harness::{Program, START, golden, notice, program, rest},
    steps::{File, by_operator, fields, is_recorded, open_room, operated, parse, push_ends, push_starts},
};

/// A program with operators, of which alice has pushed and recorded.
async fn told() -> Program {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    push_starts(&program, "8888_alice", "1").await;
    program.pass(100);
    push_ends(&program, "8888_alice", "1").await;
    program.pass(10);
    let file = File { stream: "rs_alice", id: "f1", format: "flv", from: START, to: START + 100 };
    for _ in 0..2 {
        is_recorded(&program, file).await;
    }
    is_recorded(&program, File { stream: "8888_alice", id: "f2", from: START + 100, ..file }).await;
    program
}

/// The ids of the rows of a page, and how many there are in all.
fn ids(answer: &str) -> (Vec<String>, Value) {
    let answer = parse(answer);
    let rows = answer["data"]["list"].as_array().unwrap_or_else(|| panic!("{answer}"));
    (rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect(), answer["data"]["totalcount"].clone())
}

#[tokio::test]
async fn the_notices_of_a_stream_are_told_the_newest_first() {
    let program = told().await;
    golden(
        "list_notices/stream.rest.json",
        &by_operator(&program, "list_notices", fields!("streamid": "8888_alice")).await,
    );
}

#[tokio::test]
async fn the_notices_of_a_user_are_those_of_all_their_streams() {
    let program = told().await;
    let answer = by_operator(&program, "list_notices", fields!("userid": "alice")).await;
    assert_eq!(ids(&answer), (["100 f2", "100 f1", "0 1", "1 1"].map(str::to_owned).to_vec(), json!(4)));
    assert_eq!(parse(&answer)["data"]["list"][1]["times"], 2);
}

#[tokio::test]
async fn notices_come_in_pages() {
    let program = told().await;
    for n in 0..11 {
        program.pass(1);
        notice(&program, &format!(r#""event_type":200,"stream_id":"8888_alice","pic_url":"/{n}""#)).await;
    }
    let page = async |index: u64| {
        ids(&by_operator(&program, "list_notices", fields!("streamid": "8888_alice", "index": index, "count": 10))
            .await)
    };
    let (first, second) = (page(1).await, page(2).await);
    assert_eq!((first.0.len(), first.0[0].as_str(), first.1), (10, "200 /10", json!(14)));
    assert_eq!((second.0, second.1), (["200 /0", "100 f2", "0 1", "1 1"].map(str::to_owned).to_vec(), json!(14)));
}

#[tokio::test]
async fn what_is_not_dealt_with_is_told_of_all_streams() {
    let program = told().await;
    assert_eq!(ids(&by_operator(&program, "list_notices", fields!()).await), (vec![], json!(0)));
    for user in ["nobody", "carol"] {
        push_starts(&program, &format!("rs_{user}"), user).await;
        program.pass(1);
    }
    golden("list_notices/unsettled.rest.json", &by_operator(&program, "list_notices", fields!()).await);
    open_room(&program, "carol", "t").await;
    by_operator(&program, "replay_notices", fields!("streamid": "rs_carol")).await;
    assert_eq!(ids(&by_operator(&program, "list_notices", fields!()).await).0, ["1 nobody"]);
}

#[tokio::test]
async fn who_is_no_operator_is_told_nothing() {
    let program = told().await;
    for command in ["list_notices", "replay_notices"] {
        let answer = rest(&program, command, r#"{"streamid":"8888_alice"}"#).await;
        golden(&format!("{command}/no_key.rest.json"), &answer);
    }
}

#[tokio::test]
async fn where_no_operator_key_is_set_nobody_is_an_operator() {
    let program = program().await;
    golden("list_notices/no_key.rest.json", &by_operator(&program, "list_notices", fields!()).await);
}

#[tokio::test]
async fn a_user_without_a_room_has_no_streams_and_one_thing_is_asked_for_at_a_time() {
    let program = operated().await;
    golden("list_notices/no_room.rest.json", &by_operator(&program, "list_notices", fields!("userid": "alice")).await);
    let both = fields!("userid": "alice", "streamid": "8888_alice");
    golden("list_notices/both.rest.json", &by_operator(&program, "list_notices", both).await);
}

#[tokio::test]
async fn an_unnamed_notice_that_comes_again_with_another_expiry_and_signature_is_the_same_notice() {
    let program = operated().await;
    open_room(&program, "alice", "t").await;
    for _ in 0..2 {
        // `t` and `sign` follow from the time of the program.
        notice(&program, r#""event_type":999,"stream_id":"8888_alice","what":"an event of later versions""#).await;
        program.pass(30);
    }
    let answer = parse(&by_operator(&program, "list_notices", fields!("streamid": "8888_alice")).await);
    assert_eq!(
        (&answer["data"]["totalcount"], &answer["data"]["list"][0]["times"]),
        (&json!(1), &json!(2)),
        "{answer}"
    );
}

#[tokio::test]
async fn notices_are_filtered_by_event_and_status() {
    let program = told().await;
    let listed = async |more: Value| {
        let mut fields = json!({"userid": "alice"});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ids(&by_operator(&program, "list_notices", fields).await).0
    };
    assert_eq!(listed(json!({"event": "100"})).await, ["100 f2", "100 f1"]);
    assert_eq!(listed(json!({"event": "1", "fate": "applied"})).await, ["1 1"]);
    assert_eq!(listed(json!({"fate": "dropped"})).await, ["100 f2"]);
    for event in [1, 100] {
        let fields = format!(r#""event_type":{event},"stream_id":"rs_nobody","sequence":"9","video_id":"f9""#);
        let file = r#","video_url":"http://v/9","start_time":1,"end_time":2"#;
        notice(&program, &format!("{fields}{file}")).await;
    }
    let unsettled = by_operator(&program, "list_notices", fields!("event": "1")).await;
    assert_eq!(ids(&unsettled), (vec!["1 9".to_owned()], json!(1)));
}

#[tokio::test]
async fn a_status_is_one_of_four_and_needs_a_stream_or_a_user() {
    let program = operated().await;
    for fields in [fields!("streamid": "8888_alice", "fate": "lost"), fields!("fate": "open")] {
        assert_eq!(parse(&by_operator(&program, "list_notices", fields).await)["code"], 602);
    }
}
