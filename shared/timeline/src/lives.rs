//! Computes intervals and lives from pushes and status reports.

use serde::{Deserialize, Serialize};

use super::{Broadcasts, Push, Reason, Stamp, StatusReport, Timeline, UserStream};
use protocol::types::UnixSeconds;

/// A live: from the first start of a push to the last end, of intervals with short gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The stream that was live.
    pub user_stream: UserStream,
    /// When the live started.
    pub start: UnixSeconds,
    /// When the live ended, and why; `None` while the live goes on.
    pub end: Option<(UnixSeconds, End)>,
    /// The broadcast of the live, by the second of its first start request; `None` if there was no start request before.
    pub broadcast: Option<UnixSeconds>,
    /// The key of the live's information, its title and cover: the second of the broadcast's last start request until the
    /// end of the live.
    pub described_by: Option<UnixSeconds>,
}

/// Why a live ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The cloud reported the end of the push.
    Stopped,
    /// The app of the broadcaster reported the end.
    Left,
    /// A query of the cloud showed that the stream does not run.
    Vanished,
    /// There was no sign of life for too long.
    Silent,
    /// The broadcaster was banned.
    Banned,
    /// The cloud's moderation found a forbidden picture.
    Moderated,
}

impl End {
    /// The name in the table and in replies to operators.
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
    /// Whether this second is within the live; its first and last second are.
    pub fn contains(&self, at: UnixSeconds) -> bool {
        self.start <= at && self.end.is_none_or(|(end, _)| at <= end)
    }

    /// The number of seconds that the live and this time span have in common. A live that goes on has no end.
    pub(super) fn overlap_seconds(&self, start: UnixSeconds, end: UnixSeconds) -> u64 {
        let end = self.end.map_or(end, |(own, _)| own.min(end));
        end.minus(self.start.max(start).0).0
    }
}

impl Push {
    /// Whether another push replaced this one: the reason of its end says so, or its start was reported and the other push
    /// did not start in an earlier second.
    fn was_replaced_by(&self, other: &Self) -> bool {
        self.reason.as_ref().is_some_and(Reason::is_replacement)
            || self.start.zip(other.started()).is_some_and(|(own, other)| own.at <= other.at)
    }

    /// Whether the start was reported and the end was not.
    fn is_open(&self) -> bool {
        self.start.is_some() && self.end.is_none()
    }
}

/// A time span in which a stream ran.
pub(super) struct Interval {
    start: UnixSeconds,
    pub(super) end: Option<(UnixSeconds, End)>,
    /// Whether the end is unconfirmed: the running push has no reported end; what ended the interval is the end of a
    /// push of unknown start, or a notice without the name of a push.
    is_unconfirmed: bool,
}

/// An event of one stream.
#[derive(Clone, Copy)]
pub(super) enum StreamEvent<'a> {
    Start(&'a Push),
    End(&'a Push),
    On,
    Off(End),
}

impl Timeline {
    /// The lives, ordered by stream and then by time. Intervals of one broadcast with a gap of at most `grace` seconds are
    /// one live.
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

    /// The live of the user's own stream at a second. If two touch at that second, the later one.
    pub fn live_at(&self, at: UnixSeconds, grace: u64) -> Option<Live> {
        self.lives_of(&UserStream::Own, &self.broadcasts(), grace).into_iter().rfind(|live| live.contains(at))
    }

    /// The time of the last event of the user's own stream. Start requests, files and void pushes do not count.
    pub fn last_event_at(&self) -> UnixSeconds {
        self.stream_events(&UserStream::Own).last().map(|(stamp, _)| stamp.at).unwrap_or_default()
    }

    /// Whether the user's own stream runs after the last event.
    pub fn is_on(&self) -> bool {
        intervals(&self.stream_events(&UserStream::Own)).last().is_some_and(|interval| interval.end.is_none())
    }

    /// When the user's own stream ended, if the end is unconfirmed: the cloud has not reported the end of the running push.
    pub fn unconfirmed_end(&self) -> Option<UnixSeconds> {
        let last = intervals(&self.stream_events(&UserStream::Own)).pop()?;
        last.end.filter(|_| last.is_unconfirmed).map(|(at, _)| at)
    }

    /// Why the last push of a live ended, as the cloud reported it; `None` if the cloud reported no reason.
    pub fn reason_of(&self, live: &Live) -> Option<&Reason> {
        let (end, _) = live.end?;
        let of_live = |push: &&Push| push.user_stream == live.user_stream && !push.is_void();
        let ended = |push: &&Push| push.end.is_some_and(|stamp| stamp.at == end);
        self.pushes.iter().filter(of_live).filter(ended).find_map(|push| push.reason.as_ref())
    }

    fn lives_of(&self, user_stream: &UserStream, broadcasts: &Broadcasts, grace: u64) -> Vec<Live> {
        let mut lives: Vec<Live> = Vec::new();
        for Interval { start, end, .. } in intervals(&self.stream_events(user_stream)) {
            let broadcast = broadcasts.of_start(start);
            let until = end.map_or(UnixSeconds(u64::MAX), |(end, _)| end);
            let described_by = broadcast.and_then(|broadcast| broadcast.described_by(until));
            let broadcast = broadcast.map(|broadcast| broadcast.opened_at);
            let is_within_grace = |live: &Live| live.end.is_none_or(|(end, _)| start <= end.plus(grace));
            match lives.last_mut() {
                Some(live) if live.broadcast == broadcast && is_within_grace(live) => {
                    (live.end, live.described_by) = (end, described_by);
                }
                Some(_) | None => {
                    lives.push(Live { user_stream: user_stream.clone(), start, end, broadcast, described_by });
                }
            }
        }
        lives
    }

    /// The events of a stream, ordered by stamp: by second, and within one second by arrival.
    pub(super) fn stream_events(&self, user_stream: &UserStream) -> Vec<(Stamp, StreamEvent<'_>)> {
        let mut stream_events: Vec<(Stamp, StreamEvent<'_>)> = Vec::new();
        for push in self.pushes.iter().filter(|push| push.user_stream == *user_stream) {
            stream_events.extend(push.started().map(|start| (start, StreamEvent::Start(push))));
            // Clocks may differ: a push does not end before its start.
            let end = push.end.filter(|_| !push.is_void());
            let end = end.map(|end| Stamp { at: push.start.map_or(end.at, |start| start.at.max(end.at)), ..end });
            stream_events.extend(end.map(|end| (end, StreamEvent::End(push))));
        }
        if *user_stream == UserStream::Own {
            let event = |report: &StatusReport| (report.stamp, report.end.map_or(StreamEvent::On, StreamEvent::Off));
            stream_events.extend(self.status_reports.iter().map(event));
        }
        stream_events.sort_by_key(|(stamp, _)| *stamp);
        stream_events
    }
}

/// The intervals in which a stream ran, oldest first.
pub(super) fn intervals<'a>(stream_events: impl IntoIterator<Item = &'a (Stamp, StreamEvent<'a>)>) -> Vec<Interval> {
    let mut intervals: Vec<Interval> = Vec::new();
    // The open pushes that started in the most recent second with a start. The last of them is the running push; when it
    // ends, the one before it is. Empty if only a status report says that the stream runs.
    let mut running: Vec<&Push> = Vec::new();
    let mut is_on = false;
    for &(Stamp { at, .. }, event) in stream_events {
        let (starts, end, is_unconfirmed) = match event {
            StreamEvent::Start(push) => {
                running.retain(|other| other.started().is_some_and(|start| start.at == at));
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
                    Some(other) if was_running || push.was_replaced_by(other) => continue,
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
