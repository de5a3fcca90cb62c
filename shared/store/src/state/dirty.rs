//! Dirty rows: rows and counts that follow from the timeline and may not be written yet. The state names them.

use std::collections::BTreeSet;

use super::BroadcasterState;
use crate::{keys, lists::Position, replays, rooms};
use protocol::{
    sign::md5_hex,
    types::{FileId, UnixSeconds, UserId},
};
use timeline::{Live, ReplayFiles};

/// How soon the sweep tries a row again that could not be written; each time twice as late, and at most so late.
const RETRY_SECONDS: u64 = 60;
const MAX_RETRY_SECONDS: u64 = 3600;
/// The most bytes of names of rows and counts that are to be written. The timeline itself has at most 250,000, and an
/// item of the table 400 KB.
const MAX_NAME_BYTES: usize = 120_000;

/// Something that follows from the timeline and may not be written yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DirtyRow {
    Room,
    /// The sort key of a live.
    Live(String),
    /// A file, by a hash of its id, and the replay that it is of: ids can be so long that there is no room for many.
    File(String),
    /// Rows of a tree came to or went from this position, and may not have been counted.
    Count(&'static str, Position),
}

impl DirtyRow {
    pub(crate) fn live(live: &Live) -> Self {
        Self::Live(keys::live_id(live.start, &live.user_stream))
    }

    pub(crate) fn file(file: &FileId) -> Self {
        let mut hash = md5_hex(&[file.as_str()]);
        hash.truncate(12);
        Self::File(hash)
    }

    /// Where the room is counted that was opened at this second.
    pub(crate) fn room_count(opened: UnixSeconds, user: &UserId) -> Self {
        Self::Count(rooms::COUNT_TREE, Position::of(opened, user.as_str()))
    }

    /// Where a replay is counted.
    pub(crate) fn replay_count(replay: &ReplayFiles) -> Self {
        Self::Count(replays::COUNT_TREE, Position::of(replay.end, replay.file.as_str()))
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Room => "room".to_owned(),
            Self::Live(key) => format!("live {key}"),
            Self::File(hash) => format!("recording {hash}"),
            Self::Count(tree, Position(position)) => format!("count {tree} {position}"),
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let (kind, rest) = name.split_once(' ').unwrap_or((name, ""));
        match kind {
            "room" => Some(Self::Room),
            "live" => Some(Self::Live(rest.to_owned())),
            "recording" => Some(Self::File(rest.to_owned())),
            "count" => {
                let (tree, position) = rest.split_once(' ')?;
                let tree = [rooms::COUNT_TREE, replays::COUNT_TREE].into_iter().find(|known| *known == tree)?;
                Some(Self::Count(tree, Position(position.parse().ok()?)))
            }
            _ => None,
        }
    }

    pub(super) fn place(&self) -> Option<&str> {
        match self {
            Self::Live(place) => Some(place),
            Self::Room | Self::File(_) | Self::Count(..) => None,
        }
    }

    pub(super) fn is_count(&self) -> bool {
        matches!(self, Self::Count(..))
    }
}

impl BroadcasterState {
    /// Whether rows that follow from it may not be written, because a process died, or others are at it just now, or the
    /// row could not be written and is to be tried again.
    pub fn has_dirty_rows(&self, now: UnixSeconds) -> bool {
        !self.dirty.iter().all(DirtyRow::is_count) || self.is_to_be_retried(now)
    }

    /// Notes that these rows are to be written, and these counts are not sure to be right.
    pub(super) fn mark_dirty(&mut self, names: impl IntoIterator<Item = DirtyRow>, now: UnixSeconds) {
        for name in names {
            if name.is_count() {
                self.unconfirmed_at = now;
            }
            self.dirty.insert(name);
        }
    }

    /// Whether there are counts that are not sure to be right.
    pub fn has_unconfirmed_counts(&self) -> bool {
        self.dirty.iter().any(DirtyRow::is_count)
    }

    pub(super) fn is_to_be_retried(&self, now: UnixSeconds) -> bool {
        // A clock that was ahead may have put it off.
        let is_due = self.retry_at <= now || self.retry_at > now.plus(MAX_RETRY_SECONDS);
        is_due && !self.failed.is_empty()
    }

    /// Notes what could not be written.
    pub(super) fn note_failed(&mut self, failed: BTreeSet<DirtyRow>, now: UnixSeconds) {
        if !failed.is_empty() {
            let seconds = RETRY_SECONDS.saturating_mul(1 << self.failures.min(10)).min(MAX_RETRY_SECONDS);
            self.failures = self.failures.saturating_add(1);
            self.retry_at = now.plus(seconds);
            self.failed.extend(failed);
        }
        if self.failed.is_empty() {
            (self.failures, self.retry_at) = (0, UnixSeconds(0));
        }
    }

    /// Forgets the oldest doubts of counts if their names take more room than the item has: only if a process died would
    /// they matter.
    pub(super) fn fit_names(&mut self, user: &str) {
        let bytes = |names: &BTreeSet<DirtyRow>| names.iter().map(|name| name.name().len()).sum::<usize>();
        let mut total = bytes(&self.dirty) + bytes(&self.failed);
        let mut dropped = 0;
        while total > MAX_NAME_BYTES
            && let Some(count) = self.dirty.iter().find(|name| name.is_count()).cloned()
        {
            total -= count.name().len();
            dropped += 1;
            self.dirty.remove(&count);
        }
        if dropped > 0 {
            tracing::warn!(user, dropped, "so many counts are not known to be right that not all are noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_written_has_short_names_whatever_the_files_are_called() {
        let files = (0..400).map(|n| FileId::parse(&format!("{}{n}", "\u{2070e}".repeat(190))).unwrap());
        let names: BTreeSet<String> = files.map(|file| DirtyRow::file(&file).name()).collect();
        assert_eq!(names.len(), 400);
        assert!(names.iter().map(String::len).sum::<usize>() < 10_000);
        for name in names {
            assert_eq!(DirtyRow::parse(&name).unwrap().name(), name);
        }
    }

    #[test]
    fn doubts_of_counts_are_forgotten_before_an_item_has_no_room_for_them() {
        let mut state = BroadcasterState::default();
        state.dirty.insert(DirtyRow::Room);
        state.dirty.extend((0..10_000).map(|n| DirtyRow::Count(replays::COUNT_TREE, Position(12_800_000_000 + n))));
        state.fit_names("alice");
        let bytes: usize = state.dirty.iter().map(|name| name.name().len()).sum();
        assert!((MAX_NAME_BYTES - 100..=MAX_NAME_BYTES).contains(&bytes), "{bytes} bytes");
        assert!(state.dirty.contains(&DirtyRow::Room));
        let last = DirtyRow::Count(replays::COUNT_TREE, Position(12_800_009_999));
        assert!(state.dirty.contains(&last), "the newest stay");
    }
}
