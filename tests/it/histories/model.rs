//! What should be shown, from what was told: decision 13 word for word, without a thought for speed.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use super::history::{Act, File, Notice};

/// How long a live may be interrupted.
const GRACE: u64 = 60;
/// Replays no longer than this are not listed.
const SHORTEST_REPLAY: u64 = 60;
/// How far the cloud's clock may be behind ours.
const SKEW: u64 = 2;
/// How far apart the formats of one stretch may be cut.
const CUT: u64 = 10;
/// How far ahead of our clock a recording may end.
const AHEAD: u64 = 3600;

/// What should be shown of all users.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) users: BTreeMap<String, User>,
    /// How many steps were taken: what came at the same time has one number.
    step: u64,
}

/// What was told of a user, and what is counted.
#[derive(Debug)]
pub(super) struct User {
    name: String,
    openings: BTreeSet<u64>,
    /// What each show was called, one after the other.
    titles: BTreeMap<u64, Vec<String>>,
    pub(super) group: String,
    pub(super) banned: bool,
    pushes: BTreeMap<(String, String), Push>,
    marks: Vec<Word>,
    files: Vec<(u64, String, File)>,
    /// Who is in which group, and the show that they were counted in.
    inside: BTreeMap<(String, String), u64>,
    totals: Totals,
    lives: Vec<Live>,
}

/// What is known of a push: when it started, and when it ended after how many seconds; each with the step that told.
#[derive(Clone, Debug, Default, PartialEq)]
struct Push {
    start: Option<(u64, u64)>,
    end: Option<(u64, u64, u64)>,
}

/// Something that turns a stream on or off.
#[derive(Clone, Debug, PartialEq)]
struct Word {
    at: u64,
    step: u64,
    what: What,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    Start(String),
    /// The end of a push that started at a second, if that was told.
    End(String, Option<u64>),
    On,
    Off(&'static str),
}

/// A live.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Live {
    /// The stream; empty if it is the user's own.
    pub(super) stream: String,
    pub(super) start: u64,
    pub(super) end: Option<(u64, &'static str)>,
    pub(super) show: u64,
    /// `None` if nothing says what they are: a live that was told of when its show was over.
    pub(super) totals: Option<Totals>,
}

/// What a live came to, or a show so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Totals {
    pub(super) peak: u64,
    pub(super) visits: u64,
    pub(super) likes: u64,
}

/// A replay.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Replay {
    pub(super) user: String,
    pub(super) files: BTreeSet<String>,
    /// The files that may name it, more than one only if they came at the same time; and what is said of it then.
    pub(super) by_name: BTreeMap<String, Said>,
    /// What its show was called, one after the other.
    pub(super) titles: Vec<String>,
    /// How many likes it has; `None` if its live goes on, which has not come to anything yet.
    pub(super) likes: Option<u64>,
}

/// What is said of a replay.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    pub(super) start: u64,
    pub(super) end: u64,
    /// The addresses that are as good as each other, of a single file and of HLS.
    pub(super) play_urls: BTreeSet<String>,
    pub(super) hls_urls: BTreeSet<String>,
}

impl Said {
    /// Whether it stands in the lists.
    pub(super) fn is_listed(&self) -> bool {
        self.end - self.start > SHORTEST_REPLAY
    }
}

impl Model {
    /// Takes in what is done at a second.
    pub(super) fn take(&mut self, at: u64, acts: &[Act]) {
        self.step += 1;
        for act in acts {
            match act {
                Act::Open { user, title, group } => {
                    self.users.entry(user.clone()).or_insert_with(|| User::new(user)).open(at, title, group);
                }
                Act::Say { user, online } => {
                    let what = if *online { What::On } else { What::Off("left") };
                    let step = self.step;
                    if let Some(user) = self.users.get_mut(user).filter(|user| !user.banned) {
                        user.marks.push(Word { at, step, what });
                    }
                }
                Act::Forbid { user, banned } => {
                    let step = self.step;
                    if let Some(user) = self.users.get_mut(user) {
                        user.banned = *banned;
                        if *banned {
                            user.marks.push(Word { at, step, what: What::Off("banned") });
                        }
                    }
                }
                Act::Enter { viewer, host, group } => {
                    if let Some(host) = self.users.get_mut(host) {
                        host.enter(viewer, group);
                    }
                }
                Act::Quit { viewer, host, group } => {
                    if let Some(host) = self.users.get_mut(host) {
                        host.inside.remove(&(group.clone(), viewer.clone()));
                    }
                }
                Act::Like { host } => {
                    if let Some(host) = self.users.get_mut(host) {
                        host.totals.likes += 1;
                    }
                }
                Act::Tell { user, stream, notice, expired } => {
                    let step = self.step;
                    if let Some(user) = self.users.get_mut(user) {
                        user.told(at, step, stream, notice, *expired);
                    }
                }
            }
        }
        self.users.values_mut().for_each(User::follow);
    }

