//! Plays a history against a server, and compares what the server shows with what the model says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display, Formatter},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::Value;

use super::{
    history::History,
    model::{Live, Model, Replay, Totals, User, how_many_listed},
    script::Writer,
};
use crate::{
    support::{
        harness::{Program, START, action},
        steps::{fields, parse, without_cloud},
    },
    table::lists::place,
};
use app::{App, answer::INTERFACE, config::Config};
use cli::{
    cloud_account::account,
    simulate::{
        backend::{self, Answer, Backend, Memory},
        play::Player,
        script::{self, print},
    },
};
use cloud::notices::Retries;
use protocol::types::{FileId, Page, Secret, UnixSeconds, UserId};
use store::LiveRow;

/// The cloud sends a notice again at once if the server was too busy.
const RETRIES: Retries = Retries { times: 50, seconds: 0 };

/// A difference between the server and the model.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// What differs. A smaller history must fail in the same kind of thing.
    pub(super) kind: &'static str,
    text: String,
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.text)
    }
}

impl Backend for Program {
    fn now(&self) -> UnixSeconds {
        self.app.now()
    }

    async fn wait(&self, seconds: u64) {
        self.pass(seconds);
    }

    async fn post(&self, path: &str, key: Option<&Secret>, body: String) -> Result<Answer, String> {
        backend::post(&self.app, path, key, body).await
    }
}

fn same<T: PartialEq + fmt::Debug>(
    kind: &'static str,
    what: impl Display,
    shown: &T,
    expected: &T,
) -> Result<(), Fault> {
    if shown == expected {
        return Ok(());
    }
    Err(Fault { kind, text: format!("{what}\n     shown {shown:?}\n  expected {expected:?}") })
}

/// The result of a history.
pub(super) struct Outcome {
    /// The reported events without their order.
    pub(super) evidence: String,
    /// The lives and the replays, without ids and totals.
    pub(super) shown: Vec<String>,
}

/// Plays a history and compares the server with the model.
pub(super) async fn play(history: &History) -> Result<Outcome, Fault> {
    let (program, model, mut shown) = play_steps(history).await?;
    shown.sort();
    like_replays(&program, &model).await?;
    Ok(Outcome { evidence: model.evidence(), shown })
}

/// Plays the steps of a history against a new server. Returns the server, the model, and the lives and replays.
pub(super) async fn play_steps(history: &History) -> Result<(Program, Model, Vec<String>), Fault> {
    let (program, mut writer) = (without_cloud().await, Writer::of(history));
    let cloud = Mutex::new(account(&program.app.config, ""));
    let mut player = Player::new(&program, &cloud, &program.app.config, RETRIES);
    let mut shown = Vec::new();
    for step in history.with_its_end() {
        let acts = writer.write(&step);
        let refused = |error: script::Error| Fault {
            kind: "answer",
            text: format!("{}: {}", acts[error.line - 1], error.reason),
        };
        player.play(&script::parse(&print(&acts)).unwrap(), |_| {}).await.map_err(refused)?;
        if step.look {
            shown = look(&program, &writer.model).await?;
        }
    }
    Ok((program, writer.model, shown))
}

/// Plays a script as `mini-lvb simulate --memory` does, but from the first second of the histories. Returns the server.
pub(super) async fn simulate(script: &[script::Step], config: &Config) -> Result<Program, script::Error> {
    let backend = Memory::new(config.clone(), UnixSeconds(START)).await.unwrap();
    let cloud = Mutex::new(account(config, ""));
    Player::new(&backend, &cloud, config, RETRIES).play(script, |_| {}).await?;
    Ok(Program::of(backend.app))
}

/// All that the server shows of these users, without regard to the model.
pub(super) async fn shown<'a>(app: &App, users: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut all = Vec::new();
    for flag in 1..=4 {
        let page = fields!("Action": "FetchList", "flag": flag, "pageno": 1, "pagesize": 100);
        all.push(backend::post(app, INTERFACE, None, page.to_string()).await.unwrap().body);
    }
    let window = app.config.rules.replay_window_seconds;
    all.push(format!("{:?}", app.table.recent_replays(app.now(), window, Page::new(1, 100)).await.unwrap().rows));
    for user in users {
        all.push(format!("{:?}", app.table.lives(&UserId::parse(user).unwrap()).await.unwrap()));
    }
    all
}

/// Calls an Action that must succeed, and returns its reply.
async fn call(program: &Program, name: &str, mut fields: Value) -> Result<Value, Fault> {
    fields["Action"] = name.into();
    let mut answer = parse(&action(program, &fields.to_string()).await);
    same("answer", format!("{fields}: {answer}"), &answer["returnValue"], &0.into())?;
    Ok(answer["returnData"].take())
}

