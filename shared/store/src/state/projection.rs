//! The projection of a timeline: the lives and replays that it implies, and which rows differ between two of them.

use std::collections::BTreeSet;

use super::{BroadcasterState, DirtyRow};
use crate::prelude::*;
use timeline::{Broadcasts, Live, ReplayFiles, Timeline};

/// What a timeline implies.
pub(crate) struct Projection {
    pub(crate) lives: Vec<Live>,
    pub(crate) replays: Vec<ReplayFiles>,
}

impl Projection {
    pub(crate) fn of(timeline: &Timeline, rules: &Rules) -> Self {
        let lives = timeline.lives(rules.grace_seconds);
        let replays = timeline.replays(&lives);
        Self { lives, replays }
    }

    /// The live that a replay was recorded from, if it is known.
    pub(crate) fn live_of(&self, replay: &ReplayFiles) -> Option<&Live> {
        self.lives.get(replay.live?)
    }
}

/// The part of a live that its row and its replay depend on. While a live goes on, a repeated start request costs no
/// write: the rows may show the information of any start request of their broadcast. They are written again at once if
/// that start request turns out to belong to another broadcast.
pub(crate) fn row_content(live: &Live, broadcasts: &Broadcasts) -> Live {
    let is_decisive = live.end.is_some() || live.described_by.and_then(|at| broadcasts.of(at)) != live.broadcast;
    Live { described_by: live.described_by.filter(|_| is_decisive), ..live.clone() }
}

/// The rows and counts that differ between two states with their projections.
pub(super) fn dirty_between(
    user: &UserId,
    (before, old): (&BroadcasterState, &Projection),
    (after, new): (&BroadcasterState, &Projection),
) -> BTreeSet<DirtyRow> {
    let mut dirty = BTreeSet::new();
    let room = |state: &BroadcasterState| {
        (state.is_live(), state.is_hidden(), state.timeline.broadcasts().last(), state.ban.is_some())
    };
    if room(before) != room(after) {
        dirty.insert(DirtyRow::Room);
        let broadcasts = [before, after].into_iter().filter_map(|state| state.timeline.broadcasts().last());
        dirty.extend(broadcasts.map(|broadcast| DirtyRow::room_count(broadcast, user)));
    }
    if before.ban != after.ban {
        dirty.insert(DirtyRow::Ban);
    }
    let broadcasts = after.timeline.broadcasts();
    let content = |live: &Live| row_content(live, &broadcasts);
    let lives = |projection: &Projection| projection.lives.iter().map(content).collect::<Vec<_>>();
    let (before_lives, after_lives) = (lives(old), lives(new));
    dirty.extend(before_lives.iter().filter(|live| !after_lives.contains(live)).map(DirtyRow::live));
    dirty.extend(after_lives.iter().filter(|live| !before_lives.contains(live)).map(DirtyRow::live));
    for replay in &new.replays {
        let known = old.replays.iter().find(|known| known.file == replay.file);
        let describe = |projection: &Projection, replay: &ReplayFiles| {
            let live = projection.live_of(replay).map(content);
            // A live has the start request of its replay.
            (replay.described_by.filter(|_| live.is_none()), live)
        };
        let is_same =
            known.is_some_and(|known| known.parts == replay.parts && describe(old, known) == describe(new, replay));
        let is_forbidden = after.is_forbidden(new, replay);
        let was_forbidden = known.is_some_and(|known| before.is_forbidden(old, known));
        if is_same && was_forbidden == is_forbidden {
            continue;
        }
        if known.is_some() && was_forbidden != is_forbidden {
            dirty.insert(DirtyRow::replay_count(replay));
        }
        // The rows of known parts refer to the replay already.
        let is_known = |file: &FileId| known.is_some_and(|known| known.parts.iter().any(|part| part.file == *file));
        let files = replay.parts.iter().map(|part| &part.file);
        dirty.extend(files.filter(|file| **file == replay.file || !is_known(file)).map(DirtyRow::file));
    }
    let counts = |projection: &Projection| projection.replays.iter().map(DirtyRow::replay_count).collect();
    let (before_counts, after_counts): (BTreeSet<DirtyRow>, BTreeSet<DirtyRow>) = (counts(old), counts(new));
    dirty.extend(&before_counts ^ &after_counts);
    dirty
}
