//! From openings to shows.

use serde::{Deserialize, Serialize};

use super::{Stamp, Timeline, UserStream, lives::StreamEvent};
use protocol::types::UnixSeconds;

/// The clocks of the cloud and of ours differ a little.
const SKEW_SECONDS: u64 = 2;

/// The app asked to push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StartRequest {
    #[serde(rename = "t")]
    stamp: Stamp,
    /// Whether it begins a show, once that cannot be found out any more.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    begins: Option<bool>,
    /// The second under which it is kept what was said, if it is another one: the clock was ahead.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    key: Option<u64>,
}

impl StartRequest {
    /// Its second.
    pub(super) fn at(&self) -> u64 {
        self.stamp.at
    }

    /// The second under which it is kept what was said.
    fn key(&self) -> u64 {
        self.key.unwrap_or(self.stamp.at)
    }

    /// Whether what is said of the stream was so before it: it had come by then, or is of an earlier second. What turns
    /// the stream on may be what it was opened for if the cloud's clock is a little behind.
    fn is_after(&self, Stamp { at, arrival }: Stamp, event: &StreamEvent<'_>) -> bool {
        let skew = match event {
            StreamEvent::Start(_) | StreamEvent::On => SKEW_SECONDS,
            StreamEvent::End(_) | StreamEvent::Off(_) => 0,
        };
        arrival < self.stamp.arrival || at.saturating_add(skew) < self.at()
    }
}

/// What was opened once, and again while it ran.
pub(super) struct Broadcast {
    opened: u64,
    /// Under which second it is kept what was said then.
    key: u64,
    /// When it was opened again, and the same of that.
    again: Vec<(u64, u64)>,
}

impl Broadcast {
    /// The second at which it was opened.
    pub(super) fn opened_at(&self) -> UnixSeconds {
        UnixSeconds(self.opened)
    }

    /// What was said at its last opening up to this second, by the second under which it is kept.
    pub(super) fn info_at(&self, until: u64) -> UnixSeconds {
        let again = self.again.iter().rfind(|(at, _)| *at <= until);
        UnixSeconds(again.map_or(self.key, |(_, key)| *key))
    }
}

/// The show that is on at this second: the last one opened before it; `None` if none was.
pub(super) fn broadcast_at(broadcasts: &[Broadcast], at: u64) -> Option<&Broadcast> {
    last_until(broadcasts, at.saturating_add(SKEW_SECONDS))
}

fn last_until(broadcasts: &[Broadcast], at: u64) -> Option<&Broadcast> {
    broadcasts[..broadcasts.partition_point(|broadcast| broadcast.opened <= at)].last()
}

impl Timeline {
    /// Takes in an opening, unless nothing was told since another one of the same second.
    pub(super) fn request_start(&mut self, at: u64) -> bool {
        let stamp = Stamp { at, arrival: self.arrived };
        let place = self.start_requests.partition_point(|start_request| start_request.stamp < stamp);
        let is_known = place.checked_sub(1).is_some_and(|last| {
            let last = self.start_requests[last].stamp;
            last.at == at && last.arrival + 1 == self.arrived
        });
        if !is_known {
            self.start_requests.insert(place, StartRequest { stamp, begins: None, key: None });
        }
        !is_known
    }

    /// The shows, the oldest first.
    pub(super) fn broadcasts(&self) -> Vec<Broadcast> {
        let mut broadcasts: Vec<Broadcast> = Vec::new();
        for (start_request, begins) in self.start_requests.iter().zip(self.begins()) {
            match broadcasts.last_mut() {
                // What was said last in one second counts.
                Some(broadcast) if broadcast.opened == start_request.at() => broadcast.key = start_request.key(),
                Some(broadcast) if !begins => broadcast.again.push((start_request.at(), start_request.key())),
                Some(_) | None => {
                    broadcasts.push(Broadcast {
                        opened: start_request.at(),
                        key: start_request.key(),
                        again: Vec::new(),
                    });
                }
            }
        }
        broadcasts
    }

