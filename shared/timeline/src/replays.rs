//! Computes replays from files.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::{Live, Timeline, UserStream, Version, is_default};
use protocol::types::{FileId, UnixSeconds};

/// The tolerance between files of one recording in several formats: their starts and ends differ by a few seconds.
const CUT_SECONDS: u64 = 10;

/// A replay: the files of a live, or files that overlap each other and no live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayFiles {
    /// The id of the replay: the file that arrived first.
    pub file: FileId,
    /// The files, in the order of their starts.
    pub parts: Vec<ReplayPart>,
    /// The first second of the replay.
    pub start: UnixSeconds,
    /// The last second of the replay.
    pub end: UnixSeconds,
    /// The index of the live in the lives; `None` if no known live overlaps the files.
    pub live: Option<usize>,
    /// The key of the replay's information, its title and cover: the second of a start request; `None` if there was no
    /// start request before.
    pub described_by: Option<UnixSeconds>,
}

/// A file of a replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayPart {
    /// The id of the file in notices.
    #[serde(rename = "i", deserialize_with = "file_id")]
    pub file: FileId,
    /// The id of the file in the video-on-demand service.
    #[serde(rename = "v", default)]
    pub vod_file: String,
    /// The play URL.
    #[serde(rename = "u")]
    pub url: String,
    /// The format, in lower case.
    #[serde(rename = "f")]
    pub format: String,
    /// The second of the first picture.
    #[serde(rename = "s")]
    pub start: UnixSeconds,
    /// The second of the last picture.
    #[serde(rename = "e")]
    pub end: UnixSeconds,
    /// The version of the play URL.
    #[serde(rename = "w", default, skip_serializing_if = "is_default")]
    pub version: Version,
}

fn file_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FileId, D::Error> {
    FileId::parse(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("no file id"))
}

impl ReplayPart {
    /// Replaces the play URL by that of a notice about the file, unless the notice is older. Returns whether the URL
    /// changed.
    pub fn take_newer_url(&mut self, notice: &Self) -> bool {
        if notice.version < self.version || self.url == notice.url {
            return false;
        }
        self.version = notice.version;
        self.url.clone_from(&notice.url);
        if !notice.vod_file.is_empty() {
            self.vod_file.clone_from(&notice.vod_file);
        }
        true
    }

    fn is_hls(&self) -> bool {
        self.format == "hls"
    }

    fn seconds(&self) -> u64 {
        self.end.minus(self.start.0).0
    }

    /// The order of files in a replay: by start, the longest first.
    fn order(&self) -> impl Ord + '_ {
        (self.start, Reverse(self.end), &self.format, &self.file)
    }
}

impl ReplayFiles {
    /// The duration, with the gaps between files.
    pub fn seconds(&self) -> u64 {
        self.end.minus(self.start.0).0
    }

    /// The replay with other files. The id stays.
    #[must_use]
    pub fn with_parts(&self, mut parts: Vec<ReplayPart>) -> Self {
        parts.sort_by(|a, b| a.order().cmp(&b.order()));
        let named = parts.iter().find(|part| part.file == self.file).or(parts.first());
        let (start, end) = named.map_or((self.start, self.end), |named| span(&parts, named));
        Self { parts, start, end, ..self.clone() }
    }

    /// The URL of a file that is not HLS; `None` if there is none.
    pub fn play_url(&self) -> Option<&str> {
        self.shown(|part| !part.is_hls()).map(|part| part.url.as_str())
    }

    /// The URL of an HLS file; `None` if there is none.
    pub fn hls_url(&self) -> Option<&str> {
        self.shown(ReplayPart::is_hls).map(|part| part.url.as_str())
    }

    /// The files that decide what a row shows: the id, the two URLs, the first and the last second.
    pub fn shown_files(&self) -> BTreeSet<FileId> {
        let urls = [self.shown(|part| !part.is_hls()), self.shown(ReplayPart::is_hls)];
        let ends = [self.parts.iter().min_by_key(|part| part.start), self.parts.iter().max_by_key(|part| part.end)];
        let files = urls.into_iter().chain(ends).flatten().map(|part| &part.file);
        files.chain([&self.file]).cloned().collect()
    }