/// Compares all that the server shows with the model. Returns the lives and replays.
pub(super) async fn look(program: &Program, model: &Model) -> Result<Vec<String>, Fault> {
    let mut shown = Vec::new();
    for (name, user) in &model.users {
        let row = call(program, "GetUserInfo", fields!("userid": name, "type": 0)).await?;
        check_room(&row, name, user)?;
        for group in BTreeSet::from([user.group.as_str(), &format!("@{name}")]) {
            let page = fields!("liveuserid": name, "groupid": group, "pageno": 1, "pagesize": 10);
            let page = call(program, "FetchGroupMemberList", page).await?;
            let members = page["totalcount"].as_u64().unwrap_or_default();
            same("members", format!("{name} {group}"), &members, &user.members(group))?;
        }
        let rows = program.app.table.lives(&UserId::parse(name).unwrap()).await.unwrap();
        let lives: Vec<Live> = rows.iter().map(live).collect();
        let expected = user.lives();
        let bare =
            |lives: &[Live]| -> Vec<Live> { lives.iter().map(|live| Live { totals: None, ..live.clone() }).collect() };
        same("lives", name, &bare(&lives), &bare(expected))?;
        for (row, expected) in rows.iter().zip(expected) {
            let (at, possible) = (row.described_by.0, user.described_by(expected));
            same("live's title", format!("{name}, {at} of {possible:?}"), &possible.contains(&at), &true)?;
        }
        let is_known = |live: &Live| live.end.is_some() && live.totals.is_some();
        for (live, expected) in lives.iter().zip(expected).filter(|(_, expected)| is_known(expected)) {
            same("totals", name, live, expected)?;
        }
        shown.extend(bare(&lives).iter().map(|live| format!("{name} {live:?}")));
    }
    let replays: Vec<Replay> = model.users.values().flat_map(User::replays).collect();
    for replay in &replays {
        shown.push(check_replay(program, replay).await?);
    }
    check_lists(program, model, &replays).await?;
    Ok(shown)
}

fn live(row: &LiveRow) -> Live {
    let reason = ["stopped", "left", "banned"].into_iter().find(|reason| *reason == row.reason).unwrap_or("other");
    Live {
        stream: row.stream.clone(),
        start: row.started_at.0,
        end: row.ended_at.map(|end| (end.0, reason)),
        broadcast: row.broadcast.0,
        totals: Some(Totals { peak: row.totals.peak, visits: row.totals.visits, likes: row.totals.likes }),
    }
}

/// Checks the row of a room, alone or in a list.
fn check_room(row: &Value, name: &str, user: &User) -> Result<(), Fault> {
    let is_live = if user.is_live() { "1" } else { "0" };
    same("room", format!("{name}, whether it is live"), &row["status"], &is_live.into())?;
    same("room", format!("{name}, when it was opened"), &row["timestamp"], &user.broadcast().into())?;
    same("room", format!("{name}, title"), &row["title"], &user.title().into())?;
    same("room", format!("{name}, group"), &row["groupid"], &user.group.as_str().into())?;
    same("viewers", name, &row["viewercount"], &user.viewers().into())?;
    same("likes", name, &row["likecount"], &user.likes().into())
}

/// Checks that each file of a replay leads to its row, and what the row shows.
async fn check_replay(program: &Program, replay: &Replay) -> Result<String, Fault> {
    let user = UserId::parse(&replay.user).unwrap();
    let mut names = BTreeSet::new();
    let mut shown = String::new();
    for file in &replay.files {
        let what = format!("{} {file}", replay.user);
        let Some(row) = program.app.table.replay(&user, &FileId::parse(file).unwrap()).await.unwrap() else {
            return Err(Fault { kind: "replay", text: format!("{what} leads nowhere") });
        };
        let files: BTreeSet<String> = row.parts.iter().map(|part| part.file.to_string()).collect();
        same("files", &what, &files, &replay.files)?;
        same("replay", format!("{what}, how many files"), &row.parts.len(), &files.len())?;
        let possible: Vec<&String> = replay.rows.keys().collect();
        let Some(expected) = replay.rows.get(row.file.as_str()) else {
            return Err(Fault {
                kind: "name",
                text: format!("{what} leads to {}, which is none of {possible:?}", row.file),
            });
        };
        same("replay", format!("{what}, from"), &row.started_at.0, &expected.start)?;
        same("replay", format!("{what}, to"), &row.ended_at.0, &expected.end)?;
        let title = row.title.as_str();
        same("title", format!("{what}, {title} of {:?}", replay.titles), &has_title(replay, title), &true)?;
        same("replay likes", &what, &row.likes, &replay.likes.unwrap_or(row.likes))?;
        let urls = [(&row.play_url, &expected.play_urls), (&row.hls_url, &expected.hls_urls)];
        for (url, good) in urls {
            same("address", format!("{what}, {url} is one of {good:?}"), &good.contains(url), &true)?;
        }
        names.insert(row.file.to_string());
        shown = format!("{what} {files:?}");
    }
    same("name", format!("{:?} have one name", replay.files), &names.len(), &1)?;
    Ok(shown)
}

