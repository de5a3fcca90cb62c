//! Viewers and likes: the counters in the rows of rooms and replays.

use super::{members::Group, replays::parts_of};
use crate::prelude::*;

/// The attribute with the time at which a member was last counted.
pub(super) const VIEWERS_AT: &str = "viewers_at";
/// The flag of a row whose viewers an app counts by ChangeCount, so that they are not the members of a group.
pub(super) const VIEWERS_BY_APP: &str = "viewers_told";

/// Why a viewer is counted out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// The viewer left.
    Left,
    /// The viewer was counted twice.
    Duplicate,
}

impl Table {
    /// Adds to the likes of a room. Does nothing if there is no room, or the number would be negative.
    pub async fn count_room_likes(&self, user: &UserId, by: i64) -> Result<()> {
        self.count(Update::of(keys::room(user)), "likes", by).await
    }

    /// Adds to the viewers of a room, for an app that counts them itself. Does nothing if there is no room, or the number
    /// would be negative.
    pub async fn count_room_viewers(&self, user: &UserId, by: i64) -> Result<()> {
        self.count(Update::of(keys::room(user)).set_flag(VIEWERS_BY_APP, true), "viewers", by).await
    }

    /// As [`Self::count_room_likes`], for the replay of a file.
    pub async fn count_replay_likes(&self, user: &UserId, file: &FileId, by: i64) -> Result<()> {
        let Some(replay) = self.replay(user, file).await? else { return Ok(()) };
        self.count(Update::of(keys::replay(user, &replay.file)), "likes", by).await
    }

    /// As [`Self::count_room_viewers`], for the replay of a file.
    pub async fn count_replay_viewers(&self, user: &UserId, file: &FileId, by: i64) -> Result<()> {
        let Some(replay) = self.replay(user, file).await? else { return Ok(()) };
        let update = Update::of(keys::replay(user, &replay.file)).set_flag(VIEWERS_BY_APP, true);
        self.count(update, "viewers", by).await
    }

    /// Writes to an item that exists, and adds to a counter of the item, unless that would make it negative.
    async fn count(&self, update: Update, counter: &'static str, by: i64) -> Result<()> {
        let update = update.add(counter, by);
        let update = if by < 0 {
            update.when(&format!("#{counter} >= :enough")).value(":enough", number(-by))
        } else {
            update.when("attribute_exists(PK)")
        };
        update.send(self, "count").await.map(drop)
    }

    /// The row of the replay of a file, and all files of the replay, first the one that names it.
    pub(super) async fn viewed_replay(&self, user: &UserId, file: &FileId) -> Result<Option<(Item, Vec<FileId>)>> {
        let Some((name, row)) = self.existing_replay_row(user, file).await? else { return Ok(None) };
        let parts = parts_of(&row)?.into_iter().map(|part| part.file).filter(|part| *part != name);
        let files = std::iter::once(name.clone()).chain(parts).collect();
        Ok(Some((row, files)))
    }
}

impl Group<'_> {
    /// Counts a viewer in the room, if the room has this group. Returns the start request since which the room counts, and
    /// the number of viewers.
    pub(super) async fn count_room_viewer_in(&self) -> Result<Option<(UnixSeconds, u64)>> {
        let update = Update::of(keys::room(self.host)).add("viewers", 1).add("visits", 1);
        let update = update.set(VIEWERS_AT, unix_seconds(self.now));
        let update = update.when("#group = :group").value(":group", text(self.id.as_str()));
        let (outcome, before) = update.send_returning_old(self.table, "count a viewer").await?;
        if outcome == WriteOutcome::ConditionFailed {
            return Ok(None);
        }
        Ok(Some((unix_seconds_in(&before, "counted_since")?, counter_in(&before, "viewers")? + 1)))
    }

    /// Counts a viewer out of the room, if the room still counts since this start request. A duplicate was no visit.
    pub(super) async fn count_room_viewer_out(&self, since: UnixSeconds, departure: Departure) -> Result<()> {
        let update = Update::of(keys::room(self.host)).add("viewers", -1).set(VIEWERS_AT, unix_seconds(self.now));
        let update = match departure {
            Departure::Left => update,
            Departure::Duplicate => update.add("visits", -1),
        };
        let update = update.when("#counted_since = :since").value(":since", unix_seconds(since));
        let update = update.when("#viewers >= :enough").value(":enough", number(1));
        update.send(self.table, "count a viewer").await.map(drop)
    }

    /// Raises the maximum number of viewers of the room, if the room still counts since this start request.
    pub(super) async fn raise_peak(&self, since: UnixSeconds, viewers: u64) -> Result<()> {
        let update = Update::of(keys::room(self.host)).set("peak", number(viewers));
        let update = update.when("#counted_since = :since").value(":since", unix_seconds(since));
        let update = update.when("(attribute_not_exists(#peak) OR #peak < :peak)");
        update.send(self.table, "count a viewer").await.map(drop)
    }

    /// Adds to the viewers of the replay of a file, for a member of the file's group.
    pub(super) async fn count_replay_viewer(&self, file: &FileId, by: i64) -> Result<()> {
        let Some(replay) = self.table.replay(self.host, file).await? else { return Ok(()) };
        let update = Update::of(keys::replay(self.host, &replay.file)).set(VIEWERS_AT, unix_seconds(self.now));
        self.table.count(update, "viewers", by).await
    }
}
