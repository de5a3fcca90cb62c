//! Unconfirmed counts: the state names the positions whose counters may be wrong, and the sweep recounts them.

use std::collections::BTreeSet;

use super::{Broadcaster, BroadcasterState, DirtyRow, Projection};
use crate::{lists::Position, prelude::*, replays, rooms::Room};
use timeline::{ReplayFiles, ReplayPart};

impl Broadcaster<'_> {
    /// Has the sweep recount the room and all replays of the user, whose rows were wrong and may not have been counted.
    pub async fn recount_later(&self) -> Result<()> {
        let mark = |state: &mut BroadcasterState| {
            let replays = Projection::of(&state.timeline, self.rules).replays;
            let room = state.timeline.broadcasts().last().map(|broadcast| DirtyRow::room_count(broadcast, self.user));
            state.mark_dirty(replays.iter().map(DirtyRow::replay_count).chain(room), self.now);
            true
        };
        self.change(mark).await.map(drop)
    }

    /// Recounts the unconfirmed counts whose buckets are quiet. Returns whether all unconfirmed counts are right now.
    pub async fn recount_unconfirmed(&self) -> Result<bool> {
        let (state, window) = (self.table.state(self.user).await?, self.rules.replay_window_seconds);
        let mut counted = BTreeSet::new();
        for dirty in &state.dirty {
            if let DirtyRow::Count(tree, position) = dirty
                && self.table.recount_bucket(tree, *position, state.unconfirmed_at, window, self.now).await?
            {
                counted.insert(dirty.clone());
            }
        }
        let is_all = state.dirty.iter().filter(|dirty| dirty.is_count()).all(|dirty| counted.contains(dirty));
        if !counted.is_empty() {
            let forget = |state_now: &mut BroadcasterState| {
                // A count that was added since may be of the same position.
                let is_unchanged = state_now.unconfirmed_at == state.unconfirmed_at;
                state_now.dirty.retain(|dirty| !is_unchanged || !counted.contains(dirty));
                is_unchanged
            };
            self.change(forget).await?;
        }
        Ok(is_all)
    }

    /// The counts of the positions at which the room and the replays among the failed rows stand, and of those at which they
    /// should stand.
    pub(super) async fn counts_of_failed(
        &self,
        state: &BroadcasterState,
        projection: &Projection,
        room: Option<&Room>,
    ) -> Result<BTreeSet<DirtyRow>> {
        let has_failed = |part: &ReplayPart| state.failed.contains(&DirtyRow::file(&part.file));
        let is_concerned = |replay: &&ReplayFiles| replay.parts.iter().any(has_failed);
        let concerned: Vec<&ReplayFiles> = projection.replays.iter().filter(is_concerned).collect();
        let files = concerned.iter().flat_map(|replay| &replay.parts).map(|part| &part.file);
        let rows = self.table.rows_of_files(self.user, files).await?;
        let mut counts: BTreeSet<DirtyRow> = concerned.iter().flat_map(|replay| rows.counts_of(replay)).collect();
        if state.failed.contains(&DirtyRow::Room) {
            let opened = room.map(|room| room.opened_at).into_iter().chain(state.timeline.broadcasts().last());
            counts.extend(opened.map(|opened| DirtyRow::room_count(opened, self.user)));
        }
        Ok(counts)
    }

    /// Notes that replays are about to be added at, or removed from, these positions of the list.
    pub(crate) async fn mark_replay_counts_unconfirmed(&self, positions: &[Position]) -> Result<()> {
        let mark = |state: &mut BroadcasterState| {
            let counts = positions.iter().map(|position| DirtyRow::Count(replays::COUNT_TREE, *position));
            state.mark_dirty(counts, self.now);
            true
        };
        self.change(mark).await.map(drop)
    }
}
