//! `rebuild_user`: computes a user's room, lives and replays from the notices in the ledger, reports the rows that
//! differ, and writes them. A user with very many notices needs several calls.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::prelude::*;
use super::{
    live_callback,
    notices::{PushEndReason, missing_from_timeline},
};
use protocol::json::to_text;
use store::{Compared, Difference, LiveRow, NoticeRecord};
use timeline::{self, End};

/// How many notices one call reads at most, how many it reads per request, and how many it applies again.
const MAX_NOTICES: usize = 1000;
const NOTICES_PER_PAGE: usize = 250;
const MAX_REAPPLIED: usize = 50;
/// The cost of a request, counted in notices: a stream may have very few notices.
const PAGE_COST: usize = 10;

pub struct RebuildUser {
    user: UserId,
    is_dry_run: bool,
    after: Option<Cursor>,
}

/// The position after which the next call continues.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Cursor {
    /// A notice: stream and id. The id is empty before the first notice of the stream.
    Notice(String, String),
    /// A replay: its last second and its file id.
    Replay(u64, String),
}

#[derive(Default, Serialize)]
pub struct Reply {
    /// The differences before the call, one line each.
    differences: Vec<String>,
    /// The differences after the call.
    left: Vec<String>,
    /// The lives of the user, the oldest first. Empty until the last call.
    lives: Vec<LiveInfo>,
    /// The value of `after` for the next call, if there is more to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct LiveInfo {
    streamid: String,
    state: &'static str,
    started_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<u64>,
    reason: String,
    #[serde(flatten)]
    push_end: PushEndReason,
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
        let dry_run = params.optional::<u64>("dry_run")?.unwrap_or(0);
        let is_dry_run = zero_or_one(dry_run, [false, true], "dry_run is 0 or 1")?;
        let after = params.optional::<String>("after")?.filter(|after| !after.is_empty());
        let after = after.map(|after| serde_json::from_str(&after)).transpose();
        let after = after.map_err(|_| Error::InvalidArgument("after is no `next` of this command"))?;
        Ok(Self { user, is_dry_run, after })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Reply, Error> {
        let streams = app.table.streams_of(&self.user).await?.ok_or(Error::NotFound("room"))?;
        let mut reply = Reply::default();
        let replay = match &self.after {
            Some(Cursor::Replay(end, file)) => FileId::parse(file).map(|file| (UnixSeconds(*end), file)),
            Some(Cursor::Notice(..)) | None => {
                reply.next = self.apply_missing_notices(app, &streams, &mut reply).await?;
                None
            }
        };
        if reply.next.is_none() {
            reply.next = self.rewrite_differing_rows(app, replay.as_ref(), &mut reply).await?;
        }
        if reply.next.is_none() {
            reply.lives = lives(app, &self.user).await?;
        }
        Ok(reply)
    }
}

