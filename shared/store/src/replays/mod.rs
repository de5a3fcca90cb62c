//! Replays: the recorded files of a live. The files of all formats and parts are one replay, named by the first file.
//!
//! The [`timeline`](timeline) decides which files belong together, and the rows follow from it. A file that is a part of
//! another file's replay has a row that refers to that replay, so that the replay is found by each of its files.

mod delete;
mod of_user;
mod write;

use aws_sdk_dynamodb::types::AttributeValue;

pub(super) use self::write::{Rows, as_kept};
pub use self::{delete::PendingDeletion, of_user::UserReplay};
use super::{
    ListPage,
    broadcasts::Profile,
    lists::{Change, List, Position, Series, expires_after_window},
    lives::Totals,
    state::{Broadcaster, BroadcasterState, KEPT_SECONDS},
    update::too_many_conflicts,
};
use crate::prelude::*;
use protocol::json::to_text;
use timeline::{Evidence, Recording, ReplayFiles, ReplayPart, Timeline};

pub(super) const COUNT_TREE: &str = "replays";
pub(super) const REPLAYS: List = List { tree: COUNT_TREE, series: Series::All, partitions: &["replays"] };

/// The attributes that keep a replay out of the list: its owner hid or deleted it, its owner is banned, or its live has a
/// forbidden picture.
const KEPT_OUT: [&str; 4] = ["hidden", "deleted", "withheld", "forbidden"];

/// A replay.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The broadcaster.
    pub user: UserId,
    /// The first file, which names the replay.
    pub file: FileId,
    /// The title.
    pub title: Text<255>,
    /// The profile of the broadcaster.
    pub profile: Profile,
    /// The URL of the replay as one file; empty if there is no such file.
    pub play_url: String,
    /// The URL of the replay as HLS; empty if there is none.
    pub hls_url: String,
    /// The start.
    pub started_at: UnixSeconds,
    /// The end.
    pub ended_at: UnixSeconds,
    /// The number of viewers.
    pub viewers: u64,
    /// The number of likes, with those of the live.
    pub likes: u64,
    /// The files, by their start.
    pub parts: Vec<ReplayPart>,
    /// Whether the owner, or an operator, keeps the replay out of the lists.
    pub hidden: bool,
    /// The totals of the live.
    pub totals: Totals,
}

/// Changes to a replay. `None` leaves an attribute as it is.
#[derive(Clone, Debug)]
pub struct ReplayChanges {
    /// The title; empty for that of the broadcast.
    pub title: Option<Text<255>>,
    /// Whether the replay is kept out of the lists.
    pub hidden: Option<bool>,
}

