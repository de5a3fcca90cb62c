//! Replays: what remains of a live. The files of all its formats and parts are one entry, named by the first to come.
//!
//! Which files belong together the [`timeline`](timeline) says; here the rows are written that follow from it. A
//! file that is a part of another's replay leads to that one, so that it is known, and found.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use super::{
    Item, ListPage, Result, Table,
    batch::Consistency,
    counter_in, invalid_attribute, keys,
    lists::{Change, List, Position, Series, counts_expire_at},
    lives::Totals,
    number, parsed,
    rooms::{Profile, VIEWERS_AT},
    state::{BroadcasterState, KEPT_SECONDS, WriteContext},
    tasks::OPEN,
    text, text_in, too_many_conflicts, unix_seconds, unix_seconds_in,
    update::{Update, WriteOutcome},
};
use crate::rules::Rules;
use protocol::{
    json::bytes_of,
    types::{FileId, Page, Text, UnixSeconds, UserId},
};
use timeline::{Evidence, Live, Recording, ReplayFiles, ReplayPart, Timeline, UserStream};

pub(super) const COUNT_TREE: &str = "replays";
pub(super) const REPLAYS: List = List { tree: COUNT_TREE, series: Series::All, partitions: &["replays"] };
/// How often a write is tried again that another one came before.
const ATTEMPTS: u32 = 8;
/// How soon files that nobody deleted are looked after by the sweep: later than who deletes them now gives up.
const UNFINISHED_SECONDS: u64 = 90;
/// The most parts that a replay is kept with, and the most bytes that they take, and those that are to be deleted: an
/// item of the table has 400 KB.
const MAX_PARTS: usize = 400;
const MAX_PART_BYTES: usize = 220_000;
const MAX_DOOMED_BYTES: usize = 120_000;

/// Why a replay is kept out of the lists: its owner hid it, or deleted it, or was banned, or its live was hidden for a
/// forbidden picture.
const KEPT_OUT: [&str; 4] = ["hidden", "deleted", "withheld", "forbidden"];

/// What remains of a live.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Whose it is.
    pub user: UserId,
    /// Its first file, which names it.
    pub file: FileId,
    /// The title.
    pub title: Text<255>,
    /// The broadcaster.
    pub profile: Profile,
    /// Where it plays as one file; empty if it does not.
    pub play_url: String,
    /// Where it plays as HLS; empty if it does not.
    pub hls_url: String,
    /// When it started.
    pub started_at: UnixSeconds,
    /// When it ended.
    pub ended_at: UnixSeconds,
    /// How many are watching.
    pub viewers: u64,
    /// How many likes it got, those of the live included.
    pub likes: u64,
    /// Its files, the first picture first.
    pub parts: Vec<ReplayPart>,
    /// Whether its owner, or an operator, has taken it out of the lists.
    pub hidden: bool,
    /// What the live came to.
    pub totals: Totals,
}

/// What the owner of a replay changes of it; what is `None` stays as it is.
#[derive(Clone, Debug)]
pub struct ReplayChanges {
    /// Its title; empty: that of its show.
    pub title: Option<Text<255>>,
    /// Whether nobody is to see it.
    pub hidden: Option<bool>,
}

impl Replay {
    fn read(item: &Item) -> Result<Self> {
        let totals = Totals {
            peak: counter_in(item, "peak")?,
            visits: counter_in(item, "visits")?,
            likes: counter_in(item, "live_likes")?,
            screenshot: text_in(item, "screenshot")?.to_owned(),
        };
        let mut profile = Profile::read(item)?;
        if profile.frontcover.as_str().is_empty() {
            profile.frontcover = Text::parse(&totals.screenshot).unwrap_or_default();
        }
        let title = match text_in(item, "renamed")? {
            "" => parsed(item, "title", Text::parse)?,
            renamed => Text::parse(renamed).ok_or_else(|| invalid_attribute("renamed"))?,
        };
        Ok(Self {
            user: parsed(item, "user", UserId::parse)?,
            file: parsed(item, "file", FileId::parse)?,
            title,
            profile,
            play_url: text_in(item, "play_url")?.to_owned(),
            hls_url: text_in(item, "hls_url")?.to_owned(),
            started_at: unix_seconds_in(item, "started_at")?,
            ended_at: unix_seconds_in(item, "ended_at")?,
            viewers: counter_in(item, "viewers")?,
            likes: counter_in(item, "likes")? + totals.likes,
            parts: parts_of(item)?,
            hidden: item.contains_key("hidden"),
            totals,
        })
    }
}

