//! What a timeline forgets: what is old, and the oldest of what is too much. A live goes with its replay, as a whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use serde::{Deserialize, Serialize};

use super::{Lane, Live, Mark, Push, Timeline, Told};
use protocol::types::{FileId, UnixSeconds};

/// By how much later than it happened the cloud tells something for the last time, and more.
const LAST_TRY_SECONDS: u64 = 3600;
const MOST_MARKS: usize = 64;
/// The most pushes that are kept of those that the cloud never took: anybody can try to push a stream.
const MOST_VOID_PUSHES: usize = 32;
pub(super) const MOST_OPENINGS: usize = 256;

/// How much is kept of a user's own stream, or of all their streams of the room service. Both together, and what is
/// beside them in the item, must be less than the 400 KB of an item of the table.
struct Limit {
    pushes: usize,
    files: usize,
    /// Bytes of JSON: a name of 200 characters may have 800, and an address of 1,024 characters 4,096.
    bytes: usize,
}

impl Limit {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Own => Self { pushes: 256, files: 400, bytes: 150_000 },
            Kind::RoomService => Self { pushes: 128, files: 200, bytes: 80_000 },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Own,
    RoomService,
}

impl Kind {
    fn of(lane: &Lane) -> Self {
        match lane {
            Lane::Own => Self::Own,
            Lane::RoomService(_) => Self::RoomService,
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
    fn of(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Own => self.own,
            Kind::RoomService => self.room_service,
        }
    }

    fn raise(&mut self, kind: Kind, to: u64) {
        let horizon = match kind {
            Kind::Own => &mut self.own,
            Kind::RoomService => &mut self.room_service,
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
    pub(super) fn is_behind(&self, lane: &Lane, at: u64) -> bool {
        at < self.of(Kind::of(lane))
    }

    /// Whether nothing is forgotten.
    pub(super) fn is_start(&self) -> bool {
        *self == Self::default()
    }
}

/// A live and its replay, or a replay of no live.
struct Unit {
    lane: Lane,
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
            self.horizon.raise(Kind::Own, before.0);
            self.horizon.raise(Kind::RoomService, before.0);
            return pruned;
        }
        let (lives, began) = (self.lives(grace), self.begins());
        let mut units = self.units(&lives);
        units.sort_by_key(|unit| unit.last);
        for kind in [Kind::Own, Kind::RoomService] {
            self.horizon.raise(kind, before.0);
            let (mut ours, others): (Vec<Unit>, Vec<Unit>) =
                units.into_iter().partition(|unit| Kind::of(&unit.lane) == kind);
            let old = ours.partition_point(|unit| unit.last < before.0);
            let gone: Vec<Unit> = ours.drain(..old).collect();
            self.forget(kind, &gone, &ours, &lives);
            while !self.fits(kind) {
                pruned.for_lack_of_room += 1;
                if ours.len() > 1 {
                    let oldest = ours.remove(0);
                    self.horizon.raise(kind, oldest.last.saturating_add(1));
                    self.forget(kind, &[oldest], &ours, &lives);
                } else if !self.forget_file(kind, &lives) && !self.draw_pushes_together(kind, &lives) {
                    break;
                }
            }
            units = others;
        }
        self.draw_marks_together(grace);
        let oldest = self.files.iter().map(|file| file.part.start);
        let oldest = oldest.chain(self.pushes.iter().filter_map(|push| push.started().map(|Told(at, _)| at)));
        // What is no older than `before` may still be told of.
        let oldest = oldest.chain(self.marks.iter().map(|mark| mark.at.0)).fold(before.0, u64::min);
        self.drop_openings(&began, oldest, MOST_OPENINGS);
        pruned
    }

    /// Drops the oldest pushes that the cloud never took. Nothing follows from them, so the horizon stays where it is.
    fn drop_void_pushes(&mut self) {
        let mut ends: Vec<Option<Told>> =
            self.pushes.iter().filter(|push| push.is_void()).map(|push| push.end).collect();
        if ends.len() > MOST_VOID_PUSHES {
            ends.sort_unstable();
            let first_kept = ends[ends.len() - MOST_VOID_PUSHES];
            self.pushes.retain(|push| !push.is_void() || push.end >= first_kept);
        }
    }

    /// Whether nothing is old, and nothing too much.
    fn has_room_for_all(&self, before: u64) -> bool {
        let pushes = self.pushes.iter().map(Push::last_word);
        let times = pushes.chain(self.marks.iter().map(|mark| mark.at.0));
        let mut times = times.chain(self.files.iter().map(|file| file.part.end));
        self.marks.len() <= MOST_MARKS
            && self.openings.len() <= MOST_OPENINGS
            && times.all(|at| at >= before)
            && self.fits(Kind::Own)
            && self.fits(Kind::RoomService)
    }

    /// The lives and replays.
    fn units(&self, lives: &[Live]) -> Vec<Unit> {
        let unit = |(n, live): (usize, &Live)| {
            let last = match (&live.lane, live.end) {
                (_, Some((end, _))) => end.0,
                (Lane::Own, None) => u64::MAX,
                // Nobody finds out when a stream of the room service ended: its last push tells.
                (Lane::RoomService(_), None) => live.start.0,
            };
            Unit { lane: live.lane.clone(), live: Some(n), files: BTreeSet::new(), last }
        };
        let mut units: Vec<Unit> = lives.iter().enumerate().map(unit).collect();
        for push in self.pushes.iter().filter(|push| push.lane != Lane::Own) {
            let live = self.live_of(push, lives).filter(|live| lives[*live].end.is_none());
            if let Some(unit) = live.and_then(|live| units.get_mut(live)) {
                unit.last = unit.last.max(push.last_word());
            }
        }
        for replay in self.replays(lives) {
            let last = replay.parts.iter().map(|part| part.end).max().unwrap_or(replay.end.0);
            let files = replay.parts.into_iter().map(|part| part.file).collect();
            if let Some(unit) = replay.live.and_then(|live| units.get_mut(live)) {
                (unit.files, unit.last) = (files, unit.last.max(last));
            } else if let Some(file) = self.files.iter().find(|file| file.part.file == replay.file) {
                units.push(Unit { lane: file.lane.clone(), live: None, files, last });
            }
        }
        units
    }

    /// The number of the live that a push is of.
    fn live_of(&self, push: &Push, lives: &[Live]) -> Option<usize> {
        let at = push.started().or(push.end)?.0;
        lives.iter().rposition(|live| live.lane == push.lane && live.holds(UnixSeconds(at)))
    }

    /// Drops what is of the units that are gone, and what is of none and of before the first that is left.
    fn forget(&mut self, kind: Kind, gone: &[Unit], left: &[Unit], lives: &[Live]) {
        let files: BTreeSet<&FileId> = gone.iter().flat_map(|unit| &unit.files).collect();
        self.files.retain(|file| !files.contains(&file.part.file));
        let gone: BTreeSet<usize> = gone.iter().filter_map(|unit| unit.live).collect();
        let mut first: BTreeMap<&Lane, u64> = BTreeMap::new();
        for live in left.iter().filter_map(|unit| lives.get(unit.live?)) {
            let start = first.entry(&live.lane).or_insert(live.start.0);
            *start = live.start.0.min(*start);
        }
        let horizon = self.horizon.of(kind);
        let kept_from = |lane: &Lane| first.get(lane).map_or(horizon, |start| horizon.min(*start));
        let is_kept = |push: &Push| match self.live_of(push, lives) {
            Some(live) => !gone.contains(&live),
            None => push.last_word() >= kept_from(&push.lane),
        };
        let is_kept: Vec<bool> = self.pushes.iter().map(|push| Kind::of(&push.lane) != kind || is_kept(push)).collect();
        let mut kept = is_kept.into_iter();
        self.pushes.retain(|_| kept.next().unwrap_or(true));
        if kind == Kind::Own {
            let own = kept_from(&Lane::Own);
            self.marks.retain(|mark| mark.at.0 >= own);
        }
    }

    fn fits(&self, kind: Kind) -> bool {
        let limit = Limit::of(kind);
        let pushes: Vec<_> = self.pushes.iter().filter(|push| Kind::of(&push.lane) == kind).collect();
        let files: Vec<_> = self.files.iter().filter(|file| Kind::of(&file.lane) == kind).collect();
        let bytes = || bytes_of(&pushes) + bytes_of(&files);
        pushes.len() <= limit.pushes && files.len() <= limit.files && bytes() <= limit.bytes
    }

    /// Drops the oldest file that no row shows, if there is too much of files.
    fn forget_file(&mut self, kind: Kind, lives: &[Live]) -> bool {
        let limit = Limit::of(kind);
        let ours: Vec<_> = self.files.iter().filter(|file| Kind::of(&file.lane) == kind).collect();
        // Of one live there may be very many pushes, too.
        if ours.len() <= limit.files && bytes_of(&ours) <= limit.bytes / 2 {
            return false;
        }
        let shown: BTreeSet<FileId> = self.replays(lives).iter().flat_map(super::Replay::shown_files).collect();
        let needless = ours.iter().filter(|file| !shown.contains(&file.part.file)).min_by_key(|file| file.part.end);
        let Some((file, end)) = needless.map(|file| (file.part.file.clone(), file.part.end)) else { return false };
        self.horizon.raise(kind, end.saturating_add(1));
        self.files.retain(|known| known.part.file != file);
        true
    }

    /// Makes one of the oldest two pushes, so that their live still starts when it did.
    fn draw_pushes_together(&mut self, kind: Kind, lives: &[Live]) -> bool {
        self.pushes.sort_by_key(|push| (push.lane.clone(), push.started()));
        let mut ours = (0..self.pushes.len()).filter(|n| Kind::of(&self.pushes[*n].lane) == kind);
        let (Some(first), Some(_)) = (ours.next(), ours.next()) else { return false };
        let first = self.pushes.remove(first);
        self.horizon.raise(kind, first.last_word().saturating_add(1));
        let live = self.live_of(&first, lives);
        let next = self.pushes.iter().position(|push| push.lane == first.lane);
        if let Some(next) = next.filter(|next| live.is_some() && self.live_of(&self.pushes[*next], lives) == live) {
            self.pushes[next].start = first.started().or(self.pushes[next].start);
        }
        true
    }

    fn draw_marks_together(&mut self, grace: u64) {
        self.marks.sort_by_key(|mark| mark.at);
        let told: Vec<Told> = self.pushes.iter().flat_map(|push| [push.started(), push.end]).flatten().collect();
        while self.marks.len() > MOST_MARKS {
            // What is said twice, and nothing in between: once is enough.
            let is_said_again = |pair: &[Mark]| {
                pair[0].end.is_none() == pair[1].end.is_none()
                    && !told.iter().any(|told| (pair[0].at..=pair[1].at).contains(told))
            };
            let again = self.marks.windows(2).position(is_said_again);
            match (again, self.marks.as_slice()) {
                (Some(n), _) => drop(self.marks.remove(n + 1)),
                (None, [_, off, on, ..]) if off.end.is_some() && on.end.is_none() && on.at.0 - off.at.0 <= grace => {
                    self.marks.drain(1..3);
                }
                (None, _) => drop(self.marks.remove(0)),
            }
        }
    }
}

/// How many bytes of JSON something takes.
pub fn bytes_of<T: Serialize + ?Sized>(value: &T) -> usize {
    struct Counted(usize);
    impl Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counted = Counted(0);
    // What has no JSON has no room either, and is refused when it is written.
    serde_json::to_writer(&mut counted, value).map_or(usize::MAX, |()| counted.0)
}
