//! Rooms: one per broadcaster, with what the lists of rooms show.

use std::collections::BTreeSet;

use super::{
    ListPage,
    broadcasts::{BroadcastInfo, Profile, StartRequestRow},
    lists::{Change, List, Position, Series},
    lives::Totals,
    state::{Ban, Broadcaster, BroadcasterState, RowWriter},
    viewers::{VIEWERS_AT, VIEWERS_BY_APP},
};
use crate::prelude::*;
use protocol::types::{CLOCK_TOLERANCE_SECONDS, Link, StreamId};
use timeline::{End, Evidence, Live};

/// The tree that counts rooms.
pub(super) const COUNT_TREE: &str = "rooms";
pub(super) const ONLINE: List = List { tree: COUNT_TREE, series: Series::Online, partitions: &["online"] };
pub(super) const ALL: List = List { tree: COUNT_TREE, series: Series::All, partitions: &["online", "offline"] };
/// How often the cover picture of a live is replaced.
const PICTURE_EVERY_SECONDS: u64 = 60;

/// Whether a room is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Live.
    Online,
    /// Not live.
    Offline,
}

/// A room.
#[derive(Clone, Debug)]
pub struct Room {
    /// The broadcaster.
    pub user: UserId,
    /// The chat room; empty if there never was one.
    pub group: String,
    /// The title.
    pub title: Text<255>,
    /// The profile of the broadcaster.
    pub profile: Profile,
    /// The description.
    pub description: String,
    /// The stream that the broadcaster pushes.
    pub stream: StreamId,
    /// The start of the current broadcast: its first start request.
    pub opened_at: UnixSeconds,
    /// The start request at which the counters began at zero. It is not `opened_at` if it turned out to continue a
    /// broadcast.
    pub(super) counted_since: UnixSeconds,
    /// Whether the room is live.
    pub status: Status,
    /// Whether the room is live, and moderation hides it from the lists.
    pub hidden: bool,
    /// Whether the broadcaster is banned.
    pub banned: bool,
    /// The number of viewers.
    pub viewers: u64,
    /// The number of likes.
    pub likes: u64,
    /// The totals of the current broadcast.
    pub(super) totals: Totals,
}

/// The result of a start request.
#[derive(Debug)]
pub enum Opened {
    /// Accepted.
    Open {
        /// The stream that the broadcaster pushes.
        stream: StreamId,
        /// The start of the broadcast: earlier than now if the room is live already.
        opened_at: UnixSeconds,
    },
    /// Refused: the user is banned.
    Banned,
}

impl Room {
    pub(super) fn read(item: &Item) -> Result<Self> {
        let (status, hidden) = match text_in(item, keys::LIST)? {
            "online" => (Status::Online, false),
            "hidden" => (Status::Online, true),
            "offline" => (Status::Offline, false),
            _ => return Err(invalid_attribute(keys::LIST)),
        };
        let totals = Totals::read(item, "likes")?;
        Ok(Self {
            user: parsed(item, "user", UserId::parse)?,
            group: text_in(item, "group")?.to_owned(),
            title: parsed(item, "title", Text::parse)?,
            profile: Profile::read(item)?.or_cover(&totals.screenshot),
            description: text_in(item, "description")?.to_owned(),
            stream: parsed(item, "stream", StreamId::parse)?,
            opened_at: unix_seconds_in(item, "opened_at")?,
            counted_since: unix_seconds_in(item, "counted_since")?,
            status,
            hidden,
            banned: item.contains_key("banned"),
            viewers: counter_in(item, "viewers")?,
            likes: totals.likes,
            totals,
        })
    }

    /// The latest picture of the live; empty if there is none.
    pub fn picture(&self) -> &str {
        &self.totals.screenshot
    }

    /// The second of the start request at which the counters began at zero. Second 0 if that second is ahead of now: then
    /// a fast clock wrote it, and any later start request is newer.
    pub(super) fn counts_since(&self, now: UnixSeconds) -> UnixSeconds {
        if self.counted_since.is_ahead_of(now) { UnixSeconds::default() } else { self.counted_since }
    }
}

