//! What the cloud's verdict over a picture does to the live that it is of.

use crate::support::{
    harness::{Program, START, notice, program_with},
    stand_in::{Manner, StandIn, program_with_cloud_api_and},
    steps::{
        File, acknowledged, column, done_by, fields, is_recorded, list, open_room, push_ends, push_starts, registered,
        replay, room, verdict,
    },
};

const STREAM: &str = "8888_alice";
const DONE: Manner = Manner::Answers(200, br#"{"Response":{"RequestId":"r"}}"#);

/// A program with this policy, where alice has opened her room.
async fn with_policy(policy: &'static str) -> Program {
    let program = program_with(|name| (name == "MODERATION").then_some(policy)).await;
    open_room(&program, "alice", "the show").await;
    program
}

/// The cloud tells its verdict.
async fn is_judged(program: &Program, suggestion: &str) {
    acknowledged(&notice(program, &verdict(STREAM, suggestion)).await);
}

/// The cloud tells of a start that was so many seconds ago.
async fn started_before(program: &Program, seconds: u64, sequence: &str) {
    let at = program.now() - seconds;
    let fields = format!(r#""event_type":1,"stream_id":"{STREAM}","sequence":"{sequence}","event_time":{at}"#);
    acknowledged(&notice(program, &fields).await);
}

/// Whether alice's room says that it is live, and whether it is in the list of lives.
async fn state(program: &Program) -> (bool, bool) {
    let is_listed = column(&list(program, 1, 1, 10).await, "userid") == ["alice"];
    (room(program, "alice").await["status"] == "1", is_listed)
}

/// What the cloud was asked to do.
fn asked(cloud: &StandIn) -> Vec<String> {
    cloud.headers().iter().map(|headers| headers["x-tc-action"].clone()).collect()
}

#[tokio::test]
async fn what_a_forbidden_picture_does_is_a_setting() {
    for (policy, expected) in [("record", (true, true)), ("hide", (true, false)), ("end", (false, false))] {
        let program = with_policy(policy).await;
        push_starts(&program, STREAM, "1").await;
        for suggestion in ["Pass", "Review", ""] {
            is_judged(&program, suggestion).await;
            assert_eq!(state(&program).await, (true, true), "{policy} {suggestion}");
        }
        program.pass(10);
        is_judged(&program, "Block").await;
        assert_eq!(state(&program).await, expected, "{policy}");
    }
}

#[tokio::test]
async fn a_live_stays_hidden_through_reconnects_and_until_the_room_is_opened_anew() {
    let program = with_policy("hide").await;
    push_starts(&program, STREAM, "1").await;
    program.pass(10);
    is_judged(&program, "Block").await;
    push_ends(&program, STREAM, "1").await;
    program.pass(10);
    push_starts(&program, STREAM, "2").await;
    assert_eq!(state(&program).await, (true, false));
    push_ends(&program, STREAM, "2").await;
    program.pass(100);
    open_room(&program, "alice", "the next show").await;
    push_starts(&program, STREAM, "3").await;
    assert_eq!(state(&program).await, (true, true));
}

#[tokio::test]
async fn a_live_that_is_ended_is_cut_in_the_cloud() {
    let (program, cloud) = program_with_cloud_api_and(DONE, &[("MODERATION", "end")]).await;
    open_room(&program, "alice", "the show").await;
    push_starts(&program, STREAM, "1").await;
    program.pass(10);
    is_judged(&program, "Block").await;
    assert_eq!(state(&program).await, (false, false));
    assert_eq!(asked(&cloud), ["DropLiveStream"]);
}

#[tokio::test]
async fn a_verdict_that_comes_before_the_start_of_its_live_counts() {
    for (policy, expected) in [("record", (true, true)), ("hide", (true, false)), ("end", (false, false))] {
        let program = with_policy(policy).await;
        program.pass(60);
        is_judged(&program, "Block").await;
        program.pass(10);
        started_before(&program, 30, "1").await;
        assert_eq!(state(&program).await, expected, "{policy}");
    }
}

#[tokio::test]
async fn a_live_whose_verdict_came_before_its_start_is_cut_when_that_is_told() {
    let (program, cloud) = program_with_cloud_api_and(DONE, &[("MODERATION", "end")]).await;
    open_room(&program, "alice", "the show").await;
    program.pass(60);
    is_judged(&program, "Block").await;
    assert_eq!(asked(&cloud), [""; 0]);
    program.pass(10);
    started_before(&program, 30, "1").await;
    assert_eq!(asked(&cloud), ["DropLiveStream"]);
    assert_eq!(state(&program).await, (false, false));
}

#[tokio::test]
async fn a_verdict_between_two_pushes_of_a_live_is_of_that_live() {
    for (policy, expected) in [("hide", (true, false)), ("end", (false, false))] {
        let program = with_policy(policy).await;
        push_starts(&program, STREAM, "1").await;
        program.pass(90);
        push_ends(&program, STREAM, "1").await;
        program.pass(10);
        is_judged(&program, "Block").await;
        program.pass(10);
        push_starts(&program, STREAM, "2").await;
        assert_eq!(state(&program).await, expected, "{policy}");
    }
}

#[tokio::test]
async fn a_verdict_that_waits_for_its_live_keeps_no_other_from_its_own() {
    let program = with_policy("hide").await;
    program.pass(60);
    is_judged(&program, "Block").await;
    program.pass(10);
    push_starts(&program, STREAM, "1").await;
    assert_eq!(state(&program).await, (true, true));
    program.pass(10);
    let another = format!(r#""event_type":317,"streamId":"{STREAM}","suggestion":"Block","confidence":80"#);
    acknowledged(&notice(&program, &another).await);
    assert_eq!(state(&program).await, (true, false));
}

/// The cloud tells that a picture is forbidden which was taken at a second.
async fn is_forbidden(program: &Program, field: &str, at: u64) {
    acknowledged(&notice(program, &format!(r#"{},"{field}":{at}"#, verdict(STREAM, "Block"))).await);
}

#[tokio::test]
async fn a_verdict_is_of_the_live_that_ran_when_its_picture_was_taken() {
    let spellings = ["screenshotTime", "screenshot_time", "createTime", "create_time", "event_time", "sendTime"];
    for (policy, seen) in [("hide", (true, false)), ("end", (false, false))] {
        for (field, unit) in spellings.into_iter().map(|field| (field, 1)).chain([("screenshotTime", 1000)]) {
            let program = with_policy(policy).await;
            push_starts(&program, STREAM, "1").await;
            program.pass(100);
            push_ends(&program, STREAM, "1").await;
            program.pass(100);
            open_room(&program, "alice", "the next show").await;
            push_starts(&program, STREAM, "2").await;
            program.pass(10);
            is_forbidden(&program, field, (START + 50) * unit).await;
            assert_eq!(state(&program).await, (true, true), "{policy} {field}: that one is over");
            is_forbidden(&program, field, (START + 205) * unit).await;
            assert_eq!(state(&program).await, seen, "{policy} {field}");
        }
    }
}

/// The replays that are listed.
async fn replays(program: &Program) -> Vec<String> {
    let page = list(program, 2, 1, 10).await;
    let files: Vec<String> = column(&page, "fileid").into_iter().map(str::to_owned).collect();
    assert_eq!(page["totalcount"], files.len());
    files
}

#[tokio::test]
async fn the_replay_of_a_hidden_live_stays_out_of_the_lists_whenever_the_verdict_comes() {
    for (policy, expected) in [("record", vec!["v2", "v1", "v0"]), ("hide", vec!["v2", "v0"])] {
        for when in ["during the live", "after the live", "after the file", "before all"] {
            let program = with_policy(policy).await;
            push_starts(&program, STREAM, "0").await;
            program.pass(100);
            push_ends(&program, STREAM, "0").await;
            record(&program, "v0", 100).await;
            program.pass(100);
            open_room(&program, "alice", "another show").await;
            let taken = program.now() + 50;
            let judged = async |now: &str| {
                if now == when {
                    is_forbidden(&program, "screenshotTime", taken).await;
                }
            };
            program.pass(60);
            judged("before all").await;
            started_before(&program, 60, "1").await;
            program.pass(40);
            judged("during the live").await;
            push_ends(&program, STREAM, "1").await;
            judged("after the live").await;
            record(&program, "v1", 100).await;
            judged("after the file").await;
            program.pass(100);
            open_room(&program, "alice", "the next show").await;
            push_starts(&program, STREAM, "2").await;
            program.pass(100);
            push_ends(&program, STREAM, "2").await;
            record(&program, "v2", 100).await;
            assert_eq!(replays(&program).await, expected, "{policy}, verdict {when}");
            assert_eq!(replay(&program, "alice", "v1").await["fileid"], "v1", "its owner finds it");
        }
    }
}

#[tokio::test]
async fn the_owner_of_a_forbidden_replay_cannot_put_it_into_the_lists() {
    let program = with_policy("hide").await;
    let phone = registered(&program, "alice").await;
    push_starts(&program, STREAM, "1").await;
    program.pass(100);
    is_forbidden(&program, "screenshotTime", START + 50).await;
    push_ends(&program, STREAM, "1").await;
    record(&program, "v1", 100).await;
    for hidden in [1, 0] {
        done_by(&program, &phone, "update_replay", fields!("file_id": "v1", "hidden": hidden)).await;
        assert_eq!(replays(&program).await, [""; 0]);
    }
}

/// The cloud recorded the last seconds.
async fn record(program: &Program, id: &str, seconds: u64) {
    let (from, to) = (program.now() - seconds, program.now());
    is_recorded(program, File { stream: STREAM, id, format: "mp4", from, to }).await;
}

#[tokio::test]
async fn a_verdict_over_what_is_over_is_of_no_later_live() {
    for policy in ["hide", "end"] {
        let program = with_policy(policy).await;
        push_starts(&program, STREAM, "1").await;
        program.pass(10);
        push_ends(&program, STREAM, "1").await;
        program.pass(10);
        is_judged(&program, "Block").await;
        program.pass(100);
        open_room(&program, "alice", "the next show").await;
        push_starts(&program, STREAM, "2").await;
        assert_eq!(state(&program).await, (true, true), "{policy}");
    }
}

#[tokio::test]
async fn no_number_of_later_verdicts_makes_a_forbidden_replay_public() {
    let program = with_policy("hide").await;
    for (sequence, verdicts) in [("1", 1), ("2", 70)] {
        push_starts(&program, STREAM, sequence).await;
        program.pass(100);
        for _ in 0..verdicts {
            program.pass(1);
            is_forbidden(&program, "screenshotTime", program.now()).await;
        }
        push_ends(&program, STREAM, sequence).await;
        record(&program, &format!("v{sequence}"), 100).await;
        program.pass(1000);
        open_room(&program, "alice", "the next show").await;
        assert_eq!(replays(&program).await, [""; 0], "after live {sequence}");
    }
}
