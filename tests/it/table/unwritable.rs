//! Rows that cannot be written: what came is kept, everybody goes on, and the row is written when it can be.

use std::ops::Range;

use aws_sdk_dynamodb::{Client, types::AttributeValue};

use crate::support::{
    harness::{Program, START, action, notice, program_on, program_over, swept},
    injector::{Fault, Injector, Lasts, Strike},
    steps::{
        File, OPERATOR_KEY, acknowledged, by_operator, code, column, fields, go_offline, go_online, is_recorded, list,
        open_room, push_ends, push_starts, replay, room,
    },
    watch::Watch,
};
use cli::engine::Engine;
use protocol::types::{FileId, UnixSeconds, UserId};
use timeline::{Evidence, UserStream};

/// What DynamoDB has room for in an item.
const MAX_ITEM_BYTES: usize = 400 * 1024;

/// A row of alice's.
struct Row(Client, &'static str);

impl Row {
    fn key(&self) -> [(String, AttributeValue); 2] {
        [("PK", "USER#alice"), ("SK", self.1)]
            .map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())))
    }

    async fn change(&self, expression: &str, value: Option<AttributeValue>) {
        let request = self.0.update_item().table_name("mini-lvb").set_key(Some(self.key().into()));
        let request = request.update_expression(expression);
        let values = value.map(|value| [(":value".to_owned(), value)].into());
        request.set_expression_attribute_values(values).send().await.unwrap();
    }

    /// Makes it a row that nobody can understand, so that nobody writes it.
    async fn damage(&self) {
        self.change("SET parts = :value", Some(AttributeValue::N("1".to_owned()))).await;
    }

    async fn mend(&self) {
        self.change("REMOVE parts", None).await;
    }

    /// How many bytes it has, as DynamoDB counts.
    async fn bytes(&self) -> usize {
        let item = self.0.get_item().table_name("mini-lvb").set_key(Some(self.key().into())).send().await.unwrap();
        let bytes_of = |value: &AttributeValue| {
            let texts = value.as_ss().map_or(&[][..], Vec::as_slice);
            let text = value.as_s().or_else(|_| value.as_n()).map_or(1, String::len);
            texts.iter().map(String::len).sum::<usize>() + text
        };
        item.item.unwrap().iter().map(|(name, value)| name.len() + bytes_of(value)).sum()
    }
}

async fn program() -> (Program, Client) {
    let engine = Engine::in_memory().unwrap();
    (program_over(engine.http_client(), |_| None).await, engine.client())
}

/// A second program on the same table.
async fn two_programs() -> (Program, Program, Client, Watch) {
    let (engine, watch) = (Engine::in_memory().unwrap(), Watch::default());
    let first = program_over(watch.over(engine.http_client()), |_| None).await;
    (first, program_over(engine.http_client(), |_| None).await, engine.client(), watch)
}

const HLS: File<'_> = File { stream: "8888_alice", id: "h1", format: "hls", from: START - 200, to: START - 100 };

#[tokio::test]
async fn a_row_that_cannot_be_written_holds_up_nobody_and_is_written_when_it_can_be() {
    let (program, client) = program().await;
    let row = Row(client, "REPLAY#f1");
    open_room(&program, "alice", "t").await;
    is_recorded(&program, File { id: "f1", format: "flv", ..HLS }).await;
    row.damage().await;
    is_recorded(&program, HLS).await;
    is_recorded(&program, File { id: "f2", from: START - 2000, to: START - 1900, ..HLS }).await;
    push_starts(&program, "8888_alice", "1").await;
    assert_eq!(room(&program, "alice").await["status"], "1", "it is live");
    program.pass(30);
    push_ends(&program, "8888_alice", "1").await;
    open_room(&program, "alice", "anew").await;
    go_online(&program, "alice").await;
    go_offline(&program, "alice").await;
    assert_eq!(room(&program, "alice").await["title"], "anew");
    assert_eq!(list(&program, 1, 1, 10).await["totalcount"], 0);
    // The sweep tries again, less and less often, and after each time counts again where the row stands.
    let mut tries = 0;
    for _ in 0..120 {
        program.pass(60);
        tries += swept(&program).await.due;
    }
    assert!((3..=24).contains(&tries), "{tries} tries in two hours");
    row.mend().await;
    program.pass(3600);
    swept(&program).await;
    assert_eq!(replay(&program, "alice", "f1").await["hls_play_url"], "http://vod/h1.hls");
    // What was added last is counted again once it is at rest, and looked at once more.
    for _ in 0..2 {
        program.pass(3600);
        swept(&program).await;
    }
    program.pass(3600);
    assert_eq!(swept(&program).await.due, 0, "nothing is left to do");
}

