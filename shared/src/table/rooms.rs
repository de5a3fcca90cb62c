//! Rooms: the standing place of a broadcaster, one per user, and whether they are live in it.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    Item, Listed, Result, Table,
    batch::Reads,
    contended, counter_in, damaged, keys,
    lists::{Change, List, Position, Series},
    moment, moment_in, number, parsed, text, text_in,
    update::{Outcome, Update, Written},
};
use crate::types::{GroupId, Page, StreamId, Text, UnixSeconds, UserId};

/// The tree that counts rooms.
const TREE: &str = "rooms";
pub(super) const ONLINE: List = List { tree: TREE, series: Series::Online, partitions: &["online"] };
pub(super) const ALL: List = List { tree: TREE, series: Series::All, partitions: &["online", "offline"] };
/// How often a write is tried again that another one came before.
const ATTEMPTS: u32 = 8;
/// How many pushes before the current one are remembered, to know their late ends by.
const PAST_PUSHES: usize = 8;

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
pub struct Show {
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

impl Status {
    /// The partition of the list that such rooms stand in.
    fn partition(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
        }
    }
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
    /// Whether it is live.
    pub status: Status,
    /// Whether it is banned.
    pub banned: bool,
    /// How many are watching.
    pub viewers: u64,
    /// How many likes it got.
    pub likes: u64,
    push: Push,
}

/// What is known of a room's pushes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Push {
    /// The one that started last, and when.
    current: Option<(String, UnixSeconds)>,
    /// Those before it and those that ended, the newest last.
    past: Vec<String>,
}

/// The cloud says that a push started or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushNotice {
    /// Started: online. Ended: offline.
    pub status: Status,
    /// The name of the push, the same at its start and its end; empty in very old notices.
    pub sequence: String,
    /// When it happened.
    pub at: UnixSeconds,
}

/// What became of a wish to go live.
#[derive(Debug)]
pub enum Opened {
    /// The room is there, and pushes this stream.
    Open(StreamId),
    /// The user is banned.
    Banned,
}

impl Room {
    pub(super) fn read(item: &Item) -> Result<Self> {
        let status = match text_in(item, keys::LIST)? {
            "online" => Status::Online,
            "offline" => Status::Offline,
            _ => return Err(damaged(keys::LIST)),
        };
        let current = match text_in(item, "sequence")? {
            "" => None,
            sequence => Some((sequence.to_owned(), moment_in(item, "pushed_at")?)),
        };
        let past = match item.get("past") {
            None => Vec::new(),
            Some(AttributeValue::S(past)) => past.split('\n').map(str::to_owned).collect(),
            Some(_) => return Err(damaged("past")),
        };
        Ok(Self {
            user: parsed(item, "user", UserId::parse)?,
            group: text_in(item, "group")?.to_owned(),
            title: parsed(item, "title", Text::parse)?,
            profile: Profile::read(item)?,
            description: text_in(item, "description")?.to_owned(),
            stream: parsed(item, "stream", StreamId::parse)?,
            opened_at: moment_in(item, "opened_at")?,
            status,
            banned: item.contains_key("banned"),
            viewers: counter_in(item, "viewers")?,
            likes: counter_in(item, "likes")?,
            push: Push { current, past },
        })
    }

    fn position(&self) -> Position {
        Position::of(self.opened_at, self.user.as_str())
    }

    /// What the room is after a notice, or `None` if that changes nothing.
    fn after(&self, notice: &PushNotice) -> Option<(Status, Push)> {
        let (status, push) = self.push.after(self.status, notice.status, &notice.sequence, notice.at);
        let status = if self.banned { Status::Offline } else { status };
        ((status, &push) != (self.status, &self.push)).then_some((status, push))
    }
}

