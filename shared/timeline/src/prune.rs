//! What a timeline forgets: what is old, and the oldest of what is too much. A live goes with its replay, as a whole.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Live, Push, Stamp, StatusReport, Timeline, UserStream};
use protocol::{
    json::bytes_of,
    types::{FileId, UnixSeconds},
};

/// By how much later than it happened the cloud tells something for the last time, and more.
const LAST_TRY_SECONDS: u64 = 3600;
const MAX_STATUS_REPORTS: usize = 64;
/// The most pushes that are kept of those that the cloud never took: anybody can try to push a stream.
const MAX_VOID_PUSHES: usize = 32;
pub(super) const MAX_START_REQUESTS: usize = 256;

/// How much is kept of a user's own stream, or of all their streams of the room service. Both together, and what is
/// beside them in the item, must be less than the 400 KB of an item of the table.
struct Limit {
    pushes: usize,
    files: usize,
    /// Bytes of JSON: a name of 200 characters may have 800, and an address of 1,024 characters 4,096.
    bytes: usize,
}

impl Limit {
    fn of(kind: StreamKind) -> Self {
        match kind {
            StreamKind::Own => Self { pushes: 256, files: 400, bytes: 150_000 },
            StreamKind::RoomService => Self { pushes: 128, files: 200, bytes: 80_000 },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StreamKind {
    Own,
    RoomService,
}

impl StreamKind {
    fn of(user_stream: &UserStream) -> Self {
        match user_stream {
            UserStream::Own => Self::Own,
            UserStream::RoomService(_) => Self::RoomService,
        }
    }
}

/// Since when all is kept that was told: of what is of an earlier second some may be forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Horizon {
    #[serde(rename = "o", default)]
    own: u64,
    #[serde(rename = "r", default)]
    room_service: u64,
}

impl Horizon {
    fn of(&self, kind: StreamKind) -> u64 {
        match kind {
            StreamKind::Own => self.own,
            StreamKind::RoomService => self.room_service,
        }
    }

    fn raise(&mut self, kind: StreamKind, to: u64) {
        let horizon = match kind {
            StreamKind::Own => &mut self.own,
            StreamKind::RoomService => &mut self.room_service,
        };
        *horizon = to.max(*horizon);
    }

    /// Takes back what a clock said that was ahead: what is told from now on is no older than the cloud's last try.
    pub(super) fn cap(&mut self, now: UnixSeconds) {
        for horizon in [&mut self.own, &mut self.room_service] {
            if UnixSeconds(*horizon).is_ahead_of(now) {
                *horizon = now.minus(LAST_TRY_SECONDS).0;
            }
        }
    }

    /// Whether evidence of this second may be forgotten evidence that comes again.
    pub(super) fn is_behind(&self, user_stream: &UserStream, at: u64) -> bool {
        at < self.of(StreamKind::of(user_stream))
    }

    /// Whether nothing is forgotten.
    pub(super) fn is_start(&self) -> bool {
        *self == Self::default()
    }
}

/// A live and its replay, or a replay of no live.
struct LiveWithReplay {
    user_stream: UserStream,
    /// The number of the live.
    live: Option<usize>,
    files: BTreeSet<FileId>,
    /// The last second that is known of it.
    last: u64,
}

/// What pruning did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many lives and replays were forgotten although they are not old, or lost a push or a file.
    pub for_lack_of_room: usize,
}

impl Timeline {
    /// Forgets what ended before this second, and the oldest of what is too much: a live as a whole, with its replay. Only
    /// the last that is left loses single files and pushes, but none that its rows show.
    pub fn prune(&mut self, before: UnixSeconds, grace: u64) -> Pruned {
        let mut pruned = Pruned::default();
        self.drop_void_pushes();
        if self.has_room_for_all(before.0) {
            self.horizon.raise(StreamKind::Own, before.0);
            self.horizon.raise(StreamKind::RoomService, before.0);
            return pruned;
        }
        let (lives, began) = (self.lives(grace), self.begins());
        let mut lives_with_replays = self.lives_with_replays(&lives);
        lives_with_replays.sort_by_key(|unit| unit.last);
        for kind in [StreamKind::Own, StreamKind::RoomService] {
            self.horizon.raise(kind, before.0);
            let (mut ours, others): (Vec<LiveWithReplay>, Vec<LiveWithReplay>) =
                lives_with_replays.into_iter().partition(|unit| StreamKind::of(&unit.user_stream) == kind);
            let old = ours.partition_point(|unit| unit.last < before.0);
            let gone: Vec<LiveWithReplay> = ours.drain(..old).collect();
            self.forget(kind, &gone, &ours, &lives);
            while !self.fits(kind) {
                pruned.for_lack_of_room += 1;
                if ours.len() > 1 {
                    let oldest = ours.remove(0);
                    self.horizon.raise(kind, oldest.last.saturating_add(1));
                    self.forget(kind, &[oldest], &ours, &lives);
                } else if !self.forget_file(kind, &lives) && !self.merge_two_oldest_pushes(kind, &lives) {
                    break;
                }
            }
            lives_with_replays = others;
        }
        self.merge_status_reports(grace);
        let oldest = self.files.iter().map(|file| file.part.start);
        let oldest = oldest.chain(self.pushes.iter().filter_map(|push| push.started().map(|Stamp { at, .. }| at)));
        // What is no older than `before` may still be told of.
        let oldest = oldest.chain(self.status_reports.iter().map(|report| report.stamp.at)).fold(before.0, u64::min);
        self.prune_start_requests(&began, oldest, MAX_START_REQUESTS);
        pruned
    }

