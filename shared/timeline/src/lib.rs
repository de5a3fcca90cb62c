//! The history of a user's streams, and what it implies: whether the room is live, the lives, and the replays.
//!
//! A [`Timeline`] is a set of events ([`Evidence`]), which may arrive twice, late and in any order. [`Timeline::lives`]
//! and [`Timeline::replays`] are computed from all events, each time. The crate has no table and no clock. [Decision 13]
//! has the rules, and a worked timeline.
//!
//! # Terms
//!
//! - **Notice**: a message of the live cloud about a stream (its callback), for example that a push started.
//! - **Evidence**: what the timeline keeps of a notice, or of a report of the app.
//! - **Start request**: the app asks for a push URL. **Broadcast**: what a user announced with a start request; further
//!   start requests during the broadcast renew it. The second of the first start request identifies a broadcast.
//! - **Push**: one connection that sends video to the cloud. **User stream**: the user's own stream, or a stream of the
//!   cloud's room service.
//! - **Status report**: "live" or "not live" without the name of a push, for example from the app.
//! - **Interval**: a time span in which a stream runs. **Live**: intervals of one broadcast with short gaps.
//! - **Grace**: the longest such gap (`GRACE_SECONDS`).
//! - **Replay**: the recorded files of one live.
//! - **Stamp**: the second of an event and its arrival number. Events of one second count in the order of arrival.
//! - **Horizon**: events before this second may be forgotten.
//!
//! [Decision 13]: https://github.com/mini-lvb/mini-lvb/blob/main/docs/decisions/0013-lives-from-evidence.md

mod broadcasts;
mod evidence;
mod lives;
mod prune;
mod replays;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use self::{
    broadcasts::Broadcasts,
    evidence::{Evidence, Reason, Recording, UserStream, Version},
    lives::{End, Live},
    replays::{ReplayFiles, ReplayPart},
};
use self::{broadcasts::StartRequest, prune::Horizon};
use protocol::types::{FileId, UnixSeconds};

/// The events of one user, and no more than has room in an item of the table: see [`Timeline::prune`].
///
/// A timeline of 600 events is written as JSON into one item, so the names of its fields have one letter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// The number of events that were added: the next arrival number.
    #[serde(rename = "n", default)]
    arrived: u64,
    /// Ordered by stamp.
    #[serde(rename = "o", default)]
    start_requests: Vec<StartRequest>,
    #[serde(rename = "p", default)]
    pushes: Vec<Push>,
    #[serde(rename = "m", default)]
    status_reports: Vec<StatusReport>,
    /// In the order of arrival.
    #[serde(rename = "f", default)]
    files: Vec<Recording>,
    #[serde(rename = "k", default, skip_serializing_if = "is_default")]
    horizon: Horizon,
}

/// The second of an event, and its arrival number: events of one second count in the order in which they arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(UnixSeconds, u64)", into = "(UnixSeconds, u64)")]
struct Stamp {
    at: UnixSeconds,
    arrival: u64,
}

impl From<(UnixSeconds, u64)> for Stamp {
    fn from((at, arrival): (UnixSeconds, u64)) -> Self {
        Self { at, arrival }
    }
}

impl From<Stamp> for (UnixSeconds, u64) {
    fn from(Stamp { at, arrival }: Stamp) -> Self {
        (at, arrival)
    }
}

/// A push, as far as its notices have arrived: the start, the end, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Push {
    #[serde(rename = "l", default)]
    user_stream: UserStream,
    #[serde(rename = "n")]
    name: String,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    start: Option<Stamp>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    end: Option<Stamp>,
    /// The duration in the notice of the end; 0 if the notice has none.
    #[serde(rename = "d", default)]
    seconds: u64,
    /// Whether the notice of the end has a duration of less than a second.
    #[serde(rename = "z", default, skip_serializing_if = "is_default")]
    is_momentary: bool,
    /// The reason in the notice of the end.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
}

/// A report on the user's own stream that names no push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StatusReport {
    #[serde(rename = "t")]
    stamp: Stamp,
    /// `None` if the stream is live, else why it is not.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    end: Option<End>,
}

/// Whether a field is left out of the JSON.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Push {
    fn has_name(&self, user_stream: &UserStream, name: &str) -> bool {
        self.user_stream == *user_stream && self.name == name
    }

    /// The time of its last known event.
    fn last_event_at(&self) -> UnixSeconds {
        self.start.max(self.end).map(|stamp| stamp.at).unwrap_or_default()
    }

    /// Whether the cloud never accepted the push: the start was not reported, and the end has a refusal as its reason, or a
    /// duration of zero. Nothing follows from a void push.
    fn is_void(&self) -> bool {
        self.start.is_none() && (self.is_momentary || self.reason.as_ref().is_some_and(Reason::is_refusal))
    }

    /// When the push started: the reported start, or else the end minus the duration. `None` for a void push, and for a
    /// push that ended in the second of its start: such a push counts only as an end.
    fn started(&self) -> Option<Stamp> {
        let by_duration = || self.end.map(|end| Stamp { at: end.at.minus(self.seconds), ..end });
        let start = self.start.or_else(by_duration).filter(|_| !self.is_void())?;
        self.end.is_none_or(|end| start.at < end.at).then_some(start)
    }
}

