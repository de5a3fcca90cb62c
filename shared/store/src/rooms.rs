//! Rooms: the standing place of a broadcaster, one per user, and whether they are live in it.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    Item, ListPage, Result, Table,
    batch::Consistency,
    counter_in, invalid_attribute, keys,
    lists::{Change, List, Position, Series},
    lives::{BroadcastRow, Totals},
    number, parsed,
    recount::is_quiet,
    state::{Ban, BroadcasterState, WriteContext},
    text, text_in, unix_seconds, unix_seconds_in,
    update::{OutcomeWithOldItem, Update},
};
use crate::rules::Rules;
use protocol::types::{AHEAD_SECONDS, GroupId, Link, Page, StreamId, Text, UnixSeconds, UserId};
use timeline::{End, Evidence, Live};

/// The tree that counts rooms.
pub(super) const COUNT_TREE: &str = "rooms";
pub(super) const ONLINE: List = List { tree: COUNT_TREE, series: Series::Online, partitions: &["online"] };
pub(super) const ALL: List = List { tree: COUNT_TREE, series: Series::All, partitions: &["online", "offline"] };
/// When a viewer last came or went who is a member of a group, on the row that counts them.
pub(super) const VIEWERS_AT: &str = "viewers_at";
/// That an app counts the viewers of a row itself, by ChangeCount: then they are not the members of a group.
const VIEWERS_TOLD: &str = "viewers_told";
/// How often a live gets another picture for a cover.
const PICTURE_EVERY_SECONDS: u64 = 60;

/// What an app says of its user along with what they do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The name for people.
    pub nickname: Text<128>,
    /// The URL of the portrait.
    pub headpic: Text<255>,
    /// The URL of the cover.
    pub frontcover: Text<255>,
    /// Where they are.
    pub location: Text<128>,
}

impl Profile {
    pub(super) fn write(&self, update: Update) -> Update {
        update
            .set_text("nickname", self.nickname.as_str())
            .set_text("headpic", self.headpic.as_str())
            .set_text("frontcover", self.frontcover.as_str())
            .set_text("location", self.location.as_str())
    }

    pub(super) fn read(item: &Item) -> Result<Self> {
        Ok(Self {
            nickname: parsed(item, "nickname", Text::parse)?,
            headpic: parsed(item, "headpic", Text::parse)?,
            frontcover: parsed(item, "frontcover", Text::parse)?,
            location: parsed(item, "location", Text::parse)?,
        })
    }
}

/// What a broadcaster is about to show.
#[derive(Clone, Debug)]
pub struct BroadcastInfo {
    /// The chat room; without one the room keeps the one that it has.
    pub group: Option<GroupId>,
    /// Its title.
    pub title: Text<255>,
    /// Who shows it.
    pub profile: Profile,
    /// What it is about.
    pub description: Text<255>,
}

/// Whether a room is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is.
    Online,
    /// It is not.
    Offline,
}

/// A room.
#[derive(Clone, Debug)]
pub struct Room {
    /// Whose it is.
    pub user: UserId,
    /// The chat room; empty if it never had one.
    pub group: String,
    /// The title.
    pub title: Text<255>,
    /// The broadcaster.
    pub profile: Profile,
    /// What it is about.
    pub description: String,
    /// The stream that it pushes.
    pub stream: StreamId,
    /// When it was opened for what it shows now.
    pub opened_at: UnixSeconds,
    /// The opening at which its counters began at zero: another one than that, if it turned out to begin no show.
    pub(super) counted_since: UnixSeconds,
    /// Whether it is live.
    pub status: Status,
    /// Whether it is live and yet in no list, because of what its pictures showed.
    pub hidden: bool,
    /// Whether it is banned.
    pub banned: bool,
    /// How many are watching.
    pub viewers: u64,
    /// How many likes it got.
    pub likes: u64,
    /// What its show came to so far.
    pub(super) totals: Totals,
}

/// Why a viewer is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// They left.
    Left,
    /// They were there already.
    Duplicate,
}

