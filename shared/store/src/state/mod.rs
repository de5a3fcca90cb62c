//! What is known of a broadcaster: one item per user, the state, with the timeline of events and all that follows from
//! it and is not written yet.
//!
//! A change of the state is written in these steps:
//!
//! 1. Read the state and the room, in one request.
//! 2. Apply the change, and compute the [projection](projection) of the timeline before and after it.
//! 3. Write the state under the condition that its revision is unchanged. The item names the rows that differ, the
//!    dirty rows. If another writer was first, start again at 1.
//! 4. Write the dirty rows: room, lives, replays. Each row carries the revision that it follows from, and replaces only
//!    a row of an older revision.
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

pub use self::ban::{Ban, PendingAction};
pub(crate) use self::{dirty::DirtyRow, projection::Projection, rows::WriteContext};
use crate::{Item, Result, invalid_attribute, keys, number_in, rooms::Room, text_in, unix_seconds_in};
use protocol::types::UnixSeconds;
use timeline::{Evidence, Timeline};

/// How long evidence is kept: a day more than the longest recording.
pub(crate) const KEPT_SECONDS: u64 = 8 * 24 * 3600;
/// How soon a live is looked after.
pub(crate) const CHECK_SECONDS: u64 = 30;
/// For how long the cloud is asked whether a live is over whose end is doubtful.
const DOUBT_SECONDS: u64 = 150;
/// How soon unfinished work is finished by others: no process works on one event for so long.
const UNFINISHED_SECONDS: u64 = 90;

/// What is known of a user.
#[derive(Clone, Debug, Default)]
pub struct BroadcasterState {
    /// What was told.
    pub timeline: Timeline,
    /// Whether they may broadcast.
    pub ban: Option<Ban>,
    /// The show that is kept out of the lists, by the second at which it was opened.
    pub hidden: Option<UnixSeconds>,
    /// When a picture was found to be forbidden that is of no live known so far: its start may be told late.
    pending_verdict_at: Option<UnixSeconds>,
    /// The seconds of all pictures that were found to be forbidden: what they are of is kept out of the lists.
    verdicts: BTreeSet<UnixSeconds>,
    /// What is left to do about a ban.
    pub pending_actions: BTreeSet<PendingAction>,
    /// How often the cloud, asked, knew nothing of the live, one time after the other.
    pub misses: u64,
    /// When it knew nothing of it for the first of these times.
    pub missed_at: UnixSeconds,
    /// When the stream was last seen to run.
    pub seen_at: UnixSeconds,
    revision: i64,
    dirty: BTreeSet<DirtyRow>,
    /// When a count was last noted in it.
    unconfirmed_at: UnixSeconds,
    /// What could not be written, and is not tried again before [`BroadcasterState::retry_at`].
    failed: BTreeSet<DirtyRow>,
    /// How often writing failed, one time after the other.
    failures: u32,
    retry_at: UnixSeconds,
    /// When somebody is to look at this again, as it is written.
    due_at: Option<UnixSeconds>,
}

/// What of a [`BroadcasterState`] is one text.
#[derive(Default, Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    timeline: Timeline,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ban: Option<Ban>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hidden: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending_verdict_at: Option<u64>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    verdicts: BTreeSet<u64>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pending_actions: BTreeSet<PendingAction>,
    #[serde(default)]
    misses: u64,
    #[serde(default)]
    missed_at: u64,
    #[serde(default)]
    seen_at: u64,
}

impl BroadcasterState {
    /// Reads the item. A room that was opened before there were timelines is evidence of itself.
    fn read(item: Option<&Item>, room: Option<&Room>) -> Result<Self> {
        let Some(item) = item else {
            let mut timeline = Timeline::default();
            let ban = room.filter(|room| room.banned).map(|_| Ban::default());
            if let Some(room) = room {
                timeline.add(Evidence::StartRequested(room.opened_at));
                if room.is_on() {
                    timeline.add(Evidence::On(room.opened_at));
                }
            }
            return Ok(Self { timeline, ban, ..Self::default() });
        };
        let record: Record =
            serde_json::from_str(text_in(item, "timeline")?).map_err(|_| invalid_attribute("timeline"))?;
        let named = |attribute: &str| match item.get(attribute) {
            None => Ok(BTreeSet::new()),
            Some(AttributeValue::Ss(names)) => Ok(names.iter().filter_map(|name| DirtyRow::parse(name)).collect()),
            Some(_) => Err(invalid_attribute(attribute)),
        };
        Ok(Self {
            timeline: record.timeline,
            ban: record.ban,
            hidden: record.hidden.map(UnixSeconds),
            pending_verdict_at: record.pending_verdict_at.map(UnixSeconds),
            verdicts: record.verdicts.into_iter().map(UnixSeconds).collect(),
            pending_actions: record.pending_actions,
            misses: record.misses,
            missed_at: UnixSeconds(record.missed_at),
            seen_at: UnixSeconds(record.seen_at),
            revision: number_in(item, "revision")?,
            dirty: named("dirty")?,
            unconfirmed_at: unix_seconds_in(item, "unconfirmed_at")?,
            failed: named("failed")?,
            failures: number_in(item, "failures")?.try_into().unwrap_or(0),
            retry_at: unix_seconds_in(item, "retry_at")?,
            due_at: item.contains_key(keys::DUE).then(|| unix_seconds_in(item, keys::DUE)).transpose()?,
        })
    }

