//! Plays a history against a server, and compares what it shows with what it should show.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display, Formatter},
    sync::atomic::{AtomicU64, Ordering},
};

use futures_util::future::join_all;
use serde_json::Value;
use shared::{
    table::LiveRow,
    types::{FileId, UserId},
};

use super::{
    history::{Act, History, Notice},
    model::{Live, Model, Replay, Totals, User},
};
use crate::{
    harness::{Program, action},
    lists::place,
    steps::{OPERATOR_KEY, action_with, fields, forged, operated, parse, sign_of},
};

/// How long the cloud's notices are good.
const GOOD_SECONDS: u64 = 600;
/// How often the cloud tells again what was too much at once.
const TRIES: u32 = 50;

/// How what is shown differs from what should be.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// In what.
    pub(super) kind: &'static str,
    text: String,
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.text)
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

/// What a history came to.
pub(super) struct Outcome {
    /// All that was told, but for when.
    pub(super) evidence: String,
    /// The lives and the replays that are shown, but for what they are named and what was counted.
    pub(super) shown: Vec<String>,
}

/// Plays a history; what it came to.
pub(super) async fn play(history: &History) -> Result<Outcome, Fault> {
    let (program, mut model) = (operated().await, Model::default());
    for step in &history.steps {
        wait_until(&program, step.at);
        let acts: Vec<Act> = step.acts.iter().filter(|act| is_played(&model, act)).cloned().collect();
        for outcome in join_all(acts.iter().map(|act| act_out(&program, act))).await {
            outcome?;
        }
        model.take(step.at, &acts);
        if step.look {
            look(&program, &model).await?;
        }
    }
    wait_until(&program, history.end);
    let mut shown = look(&program, &model).await?;
    shown.sort();
    like_replays(&program, &model).await?;
    Ok(Outcome { evidence: model.evidence(), shown })
}

/// Whether an act is about a room that there is: a smaller history may lack the opening. Nor is a viewer sent again
/// into the group that they are counted in, if the room has another one since: nothing says what that would mean.
fn is_played(model: &Model, act: &Act) -> bool {
    match act {
        Act::Open { .. } => true,
        Act::Say { user, .. } | Act::Forbid { user, .. } | Act::Tell { user, .. } => model.users.contains_key(user),
        Act::Enter { viewer, host, group } => {
            model.users.get(host).is_some_and(|host| host.group == *group || !host.counts(viewer, group))
        }
        Act::Quit { host, .. } | Act::Like { host } => model.users.contains_key(host),
    }
}

fn wait_until(program: &Program, at: u64) {
    program.pass(at.saturating_sub(program.now()));
}