    /// Drops the oldest pushes that the cloud never took. Nothing follows from them, so the horizon stays where it is.
    fn drop_void_pushes(&mut self) {
        let mut ends: Vec<Option<Stamp>> =
            self.pushes.iter().filter(|push| push.is_void()).map(|push| push.end).collect();
        if ends.len() > MAX_VOID_PUSHES {
            ends.sort_unstable();
            let first_kept = ends[ends.len() - MAX_VOID_PUSHES];
            self.pushes.retain(|push| !push.is_void() || push.end >= first_kept);
        }
    }

    /// Whether nothing is old, and nothing too much.
    fn has_room_for_all(&self, before: u64) -> bool {
        let pushes = self.pushes.iter().map(Push::last_word);
        let times = pushes.chain(self.status_reports.iter().map(|report| report.stamp.at));
        let mut times = times.chain(self.files.iter().map(|file| file.part.end));
        self.status_reports.len() <= MAX_STATUS_REPORTS
            && self.start_requests.len() <= MAX_START_REQUESTS
            && times.all(|at| at >= before)
            && self.fits(StreamKind::Own)
            && self.fits(StreamKind::RoomService)
    }

    /// The lives and replays.
    fn lives_with_replays(&self, lives: &[Live]) -> Vec<LiveWithReplay> {
        let unit = |(n, live): (usize, &Live)| {
            let last = match (&live.user_stream, live.end) {
                (_, Some((end, _))) => end.0,
                (UserStream::Own, None) => u64::MAX,
                // Nobody finds out when a stream of the room service ended: its last push tells.
                (UserStream::RoomService(_), None) => live.start.0,
            };
            LiveWithReplay { user_stream: live.user_stream.clone(), live: Some(n), files: BTreeSet::new(), last }
        };
        let mut lives_with_replays: Vec<LiveWithReplay> = lives.iter().enumerate().map(unit).collect();
        for push in self.pushes.iter().filter(|push| push.user_stream != UserStream::Own) {
            let live = self.live_of(push, lives).filter(|live| lives[*live].end.is_none());
            if let Some(unit) = live.and_then(|live| lives_with_replays.get_mut(live)) {
                unit.last = unit.last.max(push.last_word());
            }
        }
        for replay in self.replays(lives) {
            let last = replay.parts.iter().map(|part| part.end).max().unwrap_or(replay.end.0);
            let files = replay.parts.into_iter().map(|part| part.file).collect();
            if let Some(unit) = replay.live.and_then(|live| lives_with_replays.get_mut(live)) {
                (unit.files, unit.last) = (files, unit.last.max(last));
            } else if let Some(file) = self.files.iter().find(|file| file.part.file == replay.file) {
                lives_with_replays.push(LiveWithReplay {
                    user_stream: file.user_stream.clone(),
                    live: None,
                    files,
                    last,
                });
            }
        }
        lives_with_replays
    }

    /// The number of the live that a push is of.
    fn live_of(&self, push: &Push, lives: &[Live]) -> Option<usize> {
        let at = push.started().or(push.end)?.at;
        lives.iter().rposition(|live| live.user_stream == push.user_stream && live.holds(UnixSeconds(at)))
    }

