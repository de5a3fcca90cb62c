//! Keeps a timeline small: events older than a horizon are forgotten, and so are the oldest ones when there are more than
//! the limits. A live is forgotten as a whole, with its replay.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Live, Push, ReplayFiles, Stamp, StatusReport, Timeline, UserStream};
use protocol::{
    json::bytes_of,
    types::{FileId, UnixSeconds},
};

/// The cloud sends a notice for the last time well within this time after the event.
const LAST_TRY_SECONDS: u64 = 3600;
const MAX_STATUS_REPORTS: usize = 64;
/// The maximum number of void pushes: anybody can try to push a stream and be refused.
const MAX_VOID_PUSHES: usize = 32;
pub(super) const MAX_START_REQUESTS: usize = 256;

/// The user's own stream, or all the user's streams of the room service. Each kind has limits and a horizon of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StreamKind {
    Own,
    RoomService,
}

impl StreamKind {
    fn has(self, user_stream: &UserStream) -> bool {
        (self == Self::Own) == (*user_stream == UserStream::Own)
    }

    /// The limits of the kind. Both kinds and the other attributes of the item must fit in the 400 KB of an item.
    fn limit(self) -> Limit {
        match self {
            Self::Own => Limit { pushes: 256, files: 400, bytes: 150_000 },
            Self::RoomService => Limit { pushes: 128, files: 200, bytes: 80_000 },
        }
    }
}

struct Limit {
    pushes: usize,
    files: usize,
    /// Bytes of JSON: an id of 200 characters may have 800 bytes, and a URL of 1,024 characters 4,096.
    bytes: usize,
}

/// The horizon, for each kind of streams: all events since this second are kept; earlier ones may be forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Horizon {
    #[serde(rename = "o", default)]
    own: UnixSeconds,
    #[serde(rename = "r", default)]
    room_service: UnixSeconds,
}

impl Horizon {
    fn of(&mut self, kind: StreamKind) -> &mut UnixSeconds {
        match kind {
            StreamKind::Own => &mut self.own,
            StreamKind::RoomService => &mut self.room_service,
        }
    }

    fn raise(&mut self, kind: StreamKind, to: UnixSeconds) {
        let horizon = self.of(kind);
        *horizon = to.max(*horizon);
    }

    /// Moves a horizon back that a clock ahead of now has set. The cloud sends no notice again after an hour.
    pub(super) fn cap(&mut self, now: UnixSeconds) {
        for horizon in [&mut self.own, &mut self.room_service].into_iter().filter(|at| at.is_ahead_of(now)) {
            *horizon = now.minus(LAST_TRY_SECONDS);
        }
    }
}

/// A live and its replay, or a replay of no live.
struct LiveWithReplay {
    user_stream: UserStream,
    /// The index of the live in the lives.
    live: Option<usize>,
    files: BTreeSet<FileId>,
    /// The last known second; the greatest second for a live of the user's own stream that goes on.
    last: UnixSeconds,
}

impl Timeline {
    /// Whether the timeline has all events of a stream since this second.
    pub fn is_complete_since(&self, user_stream: &UserStream, at: UnixSeconds) -> bool {
        match user_stream {
            UserStream::Own => self.horizon.own <= at,
            UserStream::RoomService(_) => self.horizon.room_service <= at,
        }
    }

    /// Forgets lives and replays that ended before the second `before`, then the oldest ones while a limit is exceeded. If
    /// one live alone exceeds a limit, it loses single files that no row shows, and its oldest pushes are merged. Returns
    /// how many lives, replays, pushes or files were forgotten because of a limit, although they are not old.
    pub fn prune(&mut self, before: UnixSeconds, grace: u64) -> usize {
        let mut forgotten = 0;
        self.drop_void_pushes();
        self.horizon.raise(StreamKind::Own, before);
        self.horizon.raise(StreamKind::RoomService, before);
        if self.is_within_limits(before) {
            return forgotten;
        }
        let (lives, began) = (self.lives(grace), self.begins());
        let mut units = self.lives_with_replays(&lives);
        units.sort_by_key(|unit| unit.last);
        for kind in [StreamKind::Own, StreamKind::RoomService] {
            let ours: Vec<&LiveWithReplay> = units.iter().filter(|unit| kind.has(&unit.user_stream)).collect();
            let (old, mut left) = ours.split_at(ours.partition_point(|unit| unit.last < before));
            self.forget(kind, old, left, &lives);
            while !self.fits(kind) {
                forgotten += 1;
                if let [oldest, others @ ..] = left
                    && !others.is_empty()
                {
                    self.horizon.raise(kind, oldest.last.plus(1));
                    self.forget(kind, &[oldest], others, &lives);
                    left = others;
                } else if !self.forget_file(kind, &lives) && !self.merge_two_oldest_pushes(kind, &lives) {
                    break;
                }
            }
        }
        self.merge_status_reports(grace);
        let files = self.files.iter().map(|file| file.part.start);
        let pushes = self.pushes.iter().filter_map(Push::started).map(|stamp| stamp.at);
        let reports = self.status_reports.iter().map(|report| report.stamp.at);
        // Events since `before` may still arrive.
        let oldest = files.chain(pushes).chain(reports).fold(before, UnixSeconds::min);
        self.prune_start_requests(&began, oldest, MAX_START_REQUESTS);
        forgotten
    }