/// The counters that count the rooms of a list.
fn series_of(list: &str) -> &'static [Series] {
    match list {
        "online" => &[Series::All, Series::Online],
        "offline" => &[Series::All],
        _ => &[],
    }
}

impl Broadcaster<'_> {
    /// Applies a start request: the room opens for a new broadcast, or shows the new information if it is live already.
    ///
    /// A room that is live keeps its status, its counters and its place in the list, unless it turns out later that it
    /// was not live. A ban that has ended is lifted. The stream is that of the room, if the room `keeps` it; else the
    /// first of `streams` that no other user owns.
    pub async fn open_room(
        &self,
        info: &BroadcastInfo,
        streams: &[StreamId; 2],
        keeps: impl Fn(&StreamId) -> bool,
    ) -> Result<Opened> {
        let Broadcaster { table, user, now, .. } = *self;
        let read = table.state_and_room(user).await?;
        let is_banned = |state: &BroadcasterState| {
            let mut state = state.clone();
            state.cap(now);
            state.ban.is_some_and(|ban| ban.holds(now))
        };
        if is_banned(&read.0) {
            return Ok(Opened::Banned);
        }
        let stream = match read.1.as_ref().map(|room| &room.stream).filter(|stream| keeps(stream)) {
            Some(stream) => stream.clone(),
            None => table.assign_stream(streams, user, None, now).await?,
        };
        let row = StartRequestRow { info: info.clone(), stream };
        // First, because another process that writes the dirty rows needs it. Also if the room seems to be live: that live
        // may end before the next write, or turn out to have ended.
        self.write_start_request(&row).await?;
        let open = |state: &mut BroadcasterState| {
            if is_banned(state) {
                return false;
            }
            if state.ban.is_some() {
                state.lift();
            }
            state.timeline.add(Evidence::StartRequested(now)) || !state.is_live()
        };
        let state = self.change_read(read, Some(&row), open).await?;
        if is_banned(&state) {
            return Ok(Opened::Banned);
        }
        if state.is_live() {
            // Unless another broadcast has started since.
            let update = row.write(Update::of(keys::room(user)));
            let update = update.when("#opened_at <= :now").value(":now", unix_seconds(now));
            update.send(table, "bring a room up to date").await?;
        }
        Ok(Opened::Open { stream: row.stream, opened_at: state.timeline.broadcasts().last().unwrap_or(now) })
    }

    /// Changes the state of a user who has a room. Returns whether there is a room.
    async fn change_room(&self, change: impl Fn(&mut BroadcasterState) -> bool) -> Result<bool> {
        let read = self.table.state_and_room(self.user).await?;
        // The row of the room may not be written yet, or be invalid. Then the timeline shows that there is a room.
        let has_room = read.1.is_some() || read.0.timeline.broadcasts().last().is_some();
        if has_room {
            self.change_read(read, None, change).await?;
        }
        Ok(has_room)
    }

    /// Moves a room online or offline because its app says so. Does nothing if there is no room.
    pub async fn set_status(&self, status: Status) -> Result<()> {
        // Kept in the timeline even if it changes nothing: earlier events may be reported later.
        let evidence = match status {
            Status::Online => Evidence::On(self.now),
            Status::Offline => Evidence::Off(self.now, End::Left),
        };
        let add = |state: &mut BroadcasterState| state.ban.is_none() && state.timeline.add(evidence.clone());
        self.change_room(add).await.map(drop)
    }

    /// Bans a broadcaster, or lifts the ban, and adds the pending actions. Returns whether the user has a room.
    pub async fn ban(&self, ban: Option<Ban>) -> Result<bool> {
        let ban_or_lift = |state: &mut BroadcasterState| {
            match &ban {
                Some(ban) => state.ban(ban, self.now),
                None => state.lift(),
            }
            true
        };
        self.change_room(ban_or_lift).await
    }

    /// Makes a picture of a live the cover of the room, if the room has no cover of its own and is not hidden. A live that
    /// has ended gets only its first picture, and only until the next broadcast; its replay gets the picture too.
    pub async fn set_cover_picture(&self, live: &Live, picture: &Link<255>, at: UnixSeconds) -> Result<()> {
        const CONTEXT: &str = "set a cover picture";
        let Broadcaster { table, user, now, .. } = *self;
        // At most now: a fast clock must not block later pictures.
        let at = at.min(now);
        let update = Update::of(keys::room(user))
            .set("screenshot", text(picture.as_str()))
            .set("screenshot_at", unix_seconds(at))
            .when("#list = :list AND attribute_not_exists(#frontcover)");
        if live.end.is_none() {
            let update = update
                .value(":list", text("online"))
                .when("(attribute_not_exists(#screenshot_at) OR #screenshot_at <= :before OR #screenshot_at > :ahead)")
                .value(":before", unix_seconds(at.minus(PICTURE_EVERY_SECONDS)))
                .value(":ahead", unix_seconds(now.plus(CLOCK_TOLERANCE_SECONDS)));
            return update.send(table, CONTEXT).await.map(drop);
        }
        let Some(broadcast) = live.broadcast else { return Ok(()) };
        let update = update
            .value(":list", text("offline"))
            .when("#opened_at = :broadcast AND attribute_not_exists(#screenshot_at)")
            .value(":broadcast", unix_seconds(broadcast));
        let (outcome, room) = update.send_returning_old(table, CONTEXT).await?;
        // An earlier call may have written the room, and got no further.
        if outcome == WriteOutcome::ConditionFailed && text_in(&room, "screenshot")? != picture.as_str() {
            return Ok(());
        }
        let row = Update::of(keys::live(user, &keys::live_id(live.start, &live.user_stream)));
        let row = row.set("screenshot", text(picture.as_str()));
        row.when("attribute_exists(PK) AND attribute_not_exists(#screenshot)").send(table, CONTEXT).await?;
        self.rewrite_replays_of(live).await
    }
}

