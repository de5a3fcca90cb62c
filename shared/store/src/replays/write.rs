//! The rows of replays and of their files, as they follow from the timeline.

use std::collections::{BTreeSet, HashMap};

use super::{COUNT_TREE, KEPT_OUT, parts_of, position_in};
use crate::{
    prelude::*,
    state::{DirtyRow, RowWriter},
};
use protocol::json::{bytes_of, to_text};
use timeline::{Live, ReplayFiles, ReplayPart, Timeline, UserStream};

/// The maximum number and size of the files in the row of a replay: an item of the table has at most 400 KB.
const MAX_PARTS: usize = 400;
const MAX_PART_BYTES: usize = 220_000;

/// The rows of files.
pub(crate) struct Rows(HashMap<FileId, Item>);

impl Rows {
    /// The row of a file; empty if there is none.
    pub(crate) fn of(&self, file: &FileId) -> Item {
        self.0.get(file).cloned().unwrap_or_default()
    }

    /// The counts of the positions of a replay: where it should stand, and where it and its parts stand. A damaged row
    /// stands nowhere.
    pub(crate) fn counts_of(&self, replay: &ReplayFiles) -> BTreeSet<DirtyRow> {
        let rows = replay.parts.iter().filter_map(|part| self.0.get(&part.file));
        let written = rows.filter_map(|row| position_in(row).ok().flatten());
        let counts = written.map(|position| DirtyRow::Count(COUNT_TREE, position));
        counts.chain([DirtyRow::replay_count(replay)]).collect()
    }

    pub(super) fn have(&self, file: &FileId, attribute: &str) -> bool {
        self.0.get(file).is_some_and(|row| row.contains_key(attribute))
    }

    /// Whether a file names a replay, by its row.
    pub(super) fn name_replay(&self, file: &FileId) -> bool {
        self.have(file, "file") && !self.have(file, "part_of")
    }
}

impl Table {
    /// The rows of files.
    pub(crate) async fn rows_of_files<'a>(
        &self,
        user: &UserId,
        files: impl Iterator<Item = &'a FileId> + Clone,
    ) -> Result<Rows> {
        let keys = files.clone().map(|file| keys::replay(user, file));
        let mut rows = self.batch(keys, Consistency::Strong, "read replays").await?;
        let row = |file: &FileId| Some((file.clone(), rows.remove(&keys::id(&keys::replay(user, file)))?));
        Ok(Rows(files.filter_map(row).collect()))
    }
}

/// The files to store in the row of a replay: the known files, and those that the timeline has forgotten. Deleted files are
/// left out, unless the whole replay is deleted. If there are too many for the row, the oldest are left out, but no file
/// that the row plays. Also returns the number of files that are too many.
pub(crate) fn as_kept(
    replay: &ReplayFiles,
    row: &Item,
    rows: &Rows,
    timeline: &Timeline,
) -> Result<(ReplayFiles, usize)> {
    // A file that the timeline knows, and not as a part of this replay, belongs to another one by now.
    let forgotten = parts_of(row)?.into_iter().filter(|part| !timeline.has_file(&part.file));
    let is_gone = |part: &ReplayPart| !row.contains_key("deleted") && rows.have(&part.file, "deleted");
    let parts = forgotten.chain(replay.parts.iter().cloned()).filter(|part| !is_gone(part)).collect();
    let mut replay = replay.with_parts(parts);
    let all = replay.parts.len();
    let (mut count, mut total) = (all, replay.parts.iter().map(|part| bytes_of(part) + 1).sum::<usize>());
    if count > MAX_PARTS || total > MAX_PART_BYTES {
        let shown = replay.shown_files();
        replay.parts.retain(|part| {
            let is_kept = count <= MAX_PARTS && total <= MAX_PART_BYTES || shown.contains(&part.file);
            if !is_kept {
                (count, total) = (count - 1, total - bytes_of(part) - 1);
            }
            is_kept
        });
    }
    Ok((replay, all - count))
}

