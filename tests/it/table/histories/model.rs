//! A model of the server: what it must show of each user after the steps of a history.
//!
//! - here: what people did, the counters of rooms, and which totals each live gets
//! - [`lives`]: rules 1 to 3 of decision 13
//! - [`replays`]: rules 4 and 5
//!
//! The rules are written down as decision 13 states them, and computed anew after each step, without regard to speed.

mod lives;
mod replays;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use self::replays::{Replay, how_many_listed};
use super::history::{Act, File, Notice};

/// The longest gap in a live.
const GRACE: u64 = 60;
/// The tolerance between the cloud's clock and ours.
const SKEW: u64 = 2;
/// How far ahead of our clock a recording may end.
const AHEAD: u64 = 3600;

/// All users.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) users: BTreeMap<String, User>,
    /// The number of the step. Acts of one step are done at the same time.
    step: u64,
}

/// The evidence about a user, and the counters of the user's room.
#[derive(Clone, Debug, Default)]
pub(super) struct User {
    name: String,
    start_requests: Vec<StartRequest>,
    pub(super) group: String,
    pub(super) banned: bool,
    /// By stream and name.
    pushes: BTreeMap<(String, String), Push>,
    status_reports: Vec<StreamEvent>,
    recordings: Vec<Recording>,
    /// The viewers by group and name; and for a viewer whom the room counts, the value of `counted_since` then.
    viewers: BTreeMap<(String, String), u64>,
    totals: Totals,
    /// The second of the start request at which the counters of the room started at zero.
    counted_since: u64,
    lives: Vec<Live>,
}

/// The app asked for a push URL.
#[derive(Clone, Debug)]
struct StartRequest {
    at: u64,
    step: u64,
    title: String,
}

/// A push, as far as it is reported.
#[derive(Clone, Debug, Default, PartialEq)]
struct Push {
    /// The second of the start, and the step of the report.
    start: Option<(u64, u64)>,
    /// The second of the end, the duration, and the step of the report.
    end: Option<(u64, u64, u64)>,
    /// Whether the end says that the push was refused or lasted no time.
    is_refused: bool,
}

/// An event that turns a stream on or off.
#[derive(Clone, Debug, PartialEq)]
struct StreamEvent {
    at: u64,
    step: u64,
    kind: EventKind,
}

#[derive(Clone, Debug, PartialEq)]
enum EventKind {
    /// The start of the push of this name.
    Start(String),
    /// The end of the push of this name, and the second of the start if the start is reported.
    End(String, Option<u64>),
    On,
    Off(&'static str),
}

/// A recorded file, its stream, and the step of the report.
#[derive(Clone, Debug)]
struct Recording {
    step: u64,
    stream: String,
    file: File,
}

/// A live.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Live {
    /// The stream; empty for the user's own.
    pub(super) stream: String,
    pub(super) start: u64,
    pub(super) end: Option<(u64, &'static str)>,
    /// The second of the start request that began the broadcast; 0 for none.
    pub(super) broadcast: u64,
    /// `None` if no rule says what they are: for example, a live that is reported after its broadcast.
    pub(super) totals: Option<Totals>,
}

/// What is counted of a live, or of the broadcast so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Totals {
    pub(super) peak: u64,
    pub(super) visits: u64,
    pub(super) likes: u64,
}

impl Live {
    /// Whether two lives are equal but for their totals.
    fn is_same_as(&self, other: &Self) -> bool {
        let fields = |live: &Self| (live.stream.clone(), live.start, live.end, live.broadcast);
        fields(self) == fields(other)
    }
}