impl Replay {
    fn read(item: &Item) -> Result<Self> {
        let totals = Totals::read(item, "live_likes")?;
        let title = match text_in(item, "renamed")? {
            "" => parsed(item, "title", Text::parse)?,
            _ => parsed(item, "renamed", Text::parse)?,
        };
        Ok(Self {
            user: parsed(item, "user", UserId::parse)?,
            file: parsed(item, "file", FileId::parse)?,
            title,
            profile: Profile::read(item)?.or_cover(&totals.screenshot),
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

/// The files in the row of a replay.
pub(super) fn parts_of(row: &Item) -> Result<Vec<ReplayPart>> {
    match text_in(row, "parts")? {
        "" => Ok(Vec::new()),
        parts => serde_json::from_str(parts).map_err(|_| invalid_attribute("parts")),
    }
}

/// Whether something other than its length keeps a replay out of the list.
pub(super) fn is_kept_out(row: &Item) -> bool {
    KEPT_OUT.iter().any(|reason| row.contains_key(*reason))
}

/// The end of a replay that belongs in the list; `None` if it is kept out, or too short.
fn listed_end(row: &Item, rules: &Rules) -> Result<Option<UnixSeconds>> {
    let (start, end) = (unix_seconds_in(row, "started_at")?, unix_seconds_in(row, "ended_at")?);
    let is_long = end.0.saturating_sub(start.0) > rules.replay_min_seconds;
    Ok((is_long && !is_kept_out(row)).then_some(end))
}

/// The position of a row in the list of replays; `None` if it is not in the list.
pub(super) fn position_in(row: &Item) -> Result<Option<Position>> {
    row.contains_key(keys::LIST).then(|| Position::in_row(row)).transpose()
}

/// A row after a flag was set or removed.
fn with_flag(row: &Item, flag: &str, value: bool) -> Item {
    let mut row = row.clone();
    row.remove(flag);
    row.extend(value.then(|| (flag.to_owned(), AttributeValue::Bool(true))));
    row
}

/// Adds the condition that the row of a replay is as it was read: its position, what keeps it out of the list, its
/// revision, and how many times an address was replaced.
fn when_row_unchanged(update: Update, row: &Item) -> Update {
    let attributes = KEPT_OUT.into_iter().chain(["to_delete", "revision", "address_changes", keys::POSITION]);
    attributes.fold(update, |update, attribute| update.when_unchanged(attribute, row))
}

impl Broadcaster<'_> {
    /// Applies the notice of a recording of a user who has a room. A repeated notice changes nothing.
    pub async fn record(&self, recording: Recording) -> Result<()> {
        let Broadcaster { table, user, rules, now } = *self;
        let read = table.state_and_room(user).await?;
        let kept_since = now.minus(KEPT_SECONDS);
        let is_kept = |mut timeline: Timeline| {
            timeline.prune(kept_since, rules.grace_seconds);
            timeline.has_file(&recording.part.file)
        };
        // If the timeline may have forgotten the file, its row decides. A file with a row is known: only its URL may be
        // replaced.
        if (recording.part.end < kept_since || read.0.timeline.may_have_forgotten(&recording))
            && !is_kept(read.0.timeline.clone())
            && table.get(keys::replay(user, &recording.part.file), "read a replay").await?.is_some()
        {
            return self.replace_url(&recording.part).await;
        }
        let evidence = Evidence::Recorded(recording);
        let add = |state: &mut BroadcasterState| state.timeline.add(evidence.clone());
        self.change_read(read, None, add).await.map(drop)
    }

    /// Replaces the URL of a file that the timeline has forgotten, in the row of its replay, unless the row has a newer
    /// URL.
    async fn replace_url(&self, reported: &ReplayPart) -> Result<()> {
        let mut attempts = Attempts::of("replace a URL");
        loop {
            let found = self.table.existing_replay_row(self.user, &reported.file).await?;
            let Some((file, row)) = found else { return Ok(()) };
            let mut parts = parts_of(&row)?;
            if !parts.iter_mut().any(|part| part.file == reported.file && part.take_newer_url(reported)) {
                return Ok(());
            }
            let (start, end) = (unix_seconds_in(&row, "started_at")?, unix_seconds_in(&row, "ended_at")?);
            let replay = ReplayFiles { file, parts, start, end, live: None, described_by: None };
            let update = Update::of(keys::replay(self.user, &replay.file))
                .set("parts", text(to_text(&replay.parts)))
                .set_text("play_url", replay.play_url().unwrap_or_default())
                .set_text("hls_url", replay.hls_url().unwrap_or_default())
                .set("address_changes", number(counter_in(&row, "address_changes")? + 1));
            if when_row_unchanged(update, &row).send(self.table, attempts.context).await? == WriteOutcome::Done {
                return Ok(());
            }
            attempts.after_conflict().await?;
        }
    }

    /// Changes a replay for its owner. Returns whether there is such a replay.
    pub async fn change_replay(&self, file: &FileId, changes: &ReplayChanges) -> Result<bool> {
        let mut attempts = Attempts::of("change a replay");
        loop {
            let found = self.table.existing_replay_row(self.user, file).await?;
            let Some((file, row)) = found else { return Ok(false) };
            let is_hidden = changes.hidden.unwrap_or(row.contains_key("hidden"));
            let update = Update::of(keys::replay(self.user, &file)).set_flag("hidden", is_hidden);
            let update = match &changes.title {
                Some(title) => update.set_text("renamed", title.as_str()),
                None => update,
            };
            let end = listed_end(&with_flag(&row, "hidden", is_hidden), self.rules)?;
            if position_in(&row)?.is_some() != end.is_some() {
                let position = Position::of(unix_seconds_in(&row, "ended_at")?, file.as_str());
                self.mark_replay_counts_unconfirmed(&[position]).await?;
            }
            if self.write_row_and_count(update, &row, &file, end).await? == WriteOutcome::Done {
                return Ok(true);
            }
            attempts.after_conflict().await?;
        }
    }

    /// Removes all replays of a banned user from the list, or returns them to the list.
    pub async fn withhold_replays(&self, withheld: bool) -> Result<()> {
        let Broadcaster { table, user, rules, .. } = *self;
        let request = table.items_of(keys::user_partition(user), keys::REPLAY_PREFIX);
        let mut rows = table.query(request, usize::MAX, "read replays").await?;
        let is_replay = |row: &Item| !row.contains_key("part_of") && !row.contains_key("deleted");
        rows.retain(|row| is_replay(row) && row.contains_key("withheld") != withheld);
        // An invalid row is in no page of a list.
        let replays = rows.into_iter().filter_map(|row| Some((table.ok_or_log(&row, Replay::read(&row))?, row)));
        let replays: Vec<(Replay, Item)> = replays.collect();
        // Before the first write: a repetition does not find rows that were moved, and so does not count them.
        let positions = replays.iter().map(|(replay, _)| Position::of(replay.ended_at, replay.file.as_str()));
        self.mark_replay_counts_unconfirmed(&positions.collect::<Vec<_>>()).await?;
        for (Replay { file, .. }, row) in replays {
            let update = Update::of(keys::replay(user, &file)).when("attribute_exists(PK)");
            let update = update.set_flag("withheld", withheld);
            let end = listed_end(&with_flag(&row, "withheld", withheld), rules)?;
            if self.write_row_and_count(update, &row, &file, end).await? == WriteOutcome::ConditionFailed {
                return Err(too_many_conflicts("withhold a replay"));
            }
        }
        Ok(())
    }

    /// Writes a row that was read, puts it into the list if it is given an end, and counts it. Fails the condition if
    /// another process wrote the row since.
    async fn write_row_and_count(
        &self,
        update: Update,
        row: &Item,
        file: &FileId,
        end: Option<UnixSeconds>,
    ) -> Result<WriteOutcome> {
        let old = position_in(row)?;
        let new = end.map(|end| Position::of(end, file.as_str()));
        let update = match new {
            Some(position) => update
                .set(keys::LIST, text(COUNT_TREE))
                .set(keys::POSITION, text(keys::list_sort_key(position, file.as_str()))),
            None => update.remove(keys::LIST).remove(keys::POSITION),
        };
        let outcome = when_row_unchanged(update, row).send(self.table, "write a replay").await?;
        if outcome == WriteOutcome::Done && old != new {
            let changes = [(old, -1), (new, 1)].into_iter();
            let changes = changes.filter_map(|(position, by)| Some((Series::All, position?, by)));
            let expires_at = end.map(|end| expires_after_window(end, self.rules.replay_window_seconds));
            self.table.add_to_counts(COUNT_TREE, &changes.collect::<Vec<Change>>(), expires_at, self.now).await?;
        }
        Ok(outcome)
    }
}

impl Table {
    /// The replay that a file belongs to; `None` if there is none, or it is deleted.
    pub async fn replay(&self, user: &UserId, file: &FileId) -> Result<Option<Replay>> {
        self.existing_replay_row(user, file).await?.map(|(_, row)| Replay::read(&row)).transpose()
    }

    /// A page of the replays that ended in the last `window` seconds.
    pub async fn recent_replays(&self, now: UnixSeconds, window: u64, page: Page) -> Result<ListPage<Replay>> {
        Ok(self.recent_page(&REPLAYS, now, window, page).await?.parse(self, Replay::read))
    }

    /// The row of the replay that a file belongs to, unless it is deleted, with the file that names the replay.
    pub(super) async fn existing_replay_row(&self, user: &UserId, file: &FileId) -> Result<Option<(FileId, Item)>> {
        Ok(self.replay_row(user, file).await?.filter(|(_, row)| !row.contains_key("deleted")))
    }

    /// The row of the replay that a file belongs to, with the file that names the replay. The replay may be deleted.
    async fn replay_row(&self, user: &UserId, file: &FileId) -> Result<Option<(FileId, Item)>> {
        /// A replay may have become a part of another one, and that one of a third, before all rows refer to the third.
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
}
