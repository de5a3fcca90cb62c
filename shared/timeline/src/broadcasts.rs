//! Computes broadcasts from start requests.

use serde::{Deserialize, Serialize};

use super::{
    Stamp, Timeline, UserStream,
    lives::{StreamEvent, intervals},
};
use protocol::types::UnixSeconds;

/// The tolerance between the cloud's clock and ours: a push may start up to two seconds before its start request.
const SKEW_SECONDS: u64 = 2;

/// A start request: the app asked for a push URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StartRequest {
    #[serde(rename = "t")]
    pub(super) stamp: Stamp,
    /// Whether the request begins a broadcast. Set when the events that decide this are forgotten.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    begins: Option<bool>,
    /// The second in the key of the row with the title, if the second of the stamp was corrected since.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<UnixSeconds>,
}

impl StartRequest {
    /// The second in the key of the row with the title.
    pub(super) fn key(&self) -> UnixSeconds {
        self.key.unwrap_or(self.stamp.at)
    }

    /// Whether an event was before the request: the event arrived before the request, or has an earlier second. A start
    /// that arrived later must be more than two seconds earlier: within two seconds it may be the push that was requested.
    fn is_after(&self, stamp: Stamp, event: &StreamEvent<'_>) -> bool {
        let skew = match event {
            StreamEvent::Start(_) | StreamEvent::On => SKEW_SECONDS,
            StreamEvent::End(_) | StreamEvent::Off(_) => 0,
        };
        stamp.arrival < self.stamp.arrival || stamp.at.plus(skew) < self.stamp.at
    }
}

/// The broadcasts of a user, oldest first. Each is identified by the second of the start request that began it.
pub struct Broadcasts(Vec<Broadcast>);

/// A broadcast: the start request that began it, and those that renewed it.
pub(super) struct Broadcast {
    pub(super) opened_at: UnixSeconds,
    requests: Vec<StartRequest>,
}

impl Broadcast {
    /// The key of the broadcast's information at this second: that of its last start request until then, or else of its
    /// first one.
    pub(super) fn described_by(&self, until: UnixSeconds) -> Option<UnixSeconds> {
        let until = until.max(self.opened_at);
        self.requests.iter().rfind(|request| request.stamp.at <= until).map(StartRequest::key)
    }
}

impl Broadcasts {
    /// The last broadcast.
    pub fn last(&self) -> Option<UnixSeconds> {
        self.0.last().map(|broadcast| broadcast.opened_at)
    }

    /// The broadcast of which the start request at this second is: the last broadcast that began no later.
    pub fn of(&self, start_request: UnixSeconds) -> Option<UnixSeconds> {
        self.last_until(start_request).map(|broadcast| broadcast.opened_at)
    }

    /// The broadcast of a stream that starts at this second: the last one that began no later than two seconds after it.
    pub(super) fn of_start(&self, at: UnixSeconds) -> Option<&Broadcast> {
        self.last_until(at.plus(SKEW_SECONDS))
    }

    fn last_until(&self, at: UnixSeconds) -> Option<&Broadcast> {
        self.0.iter().rfind(|broadcast| broadcast.opened_at <= at)
    }
}

impl Timeline {
    /// Adds a start request, and returns whether it is new: a second request in the same second is new only if another
    /// event arrived in between.
    pub(super) fn request_start(&mut self, stamp: Stamp) -> bool {
        let place = self.start_requests.partition_point(|request| request.stamp < stamp);
        let is_repeated = |last: &StartRequest| (last.stamp.at, last.stamp.arrival + 1) == (stamp.at, stamp.arrival);
        let is_new = !self.start_requests[..place].last().is_some_and(is_repeated);
        if is_new {
            self.start_requests.insert(place, StartRequest { stamp, begins: None, key: None });
        }
        is_new
    }

    /// The broadcasts.
    pub fn broadcasts(&self) -> Broadcasts {
        let mut broadcasts: Vec<Broadcast> = Vec::new();
        for (request, begins) in self.start_requests.iter().cloned().zip(self.begins()) {
            let opened_at = request.stamp.at;
            match broadcasts.last_mut() {
                // Requests of one second are of one broadcast.
                Some(broadcast) if !begins || broadcast.opened_at == opened_at => broadcast.requests.push(request),
                Some(_) | None => broadcasts.push(Broadcast { opened_at, requests: vec![request] }),
            }
        }
        Broadcasts(broadcasts)
    }

    /// For each start request, whether it begins a broadcast: the user's own stream did not run, or the request is the
    /// first.
    pub(super) fn begins(&self) -> Vec<bool> {
        let stream_events = self.stream_events(&UserStream::Own);
        let was_on = |request: &StartRequest| {
            let before = stream_events.iter().filter(|(stamp, event)| request.is_after(*stamp, event));
            intervals(before).last().is_some_and(|interval| interval.end.is_none())
        };
        let begins =
            |(n, request): (usize, &StartRequest)| n == 0 || request.begins.unwrap_or_else(|| !was_on(request));
        self.start_requests.iter().enumerate().map(begins).collect()
    }

    /// The key of the information of the last start request, which the room shows.
    pub fn last_start_request(&self) -> Option<UnixSeconds> {
        self.start_requests.last().map(StartRequest::key)
    }

    /// The key of the information of a file that starts at this second and belongs to no live: the last start request no later
    /// than two seconds after the start.
    pub(super) fn described_by(&self, start: UnixSeconds) -> Option<UnixSeconds> {
        let until = start.plus(SKEW_SECONDS);
        self.start_requests.iter().rfind(|request| request.stamp.at <= until).map(StartRequest::key)
    }

    /// Drops start requests after other events were forgotten. `began` says which requests began a broadcast before that;
    /// a request whose answer would change keeps the old one. Requests before the second `before` are dropped, except the
    /// request that began the broadcast of that second, and the last one of them, which has its title. If more than `max`
    /// are left, requests go first that another one followed during the same push, then the oldest.
    pub(super) fn prune_start_requests(&mut self, began: &[bool], before: UnixSeconds, max: usize) {
        let begins = self.begins();
        for ((request, began), begins) in self.start_requests.iter_mut().zip(began).zip(begins) {
            request.begins = request.begins.or((*began != begins).then_some(*began));
        }
        let old = self.start_requests.partition_point(|request| request.stamp.at <= before);
        let current = began[..old].iter().rposition(|begins| *begins);
        let requests = std::mem::take(&mut self.start_requests).into_iter().zip(began).enumerate();
        let requests = requests.filter(|(n, _)| Some(*n) == current || n + 1 >= old);
        let mut requests: Vec<(StartRequest, &bool)> = requests.map(|(_, request)| request).collect();
        let stream_events: Vec<UnixSeconds> =
            self.stream_events(&UserStream::Own).into_iter().map(|(stamp, _)| stamp.at).collect();
        let is_superseded = |pair: &[(StartRequest, &bool)]| {
            let between = pair[0].0.stamp.at..=pair[1].0.stamp.at;
            !pair[0].1 && !pair[1].1 && !stream_events.iter().any(|at| between.contains(at))
        };
        while requests.len() > max {
            let superseded = requests.windows(2).position(is_superseded);
            requests.remove(superseded.unwrap_or(0));
        }
        self.start_requests = requests.into_iter().map(|(request, _)| request).collect();
    }
}