/// Whether a replay may have this title. A start request with another title does not change all replays before it.
fn has_title(replay: &Replay, title: &str) -> bool {
    replay.titles.iter().any(|known| known == title)
}

/// The rows of a list, from all its pages.
async fn rows(program: &Program, flag: u64) -> Result<Vec<Value>, Fault> {
    let (mut rows, mut totals) = (Vec::new(), Vec::new());
    for number in 1.. {
        let page = fields!("flag": flag, "pageno": number, "pagesize": 10);
        let mut page = call(program, "FetchList", page).await?;
        totals.push(page["totalcount"].as_u64().unwrap());
        let more = std::mem::take(page["pusherlist"].as_array_mut().unwrap());
        if more.is_empty() {
            break;
        }
        rows.extend(more);
    }
    for total in totals {
        same("total", format!("flag {flag}"), &total, &(rows.len() as u64))?;
    }
    Ok(rows)
}

/// Checks every page of every list.
async fn check_lists(program: &Program, model: &Model, replays: &[Replay]) -> Result<(), Fault> {
    let name = |row: &Value| row[if row["type"] == 0 { "userid" } else { "fileid" }].as_str().unwrap().to_owned();
    let mut listed: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for (flag, only_live) in [(1, true), (4, false)] {
        let rows = rows(program, flag).await?;
        for row in &rows {
            let user = row["userid"].as_str().unwrap();
            check_room(row, user, &model.users[user])?;
            same("room", format!("{user}, ban"), &row["forbid_status"], &u8::from(model.users[user].banned).into())?;
        }
        let rooms = model.users.iter().filter(|(_, user)| !only_live || user.is_live());
        let mut places: Vec<_> = rooms.map(|(name, user)| place(user.broadcast(), name)).collect();
        places.sort();
        let expected: Vec<_> = places.into_iter().rev().map(|(_, _, name)| name).collect();
        let names: Vec<_> = rows.iter().map(name).collect();
        same("list", format!("flag {flag}"), &names, &expected)?;
        listed.insert(flag, names);
    }
    let rows_of_replays = rows(program, 2).await?;
    let mut found = BTreeSet::new();
    let mut places = Vec::new();
    for row in &rows_of_replays {
        let (user, file) = (row["userid"].as_str().unwrap(), name(row));
        let replay = replays.iter().find(|replay| replay.user == user && replay.files.contains(&file));
        let expected = |replay: &'_ Replay| replay.rows.get(&file).filter(|expected| expected.is_listed()).cloned();
        let Some((replay, expected)) = replay.and_then(|replay| Some((replay, expected(replay)?))) else {
            return Err(Fault {
                kind: "list",
                text: format!("flag 2 has {file} of {user}, which should not be there"),
            });
        };
        same("list", format!("flag 2 has {file} once"), &found.insert(replay.files.clone()), &true)?;
        same("list", format!("flag 2, end of {file}"), &row["timestamp"], &expected.end.into())?;
        let is_titled = row["title"].as_str().is_some_and(|title| has_title(replay, title));
        same("list", format!("flag 2, title of {file}"), &is_titled, &true)?;
        if let Some(likes) = replay.likes {
            same("list", format!("flag 2, likes of {file}"), &row["likecount"], &likes.into())?;
        }
        places.push(place(expected.end, &file));
    }
    let number = rows_of_replays.len() as u64;
    same("list", "flag 2, how many replays", &how_many_listed(replays).contains(&number), &true)?;
    same("list", "flag 2 is sorted", &places.is_sorted_by(|a, b| a > b), &true)?;
    let both: Vec<_> = rows(program, 3).await?.iter().map(name).collect();
    let expected: Vec<_> = listed[&1].iter().cloned().chain(rows_of_replays.iter().map(name)).collect();
    same("list", "flag 3", &both, &expected)
}

/// Likes each file of each replay: all of that goes to the replay.
async fn like_replays(program: &Program, model: &Model) -> Result<(), Fault> {
    static PLAYED: AtomicU64 = AtomicU64::new(0);
    // It is the same each time, and costs as much as the rest.
    if !PLAYED.fetch_add(1, Ordering::Relaxed).is_multiple_of(4) {
        return Ok(());
    }
    for replay in model.users.values().flat_map(User::replays) {
        let Some(likes) = replay.likes else { continue };
        let user = UserId::parse(&replay.user).unwrap();
        for (n, file) in (1..).zip(&replay.files) {
            let like = fields!("userid": replay.user, "type": 1, "optype": 0, "flag": 1, "fileid": file);
            call(program, "ChangeCount", like).await?;
            let row = program.app.table.replay(&user, &FileId::parse(file).unwrap()).await.unwrap();
            same("replay likes", format!("after {file}"), &row.map(|row| row.likes), &Some(likes + n))?;
        }
    }
    Ok(())
}
