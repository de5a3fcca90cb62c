//! From pushes and marks to lives.

use serde::{Deserialize, Serialize};

use super::{
    Lane, Push, Reason, Timeline, Told,
    shows::{Show, show_at},
};
use protocol::types::UnixSeconds;

/// One broadcast, from the first start of a push to the last end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The stream.
    pub lane: Lane,
    /// When it started.
    pub start: UnixSeconds,
    /// When it ended and why; `None` if it goes on.
    pub end: Option<(UnixSeconds, End)>,
    /// The show that it is, by the second at which that was opened; `None` if no show ever was.
    pub show: Option<UnixSeconds>,
    /// What it is called was said at this second: the last opening of its show, up to its end.
    pub named_at: Option<UnixSeconds>,
}

/// Why a live ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The cloud said that the push ended.
    Stopped,
    /// The broadcaster's app said so.
    Left,
    /// The cloud, asked, knew nothing of it any more.
    Vanished,
    /// Nothing was heard of it for too long.
    Silent,
    /// The broadcaster was banned.
    Banned,
    /// The cloud found something in its pictures that is forbidden here.
    Moderated,
}

impl End {
    /// What it is called in the table and in answers to operators.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Left => "left",
            Self::Vanished => "vanished",
            Self::Silent => "silent",
            Self::Banned => "banned",
            Self::Moderated => "moderated",
        }
    }
}

impl Live {
    /// Whether this second is one of its.
    pub fn holds(&self, at: UnixSeconds) -> bool {
        self.start <= at && self.end.is_none_or(|(end, _)| at <= end)
    }

    /// How many seconds it and this stretch have in common; a live that goes on has all that are to come.
    pub(super) fn common(&self, start: u64, end: u64) -> u64 {
        let until = self.end.map_or(u64::MAX, |(UnixSeconds(end), _)| end);
        until.min(end).saturating_sub(self.start.0.max(start))
    }
}

impl Push {
    /// Whether another push took over: this one's end says so, or the other one did not start in an earlier second than
    /// this one, whose start was told.
    fn was_followed_by(&self, other: &Self) -> bool {
        self.reason.as_ref().is_some_and(Reason::is_replacement)
            || self.start.zip(other.started()).is_some_and(|(Told(own, _), Told(others, _))| own <= others)
    }

    /// Whether its start was told, and its end was not.
    fn is_open(&self) -> bool {
        self.start.is_some() && self.end.is_none()
    }
}

/// A stretch during which a stream ran.
pub(super) struct Stretch {
    start: u64,
    pub(super) end: Option<(u64, End)>,
    /// Whether it may have gone on: the push that ran was told of, its own end was not, and the end that was told is of a
    /// push of unknown start, or of no push by name.
    is_doubtful: bool,
}