impl RebuildUser {
    /// Applies notices again whose evidence the timeline lacks. Returns the cursor of the next call, if there are more.
    async fn apply_missing_notices(
        &self,
        app: &App,
        streams: &[StreamId],
        reply: &mut Reply,
    ) -> Result<Option<String>, Error> {
        let (mut left, mut missing, mut next) = (MAX_NOTICES, Vec::new(), None);
        let (first, after) = match &self.after {
            Some(Cursor::Notice(stream, id)) => (stream.as_str(), Some(id.clone()).filter(|id| !id.is_empty())),
            Some(Cursor::Replay(..)) | None => ("", None),
        };
        let is_ahead = |stream: &&StreamId| stream.as_str() >= first;
        'streams: for stream in streams.iter().filter(is_ahead) {
            if left == 0 {
                next = Some(Cursor::Notice(stream.to_string(), String::new()));
                break;
            }
            let mut id = after.clone().filter(|_| stream.as_str() == first);
            loop {
                let (records, more) = app.table.timeline_notices(stream, id.as_deref(), NOTICES_PER_PAGE).await?;
                left = left.saturating_sub(records.len() + PAGE_COST);
                for record in self.missing_among(app, stream, &records).await? {
                    missing.push(record.clone());
                    if missing.len() == MAX_REAPPLIED {
                        next = Some(Cursor::Notice(stream.to_string(), record.notice.id.clone()));
                        break 'streams;
                    }
                }
                match more {
                    Some(last) if left == 0 => {
                        next = Some(Cursor::Notice(stream.to_string(), last));
                        break 'streams;
                    }
                    Some(last) => id = Some(last),
                    None => break,
                }
            }
        }
        reply.differences.extend(missing.iter().map(missing_line));
        if self.is_dry_run {
            reply.left.extend(missing.iter().map(missing_line));
        } else if !missing.is_empty() {
            self.apply_again(app, &missing, reply).await?;
        }
        Ok(next.map(|cursor| to_text(&cursor)))
    }

    /// Those of a stream's notices whose evidence the user's timeline lacks.
    async fn missing_among<'a>(
        &self,
        app: &App,
        stream: &StreamId,
        records: &'a [NoticeRecord],
    ) -> Result<Vec<&'a NoticeRecord>, Error> {
        let missing = missing_from_timeline(app, stream, records).await?.filter(|(owner, _)| *owner == self.user);
        let ids = missing.map(|(_, ids)| ids).unwrap_or_default();
        Ok(records.iter().filter(|record| ids.contains(&record.notice.id)).collect())
    }

    /// Applies these notices again, and reports the notices whose evidence the timeline still lacks.
    async fn apply_again(&self, app: &App, missing: &[NoticeRecord], reply: &mut Reply) -> Result<(), Error> {
        for record in missing {
            live_callback::apply_again(app, record).await?;
        }
        app.broadcaster(&self.user).recount_later().await?;
        for stream in missing.iter().map(|record| &record.notice.stream).collect::<BTreeSet<_>>() {
            let of_stream: Vec<NoticeRecord> =
                missing.iter().filter(|record| record.notice.stream == *stream).cloned().collect();
            reply.left.extend(self.missing_among(app, stream, &of_stream).await?.into_iter().map(missing_line));
        }
        Ok(())
    }

    /// Compares a part of the rows with the timeline, and writes the rows that differ. Returns the cursor of the next
    /// call, if there are more.
    async fn rewrite_differing_rows(
        &self,
        app: &App,
        after: Option<&Compared>,
        reply: &mut Reply,
    ) -> Result<Option<String>, Error> {
        let broadcaster = app.broadcaster(&self.user);
        let (found, next) = broadcaster.differences(after).await?;
        let words = |found: &[Difference]| found.iter().map(|found| found.words().to_owned()).collect::<Vec<_>>();
        reply.differences.extend(words(&found));
        if self.is_dry_run || found.is_empty() {
            reply.left.extend(words(&found));
        } else {
            broadcaster.rewrite(&found).await?;
            let (left, _) = broadcaster.differences(after).await?;
            reply.left.extend(words(&left));
        }
        Ok(next.map(|(end, file)| to_text(&Cursor::Replay(end.0, file.to_string()))))
    }
}

fn missing_line(record: &NoticeRecord) -> String {
    let (stream, id) = (&record.notice.stream, &record.notice.id);
    format!("the timeline lacks the notice {id:?} of {stream}, received at {}", record.received_at.in_utc())
}

/// The state of a live. A live whose push ended may go on until GRACE_SECONDS have passed.
fn state(live: &LiveRow, grace: u64, now: UnixSeconds) -> &'static str {
    match live.ended_at {
        None => "live",
        Some(end) if live.reason == End::Stopped.name() && now <= end.plus(grace) => "interrupted",
        Some(_) => "ended",
    }
}

async fn lives(app: &App, user: &UserId) -> Result<Vec<LiveInfo>, Error> {
    let rows = app.table.lives(user).await?;
    let timeline = app.table.state(user).await?.timeline;
    let lives = timeline.lives(app.config.rules.grace_seconds);
    let known = |row: &LiveRow| {
        let is_same = |live: &&timeline::Live| live.start == row.started_at && live.user_stream.stream() == row.stream;
        lives.iter().find(is_same)
    };
    let described_by = |row: &LiveRow| known(row).and_then(|live| live.described_by).unwrap_or(row.described_by);
    let titles = app.table.titles(user, rows.iter().map(described_by).collect::<BTreeSet<_>>()).await?;
    let live = |row: LiveRow| LiveInfo {
        title: titles.get(&described_by(&row)).map(|title| title.as_str().to_owned()).unwrap_or_default(),
        push_end: PushEndReason::of(known(&row).and_then(|live| timeline.reason_of(live))),
        state: state(&row, app.config.rules.grace_seconds, app.now()),
        streamid: row.stream,
        started_at: row.started_at.0,
        ended_at: row.ended_at.map(|end| end.0),
        reason: row.reason,
        show: row.broadcast.0,
        peak: row.totals.peak,
        visits: row.totals.visits,
        likes: row.totals.likes,
    };
    Ok(rows.into_iter().map(live).collect())
}