#[tokio::test]
async fn what_meets_the_write_of_a_row_that_cannot_be_written_is_written_out_too() {
    for write in 0..8 {
        let (first, second, client, watch) = two_programs().await;
        let row = Row(client, "REPLAY#f1");
        open_room(&first, "alice", "t").await;
        is_recorded(&first, File { id: "f1", format: "flv", ..HLS }).await;
        row.damage().await;
        let other = File { id: "f2", format: "flv", from: START - 2000, to: START - 1900, ..HLS };
        watch.interrupt("UpdateItem", write, move || async move {
            acknowledged(&notice(&second, &other.fields()).await);
        });
        is_recorded(&first, HLS).await;
        // Where there were not so many writes it has not been told yet.
        is_recorded(&first, other).await;
        let page = list(&first, 2, 1, 10).await;
        let at = format!("interrupted at write {write}");
        assert_eq!(page["totalcount"], 2, "{at}");
        row.mend().await;
        for _ in 0..4 {
            first.pass(3600);
            swept(&first).await;
        }
        let page = list(&first, 2, 1, 10).await;
        assert_eq!((column(&page, "fileid"), page["totalcount"].as_u64()), (vec!["f1", "f2"], Some(2)), "{at}");
        assert_eq!(replay(&first, "alice", "f1").await["hls_play_url"], "http://vod/h1.hls", "{at}");
    }
}

#[tokio::test]
async fn a_call_succeeds_once_the_timeline_is_written_and_the_sweep_does_the_rest() {
    let injector = Injector::default();
    let client = injector.client(Engine::in_memory().unwrap().http_client());
    let program = program_on(&client, "mini-lvb", |_| None).await;
    open_room(&program, "alice", "t").await;
    // The timeline is read, and written; then the table is away.
    injector.arm(vec![Strike { at: 3, fault: Fault::Broken, lasts: Lasts::ForTheCall }]);
    go_online(&program, "alice").await;
    injector.call_ended().await;
    assert_eq!(list(&program, 1, 1, 10).await["totalcount"], 0);
    for _ in 0..2 {
        program.pass(100);
        swept(&program).await;
    }
    let lives = list(&program, 1, 1, 10).await;
    assert_eq!((column(&lives, "userid"), lives["totalcount"].as_u64()), (vec!["alice"], Some(1)));
}

#[tokio::test]
async fn a_replay_of_more_and_longer_addresses_than_a_row_has_room_for_stays_in_its_list_and_holds_up_nobody() {
    let (program, client) = program().await;
    let (row, timeline) = (Row(client.clone(), "REPLAY#f0"), Row(client, "TIMELINE"));
    open_room(&program, "alice", "t").await;
    push_starts(&program, "8888_alice", "1").await;
    // Every character of the address, and of the file's name, has four bytes.
    for n in 0..130 {
        program.pass(20);
        let (from, to) = (program.now() - 20, program.now());
        let (tail, name) = ("\u{2070e}".repeat(1000), "\u{2070e}".repeat(150));
        let name = if n == 0 { "f0".to_owned() } else { format!("{name}{n}") };
        let fields = format!(
            r#""event_type":100,"stream_id":"8888_alice","video_id":"{name}","file_format":"mp4",
            "video_url":"http://vod/{n}/{tail}","start_time":{from},"end_time":{to}"#
        );
        acknowledged(&notice(&program, &fields).await);
    }
    push_ends(&program, "8888_alice", "1").await;
    let shown = replay(&program, "alice", "f0").await;
    assert!(shown["playurl"].as_str().unwrap().starts_with("http://vod/0/"), "the list shows the first file");
    let (user, file) = (UserId::parse("alice").unwrap(), FileId::parse("f0").unwrap());
    let kept = program.app.table.replay(&user, &file).await.unwrap().unwrap();
    assert_eq!(kept.ended_at.0 - kept.started_at.0, 130 * 20, "and how long all of it is");
    for row in [row, timeline] {
        let bytes = row.bytes().await;
        assert!(bytes < MAX_ITEM_BYTES, "{} has {bytes} bytes", row.1);
    }
    open_room(&program, "alice", "anew").await;
    go_online(&program, "alice").await;
    assert_eq!(list(&program, 1, 1, 10).await["totalcount"], 1);
}