/// What became of a wish to go live.
#[derive(Debug)]
pub enum Opened {
    /// The room is there.
    Open {
        /// The stream that it pushes.
        stream: StreamId,
        /// When it was opened for its live: earlier than now, if it is live already.
        opened_at: UnixSeconds,
    },
    /// The user is banned.
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
        let totals = Totals::read(item)?;
        let mut profile = Profile::read(item)?;
        if profile.frontcover.as_str().is_empty() {
            profile.frontcover = Text::parse(&totals.screenshot).unwrap_or_default();
        }
        Ok(Self {
            counted_since: counted_since(item)?,
            user: parsed(item, "user", UserId::parse)?,
            group: text_in(item, "group")?.to_owned(),
            title: parsed(item, "title", Text::parse)?,
            profile,
            description: text_in(item, "description")?.to_owned(),
            stream: parsed(item, "stream", StreamId::parse)?,
            opened_at: unix_seconds_in(item, "opened_at")?,
            status,
            hidden,
            banned: item.contains_key("banned"),
            viewers: counter_in(item, "viewers")?,
            likes: totals.likes,
            totals,
        })
    }

    /// The opening at which its counters began at zero; none, if the clock was ahead then.
    pub(super) fn counts_since(&self, now: UnixSeconds) -> UnixSeconds {
        if self.counted_since.is_ahead_of(now) { UnixSeconds::default() } else { self.counted_since }
    }

    /// Whether it is live.
    pub(super) fn is_on(&self) -> bool {
        self.status == Status::Online
    }
}

/// Whether a user has a room. Its row may not be written yet, or be damaged; then the timeline says so.
fn has_room((state, room): &(BroadcasterState, Option<Room>)) -> bool {
    room.is_some() || state.timeline.broadcasts().last().is_some()
}

/// Where a room is counted, whatever else its row says.
fn places(row: &Item) -> Vec<(Series, Position)> {
    let Some(position) = text_in(row, keys::POSITION).ok().and_then(Position::read) else { return Vec::new() };
    match text_in(row, keys::LIST) {
        Ok("online") => vec![(Series::All, position), (Series::Online, position)],
        Ok("offline") => vec![(Series::All, position)],
        Ok(_) | Err(_) => vec![],
    }
}

/// The start request at which the counters of a room began at zero.
fn counted_since(item: &Item) -> Result<UnixSeconds> {
    unix_seconds_in(item, "counted_since")
}

/// Writes a room only if its counters began at zero at this opening.
fn counting_since(update: Update, start_request: UnixSeconds) -> Update {
    update.when("#counted_since = :since").value(":since", unix_seconds(start_request))
}

