//! Generates histories by number: first what happens to some users, then when the cloud reports what.

use std::collections::BTreeSet;

use super::history::{Act, File, History, Notice, Step};
use crate::support::harness::START;

/// Pseudo-random numbers, the same for the same seed: splitmix64 by Vigna.
pub(super) struct Rng(u64);

impl Rng {
    /// The numbers for a history.
    pub(super) fn of(seed: u64, number: u64) -> Self {
        let mut rng = Self(seed);
        Self(rng.next() ^ number.wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one.
    fn roll(&mut self, sides: u64) -> u64 {
        self.next() % sides
    }

    /// True with this probability, in percent.
    fn chance(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }

    /// One of these values.
    fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[usize::try_from(self.roll(values.len() as u64)).unwrap()]
    }
}

/// What happens: the acts of people at their times, and the notices of the cloud, to be reported later or never.
pub(super) struct Truth {
    acts: Vec<(u64, Act)>,
    notices: Vec<PendingNotice>,
    /// Whether a push may start in the second in which another one starts or ends.
    has_ties: bool,
}

/// A notice that the cloud has not reported yet.
struct PendingNotice {
    user: String,
    stream: String,
    notice: Notice,
    /// The earliest time of the report.
    from: u64,
    /// Whether the notice is ever reported.
    is_reported: bool,
}

impl Truth {
    /// What happens in a history.
    pub(super) fn of(rng: &mut Rng) -> Self {
        let mut truth = Self { acts: Vec::new(), notices: Vec::new(), has_ties: rng.chance(15) };
        let users = rng.pick(&[1, 1, 1, 2, 2, 3]);
        for user in &["alice", "bert", "carol"][..users] {
            Broadcaster { user, truth: &mut truth, taken: BTreeSet::new(), opened: BTreeSet::new(), pushes: 0 }
                .generate(rng);
        }
        truth
    }

    /// Whether two events may be of one second, so that their order of arrival counts.
    pub(super) fn has_ties(&self) -> bool {
        self.has_ties
    }

    /// Whether there is a start request of a user between these seconds.
    fn has_request(&self, user: &str, since: u64, until: u64) -> bool {
        let is_it = |act: &Act| matches!(act, Act::Open { user: opener, .. } if opener == user);
        self.acts.iter().any(|(at, act)| is_it(act) && (since..=until).contains(at))
    }
}

/// Generates the broadcasts of a user.
struct Broadcaster<'a> {
    user: &'a str,
    truth: &'a mut Truth,
    /// The seconds with an event that turns the stream on or off.
    taken: BTreeSet<u64>,
    /// The seconds of start requests.
    opened: BTreeSet<u64>,
    pushes: u64,
}

