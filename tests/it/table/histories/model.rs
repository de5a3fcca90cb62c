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
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) users: BTreeMap<String, User>,
    /// How many steps were taken: what came at the same time has one number.
    step: u64,
}

/// What was told of a user, and what is counted.
#[derive(Clone, Debug)]
pub(super) struct User {
    name: String,
    openings: Vec<Opening>,
    pub(super) group: String,
    pub(super) banned: bool,
    pushes: BTreeMap<(String, String), Push>,
    marks: Vec<Word>,
    files: Vec<(u64, String, File)>,
    /// Who is in which group, and since which opening the room counted that counted them.
    inside: BTreeMap<(String, String), u64>,
    totals: Totals,
    /// The opening since which the room counts.
    counted_since: u64,
    lives: Vec<Live>,
}

/// The app asked to push, and said what the show is called.
#[derive(Clone, Debug)]
struct Opening {
    at: u64,
    step: u64,
    title: String,
}

/// What is known of a push: when it started, and when it ended after how many seconds; each with the step that told.
#[derive(Clone, Debug, Default, PartialEq)]
struct Push {
    start: Option<(u64, u64)>,
    end: Option<(u64, u64, u64)>,
    /// Whether its end says that it was refused, or lasted no time.
    is_refused: bool,
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

impl Word {
    /// Whether it is before an opening of this second, whenever it is told.
    fn is_earlier_than(&self, opening: u64) -> bool {
        match self.what {
            What::Start(_) | What::On => self.at + SKEW < opening,
            What::End(..) | What::Off(_) => self.at < opening,
        }
    }
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
    /// What it may be called.
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
    ///
    /// What is done at once the server takes in some order. A live that is as it was in the end, but not in between, may
    /// have taken what the room counts then, or not.
    pub(super) fn take(&mut self, at: u64, acts: &[Act]) {
        self.step += 1;
        let between: Vec<Self> = (1..(1_usize << acts.len()) - 1)
            .map(|chosen| {
                let mut model = self.clone();
                model.apply(at, acts.iter().enumerate().filter(|(n, _)| chosen >> n & 1 == 1).map(|(_, act)| act));
                model
            })
            .collect();
        let before = self.users.clone();
        self.apply(at, acts.iter());
        for (name, user) in &mut self.users {
            let was = before.get(name).map_or(&[][..], |user| &user.lives);
            for live in &mut user.lives {
                let is_there = |other: &Live| {
                    (&other.stream, other.start, other.end, other.show)
                        == (&live.stream, live.start, live.end, live.show)
                };
                let mut between = between.iter().filter_map(|model| model.users.get(name));
                if was.iter().any(is_there) && !between.all(|user| user.lives.iter().any(is_there)) {
                    live.totals = None;
                }
            }
        }
    }

    /// Takes in some of what is done at a second.
    fn apply<'a>(&mut self, at: u64, acts: impl Iterator<Item = &'a Act>) {
        for act in acts {
            match act {
                Act::Open { user, title, group } => {
                    let user = self.users.entry(user.clone()).or_insert_with(|| User::new(user));
                    if !user.banned {
                        user.openings.push(Opening { at, step: self.step, title: title.clone() });
                        user.group.clone_from(group);
                    }
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
            let push = |(name, Push { start, end, .. }): (&(String, String), &Push)| {
                (name.clone(), start.map(|(at, _)| at), end.map(|(at, seconds, _)| (at, seconds)))
            };
            let pushes: Vec<_> = user.pushes.iter().map(push).collect();
            let mut files: Vec<_> = user.files.iter().map(|(_, _, file)| format!("{file:?}")).collect();
            files.sort();
            let words = user.words(&user.own_stream());
            let opening = |opening: &Opening| {
                // What was before it only because it had been told.
                let told = words.iter().filter(|word| word.step < opening.step && !word.is_earlier_than(opening.at));
                let told: BTreeSet<_> = told.map(|word| format!("{:?}", word.what)).collect();
                (opening.at, opening.title.clone(), told)
            };
            let openings: Vec<_> = user.openings.iter().map(opening).collect();
            format!("{openings:?} {marks:?} {pushes:?} {files:?}")
        };
        self.users.values().map(told).collect()
    }
}

impl User {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            openings: Vec::new(),
            group: String::new(),
            banned: false,
            pushes: BTreeMap::new(),
            marks: Vec::new(),
            files: Vec::new(),
            inside: BTreeMap::new(),
            totals: Totals::default(),
            counted_since: 0,
            lives: Vec::new(),
        }
    }