    /// Of each opening whether it begins a show: it came while the user's own stream was off, or is the first.
    pub(super) fn begins(&self) -> Vec<bool> {
        let stream_events = self.stream_events(&UserStream::Own);
        let was_on = |start_request: &StartRequest| {
            let before = stream_events.iter().filter(|(stamp, event)| start_request.is_after(*stamp, event));
            super::lives::intervals(before).last().is_some_and(|interval| interval.end.is_none())
        };
        let begins = |(n, start_request): (usize, &StartRequest)| {
            n == 0 || start_request.begins.unwrap_or_else(|| !was_on(start_request))
        };
        self.start_requests.iter().enumerate().map(begins).collect()
    }

    /// The second at which the last show was opened.
    pub fn broadcast(&self) -> Option<UnixSeconds> {
        self.broadcasts().last().map(Broadcast::opened_at)
    }

    /// The seconds at which the broadcasts were opened, the oldest first.
    pub fn broadcasts_opened(&self) -> Vec<UnixSeconds> {
        self.broadcasts().iter().map(Broadcast::opened_at).collect()
    }

    /// The show that an opening at this second began or renewed, by the second at which that was opened.
    pub fn broadcast_of(&self, UnixSeconds(start_request): UnixSeconds) -> Option<UnixSeconds> {
        last_until(&self.broadcasts(), start_request).map(Broadcast::opened_at)
    }

    /// The second of the last opening: what was said then is what the room shows.
    pub fn last_start_request(&self) -> Option<UnixSeconds> {
        self.start_requests.last().map(|start_request| UnixSeconds(start_request.key()))
    }

    /// The second of the last opening before this one: what was said then is what a file is called that starts now.
    pub(super) fn info_at(&self, UnixSeconds(start): UnixSeconds) -> Option<UnixSeconds> {
        let opened = self
            .start_requests
            .partition_point(|start_request| start_request.at() <= start.saturating_add(SKEW_SECONDS));
        self.start_requests[..opened].last().map(|start_request| UnixSeconds(start_request.key()))
    }

    /// Takes openings of a time to come for openings of now; says whether there were any.
    pub(super) fn cap_start_requests(&mut self, now: UnixSeconds) -> bool {
        let is_ahead = |start_request: &&mut StartRequest| UnixSeconds(start_request.at()).is_ahead_of(now);
        let mut is_capped = false;
        for start_request in self.start_requests.iter_mut().filter(is_ahead) {
            (start_request.key, start_request.stamp.at) = (Some(start_request.key()), now.0);
            is_capped = true;
        }
        self.start_requests.sort_by_key(|start_request| start_request.stamp);
        is_capped
    }

    /// Has the openings mean what they meant before other evidence was dropped, and drops those of what was over before
    /// this second, but for the show that was on then and what it was called last. While there are more than so many,
    /// those go first that others followed while the same push ran, and then the oldest.
    pub(super) fn prune_start_requests(&mut self, began: &[bool], before: u64, max: usize) {
        let begin = self.begins();
        for ((start_request, began), begins) in self.start_requests.iter_mut().zip(began).zip(begin) {
            start_request.begins = start_request.begins.or((*began != begins).then_some(*began));
        }
        let old = self.start_requests.partition_point(|start_request| start_request.at() <= before);
        let shown = began[..old].iter().rposition(|begins| *begins);
        let start_requests = std::mem::take(&mut self.start_requests).into_iter().zip(began).enumerate();
        let start_requests = start_requests.filter(|(n, _)| Some(*n) == shown || n + 1 >= old);
        let mut start_requests: Vec<(StartRequest, &bool)> =
            start_requests.map(|(_, start_request)| start_request).collect();
        let stream_events: Vec<u64> =
            self.stream_events(&UserStream::Own).into_iter().map(|(Stamp { at, .. }, _)| at).collect();
        let is_superseded = |pair: &[(StartRequest, &bool)]| {
            let between = pair[0].0.at()..=pair[1].0.at();
            !pair[0].1 && !pair[1].1 && !stream_events.iter().any(|at| between.contains(at))
        };
        while start_requests.len() > max {
            let needless = start_requests.windows(2).position(is_superseded);
            start_requests.remove(needless.unwrap_or(0));
        }
        self.start_requests = start_requests.into_iter().map(|(start_request, _)| start_request).collect();
    }
}
