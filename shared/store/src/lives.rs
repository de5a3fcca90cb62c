//! Lives: what a user has broadcast; and shows: what it was called.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    Item, Result, Table,
    batch::Consistency,
    counter_in, keys,
    lists::counts_expire_at,
    number, parsed,
    rooms::{Profile, Room},
    state::WriteContext,
    text, text_in, unix_seconds, unix_seconds_in,
    update::Update,
};
use protocol::types::{GroupId, StreamId, Text, UnixSeconds, UserId};
use timeline::{Live, UserStream};

/// How long a show is kept: for longer than there is evidence of it.
const BROADCAST_KEPT_SECONDS: u64 = 60 * 24 * 3600;

/// What a room was opened for.
#[derive(Clone, Debug)]
pub(super) struct BroadcastRow {
    pub(super) title: Text<255>,
    pub(super) profile: Profile,
    pub(super) description: Text<255>,
    pub(super) group: Option<GroupId>,
    pub(super) stream: StreamId,
}

impl BroadcastRow {
    fn read(item: &Item) -> Result<Self> {
        Ok(Self {
            title: parsed(item, "title", Text::parse)?,
            profile: Profile::read(item)?,
            description: parsed(item, "description", Text::parse)?,
            group: GroupId::parse(text_in(item, "group")?),
            stream: parsed(item, "stream", StreamId::parse)?,
        })
    }

    /// Adds what is shown to a row.
    pub(super) fn write(&self, update: Update) -> Update {
        let update = self.profile.write(update).set("title", text(self.title.as_str()));
        let update =
            update.set_text("description", self.description.as_str()).set("stream", text(self.stream.as_str()));
        match &self.group {
            Some(group) => update.set("group", text(group.as_str())),
            None => update,
        }
    }
}

/// A live, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRow {
    /// The stream of the room service that it was; empty: the user's own.
    pub stream: String,
    /// When it started.
    pub started_at: UnixSeconds,
    /// When it ended; `None` if it goes on.
    pub ended_at: Option<UnixSeconds>,
    /// Why it ended, as [`End::name`](timeline::End::name) calls it; empty if it goes on.
    pub reason: String,
    /// The show that it was, by the second at which that was opened.
    pub broadcast: UnixSeconds,
    /// The second of the opening that says what it is called, as far as that was known when this was written.
    pub info_at: UnixSeconds,
    /// What it came to by its end.
    pub totals: Totals,
}

/// What a live came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The most viewers at a time.
    pub peak: u64,
    /// How often a viewer came.
    pub visits: u64,
    /// How many likes it got.
    pub likes: u64,
    /// The URL of a picture of it; empty if there is none.
    pub screenshot: String,
}

impl Totals {
    pub(super) fn read(item: &Item) -> Result<Self> {
        Ok(Self {
            peak: counter_in(item, "peak")?,
            visits: counter_in(item, "visits")?,
            likes: counter_in(item, "likes")?,
            screenshot: text_in(item, "screenshot")?.to_owned(),
        })
    }
}

impl LiveRow {
    fn read(item: &Item) -> Result<Self> {
        let ended_at = item.contains_key("ended_at").then(|| unix_seconds_in(item, "ended_at")).transpose()?;
        Ok(Self {
            stream: text_in(item, "stream")?.to_owned(),
            started_at: unix_seconds_in(item, "started_at")?,
            ended_at,
            reason: text_in(item, "reason")?.to_owned(),
            broadcast: unix_seconds_in(item, "broadcast")?,
            info_at: unix_seconds_in(item, "info_at")?,
            totals: Totals::read(item)?,
        })
    }
}

impl Table {
    /// Keeps what a room is opened for.
    pub(super) async fn write_broadcast(
        &self,
        user: &UserId,
        opened_at: UnixSeconds,
        broadcast: &BroadcastRow,
        now: UnixSeconds,
    ) -> Result<()> {
        let update = Update::of(keys::broadcast(user, opened_at))
            .set(keys::EXPIRES_AT, unix_seconds(now.plus(BROADCAST_KEPT_SECONDS)));
        broadcast.write(update).send(self, "write a show").await.map(|_| ())
    }

    /// What was said when the room was opened at this second; `None` if that is long ago.
    pub(super) async fn broadcast(&self, user: &UserId, opened_at: UnixSeconds) -> Result<Option<BroadcastRow>> {
        self.get(keys::broadcast(user, opened_at), "read a show").await?.as_ref().map(BroadcastRow::read).transpose()
    }

