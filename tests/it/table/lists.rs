//! Which rows the pages of the lists have, and what a page costs, however long the list and however deep the page.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue as Attribute;
use dynoxide::{AttributeValue, ImportOptions, Item, actions::scan::ScanRequest};
use serde_json::Value;

use crate::support::{
    harness::{Program, START, program, program_over},
    steps::{File, column, go_offline, go_online, is_recorded, list, open_room, publish},
    watch::Watch,
};
use cli::engine::Engine;
use protocol::{sign::callback, types::Secret};

/// How long a replay stays in the lists.
const WINDOW: u64 = 604_800;
/// How much longer the counts of it are kept.
const COUNTS_KEPT: u64 = 60 * 86400;
/// Every list.
const FLAGS: std::ops::RangeInclusive<u64> = 1..=5;

/// Where a row stands: its second, three bits of a hash of its name, its name.
pub(crate) type Place = (u64, u8, String);

pub(crate) fn place(at: u64, name: &str) -> Place {
    let md5 = callback::sign(&Secret::new(""), name);
    (at, u8::from_str_radix(&md5[..2], 16).unwrap() >> 5, name.to_owned())
}

/// The names of rows that stand at these places, as a list has them.
fn newest_first(mut places: Vec<Place>) -> Vec<String> {
    places.sort();
    places.into_iter().rev().map(|(_, _, name)| name).collect()
}

/// The rows of a page by the names that they were made under: a user for a room, a file for anything else.
fn names(page: &Value) -> Vec<&str> {
    let name = |row: &'_ Value| if row["type"] == 0 { "userid" } else { "fileid" };
    let rows = page["pusherlist"].as_array().unwrap().iter();
    rows.map(|row| row[name(row)].as_str().unwrap()).collect()
}

/// Checks a page against the whole list as it should be.
async fn check_page(program: &Program, flag: u64, number: u64, size: u64, whole: &[String]) {
    let page = list(program, flag, number, size).await;
    let offset = usize::try_from((number - 1) * size).unwrap();
    let expected: Vec<_> = whole.iter().skip(offset).take(usize::try_from(size).unwrap()).collect();
    assert_eq!(names(&page), expected, "flag {flag}, page {number} of {size}");
    assert_eq!(page["totalcount"], whole.len(), "flag {flag}, page {number} of {size}");
}

/// Checks every page, and one beyond the end.
async fn check_all(program: &Program, flag: u64, size: u64, whole: &[String]) {
    for number in 1..=whole.len() as u64 / size + 2 {
        check_page(program, flag, number, size, whole).await;
    }
}

/// Rows to be written straight into the engine, as the commands would have written them.
#[derive(Default)]
struct Seed {
    items: Vec<Item>,
    counts: BTreeMap<(String, String), Node>,
}

/// A node of the counts: its counters, and when it expires.
type Node = (BTreeMap<String, u64>, Option<u64>);

fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn n(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Seed {
    /// A room that was opened at a second and is online.
    fn room(&mut self, user: &str, at: u64) {
        let (place, stream) = (self.count("rooms", "ao", at, user, None), format!("8888_{user}"));
        self.items.push(item([
            ("PK", s(format!("USER#{user}"))),
            ("SK", s("ROOM")),
            ("user", s(user)),
            ("group", s(format!("@{user}"))),
            ("title", s("t")),
            ("stream", s(stream)),
            ("opened_at", n(at)),
            ("counted_since", n(at)),
            ("list", s("online")),
            ("position", s(place)),
            ("revision", n(2)),
        ]));
    }

    /// A replay of a recording of a hundred seconds.
    fn replay(&mut self, user: &str, file: &str, to: u64) {
        let place = self.count("replays", "a", to, file, Some(to + WINDOW + COUNTS_KEPT));
        self.items.push(item([
            ("PK", s(format!("USER#{user}"))),
            ("SK", s(format!("REPLAY#{file}"))),
            ("user", s(user)),
            ("file", s(file)),
            ("title", s("t")),
            ("play_url", s(format!("http://vod/{file}.flv"))),
            (
                "parts",
                // The last is how new the address is: until when the notice that told it may come.
                s(format!(
                    r#"[{{"i":"{file}","v":"","u":"http://vod/{file}.flv","f":"flv","s":{},"e":{to},"w":[{},false]}}]"#,
                    to - 100,
                    to + 600
                )),
            ),
            ("revision", n(3)),
            ("started_at", n(to - 100)),
            ("ended_at", n(to)),
            ("list", s("replays")),
            ("position", s(place)),
        ]));
    }

    /// Counts a row in the tree of its list; its position.
    fn count(&mut self, tree: &str, series: &str, at: u64, name: &str, expires_at: Option<u64>) -> String {
        let position = (at << 3) | u64::from(place(at, name).1);
        for level in 0..3 {
            let (node, counter) = (position >> (8 * (level + 1)), (position >> (8 * level)) & 0xff);
            let partition = if level == 2 { format!("COUNT#{tree}") } else { format!("COUNT#{tree}#{level}#{node}") };
            let (counters, expiry) = self.counts.entry((partition, format!("{node:010}"))).or_default();
            for letter in series.chars() {
                *counters.entry(format!("{letter}{counter:02x}")).or_default() += 1;
            }
            *expiry = expires_at;
        }
        format!("{position:012}#{name}")
    }

    /// Writes everything.
    fn sow(self, engine: &Engine) {
        let mut items = self.items;
        for ((partition, sort), (counters, expires_at)) in self.counts {
            let mut node = item([("PK", s(partition)), ("SK", s(sort))]);
            node.extend(counters.into_iter().map(|(counter, count)| (counter, n(count))));
            node.extend(expires_at.map(|second| ("expires_at".to_owned(), n(second))));
            items.push(node);
        }
        engine.database().import_items("mini-lvb", items, ImportOptions::default()).unwrap();
    }
}

/// The items that the lists are read from, as comparable text.
fn listed_items(engine: &Engine) -> Vec<String> {
    let request = ScanRequest { table_name: "mini-lvb".to_owned(), ..ScanRequest::default() };
    let items = engine.database().scan(request).unwrap().items.unwrap();
    let key = |item: &Item, name: &str| serde_json::to_value(&item[name]).unwrap()["S"].as_str().unwrap().to_owned();
    let is_listed = |item: &Item| {
        let (pk, sk) = (key(item, "PK"), key(item, "SK"));
        sk == "ROOM" || sk.starts_with("REPLAY#") || pk.starts_with("COUNT#")
    };
    // Through a tree, so that the attributes come in the order of their names.
    let text = |mut item: Item| {
        item.remove("changed_at");
        item.remove("changes");
        let sorted: BTreeMap<_, _> = item.into_iter().collect();
        serde_json::to_string(&sorted).unwrap()
    };
    let mut texts: Vec<String> = items.into_iter().filter(is_listed).map(text).collect();
    texts.sort();
    texts
}

#[tokio::test]
async fn rows_that_are_sown_are_those_that_the_commands_write() {
    let (by_commands, by_seed) = (Engine::in_memory().unwrap(), Engine::in_memory().unwrap());
    let program = program_over(by_commands.http_client(), |_| None).await;
    program_over(by_seed.http_client(), |_| None).await;
    let mut seed = Seed::default();
    for n in 0..40 {
        let (user, at) = (format!("user{n}"), program.now());
        let (stream, file) = (format!("8888_{user}"), format!("file{n}"));
        open_room(&program, &user, "t").await;
        go_online(&program, &user).await;
        let recording = File { stream: &stream, id: &file, format: "flv", from: at - 100, to: at };
        is_recorded(&program, recording).await;
        seed.room(&user, at);
        seed.replay(&user, &file, at);
        program.pass(if n % 3 == 0 { 0 } else { 7 });
    }
    seed.sow(&by_seed);
    assert_eq!(listed_items(&by_seed), listed_items(&by_commands));
}

/// What a page costs: requests, and items read.
struct Cost {
    requests: usize,
    items: u64,
}

fn cost(watch: &Watch) -> Cost {
    let asked = watch.take();
    let is_cheap = |operation: &str| ["Query", "BatchGetItem"].contains(&operation);
    assert!(asked.iter().all(|asked| is_cheap(&asked.operation)), "{asked:?}");
    Cost { requests: asked.len(), items: asked.iter().map(|asked| asked.items).sum() }
}

#[tokio::test]
async fn a_page_of_a_long_list_costs_the_page_however_deep_it_is() {
    const ROOMS: u64 = 10_000;
    const REPLAYS: u64 = 100_000;
    const SIZE: u64 = 20;
    // The page, what is skipped before it, and the nodes of the counts.
    const ITEMS: u64 = 2 * SIZE + 10;

    let (engine, watch) = (Engine::in_memory().unwrap(), Watch::default());
    let program = program_over(watch.over(engine.http_client()), |_| None).await;
    let (mut seed, mut rooms, mut replays) = (Seed::default(), Vec::new(), Vec::new());
    for n in 0..ROOMS {
        let (user, at) = (format!("user{n}"), START - ROOMS * 5 + n * 5);
        seed.room(&user, at);
        rooms.push(place(at, &user));
    }
    for n in 0..REPLAYS {
        let (file, to) = (format!("file{n}"), START - 6 * REPLAYS + 6 * n);
        seed.replay(&format!("user{}", n % ROOMS), &file, to);
        replays.push(place(to, &file));
    }
    seed.sow(&engine);
    let (lives, replays) = (newest_first(rooms), newest_first(replays));
    let both = [lives.as_slice(), replays.as_slice()].concat();

    for (flag, whole, requests) in [(1, &lives, 3), (2, &replays, 3), (3, &both, 6)] {
        let last = whole.len() as u64 / SIZE;
        // The page of flag 3 that has both is among those before and after the lives end.
        for number in [1, 2, last / 2, ROOMS / SIZE, ROOMS / SIZE + 1, last - 1, last, last + 1] {
            watch.take();
            check_page(&program, flag, number, SIZE, whole).await;
            let Cost { requests: asked, items } = cost(&watch);
            assert!(asked <= requests, "flag {flag}, page {number}: {asked} requests");
            assert!(items <= ITEMS, "flag {flag}, page {number}: {items} items");
        }
    }
    // A page that the lives end in the middle of.
    watch.take();
    check_page(&program, 3, ROOMS / 30 + 1, 30, &both).await;
    let Cost { requests, items } = cost(&watch);
    assert!(requests <= 6 && items <= 2 * 2 * 30 + 10, "{requests} requests, {items} items");
}

#[tokio::test]
async fn rows_that_all_begin_in_one_second_are_on_one_page_each() {
    let engine = Engine::in_memory().unwrap();
    let program = program_over(engine.http_client(), |_| None).await;
    let (mut seed, mut rooms, mut replays) = (Seed::default(), Vec::new(), Vec::new());
    for n in 0..1000 {
        let (user, file) = (format!("user{n}"), format!("file{n}"));
        seed.room(&user, START);
        seed.replay(&user, &file, START);
        rooms.push(place(START, &user));
        replays.push(place(START, &file));
    }
    seed.sow(&engine);
    let (lives, replays) = (newest_first(rooms), newest_first(replays));
    check_all(&program, 1, 100, &lives).await;
    check_all(&program, 2, 70, &replays).await;
    check_all(&program, 3, 90, &[lives, replays].concat()).await;
}

#[tokio::test]
async fn replays_leave_the_list_to_the_second() {
    // Where a node of the counts ends, on each of their three levels.
    for stretch in [32, 8192, 2_097_152] {
        let border = START.next_multiple_of(stretch);
        let engine = Engine::in_memory().unwrap();
        let program = program_over(engine.http_client(), |_| None).await;
        let mut seed = Seed::default();
        let seconds = border - 15..border + 15;
        for second in seconds.clone() {
            seed.replay("alice", &format!("file{second}"), second);
        }
        seed.sow(&engine);
        program.pass(border + WINDOW - 20 - START);
        for _ in 0..40 {
            program.pass(1);
            let young = seconds.clone().filter(|second| program.now() - second < WINDOW);
            let whole = newest_first(young.map(|second| place(second, &format!("file{second}"))).collect());
            check_all(&program, 2, 20, &whole).await;
        }
    }
}

#[tokio::test]
async fn counts_that_contradict_each_other_make_a_short_page_and_no_failure() {
    let engine = Engine::in_memory().unwrap();
    let program = program_over(engine.http_client(), |_| None).await;
    let mut seed = Seed::default();
    for n in 0..40 {
        seed.replay("alice", &format!("left-{n}"), START - WINDOW - 20_000);
    }
    // Forty more are counted at the lower levels and, as processes died or writes were sent again, not at the top.
    let top: Vec<_> = seed.counts.iter().filter(|((partition, _), _)| partition == "COUNT#replays").collect();
    let top: Vec<_> = top.into_iter().map(|(key, node)| (key.clone(), node.clone())).collect();
    for n in 0..40 {
        seed.count("replays", "a", START - WINDOW + 10, &format!("lost-{n}"), None);
    }
    seed.counts.extend(top);
    seed.sow(&engine);
    assert!(names(&list(&program, 2, 3, 10).await).is_empty());
}

#[tokio::test]
async fn rooms_online_and_offline_are_listed_in_one_order() {
    let program = program().await;
    let mut rooms = Vec::new();
    for n in 0..45 {
        let user = format!("user{n}");
        open_room(&program, &user, "t").await;
        if n % 3 == 0 {
            go_online(&program, &user).await;
        }
        rooms.push(place(program.now(), &user));
        program.pass(n % 2);
    }
    check_all(&program, 4, 10, &newest_first(rooms)).await;
}

#[tokio::test]
async fn a_list_without_rows_has_one_empty_page() {
    let program = program().await;
    for flag in FLAGS {
        check_page(&program, flag, 1, 10, &[]).await;
    }
}

#[tokio::test]
async fn a_page_size_is_kept_between_ten_and_a_hundred() {
    let program = program().await;
    for n in 0..105 {
        publish(&program, "alice", &format!("file{n}")).await;
    }
    for (asked, given) in [(0, 10), (9, 10), (10, 10), (11, 11), (100, 100), (200, 100)] {
        assert_eq!(column(&list(&program, 5, 1, asked).await, "fileid").len(), given, "{asked}");
    }
}

/// The lists as they should be: everything in one vector, sorted when it is asked for.
#[derive(Default)]
struct Model {
    rooms: BTreeMap<String, (u64, bool)>,
    replays: Vec<(String, u64)>,
    videos: BTreeMap<(String, String), u64>,
}

impl Model {
    fn rooms(&self, wanted: impl Fn(bool) -> bool) -> Vec<String> {
        let rooms = self.rooms.iter().filter(|(_, (_, online))| wanted(*online));
        newest_first(rooms.map(|(user, (at, _))| place(*at, user)).collect())
    }

    fn list(&self, flag: u64, now: u64) -> Vec<String> {
        let is_young = |at: u64| now - at < WINDOW;
        match flag {
            1 => self.rooms(|online| online),
            2 => {
                let young = self.replays.iter().filter(|(_, to)| is_young(*to));
                newest_first(young.map(|(file, to)| place(*to, file)).collect())
            }
            3 => [self.list(1, now), self.list(2, now)].concat(),
            4 => self.rooms(|_| true),
            _ => {
                let young = self.videos.iter().filter(|(_, at)| is_young(**at));
                newest_first(young.map(|((_, file), at)| place(*at, file)).collect())
            }
        }
    }
}

/// Numbers that look random and are the same each time: Knuth's linear congruential generator.
struct Rng(u64);

impl Rng {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[tokio::test]
async fn whatever_users_do_each_page_is_that_of_a_sorted_vector() {
    let program = program().await;
    let (mut model, mut rng) = (Model::default(), Rng(1));
    for step in 0..400 {
        let user = format!("user{}", rng.roll(30));
        match rng.roll(8) {
            0 | 1 => {
                open_room(&program, &user, "t").await;
                let room = model.rooms.entry(user).or_insert((program.now(), false));
                if !room.1 {
                    room.0 = program.now();
                }
            }
            2 | 3 => {
                go_online(&program, &user).await;
                model.rooms.entry(user).and_modify(|room| room.1 = true);
            }
            4 => {
                go_offline(&program, &user).await;
                model.rooms.entry(user).and_modify(|room| room.1 = false);
            }
            5 | 6 => {
                // Each of a user of its own: which of one user are one replay is another question.
                let (user, file) = (format!("taped{step}"), format!("file{step}"));
                open_room(&program, &user, "t").await;
                model.rooms.insert(user.clone(), (program.now(), false));
                let to = program.now() - rng.roll(1000);
                let (from, stream) = (to - 61 - rng.roll(500), format!("8888_{user}"));
                is_recorded(&program, File { stream: &stream, id: &file, format: "flv", from, to }).await;
                model.replays.push((file, to));
            }
            _ => {
                let file = format!("video{}", rng.roll(20));
                publish(&program, &user, &file).await;
                model.videos.insert((user, file), program.now());
            }
        }
        program.pass([0, 0, 0, 1, 3, 40, 9000, 60_000][usize::try_from(rng.roll(8)).unwrap()]);
        let (flag, size) = (1 + rng.roll(5), 10 + rng.roll(20));
        let whole = model.list(flag, program.now());
        let number = 1 + rng.roll(whole.len() as u64 / size + 2);
        check_page(&program, flag, number, size, &whole).await;
    }
    for flag in FLAGS {
        check_all(&program, flag, 10, &model.list(flag, program.now())).await;
    }
}

#[tokio::test]
async fn counts_that_are_off_are_right_again_when_they_are_counted_again() {
    let engine = Engine::in_memory().unwrap();
    let program = program_over(engine.http_client(), |_| None).await;
    for n in 0..30 {
        program.pass(40);
        open_room(&program, &format!("user{n}"), "t").await;
        if n % 3 == 0 {
            go_online(&program, &format!("user{n}")).await;
        }
    }
    let before = [list(&program, 1, 1, 10).await, list(&program, 4, 3, 10).await];
    // A count that is gone, one that is too high, and one of a stretch in which nobody is.
    let table = engine.client();
    let key = |pk: &str, sk: u64| {
        [("PK".to_owned(), Attribute::S(pk.into())), ("SK".to_owned(), Attribute::S(format!("{sk:010}")))]
    };
    let (top, nobody) = ((program.now() * 8) >> 24, (program.now() * 8) >> 24 << 8);
    let put = |item: Vec<(String, Attribute)>| {
        table.put_item().table_name("mini-lvb").set_item(Some(item.into_iter().collect())).send()
    };
    let counters = [("a00", "7"), ("aff", "5"), ("o00", "-3")].map(|(k, n)| (k.to_owned(), Attribute::N(n.into())));
    put(key("COUNT#rooms", top).into_iter().chain(counters.clone()).collect()).await.unwrap();
    put(key(&format!("COUNT#rooms#1#{nobody}"), nobody).into_iter().chain(counters).collect()).await.unwrap();
    assert_ne!([list(&program, 1, 1, 10).await, list(&program, 4, 3, 10).await], before);
    program.app.table.recount_lists(7 * 24 * 3600).await.unwrap();
    assert_eq!([list(&program, 1, 1, 10).await, list(&program, 4, 3, 10).await], before);
    let gone = table.get_item().table_name("mini-lvb");
    let gone = gone.set_key(Some(key(&format!("COUNT#rooms#1#{nobody}"), nobody).into())).send().await.unwrap();
    assert_eq!(gone.item, None, "a node that counts nothing goes");
}