pub(super) fn parts_of(item: &Item) -> Result<Vec<ReplayPart>> {
    match text_in(item, "parts")? {
        "" => Ok(Vec::new()),
        parts => serde_json::from_str(parts).map_err(|_| invalid_attribute("parts")),
    }
}

/// Whether a replay stands in no list, however long it is.
pub(super) fn is_kept_out(row: &Item) -> bool {
    KEPT_OUT.iter().any(|reason| row.contains_key(*reason))
}

/// The same, but for what follows from the timeline.
fn is_kept_out_by_others(row: &Item) -> bool {
    KEPT_OUT.iter().any(|reason| *reason != "forbidden" && row.contains_key(*reason))
}

/// Where a row stands in the list of replays; `None` if it does not.
pub(super) fn place_of(row: &Item) -> Result<Option<Position>> {
    if !row.contains_key(keys::LIST) {
        return Ok(None);
    }
    Position::read(text_in(row, keys::POSITION)?).map(Some).ok_or_else(|| invalid_attribute(keys::POSITION))
}

impl Table {
    /// Takes in a recording of a user who has a room. Once and for all, however often and in whatever order it comes.
    pub async fn record(&self, user: &UserId, recording: Recording, rules: &Rules, now: UnixSeconds) -> Result<()> {
        let seen = self.state_and_room(user).await?;
        let before = now.minus(KEPT_SECONDS);
        let is_kept = |mut timeline: Timeline| {
            timeline.prune(before, rules.grace_seconds);
            timeline.has_file(&recording.part.file)
        };
        // Of what a timeline may have forgotten, the row tells that it is known.
        if (recording.part.end < before || seen.0.timeline.may_have_forgotten(&recording))
            && !is_kept(seen.0.timeline.clone())
            && self.get(keys::replay(user, &recording.part.file), "read a replay").await?.is_some()
        {
            return self.replace_address(user, &recording.part).await;
        }
        let evidence = Evidence::Recorded(recording);
        let add = |state: &mut BroadcasterState| state.timeline.add(evidence.clone());
        self.change_seen(user, rules, now, seen, None, add).await.map(|_| ())
    }

    /// Gives a file that the timeline has forgotten another address, in the row of its replay, if that has no newer one.
    async fn replace_address(&self, user: &UserId, notice: &ReplayPart) -> Result<()> {
        const CONTEXT: &str = "replace an address";
        for _ in 0..ATTEMPTS {
            let found = self.replay_row(user, &notice.file).await?.filter(|(_, row)| !row.contains_key("deleted"));
            let Some((file, row)) = found else { return Ok(()) };
            let mut parts = parts_of(&row)?;
            let is_other = parts.iter_mut().any(|part| part.file == notice.file && part.take_address(notice));
            if !is_other {
                return Ok(());
            }
            let (start, end) = (unix_seconds_in(&row, "started_at")?, unix_seconds_in(&row, "ended_at")?);
            let replay = ReplayFiles { file, parts, start, end, live: None, info_at: None };
            let update = Update::of(keys::replay(user, &replay.file))
                .set("parts", text(json_of(&replay.parts)?))
                .set_text("play_url", replay.play_url().unwrap_or_default())
                .set_text("hls_url", replay.hls_url().unwrap_or_default())
                .set("address_changes", number(counter_in(&row, "address_changes")? + 1));
            if as_seen(update, &row).send(self, CONTEXT).await? == WriteOutcome::Done {
                return Ok(());
            }
        }
        Err(too_many_conflicts(CONTEXT))
    }