    fn record(&self) -> Result<String> {
        let record = Record {
            timeline: self.timeline.clone(),
            ban: self.ban.clone(),
            hidden: self.hidden.map(|at| at.0),
            pending_verdict_at: self.pending_verdict_at.map(|at| at.0),
            verdicts: self.verdicts.iter().map(|at| at.0).collect(),
            pending_actions: self.pending_actions.clone(),
            misses: self.misses,
            missed_at: self.missed_at.0,
            seen_at: self.seen_at.0,
        };
        serde_json::to_string(&record).map_err(super::failed("write a timeline"))
    }

    /// Brings what was said by a clock that was ahead, the cloud's or ours, back to now. Says whether there was any.
    pub(crate) fn cap(&mut self, now: UnixSeconds) -> bool {
        let before = self.clone();
        self.timeline.cap(now);
        for at in [&mut self.seen_at, &mut self.missed_at, &mut self.unconfirmed_at] {
            *at = at.or_now_if_ahead(now);
        }
        for at in [&mut self.pending_verdict_at, &mut self.hidden].into_iter().flatten() {
            *at = at.or_now_if_ahead(now);
        }
        self.verdicts = self.verdicts.iter().map(|at| at.or_now_if_ahead(now)).collect();
        if let Some(ban) = self.ban.as_mut().filter(|ban| UnixSeconds(ban.at).is_ahead_of(now)) {
            let ahead = ban.at - now.0;
            ban.at = now.0;
            // Until when the ban holds an operator said, by no clock of ours.
            ban.renew_at = ban.renew_at.saturating_sub(ahead);
        }
        let is_known = |is: &Self| {
            (
                is.timeline.clone(),
                is.seen_at,
                is.missed_at,
                is.unconfirmed_at,
                is.pending_verdict_at,
                is.hidden,
                is.verdicts.clone(),
                is.ban.clone(),
            )
        };
        is_known(&before) != is_known(self)
    }

    /// Whether the room is to be seen live.
    pub(crate) fn is_live(&self) -> bool {
        self.ban.is_none() && self.timeline.is_on()
    }

    /// Whether the room is kept out of the lists.
    pub(crate) fn is_hidden(&self) -> bool {
        let hidden = self.hidden.and_then(|start_request| self.timeline.broadcasts().of(start_request));
        hidden.is_some() && hidden == self.timeline.broadcasts().last() && self.is_live()
    }

    /// The list that the room stands in.
    pub(crate) fn list(&self) -> &'static str {
        match (self.is_live(), self.is_hidden()) {
            (true, true) => "hidden",
            (true, false) => "online",
            (false, _) => "offline",
        }
    }

    /// When the user's own stream ended, if the cloud should be asked whether it did.
    pub fn unconfirmed_end(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        let end = self.timeline.unconfirmed_end().filter(|_| self.ban.is_none())?;
        (now < end.plus(DOUBT_SECONDS)).then_some(end)
    }

    /// When somebody should look at this again; `None` if nothing is left to do.
    pub fn due(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        let unfinished = (!self.dirty.is_empty()).then(|| now.plus(UNFINISHED_SECONDS));
        let live = (self.is_live() || self.unconfirmed_end(now).is_some()).then(|| now.plus(CHECK_SECONDS));
        let pending_actions = (!self.pending_actions.is_empty()).then(|| now.plus(CHECK_SECONDS));
        let retried = (!self.failed.is_empty()).then_some(self.retry_at);
        let lifted = self.ban.as_ref().and_then(|ban| ban.until);
        let renewed = self.ban.as_ref().map(|ban| ban.renew_at).filter(|at| *at > 0);
        let times = [unfinished, live, pending_actions, retried, lifted.map(UnixSeconds), renewed.map(UnixSeconds)];
        times.into_iter().flatten().min()
    }
}
