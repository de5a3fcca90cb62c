//! Counts of rows that may be wrong because a write was not confirmed: noted in the state, and counted again by the sweep.

use std::collections::BTreeSet;

use super::{BroadcasterState, DirtyRow, Projection};
use crate::{Result, Table, lists::Position, rules::Rules};
use protocol::types::{UnixSeconds, UserId};

impl Table {
    /// Has the sweep count again where the replays and the room of a user stand: rows that were wrong may have been
    /// counted or not.
    pub async fn recount_later(&self, user: &UserId, now: UnixSeconds, rules: &Rules) -> Result<()> {
        let unconfirmed = |state: &mut BroadcasterState| {
            let replays = Projection::of(&state.timeline, rules).replays;
            let room = state.timeline.broadcasts().last().map(|broadcast| DirtyRow::room_count(broadcast, user));
            state.mark_dirty(replays.iter().map(DirtyRow::replay_count).chain(room), now);
            true
        };
        self.change(user, rules, now, unconfirmed).await.map(drop)
    }

    /// Counts again what may have been counted or not, as far as it is at rest; says whether all of it is right.
    pub async fn recount_unconfirmed(&self, user: &UserId, rules: &Rules, now: UnixSeconds) -> Result<bool> {
        let (state, window) = (self.state(user).await?, rules.replay_window_seconds);
        let mut counted = BTreeSet::new();
        for dirty in &state.dirty {
            if let DirtyRow::Count(tree, position) = dirty
                && self.recount_bucket(tree, *position, state.unconfirmed_at, window, now).await?
            {
                counted.insert(dirty.clone());
            }
        }
        let is_all = state.dirty.iter().filter(|dirty| dirty.is_count()).all(|known| counted.contains(known));
        if !counted.is_empty() {
            let forget = |is: &mut BroadcasterState| {
                // Unless somebody is about to write there again.
                let is_as_seen = is.unconfirmed_at == state.unconfirmed_at;
                is.dirty.retain(|dirty| !is_as_seen || !counted.contains(dirty));
                is_as_seen
            };
            self.change(user, rules, now, forget).await?;
        }
        Ok(is_all)
    }

    /// Writes down that rows are about to come to or go from these positions of a tree, and may not be counted.
    pub(crate) async fn mark_counts_unconfirmed(
        &self,
        user: &UserId,
        tree: &'static str,
        positions: &[Position],
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<()> {
        let unconfirmed = |state: &mut BroadcasterState| {
            state.mark_dirty(positions.iter().map(|position| DirtyRow::Count(tree, *position)), now);
            true
        };
        self.change(user, rules, now, unconfirmed).await.map(|_| ())
    }
}
