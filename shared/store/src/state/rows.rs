//! Writes the dirty rows of a state: the room, the lives, then the replays.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;

use super::{BroadcasterState, DirtyRow, Projection};
use crate::{
    Item, Result, Table, keys, lives::BroadcastRow, number, number_in, rooms::Room, rules::Rules, update::Update,
};
use protocol::{
    error::Chain,
    types::{UnixSeconds, UserId},
};
use timeline::{Live, ReplayPart};

impl Table {
    /// Writes the rows that the timeline says are unwritten; gives those that could not be written, and those that follow
    /// from them. Fails if the table does.
    pub(super) async fn write_dirty_rows(
        &self,
        write: &WriteContext<'_>,
        mut room: Option<Room>,
        start_request: Option<&BroadcastRow>,
    ) -> Result<BTreeSet<DirtyRow>> {
        let WriteContext { user, state, projection, .. } = write;
        let mut failed = BTreeSet::new();
        let is_room_unwritten = state.dirty.contains(&DirtyRow::Room);
        // If the room is to count anew, whoever finishes this in our stead must find what the lives came to in their rows.
        let counts_anew =
            room.as_ref().is_some_and(|room| Some(room.counts_since(write.now)) < state.timeline.broadcasts().last());
        if is_room_unwritten && !counts_anew {
            // As it stood in the very moment before, with the counters that a live which ends takes along.
            match self.written_row(keys::room(user), self.write_room(write, room.clone(), start_request).await)? {
                Some(before) => room = before,
                None => drop(failed.insert(DirtyRow::Room)),
            }
        }
        self.write_dirty_lives(write, room.as_ref(), &mut failed).await?;
        if is_room_unwritten && counts_anew {
            // Not before the lives have what it counted.
            let is_written = failed.is_empty()
                && self.written_row(keys::room(user), self.write_room(write, room, start_request).await)?.is_some();
            if !is_written {
                failed.insert(DirtyRow::Room);
            }
        }
        for replay in &projection.replays {
            let has_dirty_rows = |part: &&ReplayPart| state.dirty.contains(&DirtyRow::file(&part.file));
            let parts: Vec<&ReplayPart> = replay.parts.iter().filter(has_dirty_rows).collect();
            if parts.is_empty() {
                continue;
            }
            let live = projection.live_of(replay);
            // It takes from the row of its live what that came to.
            let is_written = live.is_none_or(|live| !failed.contains(&DirtyRow::live(live)))
                && self
                    .written_row(keys::replay(user, &replay.file), self.write_replay(write, replay, live).await)?
                    .is_some();
            for part in parts {
                let is_written = is_written
                    && (part.file == replay.file || {
                        let written = self.write_part(write, replay, &part.file).await;
                        self.written_row(keys::replay(user, &part.file), written)?.is_some()
                    });
                if !is_written {
                    failed.insert(DirtyRow::file(&part.file));
                }
            }
        }
        Ok(failed)
    }

    /// What was written; `None`, and a line in the log, if the row could not be written whatever the table does.
    pub(super) fn written_row<T>(&self, key: keys::Key, written: Result<T>) -> Result<Option<T>> {
        match written {
            Ok(written) => Ok(Some(written)),
            Err(error) if error.is_item_fault() => {
                let key = self.key_for_log(&key);
                tracing::error!(key, error = %Chain(&error), "a row could not be written; the sweep will try again");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the rows of lives that are unwritten; none, if the room is not written whose counters they take along.
    pub(super) async fn write_dirty_lives(
        &self,
        write: &WriteContext<'_>,
        room: Option<&Room>,
        failed: &mut BTreeSet<DirtyRow>,
    ) -> Result<()> {
        let WriteContext { user, state, projection, .. } = write;
        let place = |live: &Live| keys::live_id(live.start, &live.user_stream);
        let lives: BTreeMap<String, &Live> = projection.lives.iter().map(|live| (place(live), live)).collect();
        let dirty = state.dirty.iter().filter_map(DirtyRow::place);
        let (written, gone): (Vec<&str>, Vec<&str>) = dirty.partition(|place| lives.contains_key(*place));
        for (place, live) in written.into_iter().filter_map(|place| Some((place, *lives.get(place)?))) {
            let is_written = !failed.contains(&DirtyRow::Room)
                && self
                    .written_row(keys::live(user, place), self.write_live(write, live, room, &gone).await)?
                    .is_some();
            if !is_written {
                failed.insert(DirtyRow::Live(place.to_owned()));
            }
        }
        // A live that is not written yet takes along what they came to.
        let is_kept = !failed.is_empty();
        for place in gone {
            let is_gone = !is_kept
                && self.written_row(keys::live(user, place), self.take_live_away(write, place).await)?.is_some();
            if !is_gone {
                failed.insert(DirtyRow::Live(place.to_owned()));
            }
        }
        Ok(())
    }
}

/// What is to be written out.
pub(crate) struct WriteContext<'a> {
    pub(crate) user: &'a UserId,
    pub(crate) state: &'a BroadcasterState,
    pub(crate) projection: &'a Projection,
    pub(crate) rules: &'a Rules,
    pub(crate) now: UnixSeconds,
}

impl WriteContext<'_> {
    /// The update of a row that follows from the timeline: it is not written over one that follows from a later one.
    pub(crate) fn row(&self, key: keys::Key) -> Update {
        let update = Update::of(key).set("revision", self.revision());
        update.when("(attribute_not_exists(#revision) OR #revision < :revision)")
    }

    /// The revision of the timeline.
    pub(crate) fn revision(&self) -> AttributeValue {
        number(self.state.revision)
    }

    /// Whether a row follows from this timeline already, or a later one.
    pub(crate) fn is_written(&self, row: &Item) -> Result<bool> {
        Ok(number_in(row, "revision")? >= self.state.revision)
    }
}