    /// All that was told, but for when.
    pub(super) fn evidence(&self) -> String {
        let told = |user: &User| {
            let mut marks: Vec<_> = user.marks.iter().map(|word| (word.at, format!("{:?}", word.what))).collect();
            marks.sort();
            let push = |(name, Push { start, end }): (&(String, String), &Push)| {
                (name.clone(), start.map(|(at, _)| at), end.map(|(at, seconds, _)| (at, seconds)))
            };
            let pushes: Vec<_> = user.pushes.iter().map(push).collect();
            let mut files: Vec<_> = user.files.iter().map(|(_, _, file)| format!("{file:?}")).collect();
            files.sort();
            format!("{:?} {:?} {marks:?} {pushes:?} {files:?}", user.openings, user.titles)
        };
        self.users.values().map(told).collect()
    }
}

impl User {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            openings: BTreeSet::new(),
            titles: BTreeMap::new(),
            group: String::new(),
            banned: false,
            pushes: BTreeMap::new(),
            marks: Vec::new(),
            files: Vec::new(),
            inside: BTreeMap::new(),
            totals: Totals::default(),
            lives: Vec::new(),
        }
    }

    /// When the room was opened for the show that it is open for.
    pub(super) fn show(&self) -> u64 {
        self.openings.last().copied().unwrap_or_default()
    }

    /// What that is called.
    pub(super) fn title(&self) -> &str {
        self.titles.get(&self.show()).and_then(|titles| titles.last()).map_or("", String::as_str)
    }

    /// Whether the room is live.
    pub(super) fn is_live(&self) -> bool {
        !self.banned && self.stretches(&self.own_stream()).last().is_some_and(|(_, end)| end.is_none())
    }

    /// How many viewers the room counts.
    pub(super) fn viewers(&self) -> u64 {
        self.inside.values().filter(|show| **show == self.show()).count() as u64
    }

    /// Whether the room counts this viewer, who is in this group.
    pub(super) fn counts(&self, viewer: &str, group: &str) -> bool {
        self.inside.get(&(group.to_owned(), viewer.to_owned())) == Some(&self.show())
    }

    /// How many viewers are in a group.
    pub(super) fn heads(&self, group: &str) -> u64 {
        self.inside.keys().filter(|(entered, _)| entered == group).count() as u64
    }

    pub(super) fn likes(&self) -> u64 {
        self.totals.likes
    }

    /// The lives, the oldest first.
    pub(super) fn lives(&self) -> &[Live] {
        &self.lives
    }

    fn own_stream(&self) -> String {
        format!("8888_{}", self.name)
    }

    fn open(&mut self, at: u64, title: &str, group: &str) {
        if self.banned {
            return;
        }
        if self.openings.is_empty() || !self.is_live() {
            self.openings.insert(at);
            self.totals = Totals::default();
        }
        let titles = self.titles.entry(self.openings.last().copied().unwrap_or_default()).or_default();
        titles.push(title.to_owned());
        self.group = group.to_owned();
    }

    fn enter(&mut self, viewer: &str, group: &str) {
        let key = (group.to_owned(), viewer.to_owned());
        if group != self.group {
            self.inside.insert(key, 0);
            return;
        }
        if self.inside.get(&key) == Some(&self.show()) {
            return;
        }
        self.inside.insert(key, self.show());
        self.totals.visits += 1;
        self.totals.peak = self.totals.peak.max(self.viewers());
    }

    fn told(&mut self, now: u64, step: u64, stream: &str, notice: &Notice, expired: bool) {
        let of = |name: &str| (stream.to_owned(), name.to_owned());
        match notice {
            Notice::Start { .. } if expired => {}
            Notice::Start { push: name, at } => {
                self.pushes.entry(of(name)).or_default().start.get_or_insert((*at, step));
            }
            Notice::End { push: name, at, seconds } => {
                self.pushes.entry(of(name)).or_default().end.get_or_insert((*at, seconds.unwrap_or(0), step));
            }
            Notice::File(file) => {
                let is_known = self.files.iter().any(|(_, _, known)| known.id == file.id);
                let is_one = file.to > file.from && file.has_url && file.to <= now + AHEAD;
                if is_one && !is_known {
                    self.files.push((step, stream.to_owned(), file.clone()));
                }
            }
        }
    }

    /// The show of a second; 0 if there was none yet.
    fn show_at(&self, at: u64) -> u64 {
        self.openings.range(..=at + SKEW).next_back().copied().unwrap_or_default()
    }

    /// Rule 1: when a stream was on.
    fn stretches(&self, stream: &str) -> Vec<(u64, Option<(u64, &'static str)>)> {
        let mut words = if stream == self.own_stream() { self.marks.clone() } else { Vec::new() };
        for ((of, name), Push { start, end }) in &self.pushes {
            if of != stream {
                continue;
            }
            let by_length = end.map(|(at, seconds, step)| (at - seconds, step));
            let Some((from, from_step)) = start.or(by_length) else { continue };
            if end.is_none_or(|(at, ..)| from < at) {
                words.push(Word { at: from, step: from_step, what: What::Start(name.clone()) });
            }
            if let Some((at, _, step)) = *end {
                let told = start.map(|(at, _)| at);
                // Clocks may say that it ended before it started.
                let at = at.max(told.unwrap_or(at));
                words.push(Word { at, step, what: What::End(name.clone(), told) });
            }
        }
        words.sort_by_key(|word| (word.at, word.step));
        // What runs: from when on, and which push that is since when.
        let mut on: Option<(u64, Option<(String, u64)>)> = None;
        let mut stretches = Vec::new();
        for Word { at, what, .. } in words {
            let off = match what {
                What::Start(name) => {
                    // Another push is another stretch: it may be of another show.
                    stretches.extend(on.take().map(|(since, _)| (since, Some((at, "stopped")))));
                    on = Some((at, Some((name, at))));
                    None
                }
                What::On => {
                    on.get_or_insert((at, None));
                    None
                }
                What::Off(reason) => Some(reason),
                What::End(name, started) => {
                    let other = on.as_ref().and_then(|(_, push)| push.as_ref()).filter(|(other, _)| *other != name);
                    if other.is_some_and(|(_, since)| started.is_some_and(|started| *since > started)) {
                        None
                    } else {
                        Some("stopped")
                    }
                }
            };
            if let Some(reason) = off
                && let Some((since, _)) = on.take()
            {
                stretches.push((since, Some((at, reason))));
            }
        }
        stretches.extend(on.map(|(since, _)| (since, None)));
        stretches
    }

    /// Rule 2: the lives of a stream.
    fn lives_of(&self, stream: &str) -> Vec<Live> {
        let mut lives: Vec<Live> = Vec::new();
        for (start, end) in self.stretches(stream) {
            let show = self.show_at(start);
            let before = lives.last_mut().filter(|live| {
                live.show == show && live.end.is_some_and(|(end, _)| start.saturating_sub(end) <= GRACE)
            });
            if let Some(live) = before {
                live.end = end;
                continue;
            }
            let stream = if stream == self.own_stream() { String::new() } else { stream.to_owned() };
            let totals = (!stream.is_empty()).then(Totals::default);
            lives.push(Live { stream, start, end, show, totals });
        }
        lives
    }

    fn streams(&self) -> BTreeSet<String> {
        let of_pushes = self.pushes.keys().map(|(stream, _)| stream.clone());
        let of_files = self.files.iter().map(|(_, stream, _)| stream.clone());
        of_pushes.chain(of_files).chain([self.own_stream()]).collect()
    }

    /// Finds the lives anew. One that is not as it was takes the totals of its show, if that is still on; else it keeps
    /// what those had that it was.
    fn follow(&mut self) {
        let before = std::mem::take(&mut self.lives);
        let mut lives: Vec<Live> = self.streams().iter().flat_map(|stream| self.lives_of(stream)).collect();
        let is_gone = |old: &Live| !lives.iter().any(|live| (&live.stream, live.start) == (&old.stream, old.start));
        let gone: Vec<Live> = before.iter().filter(|old| is_gone(old)).cloned().collect();
        // What is counted is counted in the room, whose stream is the user's own.
        for live in lives.iter_mut().filter(|live| live.stream.is_empty()) {
            let is_same = |old: &&Live| old.stream.is_empty() && old.start == live.start;
            let old = before.iter().find(is_same);
            let is_as_it_was = old.is_some_and(|old| (old.end, old.show) == (live.end, live.show));
            let are_new = live.end.is_some() && !is_as_it_was && live.show == self.show();
            // One that turns out to be of another show, opened within the skew: nothing says what it came to.
            let moved = old.is_some_and(|old| old.end.is_some() && old.show != live.show);
            live.totals = if moved {
                None
            } else if are_new {
                Some(self.totals)
            } else if is_as_it_was {
                old.and_then(|old| old.totals)
            } else {
                let was = gone.iter().filter(|old| old.stream.is_empty() && old.show == live.show).chain(old);
                was.filter_map(|old| old.totals).max_by_key(|totals| (totals.visits, totals.likes))
            };
        }
        lives.sort_by(|a, b| (a.start, &a.stream).cmp(&(b.start, &b.stream)));
        self.lives = lives;
    }

    /// Rules 3 and 4: the replays, listed or not.
    pub(super) fn replays(&self) -> Vec<Replay> {
        let mut replays = Vec::new();
        for stream in self.streams() {
            let lives: Vec<_> = self.lives.iter().filter(|live| self.stream_of(live) == stream).collect();
            let mut of_lives: BTreeMap<usize, Vec<&(u64, String, File)>> = BTreeMap::new();
            let mut others: Vec<Vec<&(u64, String, File)>> = Vec::new();
            for told in self.files.iter().filter(|(_, of, _)| *of == stream) {
                let common = |live: &Live| {
                    let end = live.end.map_or(u64::MAX, |(end, _)| end).min(told.2.to);
                    end.saturating_sub(live.start.max(told.2.from))
                };
                let best = (0..lives.len()).rev().max_by_key(|n| common(lives[*n])).filter(|n| common(lives[*n]) > 0);
                match best {
                    Some(n) => of_lives.entry(n).or_default().push(told),
                    None => {
                        let overlaps = |group: &Vec<&(u64, String, File)>| {
                            group.iter().any(|(_, _, file)| file.from < told.2.to && told.2.from < file.to)
                        };
                        let (same, rest) = others.into_iter().partition::<Vec<_>, _>(overlaps);
                        others = rest;
                        others.push(same.into_iter().flatten().chain([told]).collect());
                    }
                }
            }
            replays.extend(of_lives.into_iter().map(|(n, files)| self.replay(&files, Some(lives[n]))));
            replays.extend(others.into_iter().map(|files| self.replay(&files, None)));
        }
        replays
    }

    fn stream_of(&self, live: &Live) -> String {
        if live.stream.is_empty() { self.own_stream() } else { live.stream.clone() }
    }

    fn replay(&self, told: &[&(u64, String, File)], live: Option<&Live>) -> Replay {
        let files: Vec<&File> = told.iter().map(|(_, _, file)| file).collect();
        let first = told.iter().map(|(step, ..)| *step).min().unwrap();
        let named = told.iter().filter(|(step, ..)| *step == first);
        // What is cut a little differently is taken for as long as what names it.
        let by_name: BTreeMap<String, Said> = named
            .map(|(_, _, named)| {
                let start = files.iter().map(|file| file.from).min().filter(|from| from + CUT < named.from);
                let end = files.iter().map(|file| file.to).max().filter(|to| *to > named.to + CUT);
                let (start, end) = (start.unwrap_or(named.from), end.unwrap_or(named.to));
                let urls = |is_hls: bool| {
                    let kind = files.iter().copied().filter(|file| (file.format == "hls") == is_hls);
                    best_urls(&kind.collect::<Vec<_>>(), end - start)
                };
                (named.id.clone(), Said { start, end, play_urls: urls(false), hls_urls: urls(true) })
            })
            .collect();
        let shows: BTreeSet<u64> = live
            .map_or_else(|| by_name.values().map(|said| self.show_at(said.start)).collect(), |live| [live.show].into());
        // Before the first show, it is called what the room was called when it was told.
        let titles = self.titles.iter().filter(|(show, _)| shows.contains(show) || shows.contains(&0));
        Replay {
            user: self.name.clone(),
            files: files.iter().map(|file| file.id.clone()).collect(),
            titles: titles.flat_map(|(_, titles)| titles.clone()).collect(),
            by_name,
            likes: live.map_or(Some(0), |live| live.end.and(live.totals).map(|totals| totals.likes)),
        }
    }
}