    /// Drops the oldest void pushes. Nothing follows from them, so the horizon does not move.
    fn drop_void_pushes(&mut self) {
        let mut ends: Vec<Option<Stamp>> =
            self.pushes.iter().filter(|push| push.is_void()).map(|push| push.end).collect();
        if ends.len() > MAX_VOID_PUSHES {
            ends.sort_unstable();
            let first_kept = ends[ends.len() - MAX_VOID_PUSHES];
            self.pushes.retain(|push| !push.is_void() || push.end >= first_kept);
        }
    }

    /// Whether no event is old, and no limit is exceeded.
    fn is_within_limits(&self, before: UnixSeconds) -> bool {
        let pushes = self.pushes.iter().map(Push::last_event_at);
        let times = pushes.chain(self.status_reports.iter().map(|report| report.stamp.at));
        let mut times = times.chain(self.files.iter().map(|file| file.part.end));
        self.status_reports.len() <= MAX_STATUS_REPORTS
            && self.start_requests.len() <= MAX_START_REQUESTS
            && times.all(|at| at >= before)
            && self.fits(StreamKind::Own)
            && self.fits(StreamKind::RoomService)
    }

    /// The lives with their replays, and the replays of no live.
    fn lives_with_replays(&self, lives: &[Live]) -> Vec<LiveWithReplay> {
        let unit = |(n, live): (usize, &Live)| {
            let last = match (&live.user_stream, live.end) {
                (_, Some((end, _))) => end,
                (UserStream::Own, None) => UnixSeconds(u64::MAX),
                // The end of a stream of the room service may never be reported: the last push decides, below.
                (UserStream::RoomService(_), None) => live.start,
            };
            LiveWithReplay { user_stream: live.user_stream.clone(), live: Some(n), files: BTreeSet::new(), last }
        };
        let mut units: Vec<LiveWithReplay> = lives.iter().enumerate().map(unit).collect();
        for push in self.pushes.iter().filter(|push| push.user_stream != UserStream::Own) {
            if let Some(live) = live_of(push, lives).filter(|live| lives[*live].end.is_none()) {
                units[live].last = units[live].last.max(push.last_event_at());
            }
        }
        for replay in self.replays(lives) {
            let last = replay.parts.iter().map(|part| part.end).fold(replay.end, UnixSeconds::max);
            let files = replay.parts.into_iter().map(|part| part.file).collect();
            if let Some(live) = replay.live {
                (units[live].files, units[live].last) = (files, units[live].last.max(last));
            } else if let Some(recording) = self.recording(&replay.file) {
                units.push(LiveWithReplay { user_stream: recording.user_stream.clone(), live: None, files, last });
            }
        }
        units
    }

    /// Drops the events of the units in `gone`, and events of no unit before the first unit in `left`.
    fn forget(&mut self, kind: StreamKind, gone: &[&LiveWithReplay], left: &[&LiveWithReplay], lives: &[Live]) {
        let files: BTreeSet<&FileId> = gone.iter().flat_map(|unit| &unit.files).collect();
        self.files.retain(|file| !files.contains(&file.part.file));
        let gone: BTreeSet<usize> = gone.iter().filter_map(|unit| unit.live).collect();
        let horizon = *self.horizon.of(kind);
        let kept_from = |user_stream: &UserStream| {
            let left = left.iter().filter_map(|unit| lives.get(unit.live?));
            left.filter(|live| live.user_stream == *user_stream).map(|live| live.start).fold(horizon, UnixSeconds::min)
        };
        let is_kept = |push: &Push| match live_of(push, lives) {
            Some(live) => !gone.contains(&live),
            None => push.last_event_at() >= kept_from(&push.user_stream),
        };
        self.pushes.retain(|push| !kind.has(&push.user_stream) || is_kept(push));
        if kind == StreamKind::Own {
            let own = kept_from(&UserStream::Own);
            self.status_reports.retain(|report| report.stamp.at >= own);
        }
    }

