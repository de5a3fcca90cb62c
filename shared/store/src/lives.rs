//! One row per live of a user, with its totals.

use std::collections::BTreeMap;

use super::{lists::expires_after_window, rooms::Room, state::RowWriter};
use crate::prelude::*;
use timeline::{Live, UserStream};

/// The row of a live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRow {
    /// The stream of the room service; empty for the user's own stream.
    pub stream: String,
    /// The start.
    pub started_at: UnixSeconds,
    /// The end; `None` while the live goes on.
    pub ended_at: Option<UnixSeconds>,
    /// The reason of the end, as [`End::name`](timeline::End::name) calls it; empty while the live goes on.
    pub reason: String,
    /// The broadcast that the live belongs to, by its first start request.
    pub broadcast: UnixSeconds,
    /// The key of the live's information, the second of a start request, as far as that was known when the row was written.
    pub described_by: UnixSeconds,
    /// The totals at the end.
    pub totals: Totals,
}

/// The totals of a live.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The maximum number of concurrent viewers.
    pub peak: u64,
    /// How many times a viewer entered.
    pub visits: u64,
    /// The number of likes.
    pub likes: u64,
    /// The URL of a picture; empty if there is none.
    pub screenshot: String,
}

impl Totals {
    /// Reads the totals; `likes` is the name of that attribute.
    pub(super) fn read(item: &Item, likes: &str) -> Result<Self> {
        Ok(Self {
            peak: counter_in(item, "peak")?,
            visits: counter_in(item, "visits")?,
            likes: counter_in(item, likes)?,
            screenshot: text_in(item, "screenshot")?.to_owned(),
        })
    }

    pub(super) fn write(&self, update: Update, likes: &str) -> Update {
        update
            .set("peak", number(self.peak))
            .set("visits", number(self.visits))
            .set(likes, number(self.likes))
            .set_text("screenshot", &self.screenshot)
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
            described_by: unix_seconds_in(item, "info_at")?,
            totals: Totals::read(item, "likes")?,
        })
    }
}

impl RowWriter<'_> {
    /// Writes a live. If the live has ended and the counters of the room belong to its broadcast, the row gets them.
    /// Otherwise the row gets the largest totals of the lives of its broadcast that are `removed`: they are parts of another live.
    pub(super) async fn write_live(&self, live: &Live, room: Option<&Room>, removed: &[&str]) -> Result<()> {
        let until = expires_after_window(live.end.map_or(self.now, |(end, _)| end), self.rules.replay_window_seconds);
        let update = self
            .update(keys::live(self.user, &keys::live_id(live.start, &live.user_stream)))
            .set_text("stream", live.user_stream.stream())
            .set("started_at", unix_seconds(live.start))
            .set("broadcast", unix_seconds(live.broadcast.unwrap_or_default()))
            .set("info_at", unix_seconds(live.described_by.unwrap_or_default()))
            .set(keys::EXPIRES_AT, unix_seconds(until))
            .remove("gone");
        let update = match live.end {
            Some((end, reason)) => update.set("ended_at", unix_seconds(end)).set("reason", text(reason.name())),
            None => update.remove("ended_at").remove("reason"),
        };
        // The room counts for the broadcast of the start request at which its counters began at zero.
        let counts_for = room.and_then(|room| self.state.timeline.broadcasts().of(room.counted_since));
        let is_current = live.broadcast.is_some() && live.broadcast == counts_for;
        let totals = match room {
            _ if live.user_stream != UserStream::Own => None,
            // While a live goes on, the room counts for it. Its row keeps the totals of rows that are removed: the live may
            // end before the start request since which the room counts.
            Some(room) if is_current && live.end.is_some() => Some(room.totals.clone()),
            Some(_) | None => self.totals_of_removed(live, removed).await?,
        };
        let update = match totals {
            Some(totals) => totals.write(update, "likes"),
            None => update,
        };
        update.send(self.table, "write a live").await.map(drop)
    }

    /// The largest totals among the lives of the same broadcast that are about to be removed; `None` if there are none.
    async fn totals_of_removed(&self, live: &Live, removed: &[&str]) -> Result<Option<Totals>> {
        let own = keys::live_id(live.start, &live.user_stream);
        let mut rows = Vec::new();
        for id in removed.iter().copied().chain((!removed.is_empty()).then_some(own.as_str())) {
            rows.extend(self.table.get(keys::live(self.user, id), "read a live").await?);
        }
        let rows = rows.iter().filter_map(|row| self.table.ok_or_log(row, LiveRow::read(row)));
        // A broadcast that turned out to continue this one counts as the same.
        let is_of_broadcast =
            |at| live.broadcast.is_some() && self.state.timeline.broadcasts().of(at) == live.broadcast;
        let rows = rows.filter(|row| row.stream.is_empty() && is_of_broadcast(row.broadcast));
        Ok(rows.map(|row| row.totals).max_by_key(|totals| (totals.visits, totals.likes, totals.peak)))
    }

    /// Removes a live that turned out to be a part of another one: its row becomes a mark, which expires. A live without a
    /// row gets the mark too: then a writer of an older revision cannot write the row.
    pub(super) async fn remove_live(&self, id: &str) -> Result<()> {
        let update = self.update(keys::live(self.user, id)).set_flag("gone", true);
        update.set(keys::EXPIRES_AT, unix_seconds(self.now)).send(self.table, "remove a live").await.map(drop)
    }

    /// The totals in the row of a live; zero if the live has no row.
    pub(super) async fn totals(&self, live: &Live) -> Result<Totals> {
        let key = keys::live(self.user, &keys::live_id(live.start, &live.user_stream));
        let row = self.table.get(key, "read a live").await?;
        row.map_or(Ok(Totals::default()), |row| Totals::read(&row, "likes"))
    }
}

impl Table {
    /// The lives of a user that have not expired, oldest first.
    pub async fn lives(&self, user: &UserId) -> Result<Vec<LiveRow>> {
        Ok(self.live_rows(user).await?.into_values().collect())
    }

    /// The same, by the [ids](keys::live_id) of the lives.
    pub(super) async fn live_rows(&self, user: &UserId) -> Result<BTreeMap<String, LiveRow>> {
        let request = self.items_of(keys::user_partition(user), keys::LIVE_PREFIX);
        let mut lives = BTreeMap::new();
        for item in self.query(request, usize::MAX, "read lives").await? {
            if !item.contains_key("gone") {
                let id = text_in(&item, keys::SK)?.trim_start_matches(keys::LIVE_PREFIX).to_owned();
                lives.extend(self.ok_or_log(&item, LiveRow::read(&item)).map(|live| (id, live)));
            }
        }
        Ok(lives)
    }
}