impl Broadcaster<'_> {
    fn generate(&mut self, rng: &mut Rng) {
        let begin = START + 10 + rng.roll(300);
        let mut now = begin;
        for number in 0..rng.pick(&[1, 1, 2, 2, 3, 4]) {
            now = self.broadcast(rng, now, number) + rng.pick(&[3, 10, 30, 57, 59, 61, 100, 3000, 20_000]);
        }
        if rng.chance(15) {
            let at = self.free(begin + rng.roll(now - begin));
            self.act(at, Act::Forbid { user: self.user.to_owned(), banned: true });
            if rng.chance(70) {
                let at = self.free(at + rng.pick(&[1, 20, 100, 2000, 9000]));
                self.act(at, Act::Forbid { user: self.user.to_owned(), banned: false });
            }
        }
    }

    /// A broadcast, from its start request. Returns its last second.
    fn broadcast(&mut self, rng: &mut Rng, now: u64, number: u64) -> u64 {
        let title = format!("{} {number}", self.user);
        let group = if rng.chance(40) { format!("@{}", self.user) } else { format!("@{}-{number}", self.user) };
        let opened = self.open(now, &title, &group);
        if rng.chance(15) {
            self.open(opened + rng.pick(&[1, 2, 5, 30]), &title, &group);
        }
        let is_own = rng.chance(85);
        let stream = format!("{}_{}", if is_own { "8888" } else { "1400" }, self.user);
        let mut start = opened + 1 + rng.pick(&[0, 1, 2, 4, 20, 100]);
        // The cloud's clock and ours differ.
        if rng.chance(20) {
            start = opened - rng.pick(&[0, 1, 2, 3]);
        }
        let (first, mut last, mut spans) = (start, start.max(opened), None);
        for _ in 0..rng.pick(&[0, 1, 1, 1, 2, 2, 3, 4]) {
            let length = rng.pick(&[0, 1, 4, 20, 30, 59, 60, 61, 62, 70, 100, 600, 600, 4000, 16_000]);
            let (from, to) = self.push(rng, &stream, opened, start, length);
            if length > 5 && rng.chance(10) {
                let title = if rng.chance(50) { title.clone() } else { format!("{title} renewed") };
                self.open(from + rng.roll(length), &title, &group);
            }
            let from_before = spans.unwrap_or(from);
            if from_before < from && rng.chance(25) {
                let from = from_before + rng.roll(3);
                self.file(rng, &stream, "flv", from, to);
            }
            spans = rng.chance(80).then_some(from);
            last = last.max(to);
            let gap = rng.pick(&[1, 2, 5, 30, 58, 59, 60, 61, 62, 63, 120, 1000, 5000]);
            start = match rng.roll(10) {
                0 if length > 5 => to - 1 - rng.roll(4),
                1 if self.truth.has_ties => to,
                2 if self.truth.has_ties => from,
                _ => to + gap,
            };
            if start > to + 1 && rng.chance(15) {
                let title = if rng.chance(50) { title.clone() } else { format!("{title} again") };
                self.open(to + 1 + rng.roll(start - to + 3), &title, &group);
            }
        }
        self.report_status(rng, first, last);
        self.add_viewers(rng, &group, opened, last);
        last
    }

    /// A push and its files. Returns the first and the last second of the push.
    fn push(&mut self, rng: &mut Rng, stream: &str, opened: u64, start: u64, length: u64) -> (u64, u64) {
        let is_tie = self.truth.has_ties && self.taken.contains(&start) && rng.chance(70);
        let from = if is_tie { start } else { self.free(start) };
        let to = if length == 0 { from } else { self.free(from + length) };
        let push = format!("{}{}", &self.user[..1], self.pushes);
        self.pushes += 1;
        self.notify(rng, stream, Notice::Start { push: push.clone(), at: from }, from.max(opened));
        let seconds = rng.chance(85).then_some(to - from);
        self.notify(rng, stream, Notice::End { push, at: to, seconds, errcode: None }, to.max(opened));
        if rng.chance(10) {
            let at = self.free(from + rng.roll(length + 20));
            self.refuse(rng, stream, at, opened);
        }
        let formats = rng.roll(8);
        for (bit, format) in ["flv", "hls", "mp4"].into_iter().enumerate() {
            if formats >> bit & 1 == 1 {
                let (first, last) = (from + rng.roll(3), to - rng.roll(3));
                self.record(rng, stream, format, first, last);
            }
        }
        (from, to)
    }

    /// Somebody else pushes the stream, and the cloud refuses the push.
    fn refuse(&mut self, rng: &mut Rng, stream: &str, at: u64, opened: u64) {
        let push = format!("{}{}", &self.user[..1], self.pushes);
        self.pushes += 1;
        let (seconds, errcode) =
            rng.pick(&[(None, Some(18)), (Some(0), Some(18)), (Some(2), Some(19)), (Some(0), None)]);
        self.notify(rng, stream, Notice::End { push, at, seconds, errcode }, at.max(opened));
    }

    /// The files of a recording in one format.
    fn record(&mut self, rng: &mut Rng, stream: &str, format: &'static str, from: u64, to: u64) {
        let (part, overlap) = (rng.pick(&[10_800, 10_800, 7200, 300]), rng.roll(2));
        let mut start = from;
        while start < to && start < from + 12 * part {
            self.file(rng, stream, format, start, to.min(start + part + overlap));
            start += part;
        }
        // Files that the server must refuse: of no duration, without a URL, of a future time.
        match rng.roll(60) {
            0 => self.file(rng, stream, format, to, to),
            1 => {
                let id = format!("{}x", self.user);
                let file = File { id, format, from, to: to + 100, has_url: false };
                self.notify(rng, stream, Notice::File(file), to);
            }
            2 => {
                let file = File { id: format!("{}y", self.user), format, from, to: to + 1_000_000, has_url: true };
                self.notify(rng, stream, Notice::File(file), to);
            }
            _ => {}
        }
    }

    fn file(&mut self, rng: &mut Rng, stream: &str, format: &'static str, from: u64, to: u64) {
        let id = format!("{}f{}", &self.user[..1], self.truth.notices.len());
        let after = to + rng.pick(&[0, 2, 5, 60, 300]);
        self.notify(rng, stream, Notice::File(File { id, format, from, to, has_url: true }), after);
    }

    /// The status reports of the app.
    fn report_status(&mut self, rng: &mut Rng, first: u64, last: u64) {
        if rng.chance(30) {
            let at = self.free(first.max(START + 1) + rng.pick(&[1, 2, 7]));
            self.act(at, Act::Say { user: self.user.to_owned(), online: true });
        }
        if rng.chance(30) {
            let at = self.free(last + 2 + rng.pick(&[0, 1, 5, 40]) - rng.pick(&[0, 1, 2]));
            self.act(at, Act::Say { user: self.user.to_owned(), online: false });
        }
    }

    /// The acts of viewers. A phone without an answer sends a call again.
    fn add_viewers(&mut self, rng: &mut Rng, group: &str, first: u64, last: u64) {
        for _ in 0..rng.pick(&[0, 2, 5, 12]) {
            let at = first + rng.roll(last - first + 60);
            let viewer = format!("viewer{}", rng.roll(5));
            let (host, group) = (self.user.to_owned(), group.to_owned());
            let act = match rng.roll(7) {
                0..=2 => Act::Enter { viewer, host, group },
                3..=4 => Act::Quit { viewer, host, group },
                _ => Act::Like { host },
            };
            if rng.chance(25) {
                self.act(at + rng.roll(3), act.clone());
            }
            self.act(at, act);
        }
    }

    fn open(&mut self, mut at: u64, title: &str, group: &str) -> u64 {
        while !self.opened.insert(at) {
            at += 1;
        }
        let (title, group) = (title.to_owned(), group.to_owned());
        self.act(at, Act::Open { user: self.user.to_owned(), title, group });
        at
    }

    /// The next second without another event that turns the stream on or off.
    fn free(&mut self, mut at: u64) -> u64 {
        while !self.taken.insert(at) {
            at += 1;
        }
        at
    }

    fn act(&mut self, at: u64, act: Act) {
        self.truth.acts.push((at, act));
    }

    fn notify(&mut self, rng: &mut Rng, stream: &str, notice: Notice, from: u64) {
        let (user, stream) = (self.user.to_owned(), stream.to_owned());
        self.truth.notices.push(PendingNotice { user, stream, notice, from, is_reported: rng.chance(97) });
    }
}