    fn fits(&self, kind: StreamKind) -> bool {
        let limit = kind.limit();
        let pushes: Vec<_> = self.pushes.iter().filter(|push| kind.has(&push.user_stream)).collect();
        let files: Vec<_> = self.files.iter().filter(|file| kind.has(&file.user_stream)).collect();
        let bytes = || bytes_of(&pushes) + bytes_of(&files);
        pushes.len() <= limit.pushes && files.len() <= limit.files && bytes() <= limit.bytes
    }

    /// Drops the oldest file that no row shows, if the files exceed a limit; returns whether one was dropped.
    fn forget_file(&mut self, kind: StreamKind, lives: &[Live]) -> bool {
        let limit = kind.limit();
        let ours: Vec<_> = self.files.iter().filter(|file| kind.has(&file.user_stream)).collect();
        // Half of the bytes is for pushes: one live may have very many.
        if ours.len() <= limit.files && bytes_of(&ours) <= limit.bytes / 2 {
            return false;
        }
        let shown: BTreeSet<FileId> = self.replays(lives).iter().flat_map(ReplayFiles::shown_files).collect();
        let needless = ours.into_iter().map(|file| &file.part).filter(|part| !shown.contains(&part.file));
        let Some(oldest) = needless.min_by_key(|part| part.end).cloned() else { return false };
        self.horizon.raise(kind, oldest.end.plus(1));
        self.files.retain(|known| known.part.file != oldest.file);
        true
    }

    /// Removes the oldest push. If the next push of its stream is in the same live, that push gets the start of the
    /// removed one, so that the live keeps its start. Returns whether there were two pushes.
    fn merge_two_oldest_pushes(&mut self, kind: StreamKind, lives: &[Live]) -> bool {
        self.pushes.sort_by_key(|push| (push.user_stream.clone(), push.started()));
        let mut ours = (0..self.pushes.len()).filter(|n| kind.has(&self.pushes[*n].user_stream));
        let (Some(first), Some(_)) = (ours.next(), ours.next()) else { return false };
        let first = self.pushes.remove(first);
        self.horizon.raise(kind, first.last_event_at().plus(1));
        let live = live_of(&first, lives);
        let next = self.pushes.iter_mut().find(|push| push.user_stream == first.user_stream);
        if let Some(next) = next.filter(|next| live.is_some() && live_of(next, lives) == live) {
            next.start = first.started().or(next.start);
        }
        true
    }

    /// Drops status reports beyond the limit: first repetitions, then a short interruption, then the oldest.
    fn merge_status_reports(&mut self, grace: u64) {
        self.status_reports.sort_by_key(|report| report.stamp);
        let stamps: Vec<Stamp> = self.pushes.iter().flat_map(|push| [push.started(), push.end]).flatten().collect();
        while self.status_reports.len() > MAX_STATUS_REPORTS {
            // Two equal reports without a push event in between: the second says nothing new.
            let is_repetition = |pair: &[StatusReport]| {
                pair[0].end.is_none() == pair[1].end.is_none()
                    && !stamps.iter().any(|stamp| (pair[0].stamp..=pair[1].stamp).contains(stamp))
            };
            let repetition = self.status_reports.windows(2).position(is_repetition);
            match (repetition, self.status_reports.as_slice()) {
                (Some(n), _) => drop(self.status_reports.remove(n + 1)),
                (None, [_, off, on, ..])
                    if off.end.is_some() && on.end.is_none() && on.stamp.at <= off.stamp.at.plus(grace) =>
                {
                    self.status_reports.drain(1..3);
                }
                (None, _) => drop(self.status_reports.remove(0)),
            }
        }
    }
}

/// The index of the live that a push belongs to.
fn live_of(push: &Push, lives: &[Live]) -> Option<usize> {
    let at = push.started().or(push.end)?.at;
    lives.iter().rposition(|live| live.user_stream == push.user_stream && live.contains(at))
}