    /// Of the files of a kind, one that lasts at least nine tenths of the replay (mp4 before others, then the longest), or
    /// else the first to start.
    fn shown(&self, kind: fn(&ReplayPart) -> bool) -> Option<&ReplayPart> {
        let parts = || self.parts.iter().filter(|part| kind(part));
        // All phones play MP4.
        let plays_worse = |part: &ReplayPart| part.format != "mp4";
        let whole = parts().filter(|part| part.seconds() * 10 >= self.seconds() * 9);
        let whole = whole.min_by_key(|part| (plays_worse(part), Reverse(part.seconds()), &part.file));
        let first = || parts().min_by_key(|part| (part.start, plays_worse(part), &part.file));
        whole.or_else(first)
    }
}

/// The first and the last second of files. A difference from `named` of at most ten seconds does not count: formats of
/// one recording are cut differently.
fn span(parts: &[ReplayPart], named: &ReplayPart) -> (UnixSeconds, UnixSeconds) {
    let start = parts.iter().map(|part| part.start).min().filter(|start| start.plus(CUT_SECONDS) < named.start);
    let end = parts.iter().map(|part| part.end).max().filter(|end| *end > named.end.plus(CUT_SECONDS));
    (start.unwrap_or(named.start), end.unwrap_or(named.end))
}

impl Timeline {
    /// The replays, given the [`lives`](Self::lives). A file belongs to the live that it overlaps most, of two equal ones
    /// the earlier; files of one live are one replay.
    pub fn replays(&self, lives: &[Live]) -> Vec<ReplayFiles> {
        // The files by the index of their live. Files of no live form replays by their overlaps.
        let mut of_lives: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut others: Vec<usize> = Vec::new();
        for (n, file) in self.files.iter().enumerate() {
            let overlaps = lives
                .iter()
                .enumerate()
                .filter(|(_, live)| live.user_stream == file.user_stream)
                .map(|(number, live)| (live.overlap_seconds(file.part.start, file.part.end), Reverse(number)));
            match overlaps.max().filter(|(seconds, _)| *seconds > 0) {
                Some((_, Reverse(number))) => of_lives.entry(number).or_default().push(n),
                None => others.push(n),
            }
        }
        let of_lives = of_lives.into_iter().map(|(number, files)| self.replay(files, Some((number, &lives[number]))));
        let others = self.overlapping(others).into_iter().map(|files| self.replay(files, None));
        of_lives.chain(others).collect()
    }

    /// Groups of files of one user stream that overlap, directly or through others.
    fn overlapping(&self, files: Vec<usize>) -> Vec<Vec<usize>> {
        let mut of_streams: BTreeMap<&UserStream, Vec<usize>> = BTreeMap::new();
        for n in files {
            of_streams.entry(&self.files[n].user_stream).or_default().push(n);
        }
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for mut files in of_streams.into_values() {
            files.sort_by_key(|n| self.files[*n].part.start);
            let mut end = UnixSeconds(0);
            for n in files {
                let part = &self.files[n].part;
                match groups.last_mut() {
                    Some(group) if part.start < end => group.push(n),
                    Some(_) | None => groups.push(vec![n]),
                }
                end = end.max(part.end);
            }
        }
        groups
    }

    /// The replay of some files, given by their indices, which are in the order of arrival.
    fn replay(&self, files: Vec<usize>, live: Option<(usize, &Live)>) -> ReplayFiles {
        let first = files.iter().min().map_or(0, |n| *n);
        let mut parts: Vec<ReplayPart> = files.into_iter().map(|n| self.files[n].part.clone()).collect();
        parts.sort_by(|a, b| a.order().cmp(&b.order()));
        let named = &self.files[first].part;
        let (start, end) = span(&parts, named);
        let described_by = live.map_or_else(|| self.described_by(start), |(_, live)| live.described_by);
        ReplayFiles { file: named.file.clone(), parts, start, end, live: live.map(|(number, _)| number), described_by }
    }
}
