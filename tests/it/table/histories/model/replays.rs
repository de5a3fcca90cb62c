//! Rules 4 and 5 of decision 13: replays and their rows.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use super::{File, Live, Recording, SKEW, StartRequest, User};

/// Replays no longer than this are not listed.
const REPLAY_MIN: u64 = 60;
/// The tolerance between the files of one recording in several formats.
const CUT: u64 = 10;

/// A replay.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Replay {
    pub(crate) user: String,
    pub(crate) files: BTreeSet<String>,
    /// The row, by the id of the replay: the file that arrived first. Of files that arrive in one step, any may be first.
    pub(crate) rows: BTreeMap<String, ReplayRow>,
    /// The titles that it may have.
    pub(crate) titles: Vec<String>,
    /// The likes; `None` if the totals of the live are not known: for example, while it goes on.
    pub(crate) likes: Option<u64>,
}

/// What the row of a replay shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReplayRow {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// The URLs of which each is as good as the others.
    pub(crate) play_urls: BTreeSet<String>,
    pub(crate) hls_urls: BTreeSet<String>,
}

impl ReplayRow {
    pub(crate) fn is_listed(&self) -> bool {
        self.end - self.start > REPLAY_MIN
    }
}

impl User {
    /// Rule 4: the replays, listed or not.
    pub(crate) fn replays(&self) -> Vec<Replay> {
        let mut replays = Vec::new();
        for stream in self.streams() {
            let is_of_stream =
                |live: &&Live| (live.stream.is_empty() && stream == self.own_stream()) || live.stream == stream;
            let lives: Vec<&Live> = self.lives.iter().filter(is_of_stream).collect();
            let mut of_lives: BTreeMap<usize, Vec<&Recording>> = BTreeMap::new();
            let mut others: Vec<Vec<&Recording>> = Vec::new();
            for recording in self.recordings.iter().filter(|recording| recording.stream == stream) {
                let File { from, to, .. } = recording.file;
                let common = |live: &Live| {
                    let end = live.end.map_or(u64::MAX, |(end, _)| end).min(to);
                    end.saturating_sub(live.start.max(from))
                };
                let best = (0..lives.len()).rev().max_by_key(|n| common(lives[*n])).filter(|n| common(lives[*n]) > 0);
                if let Some(n) = best {
                    of_lives.entry(n).or_default().push(recording);
                    continue;
                }
                let overlaps = |group: &Vec<&Recording>| {
                    group.iter().any(|Recording { file, .. }| file.from < to && from < file.to)
                };
                let (overlapping, rest) = others.into_iter().partition::<Vec<_>, _>(overlaps);
                others = rest;
                others.push(overlapping.into_iter().flatten().chain([recording]).collect());
            }
            replays.extend(of_lives.into_iter().map(|(n, files)| self.replay(&files, Some(lives[n]))));
            replays.extend(others.into_iter().map(|files| self.replay(&files, None)));
        }
        replays
    }

    /// Rule 5: the replay of some files.
    fn replay(&self, recordings: &[&Recording], live: Option<&Live>) -> Replay {
        let files: Vec<&File> = recordings.iter().map(|recording| &recording.file).collect();
        let first_step = recordings.iter().map(|recording| recording.step).min().unwrap();
        let first = recordings.iter().filter(|recording| recording.step == first_step);
        let row = |first: &File| {
            let start = files.iter().map(|file| file.from).min().filter(|from| from + CUT < first.from);
            let end = files.iter().map(|file| file.to).max().filter(|to| *to > first.to + CUT);
            let (start, end) = (start.unwrap_or(first.from), end.unwrap_or(first.to));
            let urls = |is_hls: bool| {
                let of_kind = files.iter().copied().filter(|file| (file.format == "hls") == is_hls);
                best_urls(&of_kind.collect::<Vec<_>>(), end - start)
            };
            ReplayRow { start, end, play_urls: urls(false), hls_urls: urls(true) }
        };
        let rows: BTreeMap<String, ReplayRow> =
            first.map(|recording| (recording.file.id.clone(), row(&recording.file))).collect();
        let last_request = |row: &ReplayRow| self.start_requests.iter().rfind(|request| request.at <= row.start + SKEW);
        let mut requests: Vec<&StartRequest> = match live {
            Some(live) => self.title_requests(live),
            None => rows.values().filter_map(last_request).collect(),
        };
        if requests.is_empty() {
            // Before the first broadcast, the replay gets the title that the room has when the file is reported.
            requests = self.start_requests.iter().collect();
        }
        Replay {
            user: self.name.clone(),
            files: files.iter().map(|file| file.id.clone()).collect(),
            titles: requests.into_iter().map(|request| request.title.clone()).collect(),
            rows,
            likes: live.map_or(Some(0), |live| live.end.and(live.totals).map(|totals| totals.likes)),
        }
    }
}

/// How many of these replays are listed, at least and at most: the id decides, and may be open.
pub(crate) fn how_many_listed(replays: &[Replay]) -> RangeInclusive<u64> {
    let surely = replays.iter().filter(|replay| replay.rows.values().all(ReplayRow::is_listed)).count();
    let possibly = replays.iter().filter(|replay| replay.rows.values().any(ReplayRow::is_listed)).count();
    surely as u64..=possibly as u64
}

/// The URLs of the best of some files of a replay of this duration: of those that last nine tenths of it, an mp4 before
/// others, then the longest; or else the first to start, an mp4 before others.
fn best_urls(files: &[&File], seconds: u64) -> BTreeSet<String> {
    let duration = |file: &File| file.to - file.from;
    let whole: Vec<&File> = files.iter().copied().filter(|file| duration(file) * 10 >= seconds * 9).collect();
    let best = if whole.is_empty() {
        all_least(files, |file| (file.from, file.format != "mp4"))
    } else {
        all_least(&whole, |file| (file.format != "mp4", Reverse(duration(file))))
    };
    let urls: BTreeSet<String> = best.into_iter().map(File::url).collect();
    if urls.is_empty() { BTreeSet::from([String::new()]) } else { urls }
}

/// All files for which the key is least.
fn all_least<'a, K: Ord>(files: &[&'a File], key: impl Fn(&File) -> K) -> Vec<&'a File> {
    let least = files.iter().map(|file| key(file)).min();
    files.iter().copied().filter(|file| Some(key(file)) == least).collect()
}
