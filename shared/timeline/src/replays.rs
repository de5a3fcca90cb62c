//! From files to replays.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BTreeSet},
};

use super::{Live, Recording, Timeline, Version};
use protocol::types::{FileId, UnixSeconds};

/// The files of one stretch in several formats are cut a little differently: by so many seconds, and they end alike.
const CUT_SECONDS: u64 = 10;

/// What remains of a live: its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayFiles {
    /// The file that came first, which names it.
    pub file: FileId,
    /// The files, the first picture first.
    pub parts: Vec<Part>,
    /// The first second.
    pub start: UnixSeconds,
    /// The last.
    pub end: UnixSeconds,
    /// Which of the lives it remains of; `None` if none of them is known to.
    pub live: Option<usize>,
    /// What it is called was said at this second, when the room was opened; `None` if it was not yet.
    pub info_at: Option<UnixSeconds>,
}

/// A file of a replay.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Part {
    /// The file, as notices name it.
    #[serde(rename = "i", with = "name")]
    pub file: FileId,
    /// The file, as the video-on-demand service names it.
    #[serde(rename = "v", default)]
    pub vod_file: String,
    /// Where it plays.
    #[serde(rename = "u")]
    pub url: String,
    /// Its format, in small letters.
    #[serde(rename = "f")]
    pub format: String,
    /// The second of its first picture.
    #[serde(rename = "s")]
    pub start: u64,
    /// The second of its last picture.
    #[serde(rename = "e")]
    pub end: u64,
    /// How new what is said of it is.
    #[serde(rename = "w", default, skip_serializing_if = "Version::is_unknown")]
    pub version: Version,
}

/// A [`FileId`] as text.
mod name {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use protocol::types::FileId;