#[tokio::test]
async fn what_is_said_of_a_room_whose_row_is_not_written_yet_counts() {
    for act in ["online", "ban"] {
        let injector = Injector::default();
        let client = injector.client(Engine::in_memory().unwrap().http_client());
        let program = program_on(&client, "mini-lvb", |name| (name == "OPERATOR_KEY").then_some(OPERATOR_KEY)).await;
        // The timeline is read, the stream claimed, the show and the timeline written; then the table is away.
        injector.arm(vec![Strike { at: 5, fault: Fault::Broken, lasts: Lasts::ForTheCall }]);
        open_room(&program, "alice", "t").await;
        injector.call_ended().await;
        let body = fields!("Action": "GetUserInfo", "userid": "alice", "type": 0).to_string();
        assert_eq!(code(&action(&program, &body).await), 2003, "there is no row");
        match act {
            "online" => go_online(&program, "alice").await,
            _ => drop(by_operator(&program, "forbid_live", fields!("userid": "alice", "forbidflag": 1)).await),
        }
        let row = room(&program, "alice").await;
        let shown = (row["status"].as_str().unwrap().to_owned(), list(&program, 4, 1, 10).await);
        let is_banned = shown.1["pusherlist"][0]["forbid_status"].as_u64();
        let expected = if act == "ban" { ("0", Some(1)) } else { ("1", Some(0)) };
        assert_eq!((shown.0.as_str(), is_banned), expected, "{act}");
    }
}

/// The requests of a notice, from the read of the state on.
const REQUESTS: Range<usize> = 3..12;
/// How often the client sends a request before the write of a row is given up.
const TRIES: usize = 4;
/// More requests than a call has.
const ALL: usize = 200;
/// Longer than evidence is kept.
const LONG: u64 = 9 * 24 * 3600;

/// A program whose requests to the table can be made to fail.
async fn failing_program() -> (Program, Injector) {
    let injector = Injector::default();
    let client = injector.client(Engine::in_memory().unwrap().http_client());
    (program_on(&client, "mini-lvb", |_| None).await, injector)
}

/// The table is away at these requests of a call.
async fn away_at(injector: &Injector, requests: Range<usize>, call: impl Future) {
    injector.arm(requests.map(|at| Strike { at, fault: Fault::Broken, lasts: Lasts::Once }).collect());
    call.await;
    injector.arm(vec![]);
}

#[tokio::test]
async fn a_replay_of_long_ago_is_written_although_a_request_failed_when_it_came() {
    for at in REQUESTS {
        let (program, injector) = failing_program().await;
        open_room(&program, "alice", "t").await;
        program.pass(LONG);
        let file = File { id: "f1", format: "flv", ..HLS };
        away_at(&injector, at..at + TRIES, notice(&program, &file.fields())).await;
        program.pass(100);
        swept(&program).await;
        acknowledged(&notice(&program, &file.fields()).await);
        assert_eq!(replay(&program, "alice", "f1").await["fileid"], "f1", "request {at} failed");
    }
}

#[tokio::test]
async fn a_live_that_the_table_had_no_time_for_is_written_even_if_nobody_came_by_for_long() {
    for at in REQUESTS {
        let (program, injector) = failing_program().await;
        let alice = UserId::parse("alice").unwrap();
        open_room(&program, "alice", "t").await;
        push_starts(&program, "8888_alice", "1").await;
        program.pass(1000);
        let end = r#""event_type":0,"stream_id":"8888_alice","sequence":"1""#;
        away_at(&injector, at..ALL, notice(&program, end)).await;
        program.pass(LONG);
        for _ in 0..3 {
            program.pass(100);
            swept(&program).await;
        }
        let lives = program.app.table.lives(&alice).await.unwrap();
        let [live] = &lives[..] else { panic!("{lives:?}, away at request {at}") };
        assert_eq!(live.ended_at, Some(UnixSeconds(START + 1000)), "away at request {at}");
    }
}

#[tokio::test]
async fn a_live_that_a_full_timeline_forgets_before_its_row_is_written_again_keeps_its_row() {
    let (program, injector) = failing_program().await;
    let alice = UserId::parse("alice").unwrap();
    open_room(&program, "alice", "t").await;
    push_starts(&program, "8888_alice", "0").await;
    // From the end of this live on the table is away, for so many lives that the timeline has no room for them all.
    for n in 0..300 {
        program.pass(500);
        let at = UnixSeconds(START + 500 * n + 100);
        let (push, user_stream) = (n.to_string(), UserStream::Own);
        let end = Evidence::Ended { user_stream, push, at, seconds: Some(100), reason: None };
        let add = async { drop(program.app.broadcaster(&alice).add_evidence(end).await) };
        away_at(&injector, 3..ALL, add).await;
    }
    program.pass(500);
    swept(&program).await;
    let lives = program.app.table.lives(&alice).await.unwrap();
    assert!(lives.len() > 200, "{} lives", lives.len());
    assert_eq!(lives[0].started_at, UnixSeconds(START), "its row is there");
}