impl Push {
    /// Whether a room is live and what is known of its pushes, after the cloud said something.
    ///
    /// Notices come late, twice and in any order, so they only move forward: a start that is older than the current
    /// push or is known to have ended changes nothing, and neither does the end of a push that another one followed.
    fn after(&self, room: Status, status: Status, sequence: &str, at: UnixSeconds) -> (Status, Self) {
        let is_current = self.current.as_ref().is_some_and(|(current, _)| current == sequence);
        let is_past = self.past.iter().any(|past| past == sequence);
        let is_older = self.current.as_ref().is_some_and(|(_, pushed_at)| at < *pushed_at);
        match status {
            // A notice without a name is taken by its time: a start is a push of that second, and an end ends whatever
            // was before it, so that neither counts again when it is repeated, or comes after what is later.
            Status::Online if sequence.is_empty() => self.after(room, status, &format!("@{at}"), at),
            Status::Offline if sequence.is_empty() && !is_older => {
                let ended = self.current.as_ref().map_or_else(|| format!("@{at}"), |(current, _)| current.clone());
                let past = self.past.iter().filter(|past| **past != ended).cloned().chain([ended.clone()]);
                (status, Self { past: newest(past.collect()), current: Some((ended, at)) })
            }
            Status::Offline if sequence.is_empty() => (room, self.clone()),
            Status::Online if !is_current && !is_past && !is_older => {
                let before = self.current.iter().map(|(current, _)| current);
                let before = before.filter(|current| !self.past.contains(current));
                let past = self.past.iter().chain(before).cloned().collect();
                (status, Self { current: Some((sequence.to_owned(), at)), past: newest(past) })
            }
            // The end of a push whose start never came, later than what is known: whatever ran before it is over too.
            Status::Offline if !is_past && (is_current || !is_older) => {
                let past = self.past.iter().cloned().chain([sequence.to_owned()]);
                (status, Self { current: self.current.clone(), past: newest(past.collect()) })
            }
            Status::Online | Status::Offline => (room, self.clone()),
        }
    }
}

/// The last of the pushes, as many as are remembered.
fn newest(mut past: Vec<String>) -> Vec<String> {
    past.drain(..past.len().saturating_sub(PAST_PUSHES));
    past
}

impl Table {
    /// Opens the room of `user` for a show, or brings the room up to date if it is live already.
    ///
    /// A room that is live keeps its status, its counters and its place in the list. A ban is not lifted. The stream is
    /// the first of `streams` that is not somebody else's, and stays the user's for as long as it begins with `prefix`.
    pub async fn open_room(
        &self,
        user: &UserId,
        show: &Show,
        prefix: &str,
        streams: [StreamId; 2],
        now: UnixSeconds,
    ) -> Result<Opened> {
        const CONTEXT: &str = "open a room";
        let position = Position::of(now, user.as_str());
        let renew = || {
            let update = Update::of(keys::room(user))
                .set("title", text(show.title.as_str()))
                .set_text("description", show.description.as_str());
            let update = match &show.group {
                Some(group) => update.set("group", text(group.as_str())),
                None => update,
            };
            show.profile.write(update)
        };
        let start = || {
            renew()
                .set("user", text(user.as_str()))
                .set("opened_at", moment(now))
                .set(keys::LIST, text(Status::Offline.partition()))
                .set(keys::POSITION, text(keys::place(position, user.as_str())))
                .remove("viewers")
                .remove("likes")
        };
        let mut claimed: Option<StreamId> = None;
        for _ in 0..ATTEMPTS {
            let reopen = start()
                .when("#list = :list AND attribute_not_exists(#banned) AND begins_with(#stream, :prefix)")
                .value(":prefix", text(prefix));
            let room = match reopen.send_for_old(self, CONTEXT).await? {
                Outcome::Done(before) => {
                    let before = Room::read(&before)?;
                    let moved = [(Series::All, before.position(), -1), (Series::All, position, 1)];
                    self.count(TREE, &moved, None).await?;
                    return Ok(Opened::Open(before.stream));
                }
                Outcome::Unmet(item) if item.is_empty() => None,
                Outcome::Unmet(item) => Some(Room::read(&item)?),
            };
            let stream =
                match room.as_ref().map(|room| &room.stream).filter(|stream| stream.as_str().starts_with(prefix)) {
                    Some(stream) => stream.clone(),
                    None => match claimed.take() {
                        Some(stream) => stream,
                        None => self.claim_stream(&streams, user, now).await?,
                    },
                };
            let (update, moved): (Update, Vec<Change>) = match &room {
                Some(room) if room.banned => return Ok(Opened::Banned),
                Some(room) if room.status == Status::Online => {
                    (renew().value(":seen", text("online")).when("#list = :seen"), vec![])
                }
                Some(room) => (
                    start().when("#list = :list AND attribute_not_exists(#banned)"),
                    vec![(Series::All, room.position(), -1), (Series::All, position, 1)],
                ),
                None => (start().when("attribute_not_exists(PK)"), vec![(Series::All, position, 1)]),
            };
            let update = update.set("stream", text(stream.as_str()));
            if update.send(self, CONTEXT).await? == Written::Done {
                self.count(TREE, &moved, None).await?;
                return Ok(Opened::Open(stream));
            }
            claimed = Some(stream);
        }
        Err(contended(CONTEXT))
    }

