//! `rebuild_user`: computes a user's room, lives and replays anew from what the cloud told, says what is written
//! otherwise, and writes it anew.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Command, Names, live_callback, notices::Interruption};
use crate::{
    app::App,
    auth::Operator,
    error::Error,
    table::{Entry, LiveRow, Table},
    timeline::{self, End, Evidence, Timeline},
    types::{FileId, StreamId, UnixSeconds, UserId},
    wire::Params,
};

/// The events that are evidence.
const EVENTS: [&str; 3] = ["1", "0", "100"];

/// See the module.
#[derive(Debug)]
pub struct RebuildUser {
    user: UserId,
    is_rehearsal: bool,
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct Reply {
    /// What differed, a line each.
    differences: Vec<String>,
    /// What still differs.
    left: Vec<String>,
    /// What the user has broadcast, the oldest first.
    lives: Vec<Live>,
}

#[derive(Debug, Serialize)]
struct Live {
    streamid: String,
    state: &'static str,
    started_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<u64>,
    reason: String,
    #[serde(flatten)]
    interruption: Interruption,
    show: u64,
    title: String,
    peak: u64,
    visits: u64,
    likes: u64,
}

impl Command for RebuildUser {
    const NAMES: Names = Names::rest("rebuild_user");
    type Caller = Operator;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        let user = params.required("userid")?;
        let is_rehearsal = match params.optional::<u64>("dry_run")?.unwrap_or(0) {
            0 => false,
            1 => true,
            _ => return Err(Error::Meaningless("dry_run is 0 or 1")),
        };
        Ok(Self { user, is_rehearsal })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Reply, Error> {
        let streams = app.table.streams_of(&self.user).await?.ok_or(Error::NotFound("room"))?;
        let found = Found::of(app, &self.user, &streams).await?;
        let left = if self.is_rehearsal || found.lines.is_empty() {
            found.lines.clone()
        } else {
            found.repair(app, &self.user).await?;
            Found::of(app, &self.user, &streams).await?.lines
        };
        Ok(Reply { differences: found.lines, left, lives: lives(app, &self.user).await? })
    }
}

/// What is not as it should be.
struct Found {
    lines: Vec<String>,
    /// Notices that are missing in the timeline.
    missing: Vec<Entry>,
    /// The timeline with them.
    timeline: Timeline,
}

impl Found {
    async fn of(app: &App, user: &UserId, streams: &[StreamId]) -> Result<Self, Error> {
        let (rules, now) = (&app.config.rules, app.now());
        let known = app.table.standing(user).await?.timeline;
        let (timeline, missing) = whole(app, user, streams, &known).await?;
        let told = |entry: &Entry| {
            let (stream, id) = (&entry.notice.stream, &entry.notice.id);
            format!("the timeline lacks the notice {id:?} of {stream}, received at {}", entry.received_at.in_utc())
        };
        let mut lines: Vec<String> = missing.iter().map(told).collect();
        let differences = app.table.differences(user, &timeline, rules, now).await?;
        lines.extend(differences.iter().map(|difference| difference.words().to_owned()));
        Ok(Self { lines, missing, timeline })
    }

    async fn repair(&self, app: &App, user: &UserId) -> Result<(), Error> {
        let (rules, now) = (&app.config.rules, app.now());
        app.table.doubt_counts(user, &self.timeline, rules, now).await?;
        for entry in &self.missing {
            live_callback::apply(app, entry).await?;
        }
        let timeline = app.table.standing(user).await?.timeline;
        let differences = app.table.differences(user, &timeline, rules, now).await?;
        if !differences.is_empty() {
            app.table.rewrite(user, &differences, rules, now).await?;
        }
        Ok(())
    }
}

/// The timeline with all that the ledger has for it, and the notices that it lacks.
async fn whole(
    app: &App,
    user: &UserId,
    streams: &[StreamId],
    known: &Timeline,
) -> Result<(Timeline, Vec<Entry>), Error> {
    let since = Table::known_since(app.now());
    let (mut timeline, mut missing, mut old) = (known.clone(), Vec::new(), Vec::<(FileId, Entry)>::new());
    for stream in streams {
        for event in EVENTS {
            for entry in app.table.notices_of(stream, event).await? {
                match live_callback::evidence_in(app, &entry).await? {
                    Some((owner, Evidence::Recorded(recording))) if owner == *user && recording.end < since => {
                        old.push((recording.file, entry));
                    }
                    // What is older was dropped from the timeline, and would not be all that there was.
                    Some((owner, evidence)) if owner == *user && evidence.at() >= since => {
                        if is_new(&mut timeline, evidence, app.config.rules.grace_seconds) {
                            missing.push(entry);
                        }
                    }
                    Some(_) | None => {}
                }
            }
        }
    }
    if timeline.means_as(known, app.config.rules.grace_seconds) {
        // What was drawn together is missing, too, and changes nothing.
        (timeline, missing) = (known.clone(), Vec::new());
    }
    let files: Vec<FileId> = old.iter().map(|(file, _)| file.clone()).collect();
    let written = app.table.written_files(user, &files).await?;
    missing.extend(old.into_iter().filter(|(file, _)| !written.contains(file)).map(|(_, entry)| entry));
    Ok((timeline, missing))
}

/// Takes in evidence; says whether it was new. A word that names no push may be known although it is not kept: it is new
/// if it means something.
fn is_new(timeline: &mut Timeline, evidence: Evidence, grace: u64) -> bool {
    if !matches!(evidence, Evidence::On(_) | Evidence::Off(..)) {
        return timeline.add(evidence);
    }
    let mut with = timeline.clone();
    with.add(evidence);
    let is_new = !with.means_as(timeline, grace);
    if is_new {
        *timeline = with;
    }
    is_new
}

/// What a live is now: one whose push ended may go on for as long as the grace lasts.
fn state(live: &LiveRow, grace: u64, now: UnixSeconds) -> &'static str {
    match live.ended_at {
        None => "live",
        Some(end) if live.reason == End::Stopped.name() && now <= end.plus(grace) => "interrupted",
        Some(_) => "ended",
    }
}

async fn lives(app: &App, user: &UserId) -> Result<Vec<Live>, Error> {
    let rows = app.table.lives(user).await?;
    let timeline = app.table.standing(user).await?.timeline;
    let lives = timeline.lives(app.config.rules.grace_seconds);
    let known = |row: &LiveRow| {
        let is_it = |live: &&timeline::Live| live.start == row.started_at && live.lane.stream() == row.stream;
        lives.iter().find(is_it)
    };
    let named_at = |row: &LiveRow| known(row).and_then(|live| live.named_at).unwrap_or(row.named_at);
    let titles = app.table.titles(user, rows.iter().map(named_at).collect::<BTreeSet<_>>()).await?;
    let live = |row: LiveRow| Live {
        title: titles.get(&named_at(&row)).map(|title| title.as_str().to_owned()).unwrap_or_default(),
        interruption: Interruption::of(known(&row).and_then(|live| timeline.reason_of(live))),
        state: state(&row, app.config.rules.grace_seconds, app.now()),
        streamid: row.stream,
        started_at: row.started_at.0,
        ended_at: row.ended_at.map(|end| end.0),
        reason: row.reason,
        show: row.show.0,
        peak: row.totals.peak,
        visits: row.totals.visits,
        likes: row.totals.likes,
    };
    Ok(rows.into_iter().map(live).collect())
}
