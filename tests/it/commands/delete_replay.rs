//! `delete_replay`.

use serde_json::json;

use crate::support::{
    harness::{Program, START, action, golden, notice, program, rest, swept},
    stand_in::{
        Manner::{Answers, FailsFirst},
        StandIn, program_with_cloud_api,
    },
    steps::{File, Phone, acknowledged, code, column, done_by, fields, list, open_room, registered, replay, signed},
};
use app::deletion;
use protocol::{
    error::Error,
    types::{FileId, UserId},
};

/// What the video-on-demand service says when it did it.
const DONE: &[u8] = br#"{"Response":{"RequestId":"8e50cdb5-56dc-408b-89b0-31818958d424"}}"#;

/// Opens a room for alice and logs her phone in; the cloud recorded a file.
async fn alice(program: &Program) -> Phone {
    let phone = registered(program, "alice").await;
    open_room(program, "alice", "t").await;
    records(program, "f1", 0, 100).await;
    phone
}

/// The cloud recorded a file of alice, which is called `vod-` and so on by the video-on-demand service.
async fn records(program: &Program, id: &str, from: u64, to: u64) {
    let (from, to) = (START - 1000 + from, START - 1000 + to);
    let file = File { stream: "8888_alice", id, format: "flv", from, to };
    acknowledged(&notice(program, &format!(r#"{},"file_id":"vod-{id}""#, file.fields())).await);
}

async fn delete(program: &Program, phone: &Phone, file: &str) {
    done_by(program, phone, "delete_replay", fields!("file_id": file)).await;
}

/// The replays in the list, and how many there are said to be.
async fn files(program: &Program) -> (Vec<String>, u64) {
    let page = list(program, 2, 1, 10).await;
    (column(&page, "fileid").into_iter().map(str::to_owned).collect(), page["totalcount"].as_u64().unwrap())
}

/// Whether anybody is told of a replay.
async fn is_told(program: &Program, file: &str) -> bool {
    let body = json!({"Action": "GetUserInfo", "userid": "alice", "type": 1, "fileid": file}).to_string();
    code(&action(program, &body).await) == 0
}

/// What the sweep does for the replay that a file names.
async fn finish(program: &Program, file: &str) -> Result<(), Error> {
    let (user, file) = (UserId::parse("alice").unwrap(), FileId::parse(file).unwrap());
    deletion::finish(&program.app, &user, &file).await
}

/// How many files of a replay are still to be deleted.
async fn pending_deletions(program: &Program, file: &str) -> usize {
    let (user, file) = (UserId::parse("alice").unwrap(), FileId::parse(file).unwrap());
    program.app.table.pending_deletions(&user, &file).await.unwrap().len()
}

/// The files that the video-on-demand service was told to delete, in the order of their names.
fn asked(cloud: &StandIn) -> Vec<String> {
    let mut bodies: Vec<String> = cloud.arrived().into_iter().map(|call| call.body).collect();
    bodies.sort();
    bodies
}

fn deletion_of(file: &str) -> String {
    format!(r#"{{"FileId":"vod-{file}"}}"#)
}

#[tokio::test]
async fn a_replay_goes_with_all_its_files() {
    let (program, cloud) = program_with_cloud_api(Answers(200, DONE)).await;
    let phone = alice(&program).await;
    records(&program, "f2", 50, 150).await;
    let answer = signed(&program, &phone, "delete_replay", fields!("file_id": "f2")).await;
    golden("delete_replay/ok.rest.json", &answer);
    assert_eq!(files(&program).await, (vec![], 0));
    assert!(!is_told(&program, "f1").await && !is_told(&program, "f2").await);
    assert_eq!(asked(&cloud), [deletion_of("f1"), deletion_of("f2")]);
    assert_eq!(cloud.headers()[0]["x-tc-action"], "DeleteMedia");
    assert_eq!(pending_deletions(&program, "f1").await, 0);
    for file in ["f1", "f2"] {
        delete(&program, &phone, file).await;
    }
    assert_eq!(cloud.arrived().len(), 2, "deleting it again does nothing");
}

#[tokio::test]
async fn a_cloud_that_fails_does_not_fail_the_call_and_is_asked_again_for_what_it_left() {
    let (program, cloud) = program_with_cloud_api(FailsFirst(1, DONE)).await;
    let phone = alice(&program).await;
    records(&program, "f2", 50, 150).await;
    delete(&program, &phone, "f1").await;
    assert_eq!((files(&program).await, pending_deletions(&program, "f1").await), ((vec![], 0), 1));
    assert_eq!(asked(&cloud), [deletion_of("f1"), deletion_of("f2")]);
    finish(&program, "f1").await.unwrap();
    assert_eq!((cloud.arrived().len(), pending_deletions(&program, "f1").await), (3, 0));
    finish(&program, "f1").await.unwrap();
    assert_eq!(cloud.arrived().len(), 3, "there is nothing left");
}

#[tokio::test]
async fn a_cloud_that_goes_on_failing_is_asked_again_by_the_sweep_every_ten_minutes() {
    let (program, cloud) = program_with_cloud_api(Answers(500, b"")).await;
    let phone = alice(&program).await;
    delete(&program, &phone, "f1").await;
    for _ in 0..3 {
        let asked = cloud.arrived().len();
        program.pass(599);
        swept(&program).await;
        assert_eq!(cloud.arrived().len(), asked);
        program.pass(1);
        swept(&program).await;
        assert_eq!((cloud.arrived().len(), pending_deletions(&program, "f1").await), (asked + 1, 1));
    }
}

#[tokio::test]
async fn files_that_come_later_are_deleted_too() {
    let (program, cloud) = program_with_cloud_api(Answers(200, DONE)).await;
    let phone = alice(&program).await;
    delete(&program, &phone, "f1").await;
    records(&program, "f2", 50, 150).await;
    records(&program, "f2", 50, 150).await;
    assert_eq!((files(&program).await, pending_deletions(&program, "f1").await), ((vec![], 0), 1));
    assert!(!is_told(&program, "f2").await);
    for _ in 0..2 {
        swept(&program).await;
        assert_eq!(asked(&cloud), [deletion_of("f1"), deletion_of("f2")]);
        program.pass(3600);
    }
}

#[tokio::test]
async fn without_an_api_the_replay_goes_and_the_files_stay() {
    let program = program().await;
    let phone = alice(&program).await;
    delete(&program, &phone, "f1").await;
    assert_eq!((files(&program).await, pending_deletions(&program, "f1").await), ((vec![], 0), 0));
    assert!(!is_told(&program, "f1").await);
}

#[tokio::test]
async fn what_turns_out_to_be_of_a_deleted_replay_is_not_deleted_with_it() {
    let (program, cloud) = program_with_cloud_api(Answers(200, DONE)).await;
    let phone = alice(&program).await;
    records(&program, "f2", 200, 300).await;
    delete(&program, &phone, "f1").await;
    // It joins both, under the name of the first.
    records(&program, "f3", 50, 250).await;
    finish(&program, "f1").await.unwrap();
    assert_eq!(asked(&cloud), [deletion_of("f1"), deletion_of("f3")]);
    assert_eq!(files(&program).await, (vec![], 0));
}

#[tokio::test]
async fn deleted_files_are_no_parts_of_what_they_turn_out_to_be_of() {
    let (program, cloud) = program_with_cloud_api(Answers(200, DONE)).await;
    let phone = alice(&program).await;
    records(&program, "f2", 200, 300).await;
    delete(&program, &phone, "f2").await;
    records(&program, "f3", 50, 250).await;
    assert_eq!(files(&program).await, (vec!["f1".to_owned()], 1));
    let row = replay(&program, "alice", "f1").await;
    let parts: Vec<_> = row["parts"].as_array().unwrap().iter().map(|part| part["fileid"].as_str()).collect();
    assert_eq!((parts, row["timestamp"].as_u64()), (vec![Some("f1"), Some("f3")], Some(START - 750)));
    assert!(!is_told(&program, "f2").await);
    assert_eq!(cloud.arrived().len(), 1);
}

#[tokio::test]
async fn only_an_owner_deletes_a_replay() {
    let program = program().await;
    alice(&program).await;
    let phone = registered(&program, "bobby").await;
    let answer = signed(&program, &phone, "delete_replay", fields!("file_id": "f1")).await;
    golden("delete_replay/not_there.rest.json", &answer);
    let body = r#"{"userid":"alice","file_id":"f1"}"#;
    golden("delete_replay/unsigned.rest.json", &rest(&program, "delete_replay", body).await);
    assert_eq!(files(&program).await, (vec!["f1".to_owned()], 1));
}

#[tokio::test]
async fn a_file_is_needed() {
    let program = program().await;
    let phone = alice(&program).await;
    golden("delete_replay/no_file.rest.json", &signed(&program, &phone, "delete_replay", fields!()).await);
}