impl RowWriter<'_> {
    /// Writes the room as the state has it. Returns the room as it was before the write; or the room as it is, if it
    /// follows from a newer revision.
    pub(super) async fn write_room(
        &self,
        room: Option<Room>,
        start_request: Option<&StartRequestRow>,
    ) -> Result<Option<Room>> {
        const COUNTERS: [&str; 8] =
            ["viewers", VIEWERS_AT, VIEWERS_BY_APP, "likes", "peak", "visits", "screenshot", "screenshot_at"];
        let Self { table, user, state, .. } = self;
        let Some(opened_at) = state.timeline.broadcasts().last() else { return Ok(room) };
        // A room whose broadcast turned out to continue an earlier one keeps its counters.
        let is_new = room.as_ref().is_none_or(|room| room.counts_since(self.now) < opened_at);
        let asked_at = state.timeline.last_start_request().filter(|_| is_new && start_request.is_none());
        let found = match asked_at {
            Some(asked_at) => table.start_request(user, asked_at).await?,
            None => None,
        };
        let broadcast = start_request.or(found.as_ref());
        if room.is_none() && broadcast.is_none() {
            return Ok(room);
        }
        let position = Position::of(opened_at, user.as_str());
        let update = self
            .update(keys::room(user))
            .set("user", text(user.as_str()))
            .set("opened_at", unix_seconds(opened_at))
            .set(keys::LIST, text(state.list()))
            .set(keys::POSITION, text(keys::list_sort_key(position, user.as_str())))
            .set_flag("banned", state.ban.is_some());
        let update = match broadcast {
            Some(broadcast) => {
                let update = broadcast.write(update).set("counted_since", unix_seconds(opened_at));
                COUNTERS.into_iter().fold(update, Update::remove)
            }
            None => update,
        };
        match update.send_returning_old(table, "write a room").await? {
            (WriteOutcome::ConditionFailed, newer) => Room::read(&newer).map(Some),
            (WriteOutcome::Done, before) => {
                // The counters of the old position, even if the rest of the old row is invalid.
                let old_position = Position::in_row(&before).ok();
                let old_series = series_of(text_in(&before, keys::LIST).unwrap_or_default());
                let old =
                    old_position.into_iter().flat_map(|old| old_series.iter().map(move |series| (*series, old, -1)));
                let new = series_of(state.list()).iter().map(|series| (*series, position, 1));
                table.add_to_counts(COUNT_TREE, &old.chain(new).collect::<Vec<Change>>(), None, self.now).await?;
                Ok(Some(before).filter(|row| !row.is_empty()).and_then(|row| table.ok_or_log(&row, Room::read(&row))))
            }
        }
    }
}

