//! Bans: that a user may not broadcast, and the actions that follow from a ban or its end.

use serde::{Deserialize, Serialize};

use super::BroadcasterState;
use protocol::types::UnixSeconds;
use timeline::{End, Evidence};

/// That a user may not broadcast.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// When it was said.
    pub at: u64,
    /// Until when; without it for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Who said it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// Whether the user's replays are kept out of the lists, too.
    #[serde(default)]
    pub hides_replays: bool,
    /// When the cloud has to be told again: it forgets bans.
    #[serde(default)]
    pub renew_at: u64,
}

impl Ban {
    /// Whether it still holds.
    pub fn holds(&self, now: UnixSeconds) -> bool {
        self.until.is_none_or(|until| now.0 < until)
    }
}

/// A part of a ban, or of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PendingAction {
    /// The cloud is told to take no push of the stream, and to cut the one that runs.
    ForbidStream,
    /// The cloud is told to take pushes of the stream again.
    AllowStream,
    /// The cloud is told to cut the push that runs, whatever comes after it.
    CutStream,
    /// The user is logged out everywhere.
    EndSessions,
    /// The user's replays are taken out of the lists.
    WithholdReplays,
    /// They come back.
    ReleaseReplays,
}

impl BroadcasterState {
    /// Bans the user, or another time, and notes what there is to do about it.
    pub(crate) fn ban(&mut self, ban: &Ban, now: UnixSeconds) {
        // Also of what is not known to run: its start may come late.
        self.timeline.add(Evidence::Off(now, End::Banned));
        self.release_or_withhold(ban.hides_replays);
        self.pending_actions.extend([PendingAction::ForbidStream, PendingAction::EndSessions]);
        self.pending_actions.remove(&PendingAction::AllowStream);
        self.ban = Some(ban.clone());
    }

    /// Lifts the ban, and notes what there is to do about that.
    pub(crate) fn lift(&mut self) {
        self.release_or_withhold(false);
        self.pending_actions.insert(PendingAction::AllowStream);
        self.pending_actions
            .retain(|action| ![PendingAction::ForbidStream, PendingAction::EndSessions].contains(action));
        self.ban = None;
    }

    fn release_or_withhold(&mut self, withholds: bool) {
        let did = self.ban.as_ref().is_some_and(|ban| ban.hides_replays);
        if withholds {
            self.pending_actions.remove(&PendingAction::ReleaseReplays);
            self.pending_actions.insert(PendingAction::WithholdReplays);
        } else if did {
            self.pending_actions.remove(&PendingAction::WithholdReplays);
            self.pending_actions.insert(PendingAction::ReleaseReplays);
        }
    }
}
