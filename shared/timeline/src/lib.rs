//! What happened to a user's streams, and what it means: whether the room is live, the lives, and the replays.
//!
//! A timeline is evidence, in any order; [`lives`](Timeline::lives) and [`replays`](Timeline::replays) compute from all
//! of it what it means. Here is no table and no clock: [decision 13] has the rules.
//!
//! [decision 13]: https://github.com/mini-lvb/mini-lvb/blob/main/docs/decisions/0013-lives-from-evidence.md

mod lives;
mod prune;
mod replays;
mod shows;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use self::prune::bytes_of;
pub use self::{
    lives::{End, Live},
    prune::Pruned,
    replays::{Part, Replay},
};
use self::{prune::Horizon, shows::Opening};
use protocol::types::{FileId, StreamId, Text, UnixSeconds};

/// One thing that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The app asked to push: for a new show, or again for the one that runs.
    Opened(UnixSeconds),
    /// The cloud: a push of a stream started.
    Started {
        /// The stream; the user's own is [`Lane::Own`].
        lane: Lane,
        /// The name of the push.
        push: String,
        /// When.
        at: UnixSeconds,
    },
    /// The cloud: a push ended.
    Ended {
        /// The stream.
        lane: Lane,
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
            Self::Opened(at) | Self::Started { at, .. } | Self::Ended { at, .. } | Self::On(at) | Self::Off(at, _) => {
                *at
            }
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
pub enum Lane {
    /// The one that we gave them.
    #[default]
    #[serde(rename = "own")]
    Own,
    /// One that the cloud's room service made for them.
    #[serde(rename = "by")]
    RoomService(String),
}

impl Lane {
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
    pub lane: Lane,
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
    openings: Vec<Opening>,
    #[serde(rename = "p", default)]
    pushes: Vec<Push>,
    #[serde(rename = "m", default)]
    marks: Vec<Mark>,
    #[serde(rename = "f", default)]
    files: Vec<File>,
    #[serde(rename = "k", default, skip_serializing_if = "Horizon::is_start")]
    horizon: Horizon,
}

/// A second that was told, and as the how manieth piece of evidence: within one second, they count as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Told(u64, u64);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Push {
    #[serde(rename = "l", default)]
    lane: Lane,
    #[serde(rename = "n")]
    name: String,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    start: Option<Told>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    end: Option<Told>,
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
struct Mark {
    #[serde(rename = "t")]
    at: Told,
    /// `None`: it is live. Else it is not, and why.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    end: Option<End>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct File {
    #[serde(rename = "l", default)]
    lane: Lane,
    #[serde(flatten)]
    part: Part,
}

impl Push {
    fn is(&self, lane: &Lane, name: &str) -> bool {
        self.lane == *lane && self.name == name
    }

    /// The last second that is known of it.
    fn last_word(&self) -> u64 {
        [self.start, self.end].into_iter().flatten().map(|Told(at, _)| at).max().unwrap_or(0)
    }

    /// Whether the cloud never took it: its start was never told, and its end says that it was refused or lasted no time.
    fn is_void(&self) -> bool {
        self.start.is_none() && (self.is_momentary || self.reason.as_ref().is_some_and(Reason::is_refusal))
    }

    /// The second at which it started: as told, or its end less its length; `None` if it leaves only its end, or nothing.
    fn started(&self) -> Option<Told> {
        let start = match (self.start, self.end) {
            _ if self.is_void() => return None,
            (Some(start), _) => start,
            (None, Some(Told(end, n))) => Told(end.saturating_sub(self.seconds), n),
            (None, None) => return None,
        };
        Some(start).filter(|start| self.end.is_none_or(|end| start.0 < end.0))
    }
}

impl Timeline {
    /// Takes in a piece of evidence; says whether it was new. What a notice tells of a second of which evidence may be
    /// forgotten is not new, unless it is of a push that is known.
    pub fn add(&mut self, evidence: Evidence) -> bool {
        if self.may_be_forgotten(&evidence) {
            return false;
        }
        let n = self.arrived;
        let new = match evidence {
            Evidence::Opened(UnixSeconds(at)) => self.open(at),
            Evidence::Started { lane, push, at } => {
                let push = self.push(lane, push);
                let new = push.start.is_none();
                push.start.get_or_insert(Told(at.0, n));
                new
            }
            Evidence::Ended { lane, push, at, seconds, reason } => {
                let push = self.push(lane, push);
                let new = push.end.is_none();
                if new {
                    (push.end, push.seconds) = (Some(Told(at.0, n)), seconds.unwrap_or(0));
                    (push.is_momentary, push.reason) = (seconds == Some(0), reason);
                }
                new
            }
            Evidence::On(at) => self.mark(Told(at.0, n), None),
            Evidence::Off(at, end) => self.mark(Told(at.0, n), Some(end)),
            Evidence::Recorded(recording) => self.record(recording),
        };
        self.arrived += u64::from(new);
        new
    }

    /// Whether this may be evidence that was forgotten, and comes again. Of a file that is so the table has a row.
    pub fn may_be_forgotten(&self, evidence: &Evidence) -> bool {
        match evidence {
            Evidence::Started { lane, push, at } | Evidence::Ended { lane, push, at, .. } => {
                self.horizon.is_behind(lane, at.0) && !self.pushes.iter().any(|known| known.is(lane, push))
            }
            // What a notice says that names no push. What the app says is of now.
            Evidence::Off(at, End::Stopped) => self.horizon.is_behind(&Lane::Own, at.0),
            Evidence::Opened(_) | Evidence::On(_) | Evidence::Off(..) | Evidence::Recorded(_) => false,
        }
    }

    /// Whether this file may have been forgotten.
    pub fn may_have_forgotten(&self, recording: &Recording) -> bool {
        self.horizon.is_behind(&recording.lane, recording.end.0) && !self.has_file(&recording.file)
    }

    /// Whether all is kept that was told of a stream since this second.
    pub fn is_whole_since(&self, lane: &Lane, at: UnixSeconds) -> bool {
        !self.horizon.is_behind(lane, at.0)
    }

    /// Whether the live that a replay remains of is known, if there was one.
    pub fn knows_lives_of(&self, replay: &Replay) -> bool {
        let file = self.files.iter().find(|known| known.part.file == replay.file);
        file.is_none_or(|file| self.is_whole_since(&file.lane, replay.start))
    }

    /// The push of this name, known from now on.
    fn push(&mut self, lane: Lane, name: String) -> &mut Push {
        let known = self.pushes.iter().position(|push| push.is(&lane, &name));
        let place = known.unwrap_or_else(|| {
            let (start, end, seconds, is_momentary, reason) = (None, None, 0, false, None);
            self.pushes.push(Push { lane, name, start, end, seconds, is_momentary, reason });
            self.pushes.len() - 1
        });
        &mut self.pushes[place]
    }

    /// Takes in a word on the stream, unless it was said in the same second already.
    fn mark(&mut self, at: Told, end: Option<End>) -> bool {
        let is_known = self.marks.last().is_some_and(|last| last.at.0 == at.0 && last.end == end);
        if !is_known {
            self.marks.push(Mark { at, end });
        }
        !is_known
    }

    fn record(&mut self, recording: Recording) -> bool {
        if let Some(known) = self.files.iter_mut().find(|known| known.part.file == recording.file) {
            return known.part.take_address(&recording);
        }
        let Recording { lane, file, vod_file, url, format, start, end, version } = recording;
        let (vod_file, url, format) = (vod_file.as_str().into(), url.as_str().into(), format.as_str().into());
        let part = Part { file, vod_file, url, format, start: start.0, end: end.0, version };
        self.files.push(File { lane, part });
        true
    }

    /// Whether this file has been told of.
    pub fn has_file(&self, file: &FileId) -> bool {
        self.files.iter().any(|known| known.part.file == *file)
    }

    /// Whether it means the same as another one.
    pub fn means_as(&self, other: &Self, grace: u64) -> bool {
        let (ours, theirs) = (self.lives(grace), other.lives(grace));
        ours == theirs && self.replays(&ours) == other.replays(&theirs)
    }

    /// The streams of the cloud's room service that were told of.
    pub fn room_service_streams(&self) -> BTreeSet<&str> {
        let lanes = self.pushes.iter().map(|push| &push.lane).chain(self.files.iter().map(|file| &file.lane));
        lanes
            .filter_map(|lane| if let Lane::RoomService(stream) = lane { Some(stream.as_str()) } else { None })
            .collect()
    }

    /// Takes what is later than any clock says that is about right for something of now, in the order in which it came.
    /// What was guessed at such a time is dropped. Says whether there was any.
    pub fn cap(&mut self, now: UnixSeconds) -> bool {
        let is_ahead = |told: &Told| UnixSeconds(told.0).is_ahead_of(now);
        let number = self.marks.len();
        let is_guess = |mark: &Mark| matches!(mark.end, Some(End::Vanished | End::Silent));
        self.marks.retain(|mark| !is_ahead(&mark.at) || !is_guess(mark));
        let mut is_capped = self.marks.len() < number;
        let pushes = self.pushes.iter_mut().flat_map(|push| [push.start.as_mut(), push.end.as_mut()]).flatten();
        for told in pushes.chain(self.marks.iter_mut().map(|mark| &mut mark.at)).filter(|told| is_ahead(told)) {
            told.0 = now.0;
            is_capped = true;
        }
        self.horizon.cap(now);
        self.cap_openings(now) || is_capped
    }
}