    /// Writes the row of a replay. Files that were deleted are no parts of it; one that is deleted itself stays so, and
    /// whatever else came for it is to be deleted too. It is hidden if something that became a part of it was, or
    /// something that it was a part of.
    pub(super) async fn write_replay(
        &self,
        write: &WriteContext<'_>,
        whole: &ReplayFiles,
        live: Option<&Live>,
    ) -> Result<()> {
        const CONTEXT: &str = "write a replay";
        for _ in 0..ATTEMPTS {
            let rows = self.rows_of(write.user, whole).await?;
            let row = rows.of(&whole.file);
            if write.is_written(&row)? {
                return Ok(());
            }
            let is_deleted = row.contains_key("deleted");
            let (whole, left_out) = as_kept(whole, &row, &rows, &write.state.timeline)?;
            if left_out > 0 {
                let key = self.key_for_log(&keys::replay(write.user, &whole.file));
                tracing::warn!(key, left_out, "a replay has more files than its row has room for; it lacks the oldest");
            }
            let replay = &whole;
            let mut update = write
                .row(keys::replay(write.user, &replay.file))
                .set("user", text(write.user.as_str()))
                .set("file", text(replay.file.as_str()))
                .set("started_at", unix_seconds(replay.start))
                .set("ended_at", unix_seconds(replay.end))
                .set_text("play_url", replay.play_url().unwrap_or_default())
                .set_text("hls_url", replay.hls_url().unwrap_or_default())
                .set("parts", text(json_of(&replay.parts)?))
                .remove("part_of");
            if is_deleted {
                let more = came_since(replay, &parts_of(&row)?, &rows);
                if !more.is_empty() {
                    let pending_deletions = pending_deletions_of(&row)?.into_iter().chain(more).collect();
                    update = schedule_deletion(update, pending_deletions, write.now)?;
                }
            }
            if !is_deleted && write.rules.replay_kept_seconds > 0 {
                let due = replay.end.plus(write.rules.replay_kept_seconds);
                update = update.set(keys::TASK, text(OPEN)).set(keys::DUE, unix_seconds(due));
            }
            let is_hidden = row.contains_key("hidden") || self.is_hidden_with(write.user, replay, &row, &rows).await?;
            if is_hidden {
                update = update.set("hidden", AttributeValue::Bool(true));
            }
            update = self.describe(write, replay, &row, update).await?;
            if let Some(live) = live.filter(|live| live.end.is_some() && live.user_stream == UserStream::Own) {
                let totals = self.totals(write.user, live).await?;
                update = update
                    .set("peak", number(totals.peak))
                    .set("visits", number(totals.visits))
                    .set("live_likes", number(totals.likes))
                    .set_text("screenshot", &totals.screenshot);
            }
            if live.is_none() && write.state.timeline.knows_lives_of(replay) {
                // It may have been taken for a part of one.
                update = ["peak", "visits", "live_likes", "screenshot"].into_iter().fold(update, Update::remove);
            }
            let is_withheld = write.state.ban.as_ref().is_some_and(|ban| ban.hides_replays);
            if is_withheld {
                update = update.set("withheld", AttributeValue::Bool(true));
            }
            // Of a live that is forgotten it is not known any more whether a picture of it was forbidden.
            let was_forbidden =
                row.contains_key("forbidden") && live.is_none() && !write.state.timeline.knows_lives_of(replay);
            let is_forbidden = was_forbidden || write.state.is_forbidden(write.projection, replay);
            update = if is_forbidden {
                update.set("forbidden", AttributeValue::Bool(true))
            } else {
                update.remove("forbidden")
            };
            let is_kept_out = is_withheld || is_hidden || is_forbidden || is_kept_out_by_others(&row);
            let is_listed = !is_kept_out && replay.seconds() > write.rules.replay_min_seconds;
            let place = is_listed.then_some((replay.end, &replay.file));
            if self.place_replay(update, &row, place, write.rules, write.now).await? == WriteOutcome::Done {
                return Ok(());
            }
        }
        Err(too_many_conflicts(CONTEXT))
    }