    /// Writes a live. A live that ended takes along what the room came to, if the room counts for its show; else it
    /// takes the totals of earlier lives of its show, which are deleted when lives merge.
    pub(super) async fn write_live(
        &self,
        write: &WriteContext<'_>,
        live: &Live,
        room: Option<&Room>,
        gone: &[&str],
    ) -> Result<()> {
        let until = counts_expire_at(live.end.map_or(write.now, |(end, _)| end), write.rules.replay_window_seconds);
        let update = write
            .row(keys::live(write.user, &keys::live_id(live.start, &live.user_stream)))
            .set_text("stream", live.user_stream.stream())
            .set("started_at", unix_seconds(live.start))
            .set("broadcast", unix_seconds(live.broadcast.unwrap_or(UnixSeconds(0))))
            .set("info_at", unix_seconds(live.info_at.unwrap_or(UnixSeconds(0))))
            .set(keys::EXPIRES_AT, unix_seconds(until))
            .remove("gone");
        let update = match live.end {
            Some((end, why)) => update.set("ended_at", unix_seconds(end)).set("reason", text(why.name())),
            None => update.remove("ended_at").remove("reason"),
        };
        // The room counts for the show to which the opening belongs at which its counters began at zero.
        let counts_for = room.and_then(|room| write.state.timeline.broadcasts().of(room.counted_since));
        let is_current = live.broadcast.is_some() && live.broadcast == counts_for;
        let totals = match room {
            _ if live.user_stream != UserStream::Own => None,
            // While a live goes on, the room counts for it. Its row keeps the totals of rows that are deleted: the live may
            // end before the start request since which the room counts.
            Some(room) if is_current && live.end.is_some() => Some(room.totals.clone()),
            Some(_) | None => self.totals_of_gone(write, live, gone).await?,
        };
        let update = match totals {
            Some(totals) => update
                .set("peak", number(totals.peak))
                .set("visits", number(totals.visits))
                .set("likes", number(totals.likes))
                .set_text("screenshot", &totals.screenshot),
            None => update,
        };
        update.send(self, "write a live").await.map(|_| ())
    }

    /// The largest totals among the lives of the same broadcast that are about to be deleted; `None` if there are none.
    async fn totals_of_gone(&self, write: &WriteContext<'_>, live: &Live, gone: &[&str]) -> Result<Option<Totals>> {
        let own = keys::live_id(live.start, &live.user_stream);
        let mut rows = Vec::new();
        for place in gone.iter().copied().chain((!gone.is_empty()).then_some(own.as_str())) {
            rows.extend(self.get(keys::live(write.user, place), "read a live").await?);
        }
        let rows = rows.iter().filter_map(|row| self.ok_or_log(row, LiveRow::read(row)));
        // Also one of a broadcast that turned out to continue this one.
        let is_of_broadcast =
            |at| live.broadcast.is_some() && write.state.timeline.broadcasts().of(at) == live.broadcast;
        let rows = rows.filter(|row| row.stream.is_empty() && is_of_broadcast(row.broadcast));
        Ok(rows.map(|row| row.totals).max_by_key(|totals| (totals.visits, totals.likes, totals.peak)))
    }

    /// Takes a live away that is a part of another one, as it turned out. The table may delete it. Also one that is not
    /// there yet: who is about to write it knows less.
    pub(super) async fn take_live_away(&self, write: &WriteContext<'_>, place: &str) -> Result<()> {
        let update = write.row(keys::live(write.user, place));
        let update = update.set("gone", AttributeValue::Bool(true)).set(keys::EXPIRES_AT, unix_seconds(write.now));
        update.send(self, "take a live away").await.map(|_| ())
    }

    /// What a live came to; nothing if it has not ended.
    pub(super) async fn totals(&self, user: &UserId, live: &Live) -> Result<Totals> {
        let key = keys::live(user, &keys::live_id(live.start, &live.user_stream));
        self.get(key, "read a live").await?.as_ref().map_or(Ok(Totals::default()), Totals::read)
    }

    /// The lives of a user that are still kept, the oldest first.
    pub async fn lives(&self, user: &UserId) -> Result<Vec<LiveRow>> {
        Ok(self.live_rows(user).await?.into_values().collect())
    }

    /// What was said to be shown when the room was opened at these seconds; nothing of those that are long ago.
    pub async fn titles(
        &self,
        user: &UserId,
        start_requests: BTreeSet<UnixSeconds>,
    ) -> Result<BTreeMap<UnixSeconds, Text<255>>> {
        let keys = start_requests.iter().map(|start_request| keys::broadcast(user, *start_request));
        let mut rows = self.batch(keys, Consistency::Eventual, "read shows").await?;
        let rows =
            start_requests.into_iter().filter_map(|at| Some((at, rows.remove(&keys::id(&keys::broadcast(user, at)))?)));
        Ok(rows
            .filter_map(|(start_request, row)| {
                Some((start_request, self.ok_or_log(&row, BroadcastRow::read(&row))?.title))
            })
            .collect())
    }

    /// The same by what tells them apart.
    pub(super) async fn live_rows(&self, user: &UserId) -> Result<BTreeMap<String, LiveRow>> {
        let request = self
            .client
            .query()
            .consistent_read(true)
            .key_condition_expression("PK = :user AND begins_with(SK, :live)")
            .expression_attribute_values(":user", text(keys::user_partition(user)))
            .expression_attribute_values(":live", AttributeValue::S(keys::LIVE_PREFIX.to_owned()));
        let mut lives = BTreeMap::new();
        let mut items = self.query(request, usize::MAX, "read lives").await?;
        items.retain(|item| !item.contains_key("gone"));
        for item in items {
            let place = text_in(&item, keys::SK)?.trim_start_matches(keys::LIVE_PREFIX).to_owned();
            lives.extend(self.ok_or_log(&item, LiveRow::read(&item)).map(|live| (place, live)));
        }
        Ok(lives)
    }
}
