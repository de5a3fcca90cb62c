//! Changes of a broadcaster's state, written in the steps that the [module](super) lists.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{BroadcasterState, DirtyRow, Projection, RowWriter, projection::dirty_between};
use crate::{broadcasts::StartRequestRow, prelude::*, rooms::Room};
use protocol::{error::Chain, json::to_text};
use timeline::{Evidence, Live};

/// A broadcaster whose state is changed, with the settings and the time of the change.
#[derive(Clone, Copy, Debug)]
pub struct Broadcaster<'a> {
    pub(crate) table: &'a Table,
    pub(crate) user: &'a UserId,
    pub(crate) rules: &'a Rules,
    pub(crate) now: UnixSeconds,
}

impl Table {
    /// A broadcaster, for changes of their state now.
    pub fn broadcaster<'a>(&'a self, user: &'a UserId, rules: &'a Rules, now: UnixSeconds) -> Broadcaster<'a> {
        Broadcaster { table: self, user, rules, now }
    }

    /// The state of a user.
    pub async fn state(&self, user: &UserId) -> Result<BroadcasterState> {
        self.state_and_room(user).await.map(|(state, _)| state)
    }

    /// The state and the room of a user, in one request.
    pub(crate) async fn state_and_room(&self, user: &UserId) -> Result<(BroadcasterState, Option<Room>)> {
        let (timeline, room) = (keys::timeline(user), keys::room(user));
        let items = self.batch([timeline.clone(), room.clone()], Consistency::Strong, "read a timeline").await?;
        // An invalid room counts as none: the next start request writes it again.
        let room = items.get(&keys::id(&room)).and_then(|row| self.ok_or_log(row, Room::read(row)));
        Ok((BroadcasterState::read(items.get(&keys::id(&timeline)), room.as_ref())?, room))
    }
}

