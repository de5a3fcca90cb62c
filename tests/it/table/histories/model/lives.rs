//! Rules 1 to 3 of decision 13: when a stream is on, broadcasts, and lives.

use std::collections::BTreeSet;

use super::{EventKind, GRACE, Live, Push, SKEW, StartRequest, StreamEvent, Totals, User};

impl StreamEvent {
    /// Whether the event is before a start request of this second, whenever the event arrives.
    pub(super) fn is_earlier_than(&self, request: u64) -> bool {
        match self.kind {
            EventKind::Start(_) | EventKind::On => self.at + SKEW < request,
            EventKind::End(..) | EventKind::Off(_) => self.at < request,
        }
    }
}

impl User {
    /// Whether the room is live.
    pub(crate) fn is_live(&self) -> bool {
        !self.banned && is_on(self.stream_events(&self.own_stream()))
    }

    /// Rule 2: the broadcasts, by the second of the start request that began each.
    pub(super) fn broadcasts(&self) -> Vec<u64> {
        let events = self.stream_events(&self.own_stream());
        let was_on = |request: &StartRequest| {
            let is_before = |event: &&StreamEvent| event.step < request.step || event.is_earlier_than(request.at);
            is_on(events.iter().filter(is_before).cloned().collect())
        };
        let mut broadcasts = Vec::new();
        for request in &self.start_requests {
            if (broadcasts.is_empty() || !was_on(request)) && !broadcasts.contains(&request.at) {
                broadcasts.push(request.at);
            }
        }
        broadcasts
    }

    /// The last broadcast that began until this second; 0 for none.
    pub(super) fn broadcast_until(&self, at: u64) -> u64 {
        self.broadcasts().into_iter().rfind(|broadcast| *broadcast <= at).unwrap_or_default()
    }

    /// The start requests whose title a live may have. While the live goes on, any of its broadcast.
    pub(super) fn title_requests(&self, live: &Live) -> Vec<&StartRequest> {
        let is_of_broadcast = |request: &&StartRequest| self.broadcast_until(request.at) == live.broadcast;
        let mut requests = self.start_requests.iter().filter(is_of_broadcast);
        let Some((end, _)) = live.end else { return requests.collect() };
        requests.rfind(|request| request.at <= end || request.at == live.broadcast).into_iter().collect()
    }

    /// The seconds of the start requests whose title a live may have; 0 if there are none.
    pub(crate) fn described_by(&self, live: &Live) -> BTreeSet<u64> {
        let seconds: BTreeSet<u64> = self.title_requests(live).iter().map(|request| request.at).collect();
        if seconds.is_empty() { BTreeSet::from([0]) } else { seconds }
    }

    /// The events of a stream, by second; within one second, in the order of arrival.
    pub(super) fn stream_events(&self, stream: &str) -> Vec<StreamEvent> {
        let mut events = if stream == self.own_stream() { self.status_reports.clone() } else { Vec::new() };
        for ((of, name), Push { start, end, is_refused }) in &self.pushes {
            // A push is void if only a refusal is reported of it.
            if of != stream || *is_refused && start.is_none() {
                continue;
            }
            let by_duration = end.map(|(at, seconds, step)| (at - seconds, step));
            let Some((from, from_step)) = start.or(by_duration) else { continue };
            if end.is_none_or(|(at, ..)| from < at) {
                events.push(StreamEvent { at: from, step: from_step, kind: EventKind::Start(name.clone()) });
            }
            if let Some((at, _, step)) = *end {
                let reported = start.map(|(at, _)| at);
                // By the clocks, a push may end before it starts.
                let at = at.max(reported.unwrap_or(at));
                events.push(StreamEvent { at, step, kind: EventKind::End(name.clone(), reported) });
            }
        }
        events.sort_by_key(|event| (event.at, event.step));
        events
    }

    /// Rule 3: the lives of a stream.
    pub(super) fn lives_of(&self, stream: &str) -> Vec<Live> {
        let mut lives: Vec<Live> = Vec::new();
        for (start, end) in intervals(self.stream_events(stream)) {
            let broadcast = self.broadcast_until(start + SKEW);
            let goes_on = |live: &&mut Live| {
                live.broadcast == broadcast && live.end.is_some_and(|(end, _)| start.saturating_sub(end) <= GRACE)
            };
            if let Some(live) = lives.last_mut().filter(goes_on) {
                live.end = end;
                continue;
            }
            let stream = if stream == self.own_stream() { String::new() } else { stream.to_owned() };
            let totals = (!stream.is_empty()).then(Totals::default);
            lives.push(Live { stream, start, end, broadcast, totals });
        }
        lives
    }

    /// The streams of the user.
    pub(super) fn streams(&self) -> BTreeSet<String> {
        let of_pushes = self.pushes.keys().map(|(stream, _)| stream.clone());
        let of_files = self.recordings.iter().map(|recording| recording.stream.clone());
        of_pushes.chain(of_files).chain([self.own_stream()]).collect()
    }
}

/// Rule 1: the intervals in which a stream was on, each with its end and the reason.
fn intervals(events: Vec<StreamEvent>) -> Vec<(u64, Option<(u64, &'static str)>)> {
    // The start of the interval that goes on.
    let mut on: Option<u64> = None;
    // The open pushes that started in the most recent second with a start, and that second.
    let (mut running, mut since) = (BTreeSet::new(), 0);
    let mut intervals = Vec::new();
    for StreamEvent { at, kind, .. } in events {
        let off = match kind {
            EventKind::Start(name) => {
                // Each push is an interval: it may be of another broadcast.
                intervals.extend(on.replace(at).map(|since| (since, Some((at, "stopped")))));
                if since != at {
                    running.clear();
                }
                running.insert(name);
                since = at;
                None
            }
            EventKind::On => {
                on.get_or_insert(at);
                None
            }
            EventKind::Off(reason) => Some(reason),
            EventKind::End(name, started) => {
                let was_running = running.remove(&name);
                let goes_on = !running.is_empty() && (was_running || started.is_some_and(|started| since >= started));
                (!goes_on).then_some("stopped")
            }
        };
        if let Some(reason) = off {
            intervals.extend(on.take().map(|since| (since, Some((at, reason)))));
            running.clear();
        }
    }
    intervals.extend(on.map(|since| (since, None)));
    intervals
}

/// Whether a stream is on after these events.
fn is_on(events: Vec<StreamEvent>) -> bool {
    intervals(events).last().is_some_and(|(_, end)| end.is_none())
}
