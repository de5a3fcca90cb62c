//! `update_replay`.

use crate::support::{
    harness::{Program, START, golden, program, rest},
    steps::{
        File, Phone, code, done_by, fields, is_recorded, list, listed, open_room, parse, registered, replay, rest_code,
        signed,
    },
};

/// Alice, whose phone is logged in, and a replay of hers.
async fn alice() -> (Program, Phone) {
    let program = program().await;
    let phone = registered(&program, "alice").await;
    open_room(&program, "alice", "t").await;
    records(&program, "f1", 0, 100).await;
    (program, phone)
}

/// The cloud recorded a file of alice.
async fn records(program: &Program, id: &str, from: u64, to: u64) {
    let (from, to) = (START - 1000 + from, START - 1000 + to);
    is_recorded(program, File { stream: "8888_alice", id, format: "flv", from, to }).await;
}

/// The titles of all replays in the list, and how many there are said to be.
async fn titles(program: &Program, phone: &Phone) -> (Vec<String>, u64) {
    let page = done_by(program, phone, "get_vod_list", fields!("index": 1, "count": 10)).await;
    let titles = listed(&page, "title").into_iter().map(str::to_owned).collect();
    (titles, list(program, 2, 1, 10).await["totalcount"].as_u64().unwrap())
}

/// The code with which everybody is told of a replay, or not.
async fn told(program: &Program, file: &str) -> u64 {
    let body = format!(r#"{{"Action":"GetUserInfo","userid":"alice","type":1,"fileid":"{file}"}}"#);
    code(&crate::support::harness::action(program, &body).await)
}

#[tokio::test]
async fn a_replay_is_renamed_and_an_empty_title_is_that_of_its_show() {
    let (program, phone) = alice().await;
    let answer = signed(&program, &phone, "update_replay", fields!("file_id": "f1", "title": "better")).await;
    golden("update_replay/ok.rest.json", &answer);
    assert_eq!(titles(&program, &phone).await, (vec!["better".to_owned()], 1));
    records(&program, "f2", 50, 150).await;
    assert_eq!(replay(&program, "alice", "f2").await["title"], "better", "a part that comes later leaves it");
    done_by(&program, &phone, "update_replay", fields!("file_id": "f2", "title": "")).await;
    assert_eq!(titles(&program, &phone).await, (vec!["t".to_owned()], 1));
}

#[tokio::test]
async fn a_hidden_replay_is_found_by_nobody_until_it_is_shown_again() {
    let (program, phone) = alice().await;
    for _ in 0..2 {
        done_by(&program, &phone, "update_replay", fields!("file_id": "f1", "hidden": 1)).await;
        assert_eq!((titles(&program, &phone).await, told(&program, "f1").await), ((vec![], 0), 2003));
    }
    records(&program, "f2", 50, 150).await;
    assert_eq!((titles(&program, &phone).await, told(&program, "f2").await), ((vec![], 0), 2003));
    done_by(&program, &phone, "update_replay", fields!("file_id": "f1", "title": "new")).await;
    assert_eq!(titles(&program, &phone).await.1, 0, "a new title does not show it");
    for _ in 0..2 {
        done_by(&program, &phone, "update_replay", fields!("file_id": "f2", "hidden": 0)).await;
        assert_eq!(titles(&program, &phone).await, (vec!["new".to_owned()], 1));
    }
    assert_eq!(replay(&program, "alice", "f1").await["timestamp"], START - 850);
}

#[tokio::test]
async fn what_turns_out_to_be_of_a_hidden_replay_is_hidden_too() {
    let (program, phone) = alice().await;
    records(&program, "f2", 200, 300).await;
    done_by(&program, &phone, "update_replay", fields!("file_id": "f2", "hidden": 1)).await;
    assert_eq!(titles(&program, &phone).await.1, 1);
    // It joins both, under the name of the first.
    records(&program, "f3", 50, 250).await;
    assert_eq!((titles(&program, &phone).await, told(&program, "f1").await), ((vec![], 0), 2003));
    done_by(&program, &phone, "update_replay", fields!("file_id": "f1", "hidden": 0)).await;
    records(&program, "f4", 60, 320).await;
    assert_eq!(titles(&program, &phone).await.1, 1, "it was shown again as a whole");
}

#[tokio::test]
async fn a_replay_in_several_files_tells_them_all() {
    let (program, phone) = alice().await;
    is_recorded(&program, File { stream: "8888_alice", id: "h1", format: "hls", from: START - 1000, to: START - 850 })
        .await;
    records(&program, "f2", 50, 150).await;
    let fields = fields!("type": 1, "fileid": "f2");
    golden("get_live_info/parts.rest.json", &signed(&program, &phone, "get_live_info", fields).await);
    assert!(list(&program, 2, 1, 10).await["pusherlist"][0].get("parts").is_none());
}

#[tokio::test]
async fn only_an_owner_changes_a_replay() {
    let (program, _) = alice().await;
    let phone = registered(&program, "bobby").await;
    let answer = signed(&program, &phone, "update_replay", fields!("file_id": "f1", "title": "mine")).await;
    golden("update_replay/not_there.rest.json", &answer);
    let body = r#"{"userid":"alice","file_id":"f1","title":"mine"}"#;
    golden("update_replay/unsigned.rest.json", &rest(&program, "update_replay", body).await);
    assert_eq!(replay(&program, "alice", "f1").await["title"], "t");
}

#[tokio::test]
async fn a_file_is_needed_and_hidden_is_0_or_1() {
    let (program, phone) = alice().await;
    golden("update_replay/no_file.rest.json", &signed(&program, &phone, "update_replay", fields!("title": "x")).await);
    let answer = signed(&program, &phone, "update_replay", fields!("file_id": "f1", "hidden": 2)).await;
    golden("update_replay/hidden_2.rest.json", &answer);
    let answer = signed(&program, &phone, "update_replay", fields!("file_id": "f1", "title": "x".repeat(256))).await;
    assert_eq!(rest_code(&answer), 602, "{}", parse(&answer));
}