impl Timeline {
    /// Adds an event, and returns whether the event was new. A start or an end before the horizon, as a notice reports it,
    /// is not new unless its push is known.
    pub fn add(&mut self, evidence: Evidence) -> bool {
        if self.may_be_forgotten(&evidence) {
            return false;
        }
        let arrival = self.arrived;
        let stamp = |at| Stamp { at, arrival };
        let is_new = match evidence {
            Evidence::StartRequested(at) => self.request_start(stamp(at)),
            Evidence::Started { user_stream, push, at } => {
                let push = self.push(user_stream, push);
                let is_new = push.start.is_none();
                push.start.get_or_insert(stamp(at));
                is_new
            }
            Evidence::Ended { user_stream, push, at, seconds, reason } => {
                let push = self.push(user_stream, push);
                let is_new = push.end.is_none();
                if is_new {
                    (push.end, push.seconds) = (Some(stamp(at)), seconds.unwrap_or(0));
                    (push.is_momentary, push.reason) = (seconds == Some(0), reason);
                }
                is_new
            }
            Evidence::On(at) => self.report(stamp(at), None),
            Evidence::Off(at, end) => self.report(stamp(at), Some(end)),
            Evidence::Recorded(recording) => self.record(recording),
        };
        self.arrived += u64::from(is_new);
        is_new
    }

    /// Whether this event may be a repetition of a forgotten event. Files are never counted as forgotten here: the table
    /// has a row of each.
    fn may_be_forgotten(&self, evidence: &Evidence) -> bool {
        match evidence {
            Evidence::Started { user_stream, push, at } | Evidence::Ended { user_stream, push, at, .. } => {
                !self.is_complete_since(user_stream, *at)
                    && !self.pushes.iter().any(|known| known.has_name(user_stream, push))
            }
            // Only a notice can repeat a status report (`Stopped`); the app and the sweep report the present.
            Evidence::Off(at, End::Stopped) => !self.is_complete_since(&UserStream::Own, *at),
            Evidence::StartRequested(_) | Evidence::On(_) | Evidence::Off(..) | Evidence::Recorded(_) => false,
        }
    }

    /// Whether this file may be one that the timeline has forgotten.
    pub fn may_have_forgotten(&self, Recording { user_stream, part }: &Recording) -> bool {
        !self.is_complete_since(user_stream, part.end) && !self.has_file(&part.file)
    }

    /// Whether the timeline still has all lives that a replay can belong to. Also true if the timeline does not have the
    /// file of the replay.
    pub fn knows_lives_of(&self, replay: &ReplayFiles) -> bool {
        let recording = self.recording(&replay.file);
        recording.is_none_or(|recording| self.is_complete_since(&recording.user_stream, replay.start))
    }

    /// The push with this name. An unknown push is added.
    fn push(&mut self, user_stream: UserStream, name: String) -> &mut Push {
        let known = self.pushes.iter().position(|push| push.has_name(&user_stream, &name));
        let place = known.unwrap_or(self.pushes.len());
        if known.is_none() {
            self.pushes.push(Push { user_stream, name, ..Push::default() });
        }
        &mut self.pushes[place]
    }

    /// Adds a status report, unless the last one says the same about the same second.
    fn report(&mut self, stamp: Stamp, end: Option<End>) -> bool {
        let is_new = self.status_reports.last().is_none_or(|last| (last.stamp.at, last.end) != (stamp.at, end));
        if is_new {
            self.status_reports.push(StatusReport { stamp, end });
        }
        is_new
    }

    /// Adds a file, or a newer play URL of a known file.
    fn record(&mut self, recording: Recording) -> bool {
        if let Some(known) = self.files.iter_mut().find(|known| known.part.file == recording.part.file) {
            return known.part.take_newer_url(&recording.part);
        }
        self.files.push(recording);
        true
    }

    fn recording(&self, file: &FileId) -> Option<&Recording> {
        self.files.iter().find(|recording| recording.part.file == *file)
    }

    /// Whether the timeline has this file.
    pub fn has_file(&self, file: &FileId) -> bool {
        self.recording(file).is_some()
    }

    /// Whether another timeline implies the same lives and replays.
    pub fn implies_same_as(&self, other: &Self, grace: u64) -> bool {
        let (ours, theirs) = (self.lives(grace), other.lives(grace));
        ours == theirs && self.replays(&ours) == other.replays(&theirs)
    }

    /// The streams of the cloud's room service in the timeline.
    pub fn room_service_streams(&self) -> BTreeSet<&str> {
        let of_pushes = self.pushes.iter().map(|push| &push.user_stream);
        let of_files = self.files.iter().map(|recording| &recording.user_stream);
        of_pushes.chain(of_files).map(UserStream::stream).filter(|stream| !stream.is_empty()).collect()
    }

    /// Corrects events from a clock that was ahead: an event more than 30 seconds after `now` gets the time `now`, and
    /// keeps its arrival number. A guessed end (`Vanished`, `Silent`) with such a time is dropped. Returns whether an event
    /// changed.
    pub fn cap(&mut self, now: UnixSeconds) -> bool {
        let count = self.status_reports.len();
        let is_guess = |report: &StatusReport| matches!(report.end, Some(End::Vanished | End::Silent));
        self.status_reports.retain(|report| !report.stamp.at.is_ahead_of(now) || !is_guess(report));
        let mut is_capped = self.status_reports.len() < count;
        for request in self.start_requests.iter_mut().filter(|request| request.stamp.at.is_ahead_of(now)) {
            request.key = Some(request.key());
        }
        let of_pushes = self.pushes.iter_mut().flat_map(|push| [push.start.as_mut(), push.end.as_mut()]).flatten();
        let of_reports = self.status_reports.iter_mut().map(|report| &mut report.stamp);
        let of_requests = self.start_requests.iter_mut().map(|request| &mut request.stamp);
        for stamp in of_pushes.chain(of_reports).chain(of_requests).filter(|stamp| stamp.at.is_ahead_of(now)) {
            (stamp.at, is_capped) = (now, true);
        }
        self.start_requests.sort_by_key(|request| request.stamp);
        self.horizon.cap(now);
        is_capped
    }
}
