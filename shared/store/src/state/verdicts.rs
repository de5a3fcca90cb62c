//! Verdicts: the findings of the cloud's moderation that a picture of a live is forbidden.

use super::{BroadcasterState, PendingAction, Projection};
use crate::{prelude::*, rules::Moderation};
use timeline::{End, Evidence, Live, ReplayFiles, UserStream};

/// The maximum number of verdicts in a state.
const MAX_VERDICTS: usize = 64;

impl BroadcasterState {
    /// Applies the verdict that the picture of this time is forbidden: hides or ends the live of that time, as the
    /// settings say. Returns whether this changed anything.
    pub fn apply_verdict(&mut self, at: UnixSeconds, rules: &Rules) -> bool {
        let is_new = self.verdicts.insert(at);
        while self.verdicts.len() > MAX_VERDICTS {
            self.drop_verdict(rules);
        }
        if let Some(live) = self.timeline.live_at(at, rules.grace_seconds) {
            return self.moderate(&live, at, rules) || is_new;
        }
        let before = self.pending_verdict_at;
        self.pending_verdict_at = before.max(Some(at));
        self.pending_verdict_at != before || is_new
    }

    /// Drops the least important verdict: of a live one is enough, and of the others the one nearest to its neighbours.
    fn drop_verdict(&mut self, rules: &Rules) {
        let lives = self.timeline.lives(rules.grace_seconds);
        let live_of =
            |at: UnixSeconds| lives.iter().position(|live| live.user_stream == UserStream::Own && live.contains(at));
        let verdicts: Vec<UnixSeconds> = self.verdicts.iter().copied().collect();
        let rank = |n: usize| {
            let at = verdicts[n];
            let before = n.checked_sub(1).map(|before| verdicts[before]);
            let is_known = before.is_some_and(|before| live_of(at).is_some() && live_of(before) == live_of(at));
            let distance = |other: Option<&UnixSeconds>| other.map_or(u64::MAX / 2, |other| other.0.abs_diff(at.0));
            (!is_known, distance(before.as_ref()).saturating_add(distance(verdicts.get(n + 1))))
        };
        if let Some(least) = (0..verdicts.len()).min_by_key(|n| rank(*n)) {
            self.verdicts.remove(&verdicts[least]);
        }
    }

    /// Applies the pending verdict, if its live is known by now. Returns whether it is.
    pub(super) fn apply_pending_verdict(&mut self, rules: &Rules) -> bool {
        let Some(at) = self.pending_verdict_at else { return false };
        let Some(live) = self.timeline.live_at(at, rules.grace_seconds) else { return false };
        self.pending_verdict_at = None;
        self.moderate(&live, at, rules);
        true
    }

    /// Hides a live and, if the settings say so, ends it.
    fn moderate(&mut self, live: &Live, at: UnixSeconds, rules: &Rules) -> bool {
        let hidden = self.hidden.max(live.broadcast);
        let is_new = hidden != self.hidden;
        self.hidden = hidden;
        if rules.moderation == Moderation::End && live.end.is_none() {
            self.pending_actions.insert(PendingAction::CutStream);
            // After all known events: the live may have been interrupted at the time of the picture.
            let end = Evidence::Off(at.max(self.timeline.last_event_at()), End::Moderated);
            return self.timeline.add(end) || is_new;
        }
        is_new
    }

    /// Whether moderation keeps a replay out of the list: there is a verdict on its live, or on an earlier live of the
    /// same broadcast. If the live is not known, a verdict on the time of the replay counts.
    pub(crate) fn is_forbidden(&self, projection: &Projection, replay: &ReplayFiles) -> bool {
        let contains = |live: &Live, at: UnixSeconds| live.user_stream == UserStream::Own && live.contains(at);
        let is_of_broadcast = |live: &Live, at| {
            projection.lives.iter().any(|other| contains(other, at) && other.broadcast == live.broadcast)
        };
        self.verdicts.iter().any(|at| match projection.live_of(replay) {
            None => (replay.start..=replay.end).contains(at),
            Some(live) if live.user_stream != UserStream::Own => false,
            Some(live) => {
                contains(live, *at) || live.broadcast.is_some() && *at < live.start && is_of_broadcast(live, *at)
            }
        })
    }
}
