//! Verdicts: pictures of a live that the cloud found to be forbidden, and what they hide or end.

use super::{BroadcasterState, PendingAction, Projection};
use crate::rules::{Moderation, Rules};
use protocol::types::UnixSeconds;
use timeline::{End, Evidence, Live, ReplayFiles, UserStream};

/// The most verdicts that are kept of a user.
const MAX_VERDICTS: usize = 64;

impl BroadcasterState {
    /// Takes in that a picture of the stream was found to be forbidden at a second, and hides or ends, as the settings
    /// say, the live that ran then. Says whether that is news.
    pub fn apply_verdict(&mut self, at: UnixSeconds, rules: &Rules) -> bool {
        let is_new = self.verdicts.insert(at);
        while self.verdicts.len() > MAX_VERDICTS {
            self.drop_verdict(rules);
        }
        self.apply_verdict_to_live(at, rules) || is_new
    }

    /// Drops the verdict that means least: of a live one is enough, and of verdicts of other seconds the one that is
    /// nearest to its neighbours says the least.
    pub(super) fn drop_verdict(&mut self, rules: &Rules) {
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

    pub(super) fn apply_verdict_to_live(&mut self, at: UnixSeconds, rules: &Rules) -> bool {
        if let Some(live) = self.timeline.live_at(at, rules.grace_seconds) {
            return self.moderate(&live, at, rules);
        }
        let before = self.pending_verdict_at;
        self.pending_verdict_at = before.max(Some(at));
        self.pending_verdict_at != before
    }

    /// Does the same for a verdict whose live has turned up since.
    pub(super) fn apply_pending_verdict(&mut self, rules: &Rules) -> bool {
        let Some(at) = self.pending_verdict_at else { return false };
        let Some(live) = self.timeline.live_at(at, rules.grace_seconds) else { return false };
        self.pending_verdict_at = None;
        self.moderate(&live, at, rules);
        true
    }

    pub(super) fn moderate(&mut self, live: &Live, at: UnixSeconds, rules: &Rules) -> bool {
        let hidden = self.hidden.max(live.broadcast);
        let is_news = hidden != self.hidden;
        self.hidden = hidden;
        if rules.moderation == Moderation::End && live.end.is_none() {
            self.pending_actions.insert(PendingAction::CutStream);
            // What ends it comes after all that is known: it may have been interrupted at that second.
            let end = Evidence::Off(at.max(self.timeline.last_event_at()), End::Moderated);
            return self.timeline.add(end) || is_news;
        }
        is_news
    }

    /// Whether a replay remains of a live that is hidden for a forbidden picture: of its own, or of an earlier live of its
    /// show. Without a known live a picture of its own time decides.
    pub(crate) fn is_forbidden(&self, projection: &Projection, replay: &ReplayFiles) -> bool {
        let holds = |live: &Live, at: UnixSeconds| live.user_stream == UserStream::Own && live.contains(at);
        let is_of_show = |live: &Live, at| {
            projection.lives.iter().any(|other| holds(other, at) && other.broadcast == live.broadcast)
        };
        self.verdicts.iter().any(|at| match projection.live_of(replay) {
            None => (replay.start..=replay.end).contains(at),
            Some(live) if live.user_stream != UserStream::Own => false,
            Some(live) => {
                let is_hidden_later = live.broadcast.is_some() && *at < live.start && is_of_show(live, *at);
                holds(live, *at) || is_hidden_later
            }
        })
    }
}
