//! What puts counts right that somebody left wrong, while others write at any moment between.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::support::{
    harness::{Program, START, action, program_on, program_over, swept, variable},
    injector::{Fault, Injector, Lasts, Strike},
    steps::{
        File, done, enter, fields, go_offline, go_online, is_recorded, list, members, open_room, quit, replay, room,
    },
    watch::{ANY, Watch},
};
use cli::engine::Engine;
use protocol::types::{FileId, UserId};
use store::ReplayChanges;

/// How often the sweep comes by until all is put right, and after how many seconds each.
const ROUNDS: usize = 6;
const ROUND_SECONDS: u64 = 90;
/// `MEMBER_SECONDS`.
const MEMBER_SECONDS: u64 = 21_600;
/// More requests than a repair has until all is right.
const MAX_REQUESTS: usize = 200;
/// The requests at which a repair is interrupted in the ordinary run.
const SOME_REQUESTS: [usize; 2] = [1, 4];
/// Two whose rooms stand at the same position if they are opened in the same second.
const USERS: [&str; 2] = ["alice", "ben"];
/// The request of a ChangeStatus that counts the room on the finest level; one of the next two levels follows each.
const COUNTS: usize = 4;
const ONLINE: &str = r#"{"Action":"ChangeStatus","userid":"alice","status":0}"#;

/// A table, and programs on it whose clocks go alike.
struct World {
    engine: Engine,
    /// One that can be interrupted, and die.
    first: Program,
    watch: Watch,
    injector: Injector,
    second: Program,
}

impl World {
    async fn new() -> Self {
        let (engine, watch, injector) = (Engine::in_memory().unwrap(), Watch::default(), Injector::default());
        let first = program_on(&injector.client(watch.over(engine.http_client())), "mini-lvb", |_| None).await;
        let second = program_over(engine.http_client(), |_| None).await;
        for user in USERS {
            open_room(&second, user, "t").await;
        }
        Self { engine, first, watch, injector, second }
    }

    fn pass(&self, seconds: u64) {
        for program in [&self.first, &self.second] {
            program.pass(seconds);
        }
    }

    /// Another program, whose clock stands as theirs do.
    async fn another(&self) -> Program {
        let other = program_over(self.engine.http_client(), |_| None).await;
        other.pass(self.second.now() - other.now());
        other
    }

    /// Somebody dies over this request of a call.
    async fn dies(&self, at: usize, fault: Fault, body: &str) {
        self.injector.arm(vec![Strike { at, fault, lasts: Lasts::ForTheCall }]);
        action(&self.first, body).await;
        self.injector.call_ended().await;
        self.injector.arm(vec![]);
    }

    /// Somebody dies over this request of something; whether it has so many.
    async fn dies_during<T>(&self, at: usize, call: impl Future<Output = T>) -> bool {
        self.injector.arm(vec![Strike { at, fault: Fault::RequestLost, lasts: Lasts::ForTheCall }]);
        drop(call.await);
        let is_struck = !self.injector.struck().is_empty();
        self.injector.call_ended().await;
        self.injector.arm(vec![]);
        is_struck
    }

    /// What is in doubt about alice is counted again until all of it is said to be right.
    async fn is_recounted(&self, when: &str) {
        let (app, alice) = (&self.first.app, UserId::parse("alice").unwrap());
        for _ in 0..ROUNDS {
            self.pass(ROUND_SECONDS);
            if app.broadcaster(&alice).recount_unconfirmed().await.unwrap() {
                return;
            }
        }
        panic!("not all is right after {ROUNDS} rounds, {when}");
    }

    /// The sweep comes by until all that was left is looked after.
    async fn is_swept(&self) {
        for _ in 0..ROUNDS {
            self.pass(ROUND_SECONDS);
            swept(&self.first).await;
        }
    }

    /// A list says that it has as many rows as it has.
    async fn list_is_right(&self, flag: u64, expected: usize, when: &str) {
        let page = list(&self.second, flag, 1, 100).await;
        let rows = page["pusherlist"].as_array().unwrap().len();
        assert_eq!((page["totalcount"].as_u64(), rows), (Some(expected as u64), expected), "list {flag}, {when}");
    }

    /// The room and its group say that they have as many viewers as they have.
    async fn viewers_are_right(&self, viewers: usize, when: &str) {
        let page = members(&self.second, "alice", "@alice").await;
        let rows = page["memberlist"].as_array().unwrap().len();
        let seen = room(&self.second, "alice").await["viewercount"].as_u64();
        let is = (rows, page["totalcount"].as_u64(), seen);
        assert_eq!(is, (viewers, Some(viewers as u64), Some(viewers as u64)), "{when}");
    }
}

