//! What happened to a user's streams, and what it means: whether the room is live, the lives, and the replays.
//!
//! A timeline is evidence, in any order; [`lives`](Timeline::lives) and [`replays`](Timeline::replays) compute from all
//! of it what it means. Here is no table and no clock: [decision 13] has the rules.
//!
//! [decision 13]: https://github.com/mini-lvb/mini-lvb/blob/main/docs/decisions/0013-lives-from-evidence.md

mod lives;
mod replays;
mod shows;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use self::shows::Opening;
pub use self::{
    lives::{End, Live},
    replays::{Part, Replay},
};
use crate::types::{FileId, StreamId, Text, UnixSeconds};

/// The most pushes, marks and files that are kept; what is older is drawn together, or dropped.
const MOST_PUSHES: usize = 256;
const MOST_MARKS: usize = 64;
const MOST_FILES: usize = 400;
const MOST_OPENINGS: usize = 256;
/// A clock that shows an earlier time has not been set yet: by that clock all evidence is of a time to come.
const FIRST_SECOND: UnixSeconds = UnixSeconds(1_577_836_800);
/// The most bytes that the addresses of files take: an item of the table has 400 KB, and there is more in it.
const MOST_ADDRESS_BYTES: usize = 150_000;

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
    #[serde(rename = "w", default)]
    version: Version,
    #[serde(flatten)]
    part: Part,
}

impl Push {
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
    /// Takes in a piece of evidence; says whether it was new.
    pub fn add(&mut self, evidence: Evidence) -> bool {
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

    /// The push of this name, known from now on.
    fn push(&mut self, lane: Lane, name: String) -> &mut Push {
        let known = self.pushes.iter().position(|push| push.lane == lane && push.name == name);
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
        let Recording { lane, file, vod_file, url, format, start, end, version } = recording;
        if let Some(known) = self.files.iter_mut().find(|known| known.part.file == file) {
            let is_newer = version >= known.version && known.part.url != url.as_str();
            if is_newer {
                known.version = version;
                known.part.url = url.as_str().to_owned();
                if !vod_file.as_str().is_empty() {
                    known.part.vod_file = vod_file.as_str().to_owned();
                }
            }
            return is_newer;
        }
        let (vod_file, url, format) = (vod_file.as_str().into(), url.as_str().into(), format.as_str().into());
        let part = Part { file, vod_file, url, format, start: start.0, end: end.0 };
        self.files.push(File { lane, version, part });
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
        if now < FIRST_SECOND {
            return false;
        }
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
        self.cap_openings(now) || is_capped
    }

    /// Drops what ended before this second, lives and replays as a whole, and of what there is too much the oldest.
    pub fn prune(&mut self, before: UnixSeconds, grace: u64) {
        let (lives, began) = (self.lives(grace), self.begins());
        let old: Vec<FileId> = {
            let replays = self.replays(&lives).into_iter().filter(|replay| replay.end < before);
            replays.flat_map(|replay| replay.parts).map(|part| part.file).collect()
        };
        self.files.retain(|file| !old.contains(&file.part.file));
        self.drop_files(&lives);
        let kept_from = |lane: &Lane| {
            let mut kept =
                lives.iter().filter(|live| live.lane == *lane && live.end.is_none_or(|(end, _)| end >= before));
            kept.next().map_or(before, |live| live.start.min(before)).0
        };
        // Of streams of the room service nobody finds out that they ended: one that is that old has.
        let is_forgotten = |push: &Push| push.lane != Lane::Own && push.end.is_none() && push.last_word() < before.0;
        self.pushes.retain(|push| push.last_word() >= kept_from(&push.lane) && !is_forgotten(push));
        let own = kept_from(&Lane::Own);
        self.marks.retain(|mark| mark.at.0 >= own);
        self.draw_together(&lives, grace);
        let oldest = self.files.iter().map(|file| file.part.start);
        let oldest = oldest.chain(self.pushes.iter().filter_map(|push| push.started().map(|Told(at, _)| at)));
        // What is no older than `before` may still be told of.
        let oldest = oldest.chain(self.marks.iter().map(|mark| mark.at.0)).fold(before.0, u64::min);
        self.drop_openings(&began, oldest, MOST_OPENINGS);
    }

    /// Drops the oldest files while there are too many: but the one that names a replay is its last to go.
    fn drop_files(&mut self, lives: &[Live]) {
        let bytes = |file: &File| file.part.url.len() + file.part.vod_file.len() + file.part.file.as_str().len();
        let mut total: usize = self.files.iter().map(bytes).sum();
        while self.files.len() > MOST_FILES || total > MOST_ADDRESS_BYTES {
            let names: Vec<FileId> = self.replays(lives).into_iter().map(|replay| replay.file).collect();
            let needless = self.files.iter().position(|file| !names.contains(&file.part.file));
            total -= bytes(&self.files.remove(needless.unwrap_or(0)));
        }
    }

    /// Makes one of the oldest two of what there is too much of, so that their live still starts when it did.
    fn draw_together(&mut self, lives: &[Live], grace: u64) {
        // Those of the user's own stream are the last to go.
        self.pushes.sort_by_key(|push| (std::cmp::Reverse(push.lane.clone()), push.started()));
        while self.pushes.len() > MOST_PUSHES {
            let first = self.pushes.remove(0);
            let Some(next) = self.pushes.first_mut().filter(|next| next.lane == first.lane) else { continue };
            let live_of = |push: &Push| {
                let start = UnixSeconds(push.started()?.0);
                lives.iter().position(|live| live.lane == push.lane && live.holds(start))
            };
            if live_of(&first).is_some() && live_of(&first) == live_of(next) {
                next.start = first.started();
            }
        }
        self.marks.sort_by_key(|mark| mark.at);
        let told: Vec<Told> = self.pushes.iter().flat_map(|push| [push.started(), push.end]).flatten().collect();
        while self.marks.len() > MOST_MARKS {
            // What is said twice, and nothing in between: once is enough.
            let is_said_again = |pair: &[Mark]| {
                pair[0].end.is_none() == pair[1].end.is_none()
                    && !told.iter().any(|told| (pair[0].at..=pair[1].at).contains(told))
            };
            let again = self.marks.windows(2).position(is_said_again);
            match (again, self.marks.as_slice()) {
                (Some(n), _) => drop(self.marks.remove(n + 1)),
                (None, [_, off, on, ..]) if off.end.is_some() && on.end.is_none() && on.at.0 - off.at.0 <= grace => {
                    self.marks.drain(1..3);
                }
                (None, _) => drop(self.marks.remove(0)),
            }
        }
    }
}
