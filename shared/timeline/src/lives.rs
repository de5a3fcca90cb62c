//! From pushes and marks to lives.

use serde::{Deserialize, Serialize};

use super::{
    Push, Reason, Stamp, Timeline, UserStream,
    broadcasts::{Broadcast, broadcast_at},
};
use protocol::types::UnixSeconds;

/// One broadcast, from the first start of a push to the last end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The stream.
    pub user_stream: UserStream,
    /// When it started.
    pub start: UnixSeconds,
    /// When it ended and why; `None` if it goes on.
    pub end: Option<(UnixSeconds, End)>,
    /// The show that it is, by the second at which that was opened; `None` if no show ever was.
    pub broadcast: Option<UnixSeconds>,
    /// What it is called was said at this second: the last opening of its show, up to its end.
    pub info_at: Option<UnixSeconds>,
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
            || self
                .start
                .zip(other.started())
                .is_some_and(|(Stamp { at: own, .. }, Stamp { at: others, .. })| own <= others)
    }

    /// Whether its start was told, and its end was not.
    fn is_open(&self) -> bool {
        self.start.is_some() && self.end.is_none()
    }
}

/// A stretch during which a stream ran.
pub(super) struct Interval {
    start: u64,
    pub(super) end: Option<(u64, End)>,
    /// Whether it may have gone on: the push that ran was told of, its own end was not, and the end that was told is of a
    /// push of unknown start, or of no push by name.
    is_unconfirmed: bool,
}

