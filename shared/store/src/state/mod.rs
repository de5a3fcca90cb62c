//! The state of a broadcaster: one item per user, with the timeline of events and the names of the rows that follow from
//! it and are not written yet.
//!
//! A change of the state is written in these steps:
//!
//! 1. Read the state and the room, in one request.
//! 2. Apply the change, and compute the [projection](projection) of the timeline before and after it.
//! 3. Write the state under the condition that its revision is unchanged. The item names the rows that differ, the
//!    dirty rows. If another writer was first, start again at 1.
//! 4. Write the dirty rows: the room and the lives, the ban, then the replays. The lives are before the room if it begins
//!    a new broadcast: that sets the counters to zero from which lives take their totals. Each row carries the revision
//!    that it follows from, and replaces only a row of an older revision.
//! 5. Remove the names of the rows that were written.
//!
//! The call succeeds after step 3. If step 4 or 5 fails, the names remain, and the next change or the sweep writes the
//! rows. A row that the table refuses, or that is damaged, is logged and retried by the sweep at growing intervals; all
//! other rows are written.

mod ban;
mod change;
mod counts;
mod dirty;
mod projection;
mod rows;
mod verdicts;

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

pub use self::{
    ban::{Ban, PendingAction},
    change::Broadcaster,
};
pub(crate) use self::{
    dirty::DirtyRow,
    projection::{Projection, row_content},
    rows::RowWriter,
};
use crate::{
    prelude::*,
    rooms::{Room, Status},
};
use timeline::{Evidence, Timeline};

/// How long evidence is kept: a day longer than the longest recording.
pub(crate) const KEPT_SECONDS: u64 = 8 * 24 * 3600;
/// How often the sweep checks a live, or an end that is not confirmed.
pub(crate) const CHECK_SECONDS: u64 = 30;
/// For how long after an unconfirmed end the cloud is asked whether the live is over.
const UNCONFIRMED_END_SECONDS: u64 = 150;
/// When the sweep writes dirty rows that the call did not write. No process works on one event for so long.
const UNFINISHED_SECONDS: u64 = 90;

/// What is known of a broadcaster. The serialized fields are one JSON text in the item; the others are attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BroadcasterState {
    /// The events of the user's streams.
    #[serde(flatten)]
    pub timeline: Timeline,
    /// The ban, if the user may not broadcast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ban: Option<Ban>,
    /// The start request of the broadcast that moderation hides from the lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<UnixSeconds>,
    /// The latest verdict on a picture of no known live: the start of its live may be reported late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_verdict_at: Option<UnixSeconds>,
    /// The times of all forbidden pictures. The replays of their lives are not listed.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    verdicts: BTreeSet<UnixSeconds>,
    /// The actions that a ban, or the end of a ban, still requires.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub pending_actions: BTreeSet<PendingAction>,
    /// How many times in succession the cloud answered that it does not know the live.
    pub misses: u64,
    /// The time of the first of these answers.
    pub missed_at: UnixSeconds,
    /// The time of the last sign that the stream is live.
    pub seen_at: UnixSeconds,
    #[serde(skip)]
    revision: i64,
    #[serde(skip)]
    dirty: BTreeSet<DirtyRow>,
    /// When the last unconfirmed count was added to `dirty`.
    #[serde(skip)]
    unconfirmed_at: UnixSeconds,
    /// The dirty rows that could not be written, and are not tried again before `retry_at`.
    #[serde(skip)]
    failed: BTreeSet<DirtyRow>,
    /// How many times in succession a write of rows failed.
    #[serde(skip)]
    failures: u32,
    #[serde(skip)]
    retry_at: UnixSeconds,
    /// When the task in the item is due.
    #[serde(skip)]
    due_at: Option<UnixSeconds>,
}