    /// The rows of the files of a replay.
    async fn rows_of(&self, user: &UserId, replay: &ReplayFiles) -> Result<Rows> {
        self.rows_of_files(user, replay.parts.iter().map(|part| &part.file)).await
    }

    /// The rows of files.
    pub(super) async fn rows_of_files<'a>(
        &self,
        user: &UserId,
        files: impl Iterator<Item = &'a FileId> + Clone,
    ) -> Result<Rows> {
        let keys = files.clone().map(|file| keys::replay(user, file));
        let mut rows = self.batch(keys, Consistency::Strong, "read replays").await?;
        let row = |file: &FileId| Some((file.clone(), rows.remove(&keys::id(&keys::replay(user, file)))?));
        Ok(Rows(files.filter_map(row).collect()))
    }

    /// Whether a replay is hidden because of what it was a part of until now, or what is a part of it from now on.
    async fn is_hidden_with(&self, user: &UserId, replay: &ReplayFiles, row: &Item, rows: &Rows) -> Result<bool> {
        let mut others = replay.parts.iter().filter(|part| part.file != replay.file && rows.name_replay(&part.file));
        if others.any(|part| rows.have(&part.file, "hidden")) {
            return Ok(true);
        }
        let Some(whole) = FileId::parse(text_in(row, "part_of")?) else { return Ok(false) };
        let whole = self.get(keys::replay(user, &whole), "read a replay").await?;
        Ok(whole.is_some_and(|row| row.contains_key("hidden")))
    }

    /// Takes all replays of a user out of the lists, or lets them in again, as far as it is for their ban.
    pub async fn withhold_replays(&self, user: &UserId, withheld: bool, rules: &Rules, now: UnixSeconds) -> Result<()> {
        let request = self
            .client
            .query()
            .consistent_read(true)
            .key_condition_expression("PK = :user AND begins_with(SK, :replay)")
            .expression_attribute_values(":user", text(keys::user_partition(user)))
            .expression_attribute_values(":replay", text(keys::REPLAY_PREFIX));
        let mut rows = self.query(request, usize::MAX, "read replays").await?;
        let is_none = |row: &Item| ["part_of", "deleted"].iter().any(|other| row.contains_key(*other));
        rows.retain(|row| !is_none(row) && row.contains_key("withheld") != withheld);
        // One that is damaged stands in no page of a list.
        let replays = rows.into_iter().filter_map(|row| Some((self.ok_or_log(&row, Replay::read(&row))?, row)));
        let (replays, rows): (Vec<Replay>, Vec<Item>) = replays.unzip();
        // Who tries again does not find the rows that were moved already, and does not count them.
        let positions = replays.iter().map(|replay| Position::of(replay.ended_at, replay.file.as_str()));
        self.mark_counts_unconfirmed(user, COUNT_TREE, &positions.collect::<Vec<_>>(), rules, now).await?;
        for (mut row, replay) in rows.into_iter().zip(replays) {
            let update = Update::of(keys::replay(user, &replay.file)).when("attribute_exists(PK)");
            let was = row.clone();
            let update = if withheld {
                row.insert("withheld".to_owned(), AttributeValue::Bool(true));
                update.set("withheld", AttributeValue::Bool(true))
            } else {
                row.remove("withheld");
                update.remove("withheld")
            };
            let is_long = replay.ended_at.0.saturating_sub(replay.started_at.0) > rules.replay_min_seconds;
            let place = (!is_kept_out(&row) && is_long).then_some((replay.ended_at, &replay.file));
            if self.place_replay(update, &was, place, rules, now).await? == WriteOutcome::ConditionFailed {
                return Err(too_many_conflicts("withhold a replay"));
            }
        }
        Ok(())
    }

    /// Writes that a file is a part of a replay that another file names.
    pub(super) async fn write_part(&self, write: &WriteContext<'_>, replay: &ReplayFiles, file: &FileId) -> Result<()> {
        const CONTEXT: &str = "write a replay";
        let key = keys::replay(write.user, file);
        for _ in 0..ATTEMPTS {
            let row = self.get(key.clone(), CONTEXT).await?.unwrap_or_default();
            if write.is_written(&row)? {
                return Ok(());
            }
            let update = write.row(key.clone()).set("part_of", text(replay.file.as_str()));
            if self.place_replay(update, &row, None, write.rules, write.now).await? == WriteOutcome::Done {
                return Ok(());
            }
        }
        Err(too_many_conflicts(CONTEXT))
    }

    /// Says what a replay is called: as its show was, which may be another one than before. If that is long ago it stays
    /// as it is called, or is called as the room is now.
    async fn describe(
        &self,
        write: &WriteContext<'_>,
        replay: &ReplayFiles,
        row: &Item,
        update: Update,
    ) -> Result<Update> {
        let broadcast = match replay.info_at {
            Some(start_request) => self.broadcast(write.user, start_request).await?,
            None => None,
        };
        if let Some(broadcast) = broadcast {
            return Ok(broadcast.profile.write(update).set_text("title", broadcast.title.as_str()));
        }
        if row.contains_key("title") {
            return Ok(update);
        }
        Ok(match self.room(write.user).await? {
            Some(room) => room.profile.write(update).set_text("title", room.title.as_str()),
            None => update,
        })
    }

    /// Writes a row that has been read, and puts it in its place of the list, or takes it out. Unmet if somebody else put
    /// it elsewhere since.
    pub(super) async fn place_replay(
        &self,
        update: Update,
        row: &Item,
        place: Option<(UnixSeconds, &FileId)>,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<WriteOutcome> {
        let before = place_of(row)?;
        let position = place.map(|(end, file)| Position::of(end, file.as_str()));
        let update = match (position, place) {
            (Some(position), Some((_, file))) => {
                let place = keys::list_sort_key(position, file.as_str());
                update.set(keys::LIST, text(COUNT_TREE)).set(keys::POSITION, text(place))
            }
            (None, _) | (_, None) => update.remove(keys::LIST).remove(keys::POSITION),
        };
        if as_seen(update, row).send(self, "write a replay").await? == WriteOutcome::ConditionFailed {
            return Ok(WriteOutcome::ConditionFailed);
        }
        if before != position {
            let moves = [(before, -1), (position, 1)];
            let moves = moves.into_iter().filter_map(|(place, by)| Some((Series::All, place?, by)));
            let end = place.map_or(UnixSeconds(0), |(end, _)| end);
            let expires_at = place.map(|_| counts_expire_at(end, rules.replay_window_seconds));
            self.add_to_counts(COUNT_TREE, &moves.collect::<Vec<Change>>(), expires_at, now).await?;
        }
        Ok(WriteOutcome::Done)
    }

    /// The replay that a file belongs to.
    pub async fn replay(&self, user: &UserId, file: &FileId) -> Result<Option<Replay>> {
        let found = self.replay_row(user, file).await?.filter(|(_, row)| !row.contains_key("deleted"));
        found.map(|(_, row)| Replay::read(&row)).transpose()
    }

    /// The row of the replay that a file belongs to, and the file that names it. It may be deleted.
    async fn replay_row(&self, user: &UserId, file: &FileId) -> Result<Option<(FileId, Item)>> {
        /// A replay can have become part of another one, and that of a third, and not every row tells so yet.
        const MAX_STEPS: usize = 4;
        let mut file = file.clone();
        for _ in 0..MAX_STEPS {
            let Some(row) = self.get(keys::replay(user, &file), "read a replay").await? else { return Ok(None) };
            match text_in(&row, "part_of")? {
                "" => return Ok(Some((file, row))),
                _ if row.contains_key("deleted") => return Ok(Some((file, row))),
                replay => file = FileId::parse(replay).ok_or_else(|| invalid_attribute("part_of"))?,
            }
        }
        Ok(None)
    }

    /// Changes what its owner says of a replay; says whether there is one. An empty title is that of its show again.
    pub async fn change_replay(
        &self,
        user: &UserId,
        file: &FileId,
        changes: &ReplayChanges,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            let found = self.replay_row(user, file).await?.filter(|(_, row)| !row.contains_key("deleted"));
            let Some((file, row)) = found else { return Ok(false) };
            let update = Update::of(keys::replay(user, &file));
            let update = match &changes.title {
                Some(title) => update.set_text("renamed", title.as_str()),
                None => update,
            };
            let is_hidden = changes.hidden.unwrap_or(row.contains_key("hidden"));
            let update =
                if is_hidden { update.set("hidden", AttributeValue::Bool(true)) } else { update.remove("hidden") };
            let (start, end) = (unix_seconds_in(&row, "started_at")?, unix_seconds_in(&row, "ended_at")?);
            let is_long = end.0.saturating_sub(start.0) > rules.replay_min_seconds;
            let is_kept_out = ["withheld", "forbidden"].iter().any(|reason| row.contains_key(*reason));
            let is_listed = !is_hidden && !is_kept_out && is_long;
            if place_of(&row)?.is_some() != is_listed {
                self.mark_counts_unconfirmed(user, COUNT_TREE, &[Position::of(end, file.as_str())], rules, now).await?;
            }
            if self.place_replay(update, &row, is_listed.then_some((end, &file)), rules, now).await?
                == WriteOutcome::Done
            {
                return Ok(true);
            }
        }
        Err(too_many_conflicts("change a replay"))
    }

    /// Takes a replay out of the lists for good, and notes that its files are to be deleted. Gives the file that names
    /// it, also if it has been deleted before; `None` if there is none.
    pub async fn delete_replay(
        &self,
        user: &UserId,
        file: &FileId,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<Option<FileId>> {
        for _ in 0..ATTEMPTS {
            let Some((file, row)) = self.replay_row(user, file).await? else { return Ok(None) };
            if row.contains_key("deleted") {
                return Ok(Some(file));
            }
            if let Some(place) = place_of(&row)? {
                self.mark_counts_unconfirmed(user, COUNT_TREE, &[place], rules, now).await?;
            }
            let pending_deletions = parts_of(&row)?.iter().map(PendingDeletion::of).collect();
            let update = Update::of(keys::replay(user, &file)).set("deleted", unix_seconds(now));
            let update = schedule_deletion(update, pending_deletions, now.plus(UNFINISHED_SECONDS))?;
            if self.place_replay(update, &row, None, rules, now).await? == WriteOutcome::Done {
                return Ok(Some(file));
            }
        }
        Err(too_many_conflicts("delete a replay"))
    }

    /// When the replay ended that this file names; `None` if there is none, or it is deleted.
    pub async fn replay_ended(&self, user: &UserId, file: &FileId) -> Result<Option<UnixSeconds>> {
        let row = self.get(keys::replay(user, file), "read a replay").await?;
        let row = row.filter(|row| !row.contains_key("deleted") && !row.contains_key("part_of"));
        row.map(|row| unix_seconds_in(&row, "ended_at")).transpose()
    }

    /// The files of a deleted replay that are still to be deleted.
    pub async fn pending_deletions(&self, user: &UserId, file: &FileId) -> Result<Vec<PendingDeletion>> {
        let row = self.get(keys::replay(user, file), "read a replay").await?;
        row.as_ref().map_or(Ok(Vec::new()), pending_deletions_of)
    }

    /// Writes that a file is deleted, whatever it turns out to be a part of.
    pub async fn mark_deleted(&self, user: &UserId, file: &FileId, now: UnixSeconds) -> Result<()> {
        let update = Update::of(keys::replay(user, file)).set("deleted", unix_seconds(now));
        update.send(self, "delete a replay").await.map(|_| ())
    }

    /// Writes which of the files that were to be deleted are left, and when somebody should look after them. If others
    /// came meanwhile, that stays as it is.
    pub async fn set_pending_deletions(
        &self,
        user: &UserId,
        file: &FileId,
        (seen, left): (&[PendingDeletion], Vec<PendingDeletion>),
        due: UnixSeconds,
    ) -> Result<()> {
        let update = schedule_deletion(Update::of(keys::replay(user, file)), left, due)?;
        let update = update.when("#to_delete = :seen").value(":seen", text(json_of(seen)?));
        update.send(self, "delete a replay").await.map(|_| ())
    }

    /// Counts a like of a replay, or takes one back. Nothing happens if there is no such replay.
    pub async fn count_replay_likes(&self, user: &UserId, file: &FileId, by: i64) -> Result<()> {
        match self.replay(user, file).await? {
            Some(replay) => self.count_on(keys::replay(user, &replay.file), "likes", by).await,
            None => Ok(()),
        }
    }

    /// Counts a viewer of a replay, or one less, because an app says so. Nothing happens if there is no such replay.
    pub async fn count_replay_viewers(&self, user: &UserId, file: &FileId, by: i64) -> Result<()> {
        match self.replay(user, file).await? {
            Some(replay) => self.count_told_viewers(keys::replay(user, &replay.file), by).await,
            None => Ok(()),
        }
    }

    /// Counts a viewer of a replay who is a member of the group of one of its files, or one less.
    pub(super) async fn count_replay_viewer(
        &self,
        user: &UserId,
        file: &FileId,
        by: i64,
        now: UnixSeconds,
    ) -> Result<()> {
        let Some(replay) = self.replay(user, file).await? else { return Ok(()) };
        let update = Update::of(keys::replay(user, &replay.file)).set(VIEWERS_AT, unix_seconds(now));
        self.count_with(update, "viewers", by).await
    }

    /// The row that counts the viewers of the replay of a file, and the files of the replay, of which the first names it.
    pub(super) async fn viewed_replay(&self, user: &UserId, file: &FileId) -> Result<Option<(Item, Vec<FileId>)>> {
        let found = self.replay_row(user, file).await?.filter(|(_, row)| !row.contains_key("deleted"));
        let Some((name, row)) = found else { return Ok(None) };
        let parts = parts_of(&row)?.into_iter().map(|part| part.file).filter(|part| *part != name);
        let files = std::iter::once(name.clone()).chain(parts).collect();
        Ok(Some((row, files)))
    }

    /// A page of the replays that ended in the last `window` seconds.
    pub async fn recent_replays(&self, now: UnixSeconds, window: u64, page: Page) -> Result<ListPage<Replay>> {
        Ok(self.recent_page(&REPLAYS, now, window, page).await?.parse(self, Replay::read))
    }
}