    /// When the room was opened for the show that it is open for.
    pub(super) fn show(&self) -> u64 {
        self.shows().last().copied().unwrap_or_default()
    }

    /// What that is called.
    pub(super) fn title(&self) -> &str {
        self.openings.last().map_or("", |opening| &opening.title)
    }

    /// Whether the room is live.
    pub(super) fn is_live(&self) -> bool {
        !self.banned && is_on(self.words(&self.own_stream()))
    }

    /// How many viewers the room counts.
    pub(super) fn viewers(&self) -> u64 {
        self.inside.values().filter(|since| **since == self.counted_since).count() as u64
    }

    /// Whether the room counts this viewer, who is in this group.
    pub(super) fn counts(&self, viewer: &str, group: &str) -> bool {
        self.inside.get(&(group.to_owned(), viewer.to_owned())) == Some(&self.counted_since)
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

    fn enter(&mut self, viewer: &str, group: &str) {
        let key = (group.to_owned(), viewer.to_owned());
        if group != self.group {
            self.inside.insert(key, 0);
            return;
        }
        if self.inside.get(&key) == Some(&self.counted_since) {
            return;
        }
        self.inside.insert(key, self.counted_since);
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
            Notice::End { push: name, at, seconds, errcode } => {
                let push = self.pushes.entry(of(name)).or_default();
                push.end.get_or_insert((*at, seconds.unwrap_or(0), step));
                push.is_refused = matches!(errcode, Some(18 | 19)) || *seconds == Some(0);
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

    /// Rule 2: the shows, by when they were opened.
    fn shows(&self) -> Vec<u64> {
        let words = self.words(&self.own_stream());
        let was_on = |opening: &Opening| {
            let is_before = |word: &Word| word.step < opening.step || word.is_earlier_than(opening.at);
            is_on(words.iter().filter(|word| is_before(word)).cloned().collect())
        };
        let mut shows = Vec::new();
        for opening in &self.openings {
            if (shows.is_empty() || !was_on(opening)) && !shows.contains(&opening.at) {
                shows.push(opening.at);
            }
        }
        shows
    }

    /// The show that was on at a second, by our clock; 0 if there was none yet.
    fn show_until(&self, at: u64) -> u64 {
        self.shows().into_iter().rfind(|show| *show <= at).unwrap_or_default()
    }

    /// The show of a second; 0 if there was none yet.
    fn broadcast_at(&self, at: u64) -> u64 {
        self.show_until(at + SKEW)
    }

    /// What a show was called, one opening after the other.
    fn openings_of(&self, show: u64) -> Vec<&Opening> {
        self.openings.iter().filter(|opening| self.show_until(opening.at) == show).collect()
    }

    /// The openings by one of which a live is called. While it goes on, it may be called as before.
    fn openings_that_name(&self, live: &Live) -> Vec<&Opening> {
        let of_show = self.openings_of(live.show);
        let Some((end, _)) = live.end else { return of_show };
        of_show.into_iter().rfind(|opening| opening.at <= end || opening.at == live.show).into_iter().collect()
    }

    /// The seconds of those openings; 0 if there are none.
    pub(super) fn info_at(&self, live: &Live) -> BTreeSet<u64> {
        let openings = self.openings_that_name(live);
        if openings.is_empty() { BTreeSet::from([0]) } else { openings.iter().map(|opening| opening.at).collect() }
    }

    /// What is told of a stream, one after the other.
    fn words(&self, stream: &str) -> Vec<Word> {
        let mut words = if stream == self.own_stream() { self.marks.clone() } else { Vec::new() };
        for ((of, name), Push { start, end, is_refused }) in &self.pushes {
            // A push of which only a refusal is told was none.
            if of != stream || *is_refused && start.is_none() {
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
        words
    }

    /// Rule 3: the lives of a stream.
    fn lives_of(&self, stream: &str) -> Vec<Live> {
        let mut lives: Vec<Live> = Vec::new();
        for (start, end) in stretches(self.words(stream)) {
            let show = self.broadcast_at(start);
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

    /// Finds the lives anew. A live that is not as it was takes what the room counts, if the room counts for its show;
    /// else it keeps the totals of the lives that it replaces. Then the room is open for the last show.
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
            let is_of_room = live.show == self.show_until(self.counted_since);
            let are_new = live.end.is_some() && !is_as_it_was && is_of_room;
            // One that turns out to be of another show, opened within the skew: nothing says what it came to.
            let moved = old.is_some_and(|old| old.end.is_some() && old.show != live.show);
            live.totals = if moved {
                None
            } else if are_new {
                Some(self.totals)
            } else if is_as_it_was {
                old.and_then(|old| old.totals)
            } else {
                // Also one of a show that turned out to be none of its own.
                let is_of_show = |old: &Live| self.show_until(old.show) == live.show;
                let was = gone.iter().filter(|old| old.stream.is_empty() && is_of_show(old)).chain(old);
                was.filter_map(|old| old.totals).max_by_key(|totals| (totals.visits, totals.likes, totals.peak))
            };
        }
        lives.sort_by(|a, b| (a.start, &a.stream).cmp(&(b.start, &b.stream)));
        self.lives = lives;
        let show = self.show();
        if show > self.counted_since {
            self.counted_since = show;
            self.totals = Totals::default();
        }
    }

    /// Rules 4 and 5: the replays, listed or not.
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
        let openings: Vec<&Opening> = match live {
            Some(live) => self.openings_that_name(live),
            None => {
                let last = |said: &Said| self.openings.iter().rfind(|opening| opening.at <= said.start + SKEW);
                by_name.values().filter_map(last).collect()
            }
        };
        // Before the first show, it is called what the room was called when it was told.
        let openings = if openings.is_empty() { self.openings.iter().collect() } else { openings };
        Replay {
            user: self.name.clone(),
            files: files.iter().map(|file| file.id.clone()).collect(),
            titles: openings.into_iter().map(|opening| opening.title.clone()).collect(),
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

/// Rule 1: when a stream was on.
fn stretches(words: Vec<Word>) -> Vec<(u64, Option<(u64, &'static str)>)> {
    // Since when it is on, which pushes run that started last, all in one second, and which second that is.
    let mut on: Option<u64> = None;
    let (mut running, mut since) = (BTreeSet::new(), 0);
    let mut stretches = Vec::new();
    for Word { at, what, .. } in words {
        let off = match what {
            What::Start(name) => {
                // Another push is another stretch: it may be of another show.
                stretches.extend(on.replace(at).map(|since| (since, Some((at, "stopped")))));
                if since != at {
                    running.clear();
                }
                running.insert(name);
                since = at;
                None
            }
            What::On => {
                on.get_or_insert(at);
                None
            }
            What::Off(reason) => Some(reason),
            What::End(name, started) => {
                let was_running = running.remove(&name);
                let goes_on = !running.is_empty() && (was_running || started.is_some_and(|started| since >= started));
                (!goes_on).then_some("stopped")
            }
        };
        if let Some(reason) = off {
            stretches.extend(on.take().map(|since| (since, Some((at, reason)))));
            running.clear();
        }
    }
    stretches.extend(on.map(|since| (since, None)));
    stretches
}

/// Whether a stream is on.
fn is_on(words: Vec<Word>) -> bool {
    stretches(words).last().is_some_and(|(_, end)| end.is_none())
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