impl Table {
    /// The room of `user`.
    pub async fn room(&self, user: &UserId) -> Result<Option<Room>> {
        self.get(keys::room(user), "read a room").await?.as_ref().map(Room::read).transpose()
    }

    /// The rooms of these users. The result lacks users without a room.
    pub async fn rooms(&self, users: &BTreeSet<&UserId>) -> Result<Vec<Room>> {
        let keys = users.iter().map(|user| keys::room(user));
        let rooms = self.batch(keys, Consistency::Strong, "read rooms").await?;
        rooms.values().map(Room::read).collect()
    }

    /// The room of the first of these users who has one.
    pub async fn first_room(&self, users: &[UserId]) -> Result<Option<Room>> {
        let rooms = self.batch(users.iter().map(keys::room), Consistency::Strong, "read rooms").await?;
        users.iter().find_map(|user| rooms.get(&keys::id(&keys::room(user)))).map(Room::read).transpose()
    }

    /// A page of the rooms that are live.
    pub async fn online_rooms(&self, page: Page) -> Result<ListPage<Room>> {
        Ok(self.page(&ONLINE, page).await?.parse(self, Room::read))
    }

    /// A page of the rooms that are live, also those that moderation hides, which come first.
    pub async fn live_rooms(&self, page: Page) -> Result<ListPage<Room>> {
        let query = self.partition_query("hidden", Position::FIRST, Position::LAST);
        let hidden = self.query(query, usize::MAX, "read a list").await?;
        let of_page: Vec<Item> = page.of(&hidden).cloned().collect();
        let [count, taken] = [hidden.len(), of_page.len()].map(|count| count.try_into().unwrap_or(u64::MAX));
        let rest = Page { offset: page.offset.saturating_sub(count), size: page.size.saturating_sub(taken) };
        let mut rooms = ListPage { total: count, rows: of_page }.parse(self, Room::read);
        // Only the total is from the counters: few pages are read, and their cost may grow with their number.
        rooms.total += self.online_rooms(Page { offset: 0, size: 0 }).await?.total;
        let (online, _) = self.uncounted_page("online", UnixSeconds(0), rest).await?;
        rooms.rows.extend(online.iter().filter_map(|row| self.ok_or_log(row, Room::read(row))));
        Ok(rooms)
    }

    /// A page of all rooms.
    pub async fn all_rooms(&self, page: Page) -> Result<ListPage<Room>> {
        Ok(self.page(&ALL, page).await?.parse(self, Room::read))
    }

    /// Removes the cover picture of a room that still has this broadcast. `at` is the time of the removed picture: the
    /// room gets another one no sooner than after the usual delay.
    pub async fn remove_cover_picture(&self, user: &UserId, broadcast: UnixSeconds, at: UnixSeconds) -> Result<()> {
        let update = Update::of(keys::room(user)).remove("screenshot").set("screenshot_at", unix_seconds(at));
        let update = update.when("#opened_at = :broadcast").value(":broadcast", unix_seconds(broadcast));
        update.send(self, "remove a cover picture").await.map(drop)
    }
}