impl RowWriter<'_> {
    /// Writes the row of a replay.
    pub(crate) async fn write_replay(&self, whole: &ReplayFiles, live: Option<&Live>) -> Result<()> {
        let mut attempts = Attempts::of("write a replay");
        loop {
            let files = whole.parts.iter().map(|part| &part.file);
            let rows = self.table.rows_of_files(self.user, files).await?;
            let row = rows.of(&whole.file);
            if self.is_written(&row)? {
                return Ok(());
            }
            let (update, end) = self.replay_update(whole, live, &row, &rows).await?;
            if self.broadcaster().write_row_and_count(update, &row, &whole.file, end).await? == WriteOutcome::Done {
                return Ok(());
            }
            attempts.after_conflict().await?;
        }
    }

    /// The update of a replay's row, and the replay's end if it belongs in the list. A deleted replay stays deleted, and
    /// files that were added since are to be deleted too. A replay stays hidden if a hidden replay was merged
    /// into it, or if it was split off from one.
    async fn replay_update(
        &self,
        whole: &ReplayFiles,
        live: Option<&Live>,
        row: &Item,
        rows: &Rows,
    ) -> Result<(Update, Option<UnixSeconds>)> {
        let Self { table, user, rules, state, .. } = self;
        let key = keys::replay(user, &whole.file);
        let (replay, left_out) = &as_kept(whole, row, rows, &state.timeline)?;
        if *left_out > 0 {
            let key = table.key_for_log(&key);
            tracing::warn!(key, left_out, "a replay has more files than its row has room for; it lacks the oldest");
        }
        let mut update = self
            .update(key)
            .set("user", text(user.as_str()))
            .set("file", text(replay.file.as_str()))
            .set("started_at", unix_seconds(replay.start))
            .set("ended_at", unix_seconds(replay.end))
            .set_text("play_url", replay.play_url().unwrap_or_default())
            .set_text("hls_url", replay.hls_url().unwrap_or_default())
            .set("parts", text(to_text(&replay.parts)))
            .remove("part_of");
        if row.contains_key("deleted") {
            update = self.delete_added_files(update, replay, row, rows)?;
        } else if rules.replay_kept_seconds > 0 {
            update = update.set_due(Some(replay.end.plus(rules.replay_kept_seconds)));
        }
        update = self.describe(replay, row, update).await?;
        let knows_live = state.timeline.knows_lives_of(replay);
        match live {
            Some(live) if live.end.is_some() && live.user_stream == UserStream::Own => {
                update = self.totals(live).await?.write(update, "live_likes");
            }
            // The replay may have had the totals of a live to which it turned out not to belong.
            None if knows_live => {
                update = ["peak", "visits", "live_likes", "screenshot"].into_iter().fold(update, Update::remove);
            }
            Some(_) | None => {}
        }
        let is_hidden = row.contains_key("hidden") || self.is_hidden_with(replay, row, rows).await?;
        let is_withheld = state.ban.as_ref().is_some_and(|ban| ban.hides_replays);
        // Only set here: other calls remove these two.
        update = if is_hidden { update.set_flag("hidden", true) } else { update };
        update = if is_withheld { update.set_flag("withheld", true) } else { update };
        // If the live is forgotten, so are the verdicts on its pictures: the flag stays.
        let was_forbidden = row.contains_key("forbidden") && live.is_none() && !knows_live;
        let is_forbidden = was_forbidden || state.is_forbidden(self.projection, replay);
        let is_kept_out = KEPT_OUT.iter().any(|reason| *reason != "forbidden" && row.contains_key(*reason));
        let is_listed =
            !(is_kept_out || is_withheld || is_hidden || is_forbidden) && replay.seconds() > rules.replay_min_seconds;
        Ok((update.set_flag("forbidden", is_forbidden), is_listed.then_some(replay.end)))
    }

    /// Writes that a file is a part of a replay that another file names.
    pub(crate) async fn write_part(&self, replay: &ReplayFiles, file: &FileId) -> Result<()> {
        let mut attempts = Attempts::of("write a replay");
        let key = keys::replay(self.user, file);
        loop {
            let row = self.table.get(key.clone(), attempts.context).await?.unwrap_or_default();
            if self.is_written(&row)? {
                return Ok(());
            }
            let update = self.update(key.clone()).set("part_of", text(replay.file.as_str()));
            if self.broadcaster().write_row_and_count(update, &row, file, None).await? == WriteOutcome::Done {
                return Ok(());
            }
            attempts.after_conflict().await?;
        }
    }

    /// Whether a replay that is a part of this one is hidden, or the replay that this one was a part of.
    async fn is_hidden_with(&self, replay: &ReplayFiles, row: &Item, rows: &Rows) -> Result<bool> {
        let mut parts = replay.parts.iter().map(|part: &ReplayPart| &part.file).filter(|file| **file != replay.file);
        if parts.any(|file| rows.name_replay(file) && rows.have(file, "hidden")) {
            return Ok(true);
        }
        let Some(whole) = FileId::parse(text_in(row, "part_of")?) else { return Ok(false) };
        let whole = self.table.get(keys::replay(self.user, &whole), "read a replay").await?;
        Ok(whole.is_some_and(|row| row.contains_key("hidden")))
    }

    /// Adds the title and the profile of a replay: those of its start request. If these have expired, the row keeps its
    /// own, or gets those of the room.
    async fn describe(&self, replay: &ReplayFiles, row: &Item, update: Update) -> Result<Update> {
        let broadcast = match replay.described_by {
            Some(start_request) => self.table.start_request(self.user, start_request).await?,
            None => None,
        };
        let (profile, title) = match broadcast {
            Some(broadcast) => (broadcast.info.profile, broadcast.info.title),
            None if row.contains_key("title") => return Ok(update),
            None => match self.table.room(self.user).await? {
                Some(room) => (room.profile, room.title),
                None => return Ok(update),
            },
        };
        Ok(profile.write(update).set_text("title", title.as_str()))
    }
}