impl Table {
    /// Opens the room of `user` for a show, or brings the room up to date if it is live already.
    ///
    /// A room that is live keeps its status, its counters and its place in the list, unless it turns out later that it
    /// was not. A ban is not lifted. The stream is the first of `streams` that is not somebody else's, and stays the
    /// user's if it is one that the room `keeps`.
    pub async fn open_room(
        &self,
        user: &UserId,
        broadcast: &BroadcastInfo,
        streams: &[StreamId; 2],
        keeps: impl Fn(&StreamId) -> bool,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<Opened> {
        let seen = self.state_and_room(user).await?;
        let is_banned = |state: &BroadcasterState| {
            let mut state = state.clone();
            state.cap(now);
            state.ban.is_some_and(|ban| ban.holds(now))
        };
        if is_banned(&seen.0) {
            return Ok(Opened::Banned);
        }
        let own = seen.1.as_ref().map(|room| &room.stream).filter(|stream| keeps(stream));
        let stream = match own {
            Some(stream) => stream.clone(),
            None => self.claim_stream(streams, user, now).await?,
        };
        let BroadcastInfo { group, title, profile, description } = broadcast.clone();
        let row = BroadcastRow { title, profile, description, group, stream };
        // Before the room says that it is open for it: whoever finishes what is left half-done finds it. Also if the room
        // seems to be live: it may be over before this is written, or have been over.
        self.write_broadcast(user, now, &row, now).await?;
        let open = |state: &mut BroadcasterState| {
            if is_banned(state) {
                return false;
            }
            if state.ban.is_some() {
                state.lift();
            }
            state.timeline.add(Evidence::StartRequested(now)) || !state.is_live()
        };
        let state = self.change_seen(user, rules, now, seen, Some(&row), open).await?;
        if is_banned(&state) {
            return Ok(Opened::Banned);
        }
        if state.is_live() {
            // Unless it was opened for another show since.
            let update = row.write(Update::of(keys::room(user)));
            let update = update.when("#opened_at <= :now").value(":now", unix_seconds(now));
            update.send(self, "bring a room up to date").await?;
        }
        let opened_at = state.timeline.broadcasts().last().unwrap_or(now);
        Ok(Opened::Open { stream: row.stream, opened_at })
    }

    /// Writes the room as the timeline has it; the room as it was in the very moment before, or as it is if it follows
    /// from a later timeline.
    pub(super) async fn write_room(
        &self,
        write: &WriteContext<'_>,
        room: Option<Room>,
        start_request: Option<&BroadcastRow>,
    ) -> Result<Option<Room>> {
        const CONTEXT: &str = "write a room";
        let WriteContext { user, state, .. } = write;
        let Some(opened_at) = state.timeline.broadcasts().last() else { return Ok(room) };
        // If it turned out that what it was open for was no show of its own, it counts on.
        let is_new = room.as_ref().is_none_or(|room| room.counts_since(write.now) < opened_at);
        let info_at = state.timeline.last_start_request().filter(|_| is_new && start_request.is_none());
        let found = match info_at {
            Some(info_at) => self.broadcast(user, info_at).await?,
            None => None,
        };
        let broadcast = start_request.or(found.as_ref());
        if room.is_none() && broadcast.is_none() {
            return Ok(room);
        }
        let position = Position::of(opened_at, user.as_str());
        let list = state.list();
        let update = write
            .row(keys::room(user))
            .set("user", text(user.as_str()))
            .set("opened_at", unix_seconds(opened_at))
            .set(keys::LIST, text(list))
            .set(keys::POSITION, text(keys::list_sort_key(position, user.as_str())));
        let update = match &state.ban {
            Some(_) => update.set("banned", AttributeValue::Bool(true)),
            None => update.remove("banned"),
        };
        let update = match broadcast {
            Some(broadcast) => {
                let counters =
                    ["viewers", VIEWERS_AT, VIEWERS_TOLD, "likes", "peak", "visits", "screenshot", "screenshot_at"];
                let update = broadcast.write(update).set("counted_since", unix_seconds(opened_at));
                counters.into_iter().fold(update, Update::remove)
            }
            None => update,
        };
        match update.send_returning_old(self, CONTEXT).await? {
            OutcomeWithOldItem::ConditionFailed(newer) => Room::read(&newer).map(Some),
            OutcomeWithOldItem::Done(before) => {
                let were = places(&before).into_iter().map(|(series, position)| (series, position, -1));
                let are = match list {
                    "online" => vec![(Series::All, position, 1), (Series::Online, position, 1)],
                    "offline" => vec![(Series::All, position, 1)],
                    _ => vec![],
                };
                let moves: Vec<Change> = were.chain(are).collect();
                self.add_to_counts(COUNT_TREE, &moves, None, write.now).await?;
                Ok(Some(before)
                    .filter(|before| !before.is_empty())
                    .and_then(|row| self.ok_or_log(&row, Room::read(&row))))
            }
        }
    }

    /// The room of `user`.
    pub async fn room(&self, user: &UserId) -> Result<Option<Room>> {
        self.get(keys::room(user), "read a room").await?.as_ref().map(Room::read).transpose()
    }

    /// The rooms of those of these users who have one.
    pub async fn rooms(&self, users: &BTreeSet<&UserId>) -> Result<Vec<Room>> {
        let keys = users.iter().map(|user| keys::room(user));
        let rooms = self.batch(keys, Consistency::Strong, "read rooms").await?;
        rooms.values().map(Room::read).collect()
    }

    /// The room of the first of these users who has one.
    pub async fn first_room(&self, users: &[UserId]) -> Result<Option<Room>> {
        let keys: Vec<_> = users.iter().map(keys::room).collect();
        let rooms = self.batch(keys.iter().cloned(), Consistency::Strong, "read rooms").await?;
        keys.iter().find_map(|key| rooms.get(&keys::id(key))).map(Room::read).transpose()
    }

    /// Moves a room online or offline because its app says so. Nothing happens if there is no room, nor is about to be one.
    pub async fn set_status(&self, user: &UserId, status: Status, rules: &Rules, now: UnixSeconds) -> Result<()> {
        let seen = self.state_and_room(user).await?;
        if !has_room(&seen) {
            return Ok(());
        }
        let say = |state: &mut BroadcasterState| {
            if state.ban.is_some() {
                return false;
            }
            // Kept also where it changes nothing: what was before it may not have been told yet.
            let evidence = match status {
                Status::Online => Evidence::On(now),
                Status::Offline => Evidence::Off(now, End::Left),
            };
            state.timeline.add(evidence)
        };
        self.change_seen(user, rules, now, seen, None, say).await.map(|_| ())
    }

    /// Bans a user from going live, or lifts the ban, and writes down what there is to do about it. Says whether there
    /// is such a room.
    pub async fn ban(&self, user: &UserId, ban: Option<Ban>, rules: &Rules, now: UnixSeconds) -> Result<bool> {
        let seen = self.state_and_room(user).await?;
        if !has_room(&seen) {
            return Ok(false);
        }
        let apply_verdict = |state: &mut BroadcasterState| {
            match &ban {
                Some(ban) => state.ban(ban, now),
                None => state.lift(),
            }
            true
        };
        self.change_seen(user, rules, now, seen, None, apply_verdict).await?;
        Ok(true)
    }

    /// Takes the picture of a show away that is its cover, and for a while takes no other, if the room is still open for
    /// it.
    pub async fn remove_cover_picture(&self, user: &UserId, broadcast: UnixSeconds, at: UnixSeconds) -> Result<()> {
        let update = Update::of(keys::room(user)).remove("screenshot").set("screenshot_at", unix_seconds(at));
        let update = update.when("#opened_at = :show").value(":show", unix_seconds(broadcast));
        update.send(self, "hide a picture").await.map(|_| ())
    }

    /// Makes a picture of a live its cover, if it has none of its own and is not hidden for what its pictures show. A
    /// live that is over takes only its first, while the room is not open for another show, and hands it on to its
    /// replay.
    pub async fn set_cover_picture(
        &self,
        user: &UserId,
        live: &Live,
        (picture, at): (&Link<255>, UnixSeconds),
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<()> {
        const CONTEXT: &str = "show a picture";
        // A clock that is ahead is no reason to show no other for as long.
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
                .value(":ahead", unix_seconds(now.plus(AHEAD_SECONDS)));
            return update.send(self, CONTEXT).await.map(|_| ());
        }
        let Some(broadcast) = live.broadcast else { return Ok(()) };
        let update = update
            .value(":list", text("offline"))
            .when("#opened_at = :show AND attribute_not_exists(#screenshot_at)")
            .value(":show", unix_seconds(broadcast));
        let is_cover = match update.send_returning_old(self, CONTEXT).await? {
            OutcomeWithOldItem::Done(_) => true,
            // A call before this one may have come no further.
            OutcomeWithOldItem::ConditionFailed(room) => text_in(&room, "screenshot")? == picture.as_str(),
        };
        if !is_cover {
            return Ok(());
        }
        let row = Update::of(keys::live(user, &keys::live_id(live.start, &live.user_stream)));
        let row = row.set("screenshot", text(picture.as_str()));
        row.when("attribute_exists(PK) AND attribute_not_exists(#screenshot)").send(self, CONTEXT).await?;
        self.rewrite_replays_of(user, live, rules, now).await
    }

    /// A page of the rooms that are live.
    pub async fn online_rooms(&self, page: Page) -> Result<ListPage<Room>> {
        Ok(self.page(&ONLINE, page).await?.parse(self, Room::read))
    }

    /// A page of all rooms.
    pub async fn all_rooms(&self, page: Page) -> Result<ListPage<Room>> {
        Ok(self.page(&ALL, page).await?.parse(self, Room::read))
    }

    /// Counts a like of a room, or takes one back. Nothing happens if there is no room, or nothing to take back.
    pub async fn count_room_likes(&self, user: &UserId, by: i64) -> Result<()> {
        self.count_on(keys::room(user), "likes", by).await
    }

    /// Counts a viewer of a room, or one less, because an app says so. Nothing happens if there is no room, or nobody to
    /// take away.
    pub async fn count_room_viewers(&self, user: &UserId, by: i64) -> Result<()> {
        self.count_told_viewers(keys::room(user), by).await
    }

    /// Counts a viewer of the show that the room is open for, and says since which opening it counts, and how many are
    /// watching now. `None` if there is no room, or its group is another one.
    pub(super) async fn count_viewer_in(
        &self,
        user: &UserId,
        group: &GroupId,
        now: UnixSeconds,
    ) -> Result<Option<(UnixSeconds, u64)>> {
        let update = Update::of(keys::room(user)).add("viewers", 1).add("visits", 1).set(VIEWERS_AT, unix_seconds(now));
        let update = update.when("#group = :group").value(":group", text(group.as_str()));
        match update.send_returning_old(self, "count a viewer").await? {
            OutcomeWithOldItem::Done(before) => {
                Ok(Some((counted_since(&before)?, counter_in(&before, "viewers")? + 1)))
            }
            OutcomeWithOldItem::ConditionFailed(_) => Ok(None),
        }
    }

    /// Writes that so many were watching at a time what the room counts since this opening.
    pub(super) async fn raise_peak(&self, user: &UserId, since: UnixSeconds, viewers: u64) -> Result<()> {
        let update = Update::of(keys::room(user)).set("peak", number(viewers));
        let update = counting_since(update, since).when("(attribute_not_exists(#peak) OR #peak < :peak)");
        update.send(self, "count a viewer").await.map(|_| ())
    }

    /// Takes a viewer away who was counted since this opening, and the visit too if it was none. Nothing happens if the
    /// room counts anew since another one.
    pub(super) async fn count_viewer_out(
        &self,
        user: &UserId,
        since: UnixSeconds,
        visit: Departure,
        now: UnixSeconds,
    ) -> Result<()> {
        let update = Update::of(keys::room(user)).add("viewers", -1).set(VIEWERS_AT, unix_seconds(now));
        let update = match visit {
            Departure::Left => update,
            Departure::Duplicate => update.add("visits", -1),
        };
        let update = counting_since(update, since).when("#viewers >= :enough").value(":enough", number(1));
        update.send(self, "count a viewer").await.map(|_| ())
    }

    /// Counts the viewers of a room again, if the group is its own, by how many members were counted since its opening;
    /// says whether they were right.
    pub(super) async fn recount_room_viewers(
        &self,
        user: &UserId,
        group: &GroupId,
        members: impl FnOnce(UnixSeconds) -> u64,
        now: UnixSeconds,
    ) -> Result<bool> {
        let Some(row) = self.get(keys::room(user), "count a viewer").await? else { return Ok(true) };
        if text_in(&row, "group")? != group.as_str() {
            return Ok(true);
        }
        self.recount_viewers(keys::room(user), &row, members(counted_since(&row)?), now).await
    }

    /// Sets the viewers of a row to how many members of a group were counted there, unless an app counts them itself, or
    /// one has come or gone lately; says whether they were right.
    pub(super) async fn recount_viewers(
        &self,
        key: keys::Key,
        row: &Item,
        members: u64,
        now: UnixSeconds,
    ) -> Result<bool> {
        if row.contains_key(VIEWERS_TOLD) || counter_in(row, "viewers")? == members {
            return Ok(true);
        }
        if is_quiet(row, VIEWERS_AT, now)? {
            let as_seen = ["viewers", VIEWERS_AT, VIEWERS_TOLD, "counted_since"];
            let update =
                as_seen.into_iter().fold(Update::of(key), |update, attribute| update.when_unchanged(attribute, row));
            let update = update.set("viewers", number(members)).set(VIEWERS_AT, unix_seconds(now));
            update.send(self, "count a viewer").await?;
        }
        Ok(false)
    }

    /// Counts viewers on an item that is there, never below zero, because an app says so.
    pub(super) async fn count_told_viewers(&self, key: keys::Key, by: i64) -> Result<()> {
        let update = Update::of(key).set(VIEWERS_TOLD, AttributeValue::Bool(true));
        self.count_with(update, "viewers", by).await
    }

    /// Counts on an item that is there, never below zero.
    pub(super) async fn count_on(&self, key: keys::Key, counter: &'static str, by: i64) -> Result<()> {
        self.count_with(Update::of(key), counter, by).await
    }

    /// Writes to an item that is there, and counts on it, never below zero.
    pub(super) async fn count_with(&self, update: Update, counter: &'static str, by: i64) -> Result<()> {
        let update = update.add(counter, by);
        let update = if by < 0 {
            update.when(&format!("#{counter} >= :enough")).value(":enough", number(-by))
        } else {
            update.when("attribute_exists(PK)")
        };
        update.send(self, "count").await.map(|_| ())
    }
}

impl ListPage<Item> {
    /// The rows as they are read, without those that are damaged.
    pub(super) fn parse<T>(self, table: &Table, read: fn(&Item) -> Result<T>) -> ListPage<T> {
        let rows = self.rows.iter().filter_map(|item| table.ok_or_log(item, read(item))).collect();
        ListPage { total: self.total, rows }
    }
}