    /// The room of `user`.
    pub async fn room(&self, user: &UserId) -> Result<Option<Room>> {
        self.get(keys::room(user), "read a room").await?.as_ref().map(Room::read).transpose()
    }

    /// The room of the first of these users who has one.
    pub async fn first_room(&self, users: &[UserId]) -> Result<Option<Room>> {
        let keys: Vec<_> = users.iter().map(keys::room).collect();
        let rooms = self.batch(keys.iter().cloned(), Reads::Consistent, "read rooms").await?;
        keys.iter().find_map(|key| rooms.get(&keys::id(key))).map(Room::read).transpose()
    }

    /// Moves a room online or offline because its app says so. Nothing happens if there is no room, or it is banned.
    pub async fn set_status(&self, user: &UserId, status: Status) -> Result<()> {
        let before = match status {
            Status::Online => Status::Offline,
            Status::Offline => Status::Online,
        };
        let update = Update::of(keys::room(user))
            .set(keys::LIST, text(status.partition()))
            .when("#list = :before AND attribute_not_exists(#banned)")
            .value(":before", text(before.partition()));
        match update.send_for_old(self, "move a room online or offline").await? {
            Outcome::Done(room) => self.count_move(&Room::read(&room)?, status).await,
            Outcome::Unmet(_) => Ok(()),
        }
    }

    /// Moves a room online or offline as far as a notice of the cloud goes. Nothing happens if there is no room.
    pub async fn push_changed(&self, user: &UserId, notice: &PushNotice) -> Result<()> {
        const CONTEXT: &str = "move a room online or offline";
        for _ in 0..ATTEMPTS {
            let Some(room) = self.room(user).await? else { return Ok(()) };
            let Some((status, push)) = room.after(notice) else { return Ok(()) };
            let mut update = Update::of(keys::room(user))
                .set(keys::LIST, text(status.partition()))
                .set_text("past", &push.past.join("\n"))
                .when("#list = :seen_list AND #opened_at = :seen_opened")
                .value(":seen_list", text(room.status.partition()))
                .value(":seen_opened", moment(room.opened_at));
            if let Some((sequence, pushed_at)) = &push.current {
                update = update.set("sequence", text(sequence)).set("pushed_at", moment(*pushed_at));
            }
            // Each of these tells that no other notice has been heard since.
            let seen_sequence = room.push.current.as_ref().map(|(sequence, _)| sequence.clone()).unwrap_or_default();
            for (attribute, seen) in [("sequence", seen_sequence), ("past", room.push.past.join("\n"))] {
                update = if seen.is_empty() {
                    update.when(&format!("attribute_not_exists(#{attribute})"))
                } else {
                    update
                        .when(&format!("#{attribute} = :seen_{attribute}"))
                        .value(&format!(":seen_{attribute}"), text(seen))
                };
            }
            update = update.when(match room.banned {
                true => "attribute_exists(#banned)",
                false => "attribute_not_exists(#banned)",
            });
            if update.send(self, CONTEXT).await? == Written::Done {
                return self.count_move(&room, status).await;
            }
        }
        Err(contended(CONTEXT))
    }

