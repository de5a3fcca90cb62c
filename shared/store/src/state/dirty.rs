//! Dirty rows: rows and counts that follow from the timeline and may not be written yet. The state names them.

use std::collections::BTreeSet;

use super::BroadcasterState;
use crate::{lists::Position, prelude::*, replays, rooms};
use protocol::sign::md5_hex;
use timeline::{Live, ReplayFiles};

/// The delay before the sweep tries to write a row again: doubled after each failure, up to the maximum.
const RETRY_SECONDS: u64 = 60;
const MAX_RETRY_SECONDS: u64 = 3600;
/// The maximum length of all names in a state. The timeline has at most 250,000 bytes, and an item of the table 400 KB.
const MAX_NAME_BYTES: usize = 120_000;

/// A row or count that follows from the timeline, and may not be written yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DirtyRow {
    Room,
    /// The row of the ban, for the list of bans.
    Ban,
    /// A live, by its [id](keys::live_id).
    Live(String),
    /// The row of a file, by a hash of the file's id, because ids can be long.
    File(String),
    /// The counters of a position in a tree, where a row may have been added or removed without being counted.
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

    /// The count of a room whose broadcast started with the start request of this time.
    pub(crate) fn room_count(start_request: UnixSeconds, user: &UserId) -> Self {
        Self::Count(rooms::COUNT_TREE, Position::of(start_request, user.as_str()))
    }

    pub(crate) fn replay_count(replay: &ReplayFiles) -> Self {
        Self::Count(replays::COUNT_TREE, Position::of(replay.end, replay.file.as_str()))
    }

    /// The name in the item. The row of a file is called `recording` there.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Room => "room".to_owned(),
            Self::Ban => "ban".to_owned(),
            Self::Live(id) => format!("live {id}"),
            Self::File(hash) => format!("recording {hash}"),
            Self::Count(tree, Position(position)) => format!("count {tree} {position}"),
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let (kind, rest) = name.split_once(' ').unwrap_or((name, ""));
        match kind {
            "room" => Some(Self::Room),
            "ban" => Some(Self::Ban),
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

    pub(super) fn live_id(&self) -> Option<&str> {
        if let Self::Live(id) = self { Some(id) } else { None }
    }

    pub(super) fn is_count(&self) -> bool {
        matches!(self, Self::Count(..))
    }
}

impl BroadcasterState {
    /// Whether rows must be written now: rows that no writer has confirmed as written, or failed rows whose retry is due.
    pub fn has_dirty_rows(&self, now: UnixSeconds) -> bool {
        !self.dirty.iter().all(DirtyRow::is_count) || self.is_to_be_retried(now)
    }

    /// Whether there are rows that follow from the timeline and may not be written, or could not be written.
    pub(super) fn has_unwritten_rows(&self) -> bool {
        !self.failed.is_empty() || !self.dirty.iter().all(DirtyRow::is_count)
    }

    /// Whether there are counts that may be wrong.
    pub fn has_unconfirmed_counts(&self) -> bool {
        self.dirty.iter().any(DirtyRow::is_count)
    }

    /// Adds names of rows and counts.
    pub(crate) fn mark_dirty(&mut self, names: impl IntoIterator<Item = DirtyRow>, now: UnixSeconds) {
        for name in names {
            if name.is_count() {
                self.unconfirmed_at = now;
            }
            self.dirty.insert(name);
        }
    }

    pub(super) fn is_to_be_retried(&self, now: UnixSeconds) -> bool {
        // A time beyond the longest delay comes from a clock that was ahead.
        let is_due = self.retry_at <= now || self.retry_at > now.plus(MAX_RETRY_SECONDS);
        is_due && !self.failed.is_empty()
    }

    /// Makes the rows that failed dirty again, with the counts of the positions that the next write may move them from
    /// and to.
    pub(super) fn retry_failed(&mut self, counts: BTreeSet<DirtyRow>, now: UnixSeconds) {
        let failed = std::mem::take(&mut self.failed);
        self.mark_dirty(counts.into_iter().chain(failed), now);
    }

    /// Adds the names of rows that could not be written, and sets when they are tried again.
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

    /// Drops the oldest unconfirmed counts if the names are too long for the item: these counts are wrong only if a
    /// process died.
    pub(super) fn fit_names(&mut self, user: &str) {
        let mut total: usize = self.dirty.union(&self.failed).map(|name| name.name().len()).sum();
        let mut dropped = 0;
        while total > MAX_NAME_BYTES
            && let Some(count) = self.dirty.iter().find(|name| name.is_count()).cloned()
        {
            total -= count.name().len();
            dropped += 1;
            self.dirty.remove(&count);
        }
        if dropped > 0 {
            tracing::warn!(user, dropped, "a state has too many unconfirmed counts; the oldest are not recounted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_dirty_rows_are_short_however_long_the_file_ids_are() {
        let files = (0..400).map(|n| FileId::parse(&format!("{}{n}", "\u{2070e}".repeat(190))).unwrap());
        let names: BTreeSet<String> = files.map(|file| DirtyRow::file(&file).name()).collect();
        assert_eq!(names.len(), 400);
        assert!(names.iter().map(String::len).sum::<usize>() < 10_000);
        for name in names {
            assert_eq!(DirtyRow::parse(&name).unwrap().name(), name);
        }
    }

    #[test]
    fn the_oldest_unconfirmed_counts_are_dropped_before_the_names_are_too_long() {
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