/// Does one thing.
async fn act_out(program: &Program, act: &Act) -> Result<(), Fault> {
    match act {
        Act::Open { user, title, group } => {
            let body = fields!("Action": "RequestLVBAddr", "userid": user, "groupid": group, "title": title);
            let answer = action(program, &body.to_string()).await;
            let is_fine = answer.contains(r#""returnValue":0"#) || answer.contains(r#""returnValue":10001"#);
            return same("answer", format!("{act:?}: {answer}"), &is_fine, &true);
        }
        Act::Say { user, online } => {
            call(program, "ChangeStatus", fields!("userid": user, "status": u8::from(!online))).await?;
        }
        Act::Forbid { user, banned } => {
            let body = fields!("Action": "ForbidLive", "userid": user, "forbidflag": u8::from(*banned));
            action_with(program, &body.to_string(), "X-Operator-Key", OPERATOR_KEY).await;
        }
        Act::Enter { viewer, host, group } => {
            call(program, "EnterGroup", fields!("userid": viewer, "liveuserid": host, "groupid": group, "flag": 0))
                .await?;
        }
        Act::Quit { viewer, host, group } => {
            call(program, "QuitGroup", fields!("userid": viewer, "liveuserid": host, "groupid": group, "flag": 0))
                .await?;
        }
        Act::Like { host } => {
            call(program, "ChangeCount", fields!("userid": host, "type": 1, "optype": 0, "flag": 0, "fileid": ""))
                .await?;
        }
        Act::Tell { stream, notice, expired, .. } => {
            let t = if *expired { program.now() - 1 } else { program.now() + GOOD_SECONDS };
            let fields = members_of(stream, notice);
            let mut answer = (0, String::new());
            for _ in 0..TRIES {
                answer = forged(program, &t.to_string(), &sign_of(t), &fields).await;
                if answer.0 == 200 {
                    break;
                }
            }
            return same("answer", fields, &answer, &(200, r#"{"code":0}"#.to_owned()));
        }
    }
    Ok(())
}

/// Calls an Action that must be done; what it answers.
async fn call(program: &Program, name: &str, mut fields: Value) -> Result<Value, Fault> {
    fields["Action"] = name.into();
    let mut answer = parse(&action(program, &fields.to_string()).await);
    same("answer", format!("{fields}: {answer}"), &answer["returnValue"], &0.into())?;
    Ok(answer["returnData"].take())
}

/// The members of a notice.
fn members_of(stream: &str, notice: &Notice) -> String {
    match notice {
        Notice::Start { push, at } => {
            format!(r#""event_type":1,"stream_id":"{stream}","sequence":"{push}","event_time":{at}"#)
        }
        Notice::End { push, at, seconds } => {
            let duration = seconds.map_or(String::new(), |seconds| format!(r#","push_duration":"{}""#, seconds * 1000));
            format!(r#""event_type":0,"stream_id":"{stream}","sequence":"{push}","event_time":{at}{duration}"#)
        }
        Notice::File(file) => {
            format!(
                r#""event_type":100,"stream_id":"{stream}","video_id":"{}","file_format":"{}","video_url":"{}",
                "start_time":{},"end_time":{}"#,
                file.id,
                file.format,
                file.url(),
                file.from,
                file.to
            )
        }
    }
}

/// Looks at everything; what lives and replays there are.
async fn look(program: &Program, model: &Model) -> Result<Vec<String>, Fault> {
    let mut shown = Vec::new();
    for (name, user) in &model.users {
        let row = call(program, "GetUserInfo", fields!("userid": name, "type": 0)).await?;
        check_room(&row, name, user)?;
        for group in BTreeSet::from([user.group.as_str(), &format!("@{name}")]) {
            let page = fields!("liveuserid": name, "groupid": group, "pageno": 1, "pagesize": 10);
            let page = call(program, "FetchGroupMemberList", page).await?;
            let heads = page["totalcount"].as_u64().unwrap_or_default();
            same("members", format!("{name} {group}"), &heads, &user.heads(group))?;
        }
        let lives = program.app.table.lives(&UserId::parse(name).unwrap()).await.unwrap();
        let lives: Vec<Live> = lives.iter().map(live).collect();
        let expected = user.lives();
        let bare =
            |lives: &[Live]| -> Vec<Live> { lives.iter().map(|live| Live { totals: None, ..live.clone() }).collect() };
        same("lives", name, &bare(&lives), &bare(expected))?;
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
        show: row.show.0,
        totals: Some(Totals { peak: row.totals.peak, visits: row.totals.visits, likes: row.totals.likes }),
    }
}

/// Checks the row of a room, alone or in a list.
fn check_room(row: &Value, name: &str, user: &User) -> Result<(), Fault> {
    let is_live = if user.is_live() { "1" } else { "0" };
    same("room", format!("{name}, whether it is live"), &row["status"], &is_live.into())?;
    same("room", format!("{name}, when it was opened"), &row["timestamp"], &user.show().into())?;
    same("room", format!("{name}, title"), &row["title"], &user.title().into())?;
    same("room", format!("{name}, group"), &row["groupid"], &user.group.as_str().into())?;
    same("viewers", name, &row["viewercount"], &user.viewers().into())?;
    same("likes", name, &row["likecount"], &user.likes().into())
}

/// Checks that each file of a replay leads to it, and what is said of it.
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
        let candidates: Vec<&String> = replay.by_name.keys().collect();
        let Some(said) = replay.by_name.get(row.file.as_str()) else {
            return Err(Fault {
                kind: "name",
                text: format!("{what} leads to {}, which is none of {candidates:?}", row.file),
            });
        };
        same("replay", format!("{what}, from"), &row.started_at.0, &said.start)?;
        same("replay", format!("{what}, to"), &row.ended_at.0, &said.end)?;
        let title = row.title.as_str();
        same("title", format!("{what}, {title} of {:?}", replay.titles), &has_title(replay, title), &true)?;
        same("replay likes", &what, &row.likes, &replay.likes.unwrap_or(row.likes))?;
        let urls = [(&row.play_url, &said.play_urls), (&row.hls_url, &said.hls_urls)];
        for (url, good) in urls {
            same("address", format!("{what}, {url} is one of {good:?}"), &good.contains(url), &true)?;
        }
        names.insert(row.file.to_string());
        shown = format!("{what} {files:?}");
    }
    same("name", format!("{:?} have one name", replay.files), &names.len(), &1)?;
    Ok(shown)
}

/// Whether a replay may be called so: a show that was renamed leaves some under what it was called before.
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
        let mut places: Vec<_> = rooms.map(|(name, user)| place(user.show(), name)).collect();
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
        let said = |replay: &'_ Replay| replay.by_name.get(&file).filter(|said| said.is_listed()).cloned();
        let Some((replay, said)) = replay.and_then(|replay| Some((replay, said(replay)?))) else {
            return Err(Fault {
                kind: "list",
                text: format!("flag 2 has {file} of {user}, which should not be there"),
            });
        };
        same("list", format!("flag 2 has {file} once"), &found.insert(replay.files.clone()), &true)?;
        same("list", format!("flag 2, end of {file}"), &row["timestamp"], &said.end.into())?;
        let is_titled = row["title"].as_str().is_some_and(|title| has_title(replay, title));
        same("list", format!("flag 2, title of {file}"), &is_titled, &true)?;
        if let Some(likes) = replay.likes {
            same("list", format!("flag 2, likes of {file}"), &row["likecount"], &likes.into())?;
        }
        places.push(place(said.end, &file));
    }
    let listed_as = |replay: &&Replay| replay.by_name.values().filter(|said| said.is_listed()).count();
    let all = replays.iter().filter(|replay| listed_as(replay) == replay.by_name.len()).count();
    let some = replays.iter().filter(|replay| listed_as(replay) > 0).count();
    same("list", "flag 2, how many replays", &(all..=some).contains(&rows_of_replays.len()), &true)?;
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