/// Writes a row of a replay only if it is as it was read: where it stands, why it stands in no list, what it follows from,
/// and how often an address of it was replaced.
fn as_seen(update: Update, row: &Item) -> Update {
    let decisive = KEPT_OUT.into_iter().chain(["to_delete", "revision", "address_changes", keys::POSITION]);
    decisive.fold(update, |update, attribute| update.when_unchanged(attribute, row))
}

/// The rows of the files of a replay.
pub(super) struct Rows(HashMap<FileId, Item>);

impl Rows {
    /// The row of a file; empty if there is none.
    pub(super) fn of(&self, file: &FileId) -> Item {
        self.0.get(file).cloned().unwrap_or_default()
    }

    pub(super) fn have(&self, file: &FileId, attribute: &str) -> bool {
        self.0.get(file).is_some_and(|row| row.contains_key(attribute))
    }

    /// Whether a file names a replay, as far as its row tells yet.
    fn name_replay(&self, file: &FileId) -> bool {
        self.have(file, "file") && !self.have(file, "part_of")
    }
}

/// A replay as it is kept: with the files that its row has and the timeline has forgotten, without those that were
/// deleted unless all of it was, and without the oldest of those for which the row has no room; and how many those are.
/// What is shown of it does not depend on them.
pub(super) fn as_kept(
    replay: &ReplayFiles,
    row: &Item,
    rows: &Rows,
    timeline: &Timeline,
) -> Result<(ReplayFiles, usize)> {
    // One that the timeline knows, and not as a part of this replay, belongs to another one by now.
    let forgotten = parts_of(row)?.into_iter().filter(|part| !timeline.has_file(&part.file));
    let is_gone = |part: &ReplayPart| !row.contains_key("deleted") && rows.have(&part.file, "deleted");
    let parts = forgotten.chain(replay.parts.iter().cloned()).filter(|part| !is_gone(part)).collect();
    let mut replay = replay.with_parts(parts);
    let bytes = replay.parts.iter().map(bytes_of).collect::<Vec<_>>();
    let all = bytes.len();
    let (mut count, mut total) = (all, bytes.iter().map(|bytes| bytes + 1).sum::<usize>());
    if count <= MAX_PARTS && total <= MAX_PART_BYTES {
        return Ok((replay, 0));
    }
    let shown = replay.shown_files();
    let mut bytes = bytes.into_iter();
    replay.parts.retain(|part| {
        let own = bytes.next().unwrap_or(0);
        let is_kept = count <= MAX_PARTS && total <= MAX_PART_BYTES || shown.contains(&part.file);
        if !is_kept {
            (count, total) = (count - 1, total - own - 1);
        }
        is_kept
    });
    Ok((replay, all - count))
}