fn group_call(name: &str, viewer: &str, group: &str, flag: u8) -> String {
    format!(r#"{{"Action":"{name}","userid":"{viewer}","liveuserid":"alice","groupid":"{group}","flag":{flag}}}"#)
}

/// Does something again and again, interrupted at one request and another until it has no more. It says whether it was.
/// With `REPAIRS=all`, as `scripts/faults` has it, at each of its requests.
async fn at_each_request(play: impl AsyncFn(usize) -> bool) {
    let is_all = variable("REPAIRS").as_deref() == Some("all");
    let requests = if is_all { (0..MAX_REQUESTS).collect() } else { SOME_REQUESTS.to_vec() };
    for (n, at) in requests.into_iter().enumerate() {
        if !play(at).await {
            assert!(n > 0, "it is never interrupted");
            return;
        }
    }
    assert!(!is_all, "there are more requests than {MAX_REQUESTS}");
}

#[tokio::test]
async fn a_list_is_counted_right_whoever_writes_between_any_two_requests_of_the_recount() {
    at_each_request(async |at| {
        let (world, when) = (World::new().await, format!("interrupted at request {at}"));
        go_online(&world.second, "ben").await;
        world.pass(ROUND_SECONDS);
        open_room(&world.second, "carol", "t").await;
        world.dies(COUNTS, Fault::RequestLost, ONLINE).await;
        let other = world.another().await;
        other.pass(ROUND_SECONDS);
        world.watch.interrupt(ANY, at, move || async move {
            go_offline(&other, "ben").await;
            for viewer in ["carol", "dora"] {
                open_room(&other, viewer, "t").await;
                go_online(&other, viewer).await;
            }
        });
        world.is_recounted(&when).await;
        let is_interrupted = !world.watch.call_off();
        if is_interrupted {
            world.list_is_right(1, 3, &when).await;
            world.list_is_right(4, 4, &when).await;
        }
        is_interrupted
    })
    .await;
}

#[tokio::test]
async fn a_list_is_counted_right_if_the_recount_comes_between_any_two_writes_of_a_writer() {
    /// What goes offline has then written its timeline and the room, and in the end counted it on the finest level.
    const WRITTEN: [usize; 2] = [2, 3];
    for at in WRITTEN {
        let (world, when) = (World::new().await, format!("interrupted at write {at}"));
        go_online(&world.second, "ben").await;
        world.pass(ROUND_SECONDS);
        world.dies(COUNTS, Fault::RequestLost, ONLINE).await;
        world.pass(ROUND_SECONDS);
        // Rows that may not be written come first.
        swept(&world.second).await;
        world.pass(ROUND_SECONDS);
        let other = world.another().await;
        world.watch.interrupt("UpdateItem", at, move || async move {
            swept(&other).await;
        });
        // Ben is missing from the rows, as alice is from the counts: for a moment they agree.
        go_offline(&world.first, "ben").await;
        assert!(!world.watch.call_off(), "{when}");
        world.is_recounted(&when).await;
        world.list_is_right(1, 1, &when).await;
    }
}

#[tokio::test]
async fn a_list_is_counted_right_if_the_recount_comes_before_the_row_of_a_writer_who_dies_then() {
    /// The request of hiding a replay that counts it on the finest level, and the write that hides it.
    const COUNTS: usize = 6;
    const HIDES: usize = 2;
    let world = World::new().await;
    is_recorded(&world.second, File { stream: "8888_alice", id: "v", format: "flv", from: START - 99, to: START })
        .await;
    world.pass(2 * ROUND_SECONDS);
    let other = world.another().await;
    world.watch.interrupt("UpdateItem", HIDES, move || async move {
        let (app, alice) = (&other.app, UserId::parse("alice").unwrap());
        app.broadcaster(&alice).recount_unconfirmed().await.unwrap();
    });
    world.injector.arm(vec![Strike { at: COUNTS, fault: Fault::RequestLost, lasts: Lasts::ForTheCall }]);
    let (alice, file) = (UserId::parse("alice").unwrap(), FileId::parse("v").unwrap());
    let app = &world.first.app;
    let changes = ReplayChanges { title: None, hidden: Some(true) };
    assert!(app.broadcaster(&alice).change_replay(&file, &changes).await.is_err());
    world.injector.call_ended().await;
    world.injector.arm(vec![]);
    assert!(!world.watch.call_off());
    world.is_recounted("").await;
    world.list_is_right(2, 0, "").await;
}

#[tokio::test]
async fn a_list_is_counted_right_when_a_process_has_died_at_any_level_and_others_go_on() {
    for at in [COUNTS + 1, COUNTS + 2] {
        let (world, when) = (World::new().await, format!("died at request {at}"));
        world.pass(ROUND_SECONDS);
        open_room(&world.second, "carol", "t").await;
        world.dies(at, Fault::RequestLost, ONLINE).await;
        world.pass(ROUND_SECONDS);
        for _ in 0..2 {
            let app = &world.first.app;
            let alice = UserId::parse("alice").unwrap();
            let is_right = app.broadcaster(&alice).recount_unconfirmed().await.unwrap();
            assert!(!is_right, "while others go on nobody can know, {when}");
            go_online(&world.second, "carol").await;
            go_offline(&world.second, "carol").await;
            world.pass(ROUND_SECONDS);
            go_online(&world.second, "carol").await;
        }
        if at == COUNTS + 1 {
            world.list_is_right(1, 2, &when).await;
        }
        world.is_recounted(&when).await;
        world.list_is_right(1, 2, &when).await;
        world.list_is_right(4, 3, &when).await;
    }
}

#[tokio::test]
async fn viewers_are_counted_right_when_processes_have_died_over_their_coming_and_going() {
    let world = World::new().await;
    for viewer in ["carol", "dave", "erin"] {
        enter(&world.second, viewer, "alice", "@alice").await;
    }
    for (at, call, viewer) in
        [(2, "EnterGroup", "bob"), (3, "EnterGroup", "fay"), (2, "QuitGroup", "dave"), (3, "QuitGroup", "erin")]
    {
        world.dies(at, Fault::RequestLost, &group_call(call, viewer, "@alice", 0)).await;
    }
    // Carol is still there when it is time to look who is.
    world.pass(MEMBER_SECONDS - 10);
    enter(&world.second, "carol", "alice", "@alice").await;
    world.is_swept().await;
    world.viewers_are_right(1, "carol is left").await;
    world.dies(2, Fault::RequestLost, &group_call("QuitGroup", "carol", "@alice", 0)).await;
    world.pass(MEMBER_SECONDS);
    world.is_swept().await;
    world.viewers_are_right(0, "nobody is left").await;
    let due = world.second.app.table.due_tasks(world.second.app.now().plus(MEMBER_SECONDS), 10).await.unwrap();
    assert!(due.is_empty(), "{due:?}");
}

#[tokio::test]
async fn viewers_are_counted_right_whoever_comes_or_goes_between_any_two_requests_of_the_recount() {
    at_each_request(async |at| {
        let (world, when) = (World::new().await, format!("interrupted at request {at}"));
        for viewer in ["carol", "dave"] {
            enter(&world.second, viewer, "alice", "@alice").await;
        }
        // The room counts bob, who is not written down; fay is, and the group does not count her.
        world.dies(2, Fault::RequestLost, &group_call("EnterGroup", "bob", "@alice", 0)).await;
        world.pass(MEMBER_SECONDS - 100);
        world.dies(3, Fault::RequestLost, &group_call("EnterGroup", "fay", "@alice", 0)).await;
        for viewer in ["carol", "dave"] {
            enter(&world.second, viewer, "alice", "@alice").await;
        }
        world.pass(10);
        let other = world.another().await;
        world.watch.interrupt(ANY, at, move || async move {
            other.pass(ROUND_SECONDS);
            for viewer in ["erin", "gina"] {
                enter(&other, viewer, "alice", "@alice").await;
            }
            quit(&other, "dave", "alice", "@alice").await;
        });
        world.is_swept().await;
        let is_interrupted = !world.watch.call_off();
        if is_interrupted {
            world.viewers_are_right(4, &when).await;
        }
        is_interrupted
    })
    .await;
}

#[tokio::test]
async fn viewers_are_counted_right_if_the_recount_comes_between_any_two_requests_of_a_viewer() {
    for comes in [true, false] {
        at_each_request(async |at| {
            let world = World::new().await;
            enter(&world.second, "carol", "alice", "@alice").await;
            world.dies(2, Fault::RequestLost, &group_call("EnterGroup", "bob", "@alice", 0)).await;
            world.pass(MEMBER_SECONDS - 100);
            enter(&world.second, "carol", "alice", "@alice").await;
            world.pass(100);
            let other = world.another().await;
            world.watch.interrupt(ANY, at, move || async move {
                swept(&other).await;
            });
            if comes {
                enter(&world.first, "erin", "alice", "@alice").await;
            } else {
                quit(&world.first, "carol", "alice", "@alice").await;
            }
            let is_interrupted = !world.watch.call_off();
            world.is_swept().await;
            let viewers = if comes { 2 } else { 0 };
            world.viewers_are_right(viewers, &format!("comes: {comes}, interrupted at request {at}")).await;
            is_interrupted
        })
        .await;
    }
}

#[tokio::test]
async fn viewers_that_an_app_counts_itself_are_not_counted_by_members() {
    let world = World::new().await;
    enter(&world.second, "carol", "alice", "@alice").await;
    done(&world.second, "ChangeCount", fields!("userid": "alice", "type": 0, "optype": 0, "flag": 0)).await;
    world.pass(MEMBER_SECONDS - 10);
    enter(&world.second, "carol", "alice", "@alice").await;
    world.is_swept().await;
    assert_eq!(room(&world.second, "alice").await["viewercount"], 2);
}

#[tokio::test]
async fn viewers_of_a_replay_are_counted_right_by_the_groups_of_all_its_files() {
    /// The request of coming that writes the member.
    const ENTERS: usize = 4;
    let world = World::new().await;
    for (id, format) in [("v1", "flv"), ("v2", "hls")] {
        is_recorded(&world.second, File { stream: "8888_alice", id, format, from: START - 100, to: START }).await;
    }
    let come = async || {
        for (viewer, file) in [("bob", "v1"), ("carol", "v2")] {
            action(&world.second, &group_call("EnterGroup", viewer, file, 1)).await;
        }
    };
    come().await;
    world.dies(ENTERS, Fault::RequestLost, &group_call("EnterGroup", "dave", "v1", 1)).await;
    assert_eq!(replay(&world.second, "alice", "v1").await["viewercount"], 3);
    world.pass(MEMBER_SECONDS - 10);
    come().await;
    world.is_swept().await;
    for group in ["v1", "v2"] {
        assert_eq!(members(&world.second, "alice", group).await["totalcount"], 1, "group {group}");
    }
    assert_eq!(replay(&world.second, "alice", "v1").await["viewercount"], 2);
}

/// The file of a replay whose row somebody left at another position of the list than it belongs to: it should end so many
/// seconds later, in another bucket of every level.
const MOVED_BY: u64 = 10_000;

/// Changes the row of the replay `v` of alice's by hand.
async fn change_replay_row(world: &World, sort_key: &str, expression: &str, value: Option<AttributeValue>) {
    let key = [("PK", "USER#alice"), ("SK", sort_key)];
    let key = key.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())));
    let request = world.engine.client().update_item().table_name("mini-lvb").set_key(Some(key.into()));
    let values = value.map(|value| [(":value".to_owned(), value)].into());
    request.update_expression(expression).set_expression_attribute_values(values).send().await.unwrap();
}

