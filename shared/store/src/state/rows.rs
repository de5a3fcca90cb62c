//! Writes the dirty rows of a state: the room and the lives, the ban, then the replays. The lives are before the room if it
//! begins a new broadcast.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Broadcaster, BroadcasterState, DirtyRow, Projection};
use crate::{broadcasts::StartRequestRow, prelude::*, rooms::Room};
use protocol::error::Chain;
use timeline::{Live, ReplayPart};

/// Writes rows that follow from a state of a user.
pub(crate) struct RowWriter<'a> {
    pub(crate) table: &'a Table,
    pub(crate) user: &'a UserId,
    pub(crate) rules: &'a Rules,
    pub(crate) now: UnixSeconds,
    pub(crate) state: &'a BroadcasterState,
    pub(crate) projection: &'a Projection,
}

impl RowWriter<'_> {
    pub(crate) fn broadcaster(&self) -> Broadcaster<'_> {
        let Self { table, user, rules, now, .. } = *self;
        Broadcaster { table, user, rules, now }
    }

    /// The update of a row, under the condition that the row follows from an older revision of the state.
    pub(crate) fn update(&self, key: keys::Key) -> Update {
        let update = Update::of(key).set("revision", self.revision());
        update.when("(attribute_not_exists(#revision) OR #revision < :revision)")
    }

    /// The revision of the state.
    pub(crate) fn revision(&self) -> AttributeValue {
        number(self.state.revision)
    }

    /// Whether a row follows from this revision of the state, or a newer one.
    pub(crate) fn is_written(&self, row: &Item) -> Result<bool> {
        Ok(number_in(row, "revision")? >= self.state.revision)
    }

    /// Writes the dirty rows. Returns those that could not be written, or depend on one of these. Fails if the table does.
    pub(super) async fn write_dirty_rows(
        &self,
        mut room: Option<Room>,
        start_request: Option<&StartRequestRow>,
    ) -> Result<BTreeSet<DirtyRow>> {
        let Self { user, state, projection, .. } = self;
        let mut failed = BTreeSet::new();
        let is_room_dirty = state.dirty.contains(&DirtyRow::Room);
        // A new broadcast sets the counters in the room to zero. The lives that ended take their totals from these counters,
        // so the lives are written first: wherever this process dies, the counters are in the room or in the lives.
        let resets_counters =
            room.as_ref().is_some_and(|room| Some(room.counts_since(self.now)) < state.timeline.broadcasts().last());
        if is_room_dirty && !resets_counters {
            match self.none_if_item_fault(keys::room(user), self.write_room(room.clone(), start_request).await)? {
                // The room just before the write: a live that ends takes its totals from there.
                Some(before) => room = before,
                None => drop(failed.insert(DirtyRow::Room)),
            }
        }
        self.write_dirty_lives(room.as_ref(), &mut failed).await?;
        if is_room_dirty && resets_counters {
            let is_written = failed.is_empty()
                && self.none_if_item_fault(keys::room(user), self.write_room(room, start_request).await)?.is_some();
            if !is_written {
                failed.insert(DirtyRow::Room);
            }
        }
        if state.dirty.contains(&DirtyRow::Ban)
            && self.none_if_item_fault(keys::ban(user), self.write_ban().await)?.is_none()
        {
            failed.insert(DirtyRow::Ban);
        }
        for replay in &projection.replays {
            let is_dirty = |part: &&ReplayPart| state.dirty.contains(&DirtyRow::file(&part.file));
            let parts: Vec<&ReplayPart> = replay.parts.iter().filter(is_dirty).collect();
            if parts.is_empty() {
                continue;
            }
            let live = projection.live_of(replay);
            // A replay has the totals of the row of its live.
            let is_replay_written = live.is_none_or(|live| !failed.contains(&DirtyRow::live(live)))
                && self
                    .none_if_item_fault(keys::replay(user, &replay.file), self.write_replay(replay, live).await)?
                    .is_some();
            for part in parts {
                let key = keys::replay(user, &part.file);
                let is_written = is_replay_written
                    && (part.file == replay.file
                        || self.none_if_item_fault(key, self.write_part(replay, &part.file).await)?.is_some());
                if !is_written {
                    failed.insert(DirtyRow::file(&part.file));
                }
            }
        }
        Ok(failed)
    }

    /// Writes the dirty rows of lives; none, if the room, from which they take their totals, could not be written.
    async fn write_dirty_lives(&self, room: Option<&Room>, failed: &mut BTreeSet<DirtyRow>) -> Result<()> {
        let id = |live: &Live| keys::live_id(live.start, &live.user_stream);
        let lives: BTreeMap<String, &Live> = self.projection.lives.iter().map(|live| (id(live), live)).collect();
        let dirty = self.state.dirty.iter().filter_map(DirtyRow::live_id);
        let (existing, removed): (Vec<&str>, Vec<&str>) = dirty.partition(|id| lives.contains_key(*id));
        // A live that the timeline has no room for is no part of another one: its row stays as it is.
        let (removed, forgotten): (Vec<&str>, Vec<&str>) = removed.into_iter().partition(|id| self.is_known(id));
        if !forgotten.is_empty() {
            let user = self.table.log_names.of(self.user.as_str());
            tracing::error!(user, count = forgotten.len(), "lives were forgotten before they could be written");
        }
        for id in existing {
            let is_written = !failed.contains(&DirtyRow::Room) && {
                let written = self.write_live(lives[id], room, &removed).await;
                self.none_if_item_fault(keys::live(self.user, id), written)?.is_some()
            };
            if !is_written {
                failed.insert(DirtyRow::Live(id.to_owned()));
            }
        }
        // A live that is not written yet needs the totals of these rows.
        let can_remove = failed.is_empty();
        for id in removed {
            let is_removed =
                can_remove && self.none_if_item_fault(keys::live(self.user, id), self.remove_live(id).await)?.is_some();
            if !is_removed {
                failed.insert(DirtyRow::Live(id.to_owned()));
            }
        }
        Ok(())
    }

    /// Whether the timeline has all evidence of the live with this id.
    fn is_known(&self, id: &str) -> bool {
        keys::live_of_id(id)
            .is_some_and(|(start, user_stream)| self.state.timeline.is_complete_since(&user_stream, start))
    }

    /// The result of a write; `None`, and a line in the log, if the table refuses only this row.
    fn none_if_item_fault<T>(&self, key: keys::Key, written: Result<T>) -> Result<Option<T>> {
        match written {
            Err(error) if error.is_item_fault => {
                let key = self.table.key_for_log(&key);
                tracing::error!(key, error = %Chain(&error), "a row could not be written; the sweep will try again");
                Ok(None)
            }
            other => other.map(Some),
        }
    }
}