/// How many of these stand in the lists: at least, and at most.
pub(super) fn how_many_listed(replays: &[Replay]) -> RangeInclusive<u64> {
    let names = |replay: &Replay| replay.by_name.values().filter(|said| said.is_listed()).count();
    let all = replays.iter().filter(|replay| names(replay) == replay.by_name.len()).count();
    let some = replays.iter().filter(|replay| names(replay) > 0).count();
    all as u64..=some as u64
}

/// The addresses of the best of some files of a replay that lasts so long: phones play mp4 everywhere, so one that is
/// nearly the whole comes before another one that is.
fn best_urls(files: &[&File], seconds: u64) -> BTreeSet<String> {
    let length = |file: &File| file.to - file.from;
    let whole = files.iter().copied().filter(|file| length(file) * 10 >= seconds * 9);
    let whole = of_least(whole.collect(), |file| (file.format != "mp4", Reverse(length(file))));
    let first = of_least(files.to_vec(), |file| (file.from, file.format != "mp4"));
    let best = if whole.is_empty() { first } else { whole };
    let urls: BTreeSet<String> = best.into_iter().map(File::url).collect();
    if urls.is_empty() { BTreeSet::from([String::new()]) } else { urls }
}

/// Those of which this is the least.
fn of_least<K: Ord>(files: Vec<&File>, key: impl Fn(&File) -> K) -> Vec<&File> {
    let least = files.iter().map(|file| key(file)).min();
    files.into_iter().filter(|file| Some(key(file)) == least).collect()
}