/// A world in which alice has a replay, long enough ago.
async fn world_with_replay() -> World {
    let world = World::new().await;
    world.pass(MOVED_BY);
    is_recorded(&world.second, File { stream: "8888_alice", id: "v", format: "flv", from: START - 99, to: START })
        .await;
    world.pass(2 * ROUND_SECONDS);
    world
}

#[tokio::test]
async fn a_replay_that_is_moved_when_its_row_is_written_at_last_is_counted_where_it_stood_and_where_it_stands() {
    for at in 1.. {
        let world = world_with_replay().await;
        let damaged = AttributeValue::N("1".to_owned());
        change_replay_row(&world, "REPLAY#v", "SET parts = :value", Some(damaged)).await;
        let later = File { stream: "8888_alice", id: "h", format: "hls", from: START - 99, to: START + MOVED_BY };
        is_recorded(&world.second, later).await;
        world.is_recounted("before").await;
        change_replay_row(&world, "REPLAY#v", "REMOVE parts", None).await;
        world.pass(ROUND_SECONDS);
        let alice = UserId::parse("alice").unwrap();
        let is_struck = world.dies_during(at, world.first.app.broadcaster(&alice).change(|_| false)).await;
        world.is_swept().await;
        world.list_is_right(2, 1, &format!("died at request {at}")).await;
        if !is_struck {
            assert!(at > 5, "it makes more requests");
            return;
        }
    }
}

#[tokio::test]
async fn a_replay_that_a_rebuild_moves_is_counted_where_it_stood_and_where_it_stands() {
    for at in 1.. {
        let world = world_with_replay().await;
        let alice = UserId::parse("alice").unwrap();
        // The row stands where it stood, and the timeline knows better.
        let state = world.engine.client().get_item().table_name("mini-lvb");
        let state = state.key("PK", AttributeValue::S("USER#alice".to_owned()));
        let state = state.key("SK", AttributeValue::S("TIMELINE".to_owned())).send().await.unwrap().item.unwrap();
        let timeline = state["timeline"].as_s().unwrap().replace(&START.to_string(), &(START + MOVED_BY).to_string());
        change_replay_row(&world, "TIMELINE", "SET timeline = :value", Some(AttributeValue::S(timeline))).await;
        let broadcaster = world.first.app.broadcaster(&alice);
        let (differences, _) = broadcaster.differences(None).await.unwrap();
        assert!(!differences.is_empty());
        let is_struck = world.dies_during(at, broadcaster.rewrite(&differences)).await;
        world.is_swept().await;
        world.list_is_right(2, 1, &format!("died at request {at}")).await;
        if !is_struck {
            assert!(at > 5, "it makes more requests");
            return;
        }
    }
}
