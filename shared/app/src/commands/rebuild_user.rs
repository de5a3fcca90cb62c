//! `rebuild_user`: computes a user's room, lives and replays anew from what the cloud told, says what is written
//! otherwise, and writes it anew. Of a user of whom very much was told a part in each call.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    Command, Names, live_callback,
    notices::{Interruption, Unknown},
};
use crate::{App, auth::Operator};
use protocol::{
    error::Error,
    types::{FileId, StreamId, UnixSeconds, UserId},
    wire::Params,
};
use store::{Compared, Difference, LiveRow, NoticeRecord};
use timeline::{self, End};

/// How many notices are looked at in one call at most, how many of them are read at a time, and how many are done again.
const NOTICES: usize = 1000;
const NOTICES_A_PAGE: usize = 250;
const MAX_MISSING: usize = 50;
/// What reading them costs beside, in notices: a stream may have very few.
const PAGE_COST: usize = 10;

/// See the module.
#[derive(Debug)]
pub struct RebuildUser {
    user: UserId,
    is_rehearsal: bool,
    after: Option<Place>,
}

/// After what the next call goes on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    /// A notice: its stream and its id, which is empty before the first of the stream.
    Notice(String, String),
    /// A replay: its last second, and the file that names it.
    Replay(u64, String),
}

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Reply {
    /// What differed, a line each.
    differences: Vec<String>,
    /// What still differs.
    left: Vec<String>,
    /// What the user has broadcast, the oldest first; nothing before the last part.
    lives: Vec<Live>,
    /// After what the next call goes on, unless that was all.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
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
            _ => return Err(Error::InvalidArgument("dry_run is 0 or 1")),
        };
        let after = params.optional::<String>("after")?.filter(|after| !after.is_empty());
        let after = after.map(|after| serde_json::from_str(&after)).transpose();
        let after = after.map_err(|_| Error::InvalidArgument("after is no `next` of this command"))?;
        Ok(Self { user, is_rehearsal, after })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Reply, Error> {
        let streams = app.table.streams_of(&self.user).await?.ok_or(Error::NotFound("room"))?;
        let mut reply = Reply::default();
        let after = match &self.after {
            Some(Place::Replay(end, file)) => Some((UnixSeconds(*end), file.as_str())),
            Some(Place::Notice(stream, id)) => {
                reply.next = self.compare_notices(app, &streams, Some((stream, id)), &mut reply).await?;
                None
            }
            None => {
                reply.next = self.compare_notices(app, &streams, None, &mut reply).await?;
                None
            }
        };
        if reply.next.is_none() {
            let after = after.and_then(|(end, file)| Some((end, FileId::parse(file)?)));
            reply.next = self.compare_rows(app, after.as_ref(), &mut reply).await?;
            if reply.next.is_none() {
                reply.lives = lives(app, &self.user).await?;
            }
        }
        Ok(reply)
    }
}

