//! The deletion of replays: the row keeps the names of the files that are still to be deleted.

use serde::{Deserialize, Serialize};

use super::{parts_of, position_in, write::Rows};
use crate::{
    prelude::*,
    state::{Broadcaster, RowWriter},
};
use protocol::json::{bytes_of, to_text};
use timeline::{ReplayFiles, ReplayPart};

/// When the sweep deletes files that the call did not delete. The call gives up earlier.
const UNFINISHED_SECONDS: u64 = 90;
/// The maximum size of the names of files to delete: an item of the table has at most 400 KB.
const MAX_PENDING_BYTES: usize = 120_000;

/// A file that is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingDeletion {
    #[serde(rename = "i")]
    file: String,
    /// The id of the file in the video-on-demand service; empty if no notice had it.
    #[serde(rename = "v")]
    pub vod_file: String,
}

impl PendingDeletion {
    fn of(part: &ReplayPart) -> Self {
        Self { file: part.file.to_string(), vod_file: part.vod_file.clone() }
    }

    /// The id of the file in notices.
    pub fn file(&self) -> Option<FileId> {
        FileId::parse(&self.file)
    }
}

impl Broadcaster<'_> {
    /// Removes a replay from the list for good, and adds the task to delete its files. Returns the file that names the
    /// replay, also if it was deleted before; `None` if there is no such replay.
    pub async fn delete_replay(&self, file: &FileId) -> Result<Option<FileId>> {
        let mut attempts = Attempts::of("delete a replay");
        loop {
            let Some((file, row)) = self.table.replay_row(self.user, file).await? else { return Ok(None) };
            if row.contains_key("deleted") {
                return Ok(Some(file));
            }
            if let Some(position) = position_in(&row)? {
                self.mark_replay_counts_unconfirmed(&[position]).await?;
            }
            let pending = parts_of(&row)?.iter().map(PendingDeletion::of).collect();
            let update = Update::of(keys::replay(self.user, &file)).set("deleted", unix_seconds(self.now));
            let update = set_pending(update, pending, self.now.plus(UNFINISHED_SECONDS));
            if self.write_row_and_count(update, &row, &file, None).await? == WriteOutcome::Done {
                return Ok(Some(file));
            }
            attempts.after_conflict().await?;
        }
    }
}

impl RowWriter<'_> {
    /// Adds the task to delete the files that were added to a deleted replay. A file that was a replay of its own until
    /// now stays: nobody deleted that replay.
    pub(super) fn delete_added_files(
        &self,
        update: Update,
        replay: &ReplayFiles,
        row: &Item,
        rows: &Rows,
    ) -> Result<Update> {
        let known = parts_of(row)?;
        let is_known = |file: &FileId| known.iter().any(|part| part.file == *file);
        let stays = |file: &FileId| is_known(file) || rows.name_replay(file) || rows.have(file, "deleted");
        let mut added = replay.parts.iter().filter(|part| !stays(&part.file)).map(PendingDeletion::of).peekable();
        if added.peek().is_none() {
            return Ok(update);
        }
        let pending = pending_in(row)?.into_iter().chain(added).collect();
        Ok(set_pending(update, pending, self.now))
    }
}

impl Table {
    /// The end of the replay that a file names; `None` if there is no such replay, or it is deleted.
    pub async fn replay_ended(&self, user: &UserId, file: &FileId) -> Result<Option<UnixSeconds>> {
        let row = self.get(keys::replay(user, file), "read a replay").await?;
        let row = row.filter(|row| !row.contains_key("deleted") && !row.contains_key("part_of"));
        row.map(|row| unix_seconds_in(&row, "ended_at")).transpose()
    }

    /// The files of a deleted replay that are still to be deleted.
    pub async fn pending_deletions(&self, user: &UserId, file: &FileId) -> Result<Vec<PendingDeletion>> {
        let row = self.get(keys::replay(user, file), "read a replay").await?;
        row.as_ref().map_or(Ok(Vec::new()), pending_in)
    }

    /// Writes that a file is deleted, whatever replay it turns out to be a part of.
    pub async fn mark_deleted(&self, user: &UserId, file: &FileId, now: UnixSeconds) -> Result<()> {
        let update = Update::of(keys::replay(user, file)).set("deleted", unix_seconds(now));
        update.send(self, "delete a replay").await.map(drop)
    }

    /// Replaces the pending deletions that were `seen` by those that are `left`, and sets when their task is due. Does
    /// nothing if another process changed them.
    pub async fn set_pending_deletions(
        &self,
        user: &UserId,
        file: &FileId,
        (seen, left): (&[PendingDeletion], Vec<PendingDeletion>),
        due: UnixSeconds,
    ) -> Result<()> {
        let update = set_pending(Update::of(keys::replay(user, file)), left, due);
        let update = update.when("#to_delete = :seen").value(":seen", text(to_text(seen)));
        update.send(self, "delete a replay").await.map(drop)
    }
}

fn pending_in(row: &Item) -> Result<Vec<PendingDeletion>> {
    match text_in(row, "to_delete")? {
        "" => Ok(Vec::new()),
        json => serde_json::from_str(json).map_err(|_| invalid_attribute("to_delete")),
    }
}

/// Sets the pending deletions of a row, and when their task is due; removes both if none are left.
fn set_pending(update: Update, mut pending: Vec<PendingDeletion>, due: UnixSeconds) -> Update {
    if pending.is_empty() {
        return update.remove("to_delete").set_due(None);
    }
    let (all, mut left) = (pending.len(), MAX_PENDING_BYTES);
    pending.retain(|file| {
        let bytes = bytes_of(file) + 1;
        let fits = bytes <= left;
        left -= if fits { bytes } else { 0 };
        fits
    });
    if pending.len() < all {
        tracing::warn!(count = all - pending.len(), "more files are to be deleted than a row has room for");
    }
    update.set("to_delete", text(to_text(&pending))).set_due(Some(due))
}
