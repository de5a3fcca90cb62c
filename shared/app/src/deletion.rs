//! Deletes the files of deleted and expired replays from the video-on-demand service.
//!
//! The pending deletions are on the row of the replay until they are done, and the row is in the index of tasks, so the
//! sweep retries a failed deletion. If the setting CLOUD_API_URL is none, the files stay in the cloud.

use futures_util::future::join_all;

use crate::App;
use protocol::{
    error::{Chain, Error},
    types::{FileId, UserId},
};
use store::{PendingDeletion, Task};

/// How many files are deleted concurrently. A replay seldom has more.
const BATCH_SIZE: usize = 20;
/// How long after a failed deletion the sweep retries.
const RETRY_SECONDS: u64 = 600;
/// How long after the time budget is used up the sweep continues.
const CONTINUE_SECONDS: u64 = 30;
/// The time budget of one run. A Lambda function has 10 seconds, and a call to the cloud may take 3.
const TIME_BUDGET_SECONDS: u64 = 4;

/// Deletes a replay if it has expired. Then continues the pending deletions of the replay's files, as [`finish`] does.
pub async fn delete_if_due(app: &App, user: &UserId, file: &FileId) -> Result<(), Error> {
    let rules = &app.config.rules;
    if let Some(ended_at) = app.table.replay_ended(user, file).await?.filter(|_| rules.replay_kept_seconds > 0) {
        let due = ended_at.plus(rules.replay_kept_seconds);
        if due > app.now() {
            return Ok(app.table.reschedule(&Task::Replay(user.clone(), file.clone()), Some(due)).await?);
        }
        app.broadcaster(user).delete_replay(file).await?;
    }
    finish(app, user, file).await
}

/// Runs the pending deletions of the replay with this file id, within the time budget. If a deletion fails, the failure is
/// logged, the others are done all the same, and the sweep retries. Fails if the table does, before it is written when the
/// sweep continues.
pub async fn finish(app: &App, user: &UserId, file: &FileId) -> Result<(), Error> {
    let until = app.now().plus(TIME_BUDGET_SECONDS);
    let mut pending = app.table.pending_deletions(user, file).await?;
    if pending.is_empty() {
        // Another call may have finished the deletions after this task was postponed.
        return Ok(app.table.reschedule(&Task::Replay(user.clone(), file.clone()), None).await?);
    }
    while !pending.is_empty() && app.now() <= until {
        let (batch, rest) = pending.split_at(BATCH_SIZE.min(pending.len()));
        let outcomes = join_all(batch.iter().map(|deletion| delete(app, user, deletion))).await;
        let mut left = rest.to_vec();
        let mut has_failed = false;
        for (deletion, outcome) in batch.iter().zip(outcomes) {
            if let Err(error) = outcome {
                let user = app.config.log_names.of(user.as_str());
                tracing::error!(user, error = %Chain(&error), "a file of a replay could not be deleted yet");
                left.push(deletion.clone());
                has_failed = true;
            }
        }
        let due = app.now().plus(if has_failed { RETRY_SECONDS } else { CONTINUE_SECONDS });
        app.table.set_pending_deletions(user, file, (&pending, left.clone()), due).await?;
        if has_failed {
            return Ok(());
        }
        pending = left;
    }
    Ok(())
}

/// Deletes one file. The file is marked as deleted first, so that it does not come back when its recording turns out to
/// belong to another live.
async fn delete(app: &App, user: &UserId, deletion: &PendingDeletion) -> Result<(), Error> {
    if let Some(file) = deletion.file() {
        app.table.mark_deleted(user, &file, app.now()).await?;
    }
    if !deletion.vod_file.is_empty() && app.cloud.can_ask() {
        app.cloud.delete_file(&deletion.vod_file, app.now()).await?;
    }
    Ok(())
}