impl RebuildUser {
    /// Looks for notices that the timeline lacks, and has them done again. Gives after what to go on, if there are more.
    async fn compare_notices(
        &self,
        app: &App,
        streams: &[StreamId],
        after: Option<(&String, &String)>,
        reply: &mut Reply,
    ) -> Result<Option<String>, Error> {
        let (mut left, mut missing, mut next) = (NOTICES, Vec::new(), None);
        let is_ahead = |stream: &&StreamId| after.is_none_or(|(first, _)| stream.as_str() >= first.as_str());
        'streams: for stream in streams.iter().filter(is_ahead) {
            if left == 0 {
                next = Some(Place::Notice(stream.to_string(), String::new()));
                break;
            }
            let mut id =
                after.filter(|(first, id)| *first == stream.as_str() && !id.is_empty()).map(|(_, id)| id.clone());
            loop {
                let (records, more) = app.table.timeline_notices(stream, id.as_deref(), NOTICES_A_PAGE).await?;
                let mut unknown = Unknown::of(app, stream, &records).await?;
                unknown.retain_of(&self.user);
                left = left.saturating_sub(records.len() + PAGE_COST);
                for record in records {
                    let stop = Place::Notice(stream.to_string(), record.notice.id.clone());
                    if unknown.has(&record) {
                        missing.push(record);
                    }
                    if missing.len() == MAX_MISSING {
                        next = Some(stop);
                        break 'streams;
                    }
                }
                match more {
                    Some(last) if left == 0 => {
                        next = Some(Place::Notice(stream.to_string(), last));
                        break 'streams;
                    }
                    Some(last) => id = Some(last),
                    None => break,
                }
            }
        }
        reply.differences.extend(missing.iter().map(lacks));
        if self.is_rehearsal {
            reply.left.extend(missing.iter().map(lacks));
        } else if !missing.is_empty() {
            self.add_missing(app, &missing, reply).await?;
        }
        next.map(|place| text_of(&place)).transpose()
    }

    /// Has notices done again that the timeline lacks, and says which of them it lacks still.
    async fn add_missing(&self, app: &App, missing: &[NoticeRecord], reply: &mut Reply) -> Result<(), Error> {
        for record in missing {
            live_callback::apply(app, record).await?;
        }
        app.table.recount_later(&self.user, app.now(), &app.config.rules).await?;
        for stream in missing.iter().map(|record| &record.notice.stream).collect::<BTreeSet<_>>() {
            let of_stream: Vec<NoticeRecord> =
                missing.iter().filter(|record| record.notice.stream == *stream).cloned().collect();
            let mut unknown = Unknown::of(app, stream, &of_stream).await?;
            unknown.retain_of(&self.user);
            reply.left.extend(of_stream.iter().filter(|record| unknown.has(record)).map(lacks));
        }
        Ok(())
    }

    /// Compares a part of what is written with the timeline, and writes anew what differs. Gives after what to go on, if
    /// there is more.
    async fn compare_rows(
        &self,
        app: &App,
        after: Option<&Compared>,
        reply: &mut Reply,
    ) -> Result<Option<String>, Error> {
        let (rules, now) = (&app.config.rules, app.now());
        let (found, next) = app.table.differences(&self.user, after, rules, now).await?;
        let words = |found: &[Difference]| found.iter().map(|found| found.words().to_owned()).collect::<Vec<_>>();
        reply.differences.extend(words(&found));
        if self.is_rehearsal || found.is_empty() {
            reply.left.extend(words(&found));
        } else {
            app.table.rewrite(&self.user, &found, rules, now).await?;
            let (left, _) = app.table.differences(&self.user, after, rules, now).await?;
            reply.left.extend(words(&left));
        }
        next.map(|(end, file)| text_of(&Place::Replay(end.0, file.to_string()))).transpose()
    }
}

fn lacks(record: &NoticeRecord) -> String {
    let (stream, id) = (&record.notice.stream, &record.notice.id);
    format!("the timeline lacks the notice {id:?} of {stream}, received at {}", record.received_at.in_utc())
}

fn text_of(place: &Place) -> Result<String, Error> {
    serde_json::to_string(place).map_err(|_| Error::InvalidArgument("a place that cannot be written"))
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
    let timeline = app.table.state(user).await?.timeline;
    let lives = timeline.lives(app.config.rules.grace_seconds);
    let known = |row: &LiveRow| {
        let is_it = |live: &&timeline::Live| live.start == row.started_at && live.user_stream.stream() == row.stream;
        lives.iter().find(is_it)
    };
    let info_at = |row: &LiveRow| known(row).and_then(|live| live.info_at).unwrap_or(row.info_at);
    let titles = app.table.titles(user, rows.iter().map(info_at).collect::<BTreeSet<_>>()).await?;
    let live = |row: LiveRow| Live {
        title: titles.get(&info_at(&row)).map(|title| title.as_str().to_owned()).unwrap_or_default(),
        interruption: Interruption::of(known(&row).and_then(|live| timeline.reason_of(live))),
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