impl BroadcasterState {
    /// Reads the item. Without an item, the state follows from the room.
    fn read(item: Option<&Item>, room: Option<&Room>) -> Result<Self> {
        let Some(item) = item else {
            let mut timeline = Timeline::default();
            let ban = room.filter(|room| room.banned).map(|_| Ban::default());
            if let Some(room) = room {
                timeline.add(Evidence::StartRequested(room.opened_at));
                if room.status == Status::Online {
                    timeline.add(Evidence::On(room.opened_at));
                }
            }
            return Ok(Self { timeline, ban, ..Self::default() });
        };
        let named = |attribute: &str| match item.get(attribute) {
            None => Ok(BTreeSet::new()),
            Some(AttributeValue::Ss(names)) => Ok(names.iter().filter_map(|name| DirtyRow::parse(name)).collect()),
            Some(_) => Err(invalid_attribute(attribute)),
        };
        Ok(Self {
            revision: number_in(item, "revision")?,
            dirty: named("dirty")?,
            unconfirmed_at: unix_seconds_in(item, "unconfirmed_at")?,
            failed: named("failed")?,
            failures: number_in(item, "failures")?.try_into().unwrap_or(0),
            retry_at: unix_seconds_in(item, "retry_at")?,
            due_at: item.contains_key(keys::DUE).then(|| unix_seconds_in(item, keys::DUE)).transpose()?,
            ..serde_json::from_str(text_in(item, "timeline")?).map_err(|_| invalid_attribute("timeline"))?
        })
    }

    /// Forgets what is too old: evidence, and the verdicts on it. While rows are not written, evidence is forgotten only
    /// where a limit is exceeded: the rows follow from it. Returns how many lives, replays, pushes or files were forgotten
    /// because of a limit.
    pub(crate) fn prune(&mut self, now: UnixSeconds, grace: u64) -> usize {
        let before = if self.has_unwritten_rows() { UnixSeconds(0) } else { now.minus(KEPT_SECONDS) };
        let forgotten = self.timeline.prune(before, grace);
        self.pending_verdict_at = self.pending_verdict_at.filter(|at| *at >= before);
        self.verdicts.retain(|at| *at >= before.minus(KEPT_SECONDS));
        forgotten
    }

    /// Replaces times that are ahead of now by now: the clock that gave them, the cloud's or ours, was wrong. Returns
    /// whether there were any.
    pub(crate) fn cap(&mut self, now: UnixSeconds) -> bool {
        let before = self.clone();
        self.timeline.cap(now);
        let times = [&mut self.seen_at, &mut self.missed_at, &mut self.unconfirmed_at].into_iter();
        for at in times.chain(&mut self.pending_verdict_at).chain(&mut self.hidden) {
            *at = at.or_now_if_ahead(now);
        }
        self.verdicts = self.verdicts.iter().map(|at| at.or_now_if_ahead(now)).collect();
        if let Some(ban) = self.ban.as_mut().filter(|ban| UnixSeconds(ban.at).is_ahead_of(now)) {
            // `until` stays: an operator gave it, and no clock of ours.
            ban.renew_at = ban.renew_at.saturating_sub(ban.at - now.0);
            ban.at = now.0;
        }
        *self != before
    }

    /// Whether the room is shown as live.
    pub(crate) fn is_live(&self) -> bool {
        self.ban.is_none() && self.timeline.is_on()
    }

    /// Whether the room is live, and moderation hides it from the lists.
    pub(crate) fn is_hidden(&self) -> bool {
        let hidden = self.hidden.and_then(|start_request| self.timeline.broadcasts().of(start_request));
        hidden.is_some() && hidden == self.timeline.broadcasts().last() && self.is_live()
    }

    /// The list that the room is in.
    pub(crate) fn list(&self) -> &'static str {
        match (self.is_live(), self.is_hidden()) {
            (true, true) => "hidden",
            (true, false) => "online",
            (false, _) => "offline",
        }
    }

    /// The end of the user's own stream, if the cloud should be asked whether the stream is over.
    pub fn unconfirmed_end(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        let end = self.timeline.unconfirmed_end().filter(|_| self.ban.is_none())?;
        (now < end.plus(UNCONFIRMED_END_SECONDS)).then_some(end)
    }

    /// When the task of this state is due; `None` if nothing is left to do.
    pub fn due(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        let unfinished = (!self.dirty.is_empty()).then(|| now.plus(UNFINISHED_SECONDS));
        let needs_check = self.is_live() || self.unconfirmed_end(now).is_some() || !self.pending_actions.is_empty();
        let check = needs_check.then(|| now.plus(CHECK_SECONDS));
        let retry = (!self.failed.is_empty()).then_some(self.retry_at);
        let lift = self.ban.as_ref().and_then(|ban| ban.until).map(UnixSeconds);
        let renew = self.ban.as_ref().map(|ban| UnixSeconds(ban.renew_at)).filter(|at| at.0 > 0);
        [unfinished, check, retry, lift, renew].into_iter().flatten().min()
    }
}