impl Model {
    /// Adds the acts of a step.
    ///
    /// The server applies acts that are done at the same time in any order. If a live is the same before and after the
    /// step, but was different in between in some order, the live may have got the totals of that moment: the model does
    /// not know its totals.
    pub(super) fn add(&mut self, at: u64, acts: &[Act]) {
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
            let lives_before = before.get(name).map_or(&[][..], |user| &user.lives);
            for live in &mut user.lives {
                let has_live = |lives: &[Live]| lives.iter().any(|other| other.is_same_as(live));
                let mut between = between.iter().filter_map(|model| model.users.get(name));
                if has_live(lives_before) && !between.all(|user| has_live(&user.lives)) {
                    live.totals = None;
                }
            }
        }
    }

    /// Adds some of the acts of a step.
    fn apply<'a>(&mut self, at: u64, acts: impl Iterator<Item = &'a Act>) {
        let step = self.step;
        for act in acts {
            let (Act::Open { user: name, .. }
            | Act::Say { user: name, .. }
            | Act::Forbid { user: name, .. }
            | Act::Enter { host: name, .. }
            | Act::Quit { host: name, .. }
            | Act::Like { host: name }
            | Act::Report { user: name, .. }) = act;
            if let Act::Open { .. } = act {
                let new = || User { name: name.clone(), ..User::default() };
                self.users.entry(name.clone()).or_insert_with(new);
            }
            let Some(user) = self.users.get_mut(name) else { continue };
            let mut report_status = |kind| user.status_reports.push(StreamEvent { at, step, kind });
            match act {
                Act::Open { .. } | Act::Say { .. } if user.banned => {}
                Act::Open { title, group, .. } => {
                    user.start_requests.push(StartRequest { at, step, title: title.clone() });
                    user.group.clone_from(group);
                }
                Act::Say { online: true, .. } => report_status(EventKind::On),
                Act::Say { online: false, .. } => report_status(EventKind::Off("left")),
                Act::Forbid { banned, .. } => {
                    if *banned {
                        report_status(EventKind::Off("banned"));
                    }
                    user.banned = *banned;
                }
                Act::Enter { viewer, group, .. } => user.enter(viewer, group),
                Act::Quit { viewer, group, .. } => {
                    user.viewers.remove(&(group.clone(), viewer.clone()));
                }
                Act::Like { .. } => user.totals.likes += 1,
                Act::Report { stream, notice, expired, .. } => user.add_notice(at, step, stream, notice, *expired),
            }
        }
        self.users.values_mut().for_each(User::recompute);
    }

    /// The reported events without their order. Two histories with equal evidence must lead to equal lives and replays.
    pub(super) fn evidence(&self) -> String {
        self.users.values().map(User::evidence).collect()
    }
}

impl User {
    fn evidence(&self) -> String {
        let report = |report: &StreamEvent| (report.at, format!("{:?}", report.kind));
        let mut status_reports: Vec<_> = self.status_reports.iter().map(report).collect();
        status_reports.sort();
        let push = |(name, Push { start, end, .. }): (&(String, String), &Push)| {
            (name.clone(), start.map(|(at, _)| at), end.map(|(at, seconds, _)| (at, seconds)))
        };
        let pushes: Vec<_> = self.pushes.iter().map(push).collect();
        let files: BTreeSet<String> = self.recordings.iter().map(|recording| format!("{:?}", recording.file)).collect();
        let stream_events = self.stream_events(&self.own_stream());
        let start_request = |request: &StartRequest| {
            // Events that are before the request only because they arrived before it.
            let arrived = |event: &&StreamEvent| event.step < request.step && !event.is_earlier_than(request.at);
            let arrived = stream_events.iter().filter(arrived).map(|event| format!("{:?}", event.kind));
            (request.at, request.title.clone(), arrived.collect::<BTreeSet<_>>())
        };
        let start_requests: Vec<_> = self.start_requests.iter().map(start_request).collect();
        format!("{start_requests:?} {status_reports:?} {pushes:?} {files:?}")
    }

    /// The broadcast that the room is open for.
    pub(super) fn broadcast(&self) -> u64 {
        self.broadcasts().last().copied().unwrap_or_default()
    }

    /// The title of the room.
    pub(super) fn title(&self) -> &str {
        self.start_requests.last().map_or("", |request| &request.title)
    }

    /// How many viewers the room counts.
    pub(super) fn viewers(&self) -> u64 {
        self.viewers.values().filter(|since| **since == self.counted_since).count() as u64
    }

    /// Whether the room counts this viewer, who is in this group.
    pub(super) fn counts(&self, viewer: &str, group: &str) -> bool {
        self.viewers.get(&(group.to_owned(), viewer.to_owned())) == Some(&self.counted_since)
    }

