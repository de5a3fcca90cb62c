//! What happened to a user's streams, and what it means: whether the room is live, the lives, and the replays.
//!
//! A timeline is evidence, in any order; [`lives`](Timeline::lives) and [`replays`](Timeline::replays) compute from all
//! of it what it means. Here is no table and no clock: [decision 13] has the rules.
//!
//! [decision 13]: https://github.com/mini-lvb/mini-lvb/blob/main/docs/decisions/0013-lives-from-evidence.md

mod broadcasts;
mod lives;
mod prune;
mod replays;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use self::{broadcasts::StartRequest, prune::Horizon};
pub use self::{
    lives::{End, Live},
    prune::Pruned,
    replays::{Part, ReplayFiles},
};
use protocol::types::{FileId, StreamId, Text, UnixSeconds};

/// One thing that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The app asked to push: for a new show, or again for the one that runs.
    StartRequested(UnixSeconds),
    /// The cloud: a push of a stream started.
    Started {
        /// The stream; the user's own is [`UserStream::Own`].
        user_stream: UserStream,
        /// The name of the push.
        push: String,
        /// When.
        at: UnixSeconds,
    },
    /// The cloud: a push ended.
    Ended {
        /// The stream.
        user_stream: UserStream,
        /// The name of the push.
        push: String,
        /// When.
        at: UnixSeconds,
        /// How long it lasted; `None` if that was not told.
        seconds: Option<u64>,
        /// Why; `None` if that was not told.
        reason: Option<Reason>,
    },
    /// Somebody says that the user's own stream is live.
    On(UnixSeconds),
    /// Somebody says that it is not.
    Off(UnixSeconds, End),
    /// The cloud recorded a file.
    Recorded(Recording),
}

impl Evidence {
    /// The second that it is of; of a file its last.
    pub fn at(&self) -> UnixSeconds {
        match self {
            Self::StartRequested(at)
            | Self::Started { at, .. }
            | Self::Ended { at, .. }
            | Self::On(at)
            | Self::Off(at, _) => *at,
            Self::Recorded(recording) => recording.end,
        }
    }
}

/// Why a push ended, in the cloud's words: its table of interruption reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// `errcode`.
    #[serde(rename = "c", default)]
    pub code: u64,
    /// `sub_errcode`; 0 if there is none.
    #[serde(rename = "s", default, skip_serializing_if = "is_zero")]
    pub detail: u64,
    /// `errmsg`, for people: nothing follows from it.
    #[serde(rename = "m", default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Reason {
    /// Whether the push was never taken: no right to push (18/500 to 503, 19), too many pushes of this stream (18/601),
    /// a forbidden stream (18/305), and so on.
    fn is_refusal(&self) -> bool {
        matches!(self.code, 18 | 19)
    }

    /// Whether a newer push took its place.
    fn is_replacement(&self) -> bool {
        self.code == 21 && matches!(self.detail, 102 | 103)
    }
}

/// Which of a user's streams.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum UserStream {
    /// The one that we gave them.
    #[default]
    #[serde(rename = "own")]
    Own,
    /// One that the cloud's room service made for them.
    #[serde(rename = "by")]
    RoomService(String),
}

impl UserStream {
    /// The lane of a stream of the room service.
    pub fn of(stream: &StreamId) -> Self {
        Self::RoomService(stream.to_string())
    }

    /// The stream of the room service; empty: the user's own.
    pub fn stream(&self) -> &str {
        match self {
            Self::Own => "",
            Self::RoomService(stream) => stream,
        }
    }
}

/// A file that the cloud recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The stream.
    pub user_stream: UserStream,
    /// The file, as notices name it.
    pub file: FileId,
    /// The file, as the video-on-demand service names it.
    pub vod_file: Text<200>,
    /// Where it plays.
    pub url: Text<1024>,
    /// Its format, in small letters.
    pub format: Text<16>,
    /// The second of its first picture.
    pub start: UnixSeconds,
    /// The second of its last picture.
    pub end: UnixSeconds,
    /// How new what is said of it is.
    pub version: Version,
}

/// How new a notice about a file is: by its expiry, and of one second by whether it tells of another address than the
/// first notice did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version(pub u64, pub bool);