    /// Bans a user from going live, or lifts the ban; says whether there is such a room.
    pub async fn ban(&self, user: &UserId, banned: bool) -> Result<Option<Room>> {
        const CONTEXT: &str = "ban a user";
        for _ in 0..ATTEMPTS {
            let Some(room) = self.room(user).await? else { return Ok(None) };
            let update =
                Update::of(keys::room(user)).when("#list = :seen").value(":seen", text(room.status.partition()));
            let (update, status) = if banned {
                let update = update.set("banned", AttributeValue::Bool(true));
                (update.set(keys::LIST, text(Status::Offline.partition())), Status::Offline)
            } else {
                (update.remove("banned"), room.status)
            };
            if let Outcome::Done(before) = update.send_for_old(self, CONTEXT).await? {
                // As it stood in the very moment of the ban: between the read and that it may have been opened anew.
                let room = Room::read(&before)?;
                self.count_move(&room, status).await?;
                return Ok(Some(room));
            }
        }
        Err(contended(CONTEXT))
    }

    async fn count_move(&self, room: &Room, status: Status) -> Result<()> {
        let by = match (room.status, status) {
            (Status::Offline, Status::Online) => 1,
            (Status::Online, Status::Offline) => -1,
            (Status::Online, Status::Online) | (Status::Offline, Status::Offline) => return Ok(()),
        };
        self.count(TREE, &[(Series::Online, room.position(), by)], None).await
    }

    /// A page of the rooms that are live.
    pub async fn online_rooms(&self, page: Page) -> Result<Listed<Room>> {
        self.page(&ONLINE, page).await?.parse(Room::read)
    }

    /// A page of all rooms.
    pub async fn all_rooms(&self, page: Page) -> Result<Listed<Room>> {
        self.page(&ALL, page).await?.parse(Room::read)
    }

    /// Counts a like of a room, or takes one back. Nothing happens if there is no room, or nothing to take back.
    pub async fn count_room_likes(&self, user: &UserId, by: i64) -> Result<()> {
        self.count_on(keys::room(user), "likes", by).await
    }

    /// Counts a viewer of a room, or one less. Nothing happens if there is no room, or nobody to take away.
    pub async fn count_room_viewers(&self, user: &UserId, by: i64) -> Result<()> {
        self.count_on(keys::room(user), "viewers", by).await
    }

    /// Counts a viewer of the show that the room is open for, and says which one that is: when it was opened. `None` if
    /// there is no room, or its group is another one.
    pub(super) async fn count_viewer_in(&self, user: &UserId, group: &GroupId) -> Result<Option<UnixSeconds>> {
        let update = Update::of(keys::room(user)).add("viewers", 1);
        let update = update.when("#group = :group").value(":group", text(group.as_str()));
        match update.send_for_old(self, "count a viewer").await? {
            Outcome::Done(before) => moment_in(&before, "opened_at").map(Some),
            Outcome::Unmet(_) => Ok(None),
        }
    }

    /// Takes a viewer of this show away. Nothing happens if the room has been opened for another one since.
    pub(super) async fn count_viewer_out(&self, user: &UserId, show: UnixSeconds) -> Result<()> {
        let update = Update::of(keys::room(user)).add("viewers", -1);
        let update = update.when("#viewers >= :enough AND #opened_at = :show");
        let update = update.value(":enough", number(1)).value(":show", moment(show));
        update.send(self, "count a viewer").await.map(|_| ())
    }

    /// Counts on an item that is there, never below zero.
    pub(super) async fn count_on(&self, key: keys::Key, counter: &'static str, by: i64) -> Result<()> {
        let update = Update::of(key).add(counter, by);
        let update = if by < 0 {
            update.when(&format!("#{counter} >= :enough")).value(":enough", number(-by))
        } else {
            update.when("attribute_exists(PK)")
        };
        update.send(self, "count").await.map(|_| ())
    }
}