    pub(super) fn serialize<S: Serializer>(file: &FileId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(file.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FileId, D::Error> {
        let text = String::deserialize(deserializer)?;
        FileId::parse(&text).ok_or_else(|| D::Error::custom("no file id"))
    }
}

impl Part {
    /// Takes the address that a notice tells, if that is no older; says whether it is another one.
    pub fn take_address(&mut self, recording: &Recording) -> bool {
        let Recording { url, vod_file, version, .. } = recording;
        if *version < self.version || self.url == url.as_str() {
            return false;
        }
        self.version = *version;
        self.url = url.as_str().to_owned();
        if !vod_file.as_str().is_empty() {
            self.vod_file = vod_file.as_str().to_owned();
        }
        true
    }

    fn is_hls(&self) -> bool {
        self.format == "hls"
    }

    fn seconds(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// The order of the files of a replay.
    fn by_start(&self, other: &Self) -> Ordering {
        let order = |part: &Self| (part.start, Reverse(part.end));
        order(self).cmp(&order(other)).then_with(|| (&self.format, &self.file).cmp(&(&other.format, &other.file)))
    }
}

impl ReplayFiles {
    /// How long it lasts, with whatever lies between its files.
    pub fn seconds(&self) -> u64 {
        self.end.0.saturating_sub(self.start.0)
    }

    /// It without some of its files.
    #[must_use]
    pub fn without(&self, is_gone: impl Fn(&FileId) -> bool) -> Self {
        self.of_parts(self.parts.iter().filter(|part| !is_gone(&part.file)).cloned().collect())
    }

    /// It with more files.
    #[must_use]
    pub fn with(&self, more: Vec<Part>) -> Self {
        let mut parts = [more, self.parts.clone()].concat();
        parts.sort_by(Part::by_start);
        self.of_parts(parts)
    }

    fn of_parts(&self, parts: Vec<Part>) -> Self {
        let mut replay = Self { parts, ..self.clone() };
        let named = replay.parts.iter().find(|part| part.file == replay.file).or(replay.parts.first());
        if let Some(named) = named {
            (replay.start, replay.end) = span(&replay.parts, named);
        }
        replay
    }

    /// Where it plays as one file; `None` if it does not.
    pub fn play_url(&self) -> Option<&str> {
        self.shown(|part| !part.is_hls()).map(|part| part.url.as_str())
    }

    /// Where it plays as HLS; `None` if it does not.
    pub fn hls_url(&self) -> Option<&str> {
        self.shown(Part::is_hls).map(|part| part.url.as_str())
    }

    /// The files on which what is shown of it depends: its name, its addresses, its first and its last second.
    pub fn shown_files(&self) -> BTreeSet<FileId> {
        let play = [self.shown(|part| !part.is_hls()), self.shown(Part::is_hls)];
        let ends = [self.parts.iter().min_by_key(|part| part.start), self.parts.iter().max_by_key(|part| part.end)];
        let parts = play.into_iter().chain(ends).flatten().map(|part| part.file.clone());
        parts.chain([self.file.clone()]).collect()
    }

    /// Of the files of a kind, one that is nearly the whole replay, or else the first.
    fn shown(&self, kind: fn(&Part) -> bool) -> Option<&Part> {
        let parts = || self.parts.iter().filter(|part| kind(part));
        // Phones play MP4 everywhere.
        let plays_worse = |part: &Part| part.format != "mp4";
        let whole = parts().filter(|part| part.seconds() * 10 >= self.seconds() * 9);
        let whole = whole.min_by_key(|part| (plays_worse(part), Reverse(part.seconds()), &part.file));
        let first = || parts().min_by_key(|part| (part.start, plays_worse(part), &part.file));
        whole.or_else(first)
    }
}

/// The first and the last second of files; where they are cut a little differently than `named`, those of that.
fn span(parts: &[Part], named: &Part) -> (UnixSeconds, UnixSeconds) {
    let start = parts.iter().map(|part| part.start).min().filter(|start| start + CUT_SECONDS < named.start);
    let end = parts.iter().map(|part| part.end).max().filter(|end| *end > named.end + CUT_SECONDS);
    (UnixSeconds(start.unwrap_or(named.start)), UnixSeconds(end.unwrap_or(named.end)))
}

impl Timeline {
    /// The replays that the files are, given the [`lives`](Self::lives).
    pub fn replays(&self, lives: &[Live]) -> Vec<ReplayFiles> {
        // By the number of the live; files of no live are sorted into replays of their own after that.
        let mut of_lives: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut others: Vec<usize> = Vec::new();
        for (n, file) in self.files.iter().enumerate() {
            let in_common = lives
                .iter()
                .enumerate()
                .filter(|(_, live)| live.user_stream == file.user_stream)
                .map(|(number, live)| (live.common(file.part.start, file.part.end), Reverse(number)));
            match in_common.max().filter(|(seconds, _)| *seconds > 0) {
                Some((_, Reverse(number))) => of_lives.entry(number).or_default().push(n),
                None => others.push(n),
            }
        }
        let of_lives = of_lives.into_iter().map(|(number, files)| self.replay(files, Some((number, &lives[number]))));
        let others = self.overlapping(others).into_iter().map(|files| self.replay(files, None));
        of_lives.chain(others).collect()
    }

    /// Files sorted into groups of those that overlap, directly or through others.
    fn overlapping(&self, mut files: Vec<usize>) -> Vec<Vec<usize>> {
        files.sort_by_key(|n| self.files[*n].part.start);
        let mut groups: Vec<(u64, Vec<usize>)> = Vec::new();
        for n in files {
            let part = &self.files[n].part;
            match groups.last_mut() {
                Some((end, group)) if part.start < *end => {
                    *end = part.end.max(*end);
                    group.push(n);
                }
                _ => groups.push((part.end, vec![n])),
            }
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }

    /// The replay of some files, which are numbered as they came.
    fn replay(&self, files: Vec<usize>, live: Option<(usize, &Live)>) -> ReplayFiles {
        let name = files.iter().min().map_or(0, |first| *first);
        let mut parts: Vec<Part> = files.into_iter().map(|n| self.files[n].part.clone()).collect();
        parts.sort_by(Part::by_start);
        let first = &self.files[name].part;
        let (start, end) = span(&parts, first);
        ReplayFiles {
            file: first.file.clone(),
            start,
            end,
            parts,
            live: live.map(|(number, _)| number),
            info_at: live.map_or_else(|| self.info_at(start), |(_, live)| live.info_at),
        }
    }
}