impl Version {
    /// Whether nobody wrote it down.
    fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// The evidence about one user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// How many pieces of evidence have come.
    #[serde(rename = "n", default)]
    arrived: u64,
    #[serde(rename = "o", default)]
    start_requests: Vec<StartRequest>,
    #[serde(rename = "p", default)]
    pushes: Vec<Push>,
    #[serde(rename = "m", default)]
    status_reports: Vec<StatusReport>,
    #[serde(rename = "f", default)]
    files: Vec<File>,
    #[serde(rename = "k", default, skip_serializing_if = "Horizon::is_start")]
    horizon: Horizon,
}

/// The second of an event, and its arrival number: events of one second count in the order in which they arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
struct Stamp {
    at: u64,
    arrival: u64,
}

impl From<(u64, u64)> for Stamp {
    fn from((at, arrival): (u64, u64)) -> Self {
        Self { at, arrival }
    }
}

impl From<Stamp> for (u64, u64) {
    fn from(Stamp { at, arrival }: Stamp) -> Self {
        (at, arrival)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Push {
    #[serde(rename = "l", default)]
    user_stream: UserStream,
    #[serde(rename = "n")]
    name: String,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    start: Option<Stamp>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    end: Option<Stamp>,
    /// How long it lasted, as far as its end told.
    #[serde(rename = "d", default)]
    seconds: u64,
    /// Whether its end told that it lasted less than a second.
    #[serde(rename = "z", default, skip_serializing_if = "std::ops::Not::not")]
    is_momentary: bool,
    /// Why it ended, as far as its end told.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
}

/// A word on the user's own stream that names no push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StatusReport {
    #[serde(rename = "t")]
    stamp: Stamp,
    /// `None`: it is live. Else it is not, and why.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    end: Option<End>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct File {
    #[serde(rename = "l", default)]
    user_stream: UserStream,
    #[serde(flatten)]
    part: Part,
}

impl Push {
    fn is(&self, user_stream: &UserStream, name: &str) -> bool {
        self.user_stream == *user_stream && self.name == name
    }

    /// The last second that is known of it.
    fn last_word(&self) -> u64 {
        [self.start, self.end].into_iter().flatten().map(|Stamp { at, .. }| at).max().unwrap_or(0)
    }

    /// Whether the cloud never took it: its start was never told, and its end says that it was refused or lasted no time.
    fn is_void(&self) -> bool {
        self.start.is_none() && (self.is_momentary || self.reason.as_ref().is_some_and(Reason::is_refusal))
    }

    /// The second at which it started: as told, or its end less its length; `None` if it leaves only its end, or nothing.
    fn started(&self) -> Option<Stamp> {
        let start = match (self.start, self.end) {
            _ if self.is_void() => return None,
            (Some(start), _) => start,
            (None, Some(end)) => Stamp { at: end.at.saturating_sub(self.seconds), ..end },
            (None, None) => return None,
        };
        Some(start).filter(|start| self.end.is_none_or(|end| start.at < end.at))
    }
}

impl Timeline {
    /// Takes in a piece of evidence; says whether it was new. What a notice tells of a second of which evidence may be
    /// forgotten is not new, unless it is of a push that is known.
    pub fn add(&mut self, evidence: Evidence) -> bool {
        if self.may_be_forgotten(&evidence) {
            return false;
        }
        let arrival = self.arrived;
        let stamp = |UnixSeconds(at)| Stamp { at, arrival };
        let new = match evidence {
            Evidence::StartRequested(UnixSeconds(at)) => self.request_start(at),
            Evidence::Started { user_stream, push, at } => {
                let push = self.push(user_stream, push);
                let new = push.start.is_none();
                push.start.get_or_insert(stamp(at));
                new
            }
            Evidence::Ended { user_stream, push, at, seconds, reason } => {
                let push = self.push(user_stream, push);
                let new = push.end.is_none();
                if new {
                    (push.end, push.seconds) = (Some(stamp(at)), seconds.unwrap_or(0));
                    (push.is_momentary, push.reason) = (seconds == Some(0), reason);
                }
                new
            }
            Evidence::On(at) => self.report(stamp(at), None),
            Evidence::Off(at, end) => self.report(stamp(at), Some(end)),
            Evidence::Recorded(recording) => self.record(recording),
        };
        self.arrived += u64::from(new);
        new
    }

    /// Whether this may be evidence that was forgotten, and comes again. Of a file that is so the table has a row.
    pub fn may_be_forgotten(&self, evidence: &Evidence) -> bool {
        match evidence {
            Evidence::Started { user_stream, push, at } | Evidence::Ended { user_stream, push, at, .. } => {
                self.horizon.is_behind(user_stream, at.0)
                    && !self.pushes.iter().any(|known| known.is(user_stream, push))
            }
            // What a notice says that names no push. What the app says is of now.
            Evidence::Off(at, End::Stopped) => self.horizon.is_behind(&UserStream::Own, at.0),
            Evidence::StartRequested(_) | Evidence::On(_) | Evidence::Off(..) | Evidence::Recorded(_) => false,
        }
    }

