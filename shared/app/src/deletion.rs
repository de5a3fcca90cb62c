//! Deletes the files of replays that their owners deleted, or that were kept for long enough, at the video-on-demand
//! service.
//!
//! What is to be deleted stands on the row of the replay until it is done, and the row in the index of work: whatever
//! fails, the sweep tries again. Without the cloud's API there is nothing to be done, and the files stay.

use futures_util::future::join_all;

use crate::App;
use protocol::{
    error::Error,
    types::{FileId, UserId},
};
use store::{PendingDeletion, Task};

/// How many files are deleted at a time. One replay seldom has more.
const AT_ONCE: usize = 20;
/// How soon those are tried again that the cloud did not delete.
const AGAIN_SECONDS: u64 = 600;
/// How soon those are deleted that there was no time for.
const REST_SECONDS: u64 = 30;
/// How long files are deleted in one go: a function has 10 seconds, and a call to the cloud 3 of them.
const MAX_SECONDS: u64 = 4;

/// Deletes a replay that was kept for long enough, and what is left of one that is deleted.
pub async fn delete_if_due(app: &App, user: &UserId, file: &FileId) -> Result<(), Error> {
    let rules = &app.config.rules;
    if let Some(ended_at) = app.table.replay_ended(user, file).await?.filter(|_| rules.replay_kept_seconds > 0) {
        let due = ended_at.plus(rules.replay_kept_seconds);
        if due > app.now() {
            return Ok(app.table.reschedule(&Task::Replay(user.clone(), file.clone()), Some(due)).await?);
        }
        app.table.delete_replay(user, file, rules, app.now()).await?;
    }
    finish(app, user, file).await
}

/// Deletes what is left of a deleted replay, which this file names, as much as there is time for. Fails with what went
/// wrong last; what could be done is done.
pub async fn finish(app: &App, user: &UserId, file: &FileId) -> Result<(), Error> {
    let until = app.now().plus(MAX_SECONDS);
    let mut pending_deletions = app.table.pending_deletions(user, file).await?;
    if pending_deletions.is_empty() {
        // Others may have been done with it and it was put off all the same.
        return Ok(app.table.reschedule(&Task::Replay(user.clone(), file.clone()), None).await?);
    }
    while !pending_deletions.is_empty() && app.now() <= until {
        let (these, others) = pending_deletions.split_at(AT_ONCE.min(pending_deletions.len()));
        let outcomes = join_all(these.iter().map(|pending_deletions| delete(app, user, pending_deletions))).await;
        let mut left = others.to_vec();
        let mut failure = None;
        for (pending_deletions, outcome) in these.iter().zip(outcomes) {
            if let Err(error) = outcome {
                left.push(pending_deletions.clone());
                failure = Some(error);
            }
        }
        let due = app.now().plus(if failure.is_some() { AGAIN_SECONDS } else { REST_SECONDS });
        app.table.set_pending_deletions(user, file, (&pending_deletions, left.clone()), due).await?;
        if let Some(error) = failure {
            return Err(error);
        }
        pending_deletions = left;
    }
    Ok(())
}

/// Deletes one file. That it is deleted is written first: it is not to come back if it turns out to be of another live.
async fn delete(app: &App, user: &UserId, pending_deletions: &PendingDeletion) -> Result<(), Error> {
    if let Some(file) = pending_deletions.file() {
        app.table.mark_deleted(user, &file, app.now()).await?;
    }
    if !pending_deletions.vod_file.is_empty() && app.cloud.can_ask() {
        app.cloud.delete_file(&pending_deletions.vod_file, app.now()).await?;
    }
    Ok(())
}