/// How the cloud delivers notices.
pub(super) struct Delivery {
    /// How many percent arrive late.
    late: u64,
    /// How many percent arrive twice.
    twice: u64,
    /// How many percent arrive at the same time as the next.
    together: u64,
}

impl Delivery {
    /// The delivery of a history.
    pub(super) fn of(rng: &mut Rng) -> Self {
        match rng.roll(5) {
            0 => Self { late: 0, twice: 0, together: 0 },
            1 => Self { late: 10, twice: 50, together: 10 },
            2 => Self { late: 90, twice: 20, together: 0 },
            _ => Self { late: 40, twice: 25, together: 30 },
        }
    }

    /// The history: all acts and reports in the order of their arrival.
    pub(super) fn history(&self, truth: &Truth, rng: &mut Rng) -> History {
        let mut acts = truth.acts.clone();
        for PendingNotice { user, stream, notice, from, is_reported } in &truth.notices {
            let times = if *is_reported { 1 + u64::from(rng.chance(self.twice)) } else { 0 };
            for time in 0..times {
                let delay = self.delay(rng);
                // The first delivery is in time: a notice that only arrives after its expiry counts as not reported.
                let expired = time > 0 && (601..4200).contains(&delay) && rng.chance(40);
                let (user, stream) = (user.clone(), stream.clone());
                acts.push((from + delay, Act::Report { user, stream, notice: notice.clone(), expired }));
            }
        }
        acts.sort_by_key(|(at, _)| *at);
        let end = acts.last().map_or(START, |(at, _)| *at) + rng.pick(&[0, 1, 100]);
        let mut steps: Vec<Step> = Vec::new();
        for (at, act) in acts {
            let earlier = &steps[..steps.len().saturating_sub(1)];
            let can_join = steps.last().is_some_and(|step| {
                let all = || step.acts.iter().chain([&act]);
                let is_new = |act: &Act| !is_entry(act) || earlier.iter().all(|step| !step.acts.contains(act));
                let has_request = |user: &str, since: u64| truth.has_request(user, since, at);
                !step.look && step.acts.len() < 6 && may_join(&step.acts, &act, has_request) && all().all(is_new)
            });
            match steps.last_mut() {
                Some(step) if can_join && rng.chance(self.together) => {
                    step.at = at;
                    step.acts.push(act);
                }
                _ => steps.push(Step { at, acts: vec![act], look: rng.chance(7) }),
            }
        }
        History { steps, end }
    }