/// The files of a deleted replay that came after it was deleted. What was a replay of its own until now is none of them:
/// nobody asked for that to be deleted.
fn came_since(replay: &ReplayFiles, known: &[ReplayPart], rows: &Rows) -> Vec<PendingDeletion> {
    let is_known = |file: &FileId| known.iter().any(|part| part.file == *file);
    let is_gone = |file: &FileId| rows.name_replay(file) || rows.have(file, "deleted");
    let came = replay.parts.iter().filter(|part| !is_known(&part.file) && !is_gone(&part.file));
    came.map(PendingDeletion::of).collect()
}

/// A file that is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingDeletion {
    #[serde(rename = "i")]
    file: String,
    /// The file, as the video-on-demand service names it; empty if nobody said how.
    #[serde(rename = "v")]
    pub vod_file: String,
}

impl PendingDeletion {
    fn of(part: &ReplayPart) -> Self {
        Self { file: part.file.to_string(), vod_file: part.vod_file.clone() }
    }

    /// The file, as notices name it.
    pub fn file(&self) -> Option<FileId> {
        FileId::parse(&self.file)
    }
}

fn pending_deletions_of(row: &Item) -> Result<Vec<PendingDeletion>> {
    match text_in(row, "to_delete")? {
        "" => Ok(Vec::new()),
        json => serde_json::from_str(json).map_err(|_| invalid_attribute("to_delete")),
    }
}

/// Notes what is to be deleted, and when somebody should look after it; takes the note away if it is nothing.
fn schedule_deletion(update: Update, mut pending_deletions: Vec<PendingDeletion>, due: UnixSeconds) -> Result<Update> {
    if pending_deletions.is_empty() {
        return Ok(update.remove("to_delete").remove(keys::TASK).remove(keys::DUE));
    }
    let mut left = MAX_DOOMED_BYTES;
    let all = pending_deletions.len();
    pending_deletions.retain(|file| {
        let bytes = bytes_of(file) + 1;
        let fits = bytes <= left;
        left -= if fits { bytes } else { 0 };
        fits
    });
    if pending_deletions.len() < all {
        tracing::warn!(count = all - pending_deletions.len(), "more files are to be deleted than a row has room for");
    }
    let update = update.set("to_delete", text(json_of(&pending_deletions)?));
    Ok(update.set(keys::TASK, text(OPEN)).set(keys::DUE, unix_seconds(due)))
}

fn json_of<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(super::failed("write a replay"))
}