    /// Whether this file may have been forgotten.
    pub fn may_have_forgotten(&self, recording: &Recording) -> bool {
        self.horizon.is_behind(&recording.user_stream, recording.end.0) && !self.has_file(&recording.file)
    }

    /// Whether all is kept that was told of a stream since this second.
    pub fn is_whole_since(&self, user_stream: &UserStream, at: UnixSeconds) -> bool {
        !self.horizon.is_behind(user_stream, at.0)
    }

    /// Whether the live that a replay remains of is known, if there was one.
    pub fn knows_lives_of(&self, replay: &ReplayFiles) -> bool {
        let file = self.files.iter().find(|known| known.part.file == replay.file);
        file.is_none_or(|file| self.is_whole_since(&file.user_stream, replay.start))
    }

    /// The push of this name, known from now on.
    fn push(&mut self, user_stream: UserStream, name: String) -> &mut Push {
        let known = self.pushes.iter().position(|push| push.is(&user_stream, &name));
        let place = known.unwrap_or_else(|| {
            let (start, end, seconds, is_momentary, reason) = (None, None, 0, false, None);
            self.pushes.push(Push { user_stream, name, start, end, seconds, is_momentary, reason });
            self.pushes.len() - 1
        });
        &mut self.pushes[place]
    }

    /// Takes in a word on the stream, unless it was said in the same second already.
    fn report(&mut self, stamp: Stamp, end: Option<End>) -> bool {
        let is_known = self.status_reports.last().is_some_and(|last| last.stamp.at == stamp.at && last.end == end);
        if !is_known {
            self.status_reports.push(StatusReport { stamp, end });
        }
        !is_known
    }

    fn record(&mut self, recording: Recording) -> bool {
        if let Some(known) = self.files.iter_mut().find(|known| known.part.file == recording.file) {
            return known.part.take_address(&recording);
        }
        let Recording { user_stream, file, vod_file, url, format, start, end, version } = recording;
        let (vod_file, url, format) = (vod_file.as_str().into(), url.as_str().into(), format.as_str().into());
        let part = Part { file, vod_file, url, format, start: start.0, end: end.0, version };
        self.files.push(File { user_stream, part });
        true
    }

    /// Whether this file has been told of.
    pub fn has_file(&self, file: &FileId) -> bool {
        self.files.iter().any(|known| known.part.file == *file)
    }

    /// Whether it means the same as another one.
    pub fn implies_same_as(&self, other: &Self, grace: u64) -> bool {
        let (ours, theirs) = (self.lives(grace), other.lives(grace));
        ours == theirs && self.replays(&ours) == other.replays(&theirs)
    }

    /// The streams of the cloud's room service that were told of.
    pub fn room_service_streams(&self) -> BTreeSet<&str> {
        let user_streams =
            self.pushes.iter().map(|push| &push.user_stream).chain(self.files.iter().map(|file| &file.user_stream));
        user_streams
            .filter_map(
                |user_stream| {
                    if let UserStream::RoomService(stream) = user_stream { Some(stream.as_str()) } else { None }
                },
            )
            .collect()
    }

    /// Takes what is later than any clock says that is about right for something of now, in the order in which it came.
    /// What was guessed at such a time is dropped. Says whether there was any.
    pub fn cap(&mut self, now: UnixSeconds) -> bool {
        let is_ahead = |stamp: &Stamp| UnixSeconds(stamp.at).is_ahead_of(now);
        let number = self.status_reports.len();
        let is_guess = |report: &StatusReport| matches!(report.end, Some(End::Vanished | End::Silent));
        self.status_reports.retain(|report| !is_ahead(&report.stamp) || !is_guess(report));
        let mut is_capped = self.status_reports.len() < number;
        let pushes = self.pushes.iter_mut().flat_map(|push| [push.start.as_mut(), push.end.as_mut()]).flatten();
        for stamp in
            pushes.chain(self.status_reports.iter_mut().map(|report| &mut report.stamp)).filter(|stamp| is_ahead(stamp))
        {
            stamp.at = now.0;
            is_capped = true;
        }
        self.horizon.cap(now);
        self.cap_start_requests(now) || is_capped
    }
}