impl Listed<Item> {
    pub(super) fn parse<T>(self, read: fn(&Item) -> Result<T>) -> Result<Listed<T>> {
        Ok(Listed { total: self.total, rows: self.rows.iter().map(read).collect::<Result<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: Status = Status::Online;
    const OFF: Status = Status::Offline;

    /// Plays notices of the cloud (status, push, second) to a room that is offline.
    fn play(notices: &[(Status, &str, u64)]) -> Status {
        let mut room = (OFF, Push::default());
        for (status, sequence, at) in notices {
            room = room.1.after(room.0, *status, sequence, UnixSeconds(*at));
        }
        room.0
    }

    #[test]
    fn a_push_starts_and_ends() {
        assert_eq!(play(&[(ON, "1", 10)]), ON);
        assert_eq!(play(&[(ON, "1", 10), (OFF, "1", 20)]), OFF);
        assert_eq!(play(&[(ON, "1", 10), (OFF, "1", 20), (ON, "2", 30)]), ON);
    }

    #[test]
    fn a_notice_that_comes_twice_changes_nothing() {
        assert_eq!(play(&[(ON, "1", 10), (OFF, "1", 20), (ON, "1", 10)]), OFF);
        assert_eq!(play(&[(ON, "1", 10), (OFF, "1", 20), (ON, "2", 30), (OFF, "1", 20)]), ON);
    }

    #[test]
    fn an_end_that_comes_before_its_start_holds() {
        assert_eq!(play(&[(OFF, "1", 20), (ON, "1", 10)]), OFF);
    }

    #[test]
    fn after_a_reconnect_the_end_of_the_old_push_changes_nothing() {
        assert_eq!(play(&[(ON, "1", 10), (ON, "2", 30), (OFF, "1", 31)]), ON);
    }

    #[test]
    fn a_start_that_is_older_than_the_current_push_changes_nothing() {
        assert_eq!(play(&[(ON, "2", 30), (OFF, "2", 40), (ON, "1", 10)]), OFF);
    }

    #[test]
    fn the_end_of_a_push_whose_start_was_lost_ends_what_was_before_it() {
        assert_eq!(play(&[(ON, "1", 10), (OFF, "2", 40)]), OFF);
        assert_eq!(play(&[(ON, "2", 30), (OFF, "1", 20)]), ON, "unless it is older");
    }

    #[test]
    fn notices_without_a_sequence_are_taken_by_their_time() {
        assert_eq!(play(&[(ON, "", 10)]), ON);
        assert_eq!(play(&[(ON, "", 10), (OFF, "", 20)]), OFF);
        assert_eq!(play(&[(ON, "1", 30), (OFF, "", 20)]), ON);
        assert_eq!(play(&[(ON, "", 0), (OFF, "", 10), (ON, "", 0)]), OFF, "a start that is repeated");
        assert_eq!(play(&[(OFF, "", 10), (ON, "", 5)]), OFF, "a start that comes late");
        assert_eq!(play(&[(ON, "", 0), (OFF, "", 10), (ON, "", 20), (OFF, "", 10)]), ON, "an end that is repeated");
    }

    #[test]
    fn a_push_that_ended_and_was_followed_is_remembered_once() {
        let mut push = Push::default();
        for n in 0..=PAST_PUSHES as u64 {
            push = push.after(OFF, ON, &n.to_string(), UnixSeconds(n)).1;
            if n < PAST_PUSHES as u64 {
                push = push.after(ON, OFF, &n.to_string(), UnixSeconds(n)).1;
            }
        }
        assert_eq!(push.past, ["0", "1", "2", "3", "4", "5", "6", "7"]);
    }

    #[test]
    fn the_pushes_remembered_are_bounded() {
        let mut push = Push::default();
        for n in 0..100_u64 {
            push = push.after(OFF, ON, &n.to_string(), UnixSeconds(n)).1;
        }
        assert_eq!(push.past.len(), PAST_PUSHES);
    }
}
