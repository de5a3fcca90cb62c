//! The projection of a timeline: the lives and replays that it implies, and which rows differ between two of them.

use std::collections::BTreeSet;

use super::{BroadcasterState, DirtyRow};
use crate::{lists::Position, replays, rules::Rules};
use protocol::types::{FileId, UnixSeconds, UserId};
use timeline::{Broadcasts, Live, ReplayFiles, Timeline};

/// What follows from a timeline.
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

    pub(super) fn live_of(&self, replay: &ReplayFiles) -> Option<&Live> {
        self.lives.get(replay.live?)
    }

    /// What is written of the lives.
    fn written_lives(&self, broadcasts: &Broadcasts) -> Vec<Live> {
        self.lives.iter().map(|live| written(live, broadcasts)).collect()
    }

    /// What is written of the name of a replay, and of its live.
    fn written_of(&self, replay: &ReplayFiles, broadcasts: &Broadcasts) -> (Option<UnixSeconds>, Option<Live>) {
        let live = self.live_of(replay).map(|live| written(live, broadcasts));
        (live.as_ref().map_or(replay.info_at, |live| live.info_at), live)
    }
}

/// The part of a live that its row and its replay depend on. While a live goes on, a repeated start request costs no
/// write: the rows may show the information of any start request of their broadcast. They are written again at once if
/// that start request turns out to belong to another broadcast.
fn written(live: &Live, broadcasts: &Broadcasts) -> Live {
    let is_decisive = live.end.is_some() || live.info_at.and_then(|at| broadcasts.of(at)) != live.broadcast;
    Live { info_at: live.info_at.filter(|_| is_decisive), ..live.clone() }
}

/// What has to be written because what is known of a user changed, and with that what it means.
pub(super) fn differences(
    user: &UserId,
    (before, was): (&BroadcasterState, &Projection),
    (after, is): (&BroadcasterState, &Projection),
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
    let broadcasts = after.timeline.broadcasts();
    let (were, are) = (was.written_lives(&broadcasts), is.written_lives(&broadcasts));
    let changed = were.iter().filter(|live| !are.contains(live)).chain(are.iter().filter(|live| !were.contains(live)));
    dirty.extend(changed.map(DirtyRow::live));
    let known = |replay: &ReplayFiles| was.replays.iter().find(|known| known.file == replay.file);
    for replay in &is.replays {
        let known = known(replay);
        let is_same = known.is_some_and(|known| {
            (&known.parts, was.written_of(known, &broadcasts)) == (&replay.parts, is.written_of(replay, &broadcasts))
        });
        let is_forbidden = after.is_forbidden(is, replay);
        let was_forbidden = known.is_some_and(|known| before.is_forbidden(was, known));
        if is_same && was_forbidden == is_forbidden {
            continue;
        }
        if known.is_some() && was_forbidden != is_forbidden {
            let place = Position::of(replay.end, replay.file.as_str());
            dirty.insert(DirtyRow::Count(replays::COUNT_TREE, place));
        }
        // Parts that lead to the replay already need not be told so again.
        let leads_to_it = |file: &FileId| known.is_some_and(|known| known.parts.iter().any(|part| part.file == *file));
        let files = replay.parts.iter().map(|part| &part.file);
        let files = files.filter(|file| **file == replay.file || !leads_to_it(file));
        dirty.extend(files.map(DirtyRow::file));
    }
    let position = |replay: &ReplayFiles| Position::of(replay.end, replay.file.as_str());
    let all = |projection: &Projection| projection.replays.iter().map(position).collect::<BTreeSet<_>>();
    let moved = &all(was) ^ &all(is);
    dirty.extend(moved.into_iter().map(|position| DirtyRow::Count(replays::COUNT_TREE, position)));
    dirty
}