/// What is told of a stream at some second.
#[derive(Clone, Copy)]
pub(super) enum StreamEvent<'a> {
    Start(&'a Push),
    End(&'a Push),
    On,
    Off(End),
}

impl Timeline {
    /// The lives, stream by stream and the oldest first. Stretches no further apart than `grace` are one.
    pub fn lives(&self, grace: u64) -> Vec<Live> {
        let mut user_streams: Vec<&UserStream> =
            self.pushes.iter().map(|push| &push.user_stream).chain([&UserStream::Own]).collect();
        user_streams.sort();
        user_streams.dedup();
        let broadcasts = self.broadcasts();
        user_streams.into_iter().flat_map(|user_stream| self.lives_of(user_stream, &broadcasts, grace)).collect()
    }

    /// The last live of the user's own stream.
    pub fn last_live(&self, grace: u64) -> Option<Live> {
        self.lives_of(&UserStream::Own, &self.broadcasts(), grace).pop()
    }

    /// The live of the user's own stream that ran at a second.
    pub fn live_at(&self, at: UnixSeconds, grace: u64) -> Option<Live> {
        let ran = |live: &Live| live.start <= at && live.end.is_none_or(|(end, _)| at <= end);
        self.lives_of(&UserStream::Own, &self.broadcasts(), grace).into_iter().rfind(ran)
    }

    /// The second of the last word on the user's own stream.
    pub fn last_word(&self) -> UnixSeconds {
        let pushes = self
            .pushes
            .iter()
            .filter(|push| push.user_stream == UserStream::Own && !push.is_void())
            .map(Push::last_word);
        UnixSeconds(pushes.chain(self.status_reports.iter().map(|report| report.stamp.at)).max().unwrap_or(0))
    }

    /// Whether the user's own stream runs.
    pub fn is_on(&self) -> bool {
        intervals(&self.stream_events(&UserStream::Own)).last().is_some_and(|interval| interval.end.is_none())
    }

    /// When the user's own stream ended, if that is doubtful: the cloud never told that the push ended which ran.
    pub fn unconfirmed_end(&self) -> Option<UnixSeconds> {
        let last = intervals(&self.stream_events(&UserStream::Own)).pop()?;
        last.end.filter(|_| last.is_unconfirmed).map(|(at, _)| UnixSeconds(at))
    }

    /// Why the push ended with which a live ended, in the cloud's words; `None` if it told nothing of that.
    pub fn reason_of(&self, live: &Live) -> Option<&Reason> {
        let (end, _) = live.end?;
        let of_live = |push: &&Push| push.user_stream == live.user_stream && !push.is_void();
        let ended = |push: &&Push| push.end.is_some_and(|Stamp { at, .. }| at == end.0);
        self.pushes.iter().filter(of_live).filter(ended).find_map(|push| push.reason.as_ref())
    }

    fn lives_of(&self, user_stream: &UserStream, broadcasts: &[Broadcast], grace: u64) -> Vec<Live> {
        let broadcast_at = |second: u64| broadcast_at(broadcasts, second);
        let is_parted = |first: u64, second: u64| {
            broadcast_at(first).map(Broadcast::opened_at) != broadcast_at(second).map(Broadcast::opened_at)
        };
        let mut lives: Vec<(u64, Interval)> = Vec::new();
        for interval in intervals(&self.stream_events(user_stream)) {
            match lives.last_mut() {
                Some((last_start, live))
                    if live.end.is_none_or(|(end, _)| interval.start <= end.saturating_add(grace))
                        && !is_parted(*last_start, interval.start) =>
                {
                    live.end = interval.end;
                    *last_start = interval.start;
                }
                _ => lives.push((interval.start, interval)),
            }
        }
        let live = |(_, interval): (u64, Interval)| {
            let broadcast = broadcast_at(interval.start);
            Live {
                user_stream: user_stream.clone(),
                start: UnixSeconds(interval.start),
                end: interval.end.map(|(end, why)| (UnixSeconds(end), why)),
                broadcast: broadcast.map(Broadcast::opened_at),
                info_at: broadcast.map(|broadcast| broadcast.info_at(interval.end.map_or(u64::MAX, |(end, _)| end))),
            }
        };
        lives.into_iter().map(live).collect()
    }

    /// What is told of a stream, by its seconds; within one second, as it came.
    pub(super) fn stream_events(&self, user_stream: &UserStream) -> Vec<(Stamp, StreamEvent<'_>)> {
        let mut stream_events: Vec<(Stamp, StreamEvent<'_>)> = Vec::new();
        for push in self.pushes.iter().filter(|push| push.user_stream == *user_stream) {
            stream_events.extend(push.started().map(|start| (start, StreamEvent::Start(push))));
            // Not before its start, whatever the clocks say.
            let end = push
                .end
                .filter(|_| !push.is_void())
                .map(|end| push.start.map_or(end, |start| Stamp { at: end.at.max(start.at), ..end }));
            stream_events.extend(end.map(|end| (end, StreamEvent::End(push))));
        }
        if *user_stream == UserStream::Own {
            let status_reports = self.status_reports.iter();
            stream_events.extend(
                status_reports.map(|report| (report.stamp, report.end.map_or(StreamEvent::On, StreamEvent::Off))),
            );
        }
        stream_events.sort_by_key(|(stamp, _)| *stamp);
        stream_events
    }
}

/// The stretches during which a stream ran, the oldest first.
pub(super) fn intervals<'a>(stream_events: impl IntoIterator<Item = &'a (Stamp, StreamEvent<'a>)>) -> Vec<Interval> {
    let mut intervals: Vec<Interval> = Vec::new();
    // The pushes that started in the last second in which any did, and have not ended: the last of them runs, and the one
    // before it when that ends. None, if only a mark says that something does.
    let mut running: Vec<&Push> = Vec::new();
    let mut is_on = false;
    for &(Stamp { at, .. }, event) in stream_events {
        let (starts, end, is_unconfirmed) = match event {
            StreamEvent::Start(push) => {
                running.retain(|other| other.started().is_some_and(|Stamp { at: start, .. }| start == at));
                running.push(push);
                (true, End::Stopped, false)
            }
            StreamEvent::On if is_on => continue,
            StreamEvent::On => (true, End::Stopped, false),
            StreamEvent::End(push) => {
                let number = running.len();
                running.retain(|other| other.name != push.name);
                let was_running = running.len() < number;
                match running.last() {
                    Some(other) if was_running || push.was_followed_by(other) => continue,
                    Some(other) => (false, End::Stopped, push.start.is_none() && other.is_open()),
                    None => (false, End::Stopped, false),
                }
            }
            StreamEvent::Off(end) => {
                let is_open = running.last().is_some_and(|other| other.is_open());
                (false, end, end == End::Stopped && is_open)
            }
        };
        if let Some(interval) = intervals.last_mut().filter(|interval| interval.end.is_none()) {
            (interval.end, interval.is_unconfirmed) = (Some((at, end)), is_unconfirmed);
        }
        if starts {
            intervals.push(Interval { start: at, end: None, is_unconfirmed: false });
        } else {
            running.clear();
        }
        is_on = starts;
    }
    intervals
}