    /// Drops what is of the units that are gone, and what is of none and of before the first that is left.
    fn forget(&mut self, kind: StreamKind, gone: &[LiveWithReplay], left: &[LiveWithReplay], lives: &[Live]) {
        let files: BTreeSet<&FileId> = gone.iter().flat_map(|unit| &unit.files).collect();
        self.files.retain(|file| !files.contains(&file.part.file));
        let gone: BTreeSet<usize> = gone.iter().filter_map(|unit| unit.live).collect();
        let mut first: BTreeMap<&UserStream, u64> = BTreeMap::new();
        for live in left.iter().filter_map(|unit| lives.get(unit.live?)) {
            let start = first.entry(&live.user_stream).or_insert(live.start.0);
            *start = live.start.0.min(*start);
        }
        let horizon = self.horizon.of(kind);
        let kept_from = |user_stream: &UserStream| first.get(user_stream).map_or(horizon, |start| horizon.min(*start));
        let is_kept = |push: &Push| match self.live_of(push, lives) {
            Some(live) => !gone.contains(&live),
            None => push.last_word() >= kept_from(&push.user_stream),
        };
        let is_kept: Vec<bool> =
            self.pushes.iter().map(|push| StreamKind::of(&push.user_stream) != kind || is_kept(push)).collect();
        let mut kept = is_kept.into_iter();
        self.pushes.retain(|_| kept.next().unwrap_or(true));
        if kind == StreamKind::Own {
            let own = kept_from(&UserStream::Own);
            self.status_reports.retain(|report| report.stamp.at >= own);
        }
    }

    fn fits(&self, kind: StreamKind) -> bool {
        let limit = Limit::of(kind);
        let pushes: Vec<_> = self.pushes.iter().filter(|push| StreamKind::of(&push.user_stream) == kind).collect();
        let files: Vec<_> = self.files.iter().filter(|file| StreamKind::of(&file.user_stream) == kind).collect();
        let bytes = || bytes_of(&pushes) + bytes_of(&files);
        pushes.len() <= limit.pushes && files.len() <= limit.files && bytes() <= limit.bytes
    }

    /// Drops the oldest file that no row shows, if there is too much of files.
    fn forget_file(&mut self, kind: StreamKind, lives: &[Live]) -> bool {
        let limit = Limit::of(kind);
        let ours: Vec<_> = self.files.iter().filter(|file| StreamKind::of(&file.user_stream) == kind).collect();
        // Of one live there may be very many pushes, too.
        if ours.len() <= limit.files && bytes_of(&ours) <= limit.bytes / 2 {
            return false;
        }
        let shown: BTreeSet<FileId> = self.replays(lives).iter().flat_map(super::ReplayFiles::shown_files).collect();
        let needless = ours.iter().filter(|file| !shown.contains(&file.part.file)).min_by_key(|file| file.part.end);
        let Some((file, end)) = needless.map(|file| (file.part.file.clone(), file.part.end)) else { return false };
        self.horizon.raise(kind, end.saturating_add(1));
        self.files.retain(|known| known.part.file != file);
        true
    }

    /// Makes one of the oldest two pushes, so that their live still starts when it did.
    fn merge_two_oldest_pushes(&mut self, kind: StreamKind, lives: &[Live]) -> bool {
        self.pushes.sort_by_key(|push| (push.user_stream.clone(), push.started()));
        let mut ours = (0..self.pushes.len()).filter(|n| StreamKind::of(&self.pushes[*n].user_stream) == kind);
        let (Some(first), Some(_)) = (ours.next(), ours.next()) else { return false };
        let first = self.pushes.remove(first);
        self.horizon.raise(kind, first.last_word().saturating_add(1));
        let live = self.live_of(&first, lives);
        let next = self.pushes.iter().position(|push| push.user_stream == first.user_stream);
        if let Some(next) = next.filter(|next| live.is_some() && self.live_of(&self.pushes[*next], lives) == live) {
            self.pushes[next].start = first.started().or(self.pushes[next].start);
        }
        true
    }

    fn merge_status_reports(&mut self, grace: u64) {
        self.status_reports.sort_by_key(|report| report.stamp);
        let stamps: Vec<Stamp> = self.pushes.iter().flat_map(|push| [push.started(), push.end]).flatten().collect();
        while self.status_reports.len() > MAX_STATUS_REPORTS {
            // What is said twice, and nothing in between: once is enough.
            let is_said_again = |pair: &[StatusReport]| {
                pair[0].end.is_none() == pair[1].end.is_none()
                    && !stamps.iter().any(|stamp| (pair[0].stamp..=pair[1].stamp).contains(stamp))
            };
            let again = self.status_reports.windows(2).position(is_said_again);
            match (again, self.status_reports.as_slice()) {
                (Some(n), _) => drop(self.status_reports.remove(n + 1)),
                (None, [_, off, on, ..])
                    if off.end.is_some() && on.end.is_none() && on.stamp.at - off.stamp.at <= grace =>
                {
                    self.status_reports.drain(1..3);
                }
                (None, _) => drop(self.status_reports.remove(0)),
            }
        }
    }
}