/// What is told of a stream at some second.
#[derive(Clone, Copy)]
pub(super) enum Word<'a> {
    Start(&'a Push),
    End(&'a Push),
    On,
    Off(End),
}

impl Timeline {
    /// The lives, stream by stream and the oldest first. Stretches no further apart than `grace` are one.
    pub fn lives(&self, grace: u64) -> Vec<Live> {
        let mut lanes: Vec<&Lane> = self.pushes.iter().map(|push| &push.lane).chain([&Lane::Own]).collect();
        lanes.sort();
        lanes.dedup();
        let shows = self.shows();
        lanes.into_iter().flat_map(|lane| self.lives_of(lane, &shows, grace)).collect()
    }

    /// The last live of the user's own stream.
    pub fn last_live(&self, grace: u64) -> Option<Live> {
        self.lives_of(&Lane::Own, &self.shows(), grace).pop()
    }

    /// The live of the user's own stream that ran at a second.
    pub fn live_at(&self, at: UnixSeconds, grace: u64) -> Option<Live> {
        let ran = |live: &Live| live.start <= at && live.end.is_none_or(|(end, _)| at <= end);
        self.lives_of(&Lane::Own, &self.shows(), grace).into_iter().rfind(ran)
    }

    /// The second of the last word on the user's own stream.
    pub fn last_word(&self) -> UnixSeconds {
        let pushes = self.pushes.iter().filter(|push| push.lane == Lane::Own && !push.is_void()).map(Push::last_word);
        UnixSeconds(pushes.chain(self.marks.iter().map(|mark| mark.at.0)).max().unwrap_or(0))
    }

    /// Whether the user's own stream runs.
    pub fn is_on(&self) -> bool {
        stretches(&self.words(&Lane::Own)).last().is_some_and(|stretch| stretch.end.is_none())
    }

    /// When the user's own stream ended, if that is doubtful: the cloud never told that the push ended which ran.
    pub fn doubtful_end(&self) -> Option<UnixSeconds> {
        let last = stretches(&self.words(&Lane::Own)).pop()?;
        last.end.filter(|_| last.is_doubtful).map(|(at, _)| UnixSeconds(at))
    }

    /// Why the push ended with which a live ended, in the cloud's words; `None` if it told nothing of that.
    pub fn reason_of(&self, live: &Live) -> Option<&Reason> {
        let (end, _) = live.end?;
        let of_live = |push: &&Push| push.lane == live.lane && !push.is_void();
        let ended = |push: &&Push| push.end.is_some_and(|Told(at, _)| at == end.0);
        self.pushes.iter().filter(of_live).filter(ended).find_map(|push| push.reason.as_ref())
    }

    fn lives_of(&self, lane: &Lane, shows: &[Show], grace: u64) -> Vec<Live> {
        let show_at = |second: u64| show_at(shows, second);
        let is_parted =
            |first: u64, second: u64| show_at(first).map(Show::opened_at) != show_at(second).map(Show::opened_at);
        let mut lives: Vec<(u64, Stretch)> = Vec::new();
        for stretch in stretches(&self.words(lane)) {
            match lives.last_mut() {
                Some((last_start, live))
                    if live.end.is_none_or(|(end, _)| stretch.start <= end.saturating_add(grace))
                        && !is_parted(*last_start, stretch.start) =>
                {
                    live.end = stretch.end;
                    *last_start = stretch.start;
                }
                _ => lives.push((stretch.start, stretch)),
            }
        }
        let live = |(_, stretch): (u64, Stretch)| {
            let show = show_at(stretch.start);
            Live {
                lane: lane.clone(),
                start: UnixSeconds(stretch.start),
                end: stretch.end.map(|(end, why)| (UnixSeconds(end), why)),
                show: show.map(Show::opened_at),
                named_at: show.map(|show| show.named_at(stretch.end.map_or(u64::MAX, |(end, _)| end))),
            }
        };
        lives.into_iter().map(live).collect()
    }

    /// What is told of a stream, by its seconds; within one second, as it came.
    pub(super) fn words(&self, lane: &Lane) -> Vec<(Told, Word<'_>)> {
        let mut words: Vec<(Told, Word<'_>)> = Vec::new();
        for push in self.pushes.iter().filter(|push| push.lane == *lane) {
            words.extend(push.started().map(|start| (start, Word::Start(push))));
            // Not before its start, whatever the clocks say.
            let end = push
                .end
                .filter(|_| !push.is_void())
                .map(|end| push.start.map_or(end, |start| Told(end.0.max(start.0), end.1)));
            words.extend(end.map(|end| (end, Word::End(push))));
        }
        if *lane == Lane::Own {
            let marks = self.marks.iter();
            words.extend(marks.map(|mark| (mark.at, mark.end.map_or(Word::On, Word::Off))));
        }
        words.sort_by_key(|(told, _)| *told);
        words
    }
}

/// The stretches during which a stream ran, the oldest first.
pub(super) fn stretches<'a>(words: impl IntoIterator<Item = &'a (Told, Word<'a>)>) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    // The pushes that started in the last second in which any did, and have not ended: the last of them runs, and the one
    // before it when that ends. None, if only a mark says that something does.
    let mut running: Vec<&Push> = Vec::new();
    let mut is_on = false;
    for &(Told(at, _), word) in words {
        let (starts, end, is_doubtful) = match word {
            Word::Start(push) => {
                running.retain(|other| other.started().is_some_and(|Told(start, _)| start == at));
                running.push(push);
                (true, End::Stopped, false)
            }
            Word::On if is_on => continue,
            Word::On => (true, End::Stopped, false),
            Word::End(push) => {
                let number = running.len();
                running.retain(|other| other.name != push.name);
                let was_running = running.len() < number;
                match running.last() {
                    Some(other) if was_running || push.was_followed_by(other) => continue,
                    Some(other) => (false, End::Stopped, push.start.is_none() && other.is_open()),
                    None => (false, End::Stopped, false),
                }
            }
            Word::Off(end) => {
                let is_open = running.last().is_some_and(|other| other.is_open());
                (false, end, end == End::Stopped && is_open)
            }
        };
        if let Some(stretch) = stretches.last_mut().filter(|stretch| stretch.end.is_none()) {
            (stretch.end, stretch.is_doubtful) = (Some((at, end)), is_doubtful);
        }
        if starts {
            stretches.push(Stretch { start: at, end: None, is_doubtful: false });
        } else {
            running.clear();
        }
        is_on = starts;
    }
    stretches
}