    fn delay(&self, rng: &mut Rng) -> u64 {
        if !rng.chance(self.late) {
            return rng.roll(3);
        }
        let max = rng.pick(&[10, 60, 100, 600, 4200, 4200, 80_000]);
        rng.roll(max)
    }
}

/// Whether the result of these acts at the same time does not depend on their order. Two notices of a user do not join if
/// a start request followed one of them: that event alone may let the request begin a broadcast, whose counters start at
/// zero, and both events together may not.
fn may_join(acts: &[Act], act: &Act, has_request_since: impl Fn(&str, u64) -> bool) -> bool {
    acts.iter().all(|other| match (other, act) {
        (Act::Report { user, notice, .. }, Act::Report { user: also, notice: next, .. }) => {
            let both = turns_at(notice).zip(turns_at(next)).filter(|_| user == also && notice != next);
            both.is_none_or(|(one, other)| one != other && !has_request_since(user, one.min(other)))
        }
        (Act::Enter { .. }, Act::Enter { .. }) => other != act,
        (Act::Enter { .. } | Act::Like { .. }, Act::Like { .. })
        | (Act::Like { .. }, Act::Enter { .. })
        | (Act::Quit { .. }, Act::Quit { .. } | Act::Like { .. })
        | (Act::Like { .. }, Act::Quit { .. }) => true,
        (
            Act::Open { .. }
            | Act::Say { .. }
            | Act::Forbid { .. }
            | Act::Enter { .. }
            | Act::Quit { .. }
            | Act::Like { .. }
            | Act::Report { .. },
            _,
        ) => false,
    })
}

/// Whether a viewer enters. The server counts a viewer who is in already twice for a moment; if others enter in that
/// moment, the peak may be higher.
fn is_entry(act: &Act) -> bool {
    matches!(act, Act::Enter { .. })
}

/// The second at which a notice turns a stream on or off.
fn turns_at(notice: &Notice) -> Option<u64> {
    match notice {
        Notice::Start { at, .. } | Notice::End { at, .. } => Some(*at),
        Notice::File(_) => None,
    }
}