    /// How many viewers are in a group.
    pub(super) fn members(&self, group: &str) -> u64 {
        self.viewers.keys().filter(|(entered, _)| entered == group).count() as u64
    }

    /// How many likes the room counts.
    pub(super) fn likes(&self) -> u64 {
        self.totals.likes
    }

    /// The lives, oldest first.
    pub(super) fn lives(&self) -> &[Live] {
        &self.lives
    }

    fn own_stream(&self) -> String {
        format!("8888_{}", self.name)
    }

    fn enter(&mut self, viewer: &str, group: &str) {
        let is_of_room = group == self.group;
        if is_of_room && self.counts(viewer, group) {
            return;
        }
        let since = if is_of_room { self.counted_since } else { 0 };
        self.viewers.insert((group.to_owned(), viewer.to_owned()), since);
        if is_of_room {
            self.totals.visits += 1;
            self.totals.peak = self.totals.peak.max(self.viewers());
        }
    }

    fn add_notice(&mut self, now: u64, step: u64, stream: &str, notice: &Notice, expired: bool) {
        let key = |name: &str| (stream.to_owned(), name.to_owned());
        match notice {
            Notice::Start { .. } if expired => {}
            Notice::Start { push: name, at } => {
                self.pushes.entry(key(name)).or_default().start.get_or_insert((*at, step));
            }
            Notice::End { push: name, at, seconds, errcode } => {
                let push = self.pushes.entry(key(name)).or_default();
                push.end.get_or_insert((*at, seconds.unwrap_or(0), step));
                push.is_refused = matches!(errcode, Some(18 | 19)) || *seconds == Some(0);
            }
            Notice::File(file) => {
                let is_known = self.recordings.iter().any(|known| known.file.id == file.id);
                let is_accepted = file.to > file.from && file.has_url && file.to <= now + AHEAD;
                if is_accepted && !is_known {
                    self.recordings.push(Recording { step, stream: stream.to_owned(), file: file.clone() });
                }
            }
        }
    }

    /// Computes the lives. A live that is new or changed takes the totals of the room, if the room counts for its
    /// broadcast; else it takes the largest totals of the lives that it replaces. Then the counters start at zero if there
    /// is a later broadcast.
    fn recompute(&mut self) {
        let before = std::mem::take(&mut self.lives);
        let mut lives: Vec<Live> = self.streams().iter().flat_map(|stream| self.lives_of(stream)).collect();
        let is_gone = |old: &&Live| !lives.iter().any(|live| (&live.stream, live.start) == (&old.stream, old.start));
        let gone: Vec<&Live> = before.iter().filter(is_gone).collect();
        // Only lives of the user's own stream are counted.
        for live in lives.iter_mut().filter(|live| live.stream.is_empty()) {
            let old = before.iter().find(|old| old.stream.is_empty() && old.start == live.start);
            let is_unchanged = old.is_some_and(|old| (old.end, old.broadcast) == (live.end, live.broadcast));
            let is_of_room = live.broadcast == self.broadcast_until(self.counted_since);
            // The live turns out to be of another broadcast, opened within the tolerance: no rule says what it gets.
            let has_moved = old.is_some_and(|old| old.end.is_some() && old.broadcast != live.broadcast);
            live.totals = if has_moved {
                None
            } else if live.end.is_some() && !is_unchanged && is_of_room {
                Some(self.totals)
            } else if is_unchanged {
                old.and_then(|old| old.totals)
            } else {
                // Also those of a live whose broadcast turned out to continue this one.
                let is_of_broadcast = |old: &&Live| self.broadcast_until(old.broadcast) == live.broadcast;
                let replaced =
                    gone.iter().copied().filter(|old| old.stream.is_empty()).filter(is_of_broadcast).chain(old);
                replaced.filter_map(|old| old.totals).max_by_key(|totals| (totals.visits, totals.likes, totals.peak))
            };
        }
        lives.sort_by(|a, b| (a.start, &a.stream).cmp(&(b.start, &b.stream)));
        self.lives = lives;
        let broadcast = self.broadcast();
        if broadcast > self.counted_since {
            (self.counted_since, self.totals) = (broadcast, Totals::default());
        }
    }
}