impl Broadcaster<'_> {
    /// Adds evidence to the timeline of a user who has a room, and writes the rows that follow. Returns the new state.
    pub async fn add_evidence(&self, evidence: Evidence) -> Result<BroadcasterState> {
        self.change(|state| state.timeline.add(evidence.clone())).await
    }

    /// Changes the state, and writes the rows that follow. `change` returns whether it changed anything. Returns the new
    /// state.
    pub async fn change(&self, change: impl Fn(&mut BroadcasterState) -> bool) -> Result<BroadcasterState> {
        let read = self.table.state_and_room(self.user).await?;
        self.change_read(read, None, change).await
    }

    /// As [`Self::change`], for a state and room that were just read. If a start request is given, `change` changed
    /// something, and the room is not live afterwards, the title and the profile of the start request are also written to
    /// the room.
    pub(crate) async fn change_read(
        &self,
        mut read: (BroadcasterState, Option<Room>),
        start_request: Option<&StartRequestRow>,
        change: impl Fn(&mut BroadcasterState) -> bool,
    ) -> Result<BroadcasterState> {
        let Broadcaster { table, user, rules, now } = *self;
        let mut attempts = Attempts::of("write a timeline");
        loop {
            let unconfirmed = table.unconfirmed.count();
            // What is written is compared with the state as it was read, without what has become too old.
            let (mut before, room) = read;
            let forgotten = before.prune(now, rules.grace_seconds);
            let mut after = before.clone();
            let is_capped = after.cap(now);
            let is_changed = change(&mut after);
            let is_moderated = after.apply_pending_verdict(rules);
            if !is_changed && !is_moderated && !is_capped && !before.has_dirty_rows(now) {
                return Ok(after);
            }
            if forgotten > 0 {
                let user = table.log_names.of(user.as_str());
                tracing::warn!(user, count = forgotten, "a timeline is full; its oldest events are dropped");
            }
            let (old, new) = (Projection::of(&before.timeline, rules), Projection::of(&after.timeline, rules));
            let differing = dirty_between(user, (&before, &old), (&after, &new));
            after.mark_dirty(differing.iter().cloned(), now);
            let start_request = start_request.filter(|_| is_changed && !after.is_live());
            if start_request.is_some() {
                after.dirty.insert(DirtyRow::Room);
            }
            if before.is_to_be_retried(now) {
                let counts = self.counts_of_failed(&after, &new, room.as_ref()).await?;
                after.retry_failed(counts, now);
            }
            let BroadcasterState { dirty, failed, .. } = &mut after;
            failed.retain(|name| !dirty.contains(name));
            after.fit_names(&table.log_names.of(user.as_str()));
            after.revision += 1;
            if self.write_state(&before, &after).await? == WriteOutcome::Done {
                let rows = RowWriter { table, user, rules, now, state: &after, projection: &new };
                let written = match rows.write_dirty_rows(room, start_request).await {
                    Ok(failed) => {
                        // The counts are right if no earlier writer left dirty rows, and every addition was acknowledged.
                        let is_counted =
                            before.dirty.iter().all(DirtyRow::is_count) && table.unconfirmed.count() == unconfirmed;
                        let counted = if is_counted { &differing - &before.dirty } else { BTreeSet::new() };
                        self.remove_written_names(&mut after, failed, &counted).await
                    }
                    Err(error) => Err(error),
                };
                if let Err(error) = written {
                    let key = table.key_for_log(&keys::timeline(user));
                    tracing::error!(key, error = %Chain(&error), "rows are left to the next call, or the sweep");
                }
                return Ok(after);
            }
            attempts.after_conflict().await?;
            read = table.state_and_room(user).await?;
        }
    }

    /// Writes the replays of a live again, which have the totals of its row.
    pub(crate) async fn rewrite_replays_of(&self, live: &Live) -> Result<()> {
        let mark = |state: &mut BroadcasterState| {
            let projection = Projection::of(&state.timeline, self.rules);
            let replays = projection.replays.iter().filter(|replay| projection.live_of(replay) == Some(live));
            let files: Vec<DirtyRow> = replays.map(|replay| DirtyRow::file(&replay.file)).collect();
            let is_any = !files.is_empty();
            state.dirty.extend(files);
            is_any
        };
        self.change(mark).await.map(drop)
    }

    /// Sets when the task of the state is due next, unless the state was changed since it was read as `seen`.
    pub async fn reschedule(&self, seen: &BroadcasterState, due: Option<UnixSeconds>) -> Result<()> {
        let update = Update::of(keys::timeline(self.user)).set_due(due);
        let update = update.when("#revision = :seen").value(":seen", number(seen.revision));
        update.send(self.table, "reschedule the task of a user").await.map(drop)
    }

    async fn write_state(&self, before: &BroadcasterState, after: &BroadcasterState) -> Result<WriteOutcome> {
        const CONTEXT: &str = "write a timeline";
        let update = Update::of(keys::timeline(self.user))
            .set("user", text(self.user.as_str()))
            .set("timeline", text(to_text(after)))
            .set("revision", number(after.revision));
        let update = if before.revision == 0 {
            update.when("attribute_not_exists(PK)")
        } else {
            update.when("#revision = :seen").value(":seen", number(before.revision))
        };
        set_names_and_task(update, after, self.now).send(self.table, CONTEXT).await
    }

    /// Removes the names of the rows from `dirty`: rows that could not be written move to `failed`. The counts in `counted`
    /// are removed, too; other counts stay until the sweep has recounted them.
    async fn remove_written_names(
        &self,
        after: &mut BroadcasterState,
        failed: BTreeSet<DirtyRow>,
        counted: &BTreeSet<DirtyRow>,
    ) -> Result<()> {
        if after.dirty.is_empty() {
            return Ok(());
        }
        after.dirty.retain(|dirty| dirty.is_count() && !counted.contains(dirty));
        after.note_failed(failed, self.now);
        let update = set_names_and_task(Update::of(keys::timeline(self.user)), after, self.now);
        // A writer that changed the state since has these names too, and settles them.
        let update = update.when("#revision = :seen").value(":seen", number(after.revision));
        update.send(self.table, "write a timeline").await.map(drop)
    }
}

/// Adds the names of dirty and failed rows to an update, and when the task is due.
fn set_names_and_task(update: Update, state: &BroadcasterState, now: UnixSeconds) -> Update {
    let set_names = |update: Update, attribute: &str, names: &BTreeSet<DirtyRow>| {
        let names: Vec<String> = names.iter().map(DirtyRow::name).collect();
        if names.is_empty() { update.remove(attribute) } else { update.set(attribute, AttributeValue::Ss(names)) }
    };
    let update = set_names(set_names(update, "dirty", &state.dirty), "failed", &state.failed);
    let update = if state.has_unconfirmed_counts() {
        update.set("unconfirmed_at", unix_seconds(state.unconfirmed_at))
    } else {
        update.remove("unconfirmed_at")
    };
    let update = if state.failed.is_empty() {
        update.remove("failures").remove("retry_at")
    } else {
        update.set("failures", number(state.failures)).set("retry_at", unix_seconds(state.retry_at))
    };
    // An event does not postpone the pending actions of a ban.
    let sooner = state.due_at.filter(|_| !state.pending_actions.is_empty());
    update.set_due(state.due(now).map(|due| sooner.map_or(due, |sooner| due.min(sooner))))
}
