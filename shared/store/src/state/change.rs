//! Changes of a broadcaster's state, written in the steps that the [module](super) lists.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{BroadcasterState, DirtyRow, KEPT_SECONDS, Projection, WriteContext, projection::differences};
use crate::{
    Result, Table,
    batch::Consistency,
    keys,
    lives::BroadcastRow,
    number,
    rooms::Room,
    rules::Rules,
    tasks::OPEN,
    text, too_many_conflicts, unix_seconds,
    update::{Update, WriteOutcome},
};
use protocol::{
    error::Chain,
    types::{UnixSeconds, UserId},
};
use timeline::{Evidence, Live, ReplayPart};

/// How often a write is tried again that another one came before.
const ATTEMPTS: u32 = 16;

impl Table {
    /// What is known of a user.
    pub async fn state(&self, user: &UserId) -> Result<BroadcasterState> {
        self.state_and_room(user).await.map(|(state, _)| state)
    }

    pub(crate) async fn state_and_room(&self, user: &UserId) -> Result<(BroadcasterState, Option<Room>)> {
        let (timeline, room) = (keys::timeline(user), keys::room(user));
        let items = self.batch([timeline.clone(), room.clone()], Consistency::Strong, "read a timeline").await?;
        // A damaged room is as good as none: it is written anew when it is opened the next time.
        let room = items.get(&keys::id(&room)).and_then(|row| self.ok_or_log(row, Room::read(row)));
        Ok((BroadcasterState::read(items.get(&keys::id(&timeline)), room.as_ref())?, room))
    }

    /// Takes in what was told of a user who has a room, and writes out what follows.
    /// Gives what is known then.
    pub async fn apply(
        &self,
        user: &UserId,
        evidence: Evidence,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<BroadcasterState> {
        self.change(user, rules, now, |state| state.timeline.add(evidence.clone())).await
    }

    /// Changes what is known of a user, and writes out what follows from that. `change` says whether it did anything.
    /// Gives what is known then.
    pub async fn change(
        &self,
        user: &UserId,
        rules: &Rules,
        now: UnixSeconds,
        change: impl Fn(&mut BroadcasterState) -> bool,
    ) -> Result<BroadcasterState> {
        let seen = self.state_and_room(user).await?;
        self.change_seen(user, rules, now, seen, None, change).await
    }

    /// As [`Self::change`], of what has just been read; with an opening the change is that the room opens for a show, if
    /// it is not live then.
    pub(crate) async fn change_seen(
        &self,
        user: &UserId,
        rules: &Rules,
        now: UnixSeconds,
        mut seen: (BroadcasterState, Option<Room>),
        start_request: Option<&BroadcastRow>,
        change: impl Fn(&mut BroadcasterState) -> bool,
    ) -> Result<BroadcasterState> {
        for _ in 0..ATTEMPTS {
            let unconfirmed = self.unconfirmed.count();
            let (mut before, room) = seen;
            let forgotten = before.timeline.prune(now.minus(KEPT_SECONDS), rules.grace_seconds);
            before.pending_verdict_at = before.pending_verdict_at.filter(|at| *at >= now.minus(KEPT_SECONDS));
            before.verdicts.retain(|at| *at >= now.minus(2 * KEPT_SECONDS));
            let mut after = before.clone();
            let is_capped = after.cap(now);
            let is_changed = change(&mut after);
            let is_judged = after.apply_pending_verdict(rules);
            if !is_changed && !is_judged && !is_capped && !before.has_dirty_rows(now) {
                return Ok(after);
            }
            if forgotten > 0 {
                let user = self.log_names.of(user.as_str());
                tracing::warn!(user, count = forgotten, "a timeline is full; the oldest of it is dropped");
            }
            let (was, is) = (Projection::of(&before.timeline, rules), Projection::of(&after.timeline, rules));
            let own = differences(user, (&before, &was), (&after, &is));
            after.mark_dirty(own.iter().cloned(), now);
            let start_request = start_request.filter(|_| is_changed && !after.is_live());
            if start_request.is_some() {
                after.dirty.insert(DirtyRow::Room);
            }
            if before.is_to_be_retried(now) {
                let failed = std::mem::take(&mut after.failed);
                // They may move when they are written, and whether that was counted is not noted any more.
                let is_again = |part: &ReplayPart| failed.contains(&DirtyRow::file(&part.file));
                let again = is.replays.iter().filter(|replay| replay.parts.iter().any(is_again));
                after.mark_dirty(again.map(DirtyRow::replay_count), now);
                let room = after.timeline.broadcasts().last().filter(|_| failed.contains(&DirtyRow::Room));
                after.mark_dirty(room.map(|broadcast| DirtyRow::room_count(broadcast, user)), now);
                after.mark_dirty(failed, now);
            }
            let BroadcasterState { dirty, failed, .. } = &mut after;
            failed.retain(|name| !dirty.contains(name));
            after.fit_names(&self.log_names.of(user.as_str()));
            after.revision += 1;
            if self.write_state(user, &before, &after, now).await? == WriteOutcome::Done {
                let write = WriteContext { user, state: &after, projection: &is, rules, now };
                let written = match self.write_dirty_rows(&write, room, start_request).await {
                    Ok(failed) => {
                        // Nobody else was at it, and all additions were answered.
                        let is_counted =
                            before.dirty.iter().all(DirtyRow::is_count) && self.unconfirmed.count() == unconfirmed;
                        let counted = if is_counted { &own - &before.dirty } else { BTreeSet::new() };
                        self.settle(user, &mut after, failed, &counted, now).await
                    }
                    trouble => trouble.map(drop),
                };
                if let Err(error) = written {
                    // The item names what is left, and when the sweep comes by.
                    let key = self.key_for_log(&keys::timeline(user));
                    tracing::error!(key, error = %Chain(&error), "rows are left to the next call, or the sweep");
                }
                return Ok(after);
            }
            seen = self.state_and_room(user).await?;
        }
        Err(too_many_conflicts("write a timeline"))
    }

    /// Writes these rows of a user anew, as they follow from what is known of them; what follows from nothing is taken
    /// away. The sweep counts again where they stand.
    pub(crate) async fn write_anew(
        &self,
        user: &UserId,
        names: &BTreeSet<DirtyRow>,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<()> {
        let mark = |state: &mut BroadcasterState| {
            state.mark_dirty(names.iter().cloned(), now);
            !names.is_empty()
        };
        self.change(user, rules, now, mark).await.map(|_| ())
    }

    /// Writes the replays of a live anew, which take from its row what it came to.
    pub(crate) async fn rewrite_replays_of(
        &self,
        user: &UserId,
        live: &Live,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<()> {
        let mark = |state: &mut BroadcasterState| {
            let projection = Projection::of(&state.timeline, rules);
            let replays = projection.replays.iter().filter(|replay| projection.live_of(replay) == Some(live));
            let files: Vec<DirtyRow> = replays.map(|replay| DirtyRow::file(&replay.file)).collect();
            let is_any = !files.is_empty();
            state.dirty.extend(files);
            is_any
        };
        self.change(user, rules, now, mark).await.map(|_| ())
    }

    /// Writes when somebody should look after a user again, unless something was told of them since.
    pub async fn reschedule_user(
        &self,
        user: &UserId,
        seen: &BroadcasterState,
        due: Option<UnixSeconds>,
    ) -> Result<()> {
        let update = Update::of(keys::timeline(user));
        let update = update.when("#revision = :seen").value(":seen", number(seen.revision));
        let update = match due {
            Some(due) => update.set(keys::TASK, text(OPEN)).set(keys::DUE, unix_seconds(due)),
            None => update.remove(keys::TASK).remove(keys::DUE),
        };
        update.send(self, "postpone work").await.map(|_| ())
    }

    async fn write_state(
        &self,
        user: &UserId,
        before: &BroadcasterState,
        after: &BroadcasterState,
        now: UnixSeconds,
    ) -> Result<WriteOutcome> {
        let update = Update::of(keys::timeline(user))
            .set("user", text(user.as_str()))
            .set("timeline", text(after.record()?))
            .set("revision", number(after.revision));
        let update = write_task(update, after, now);
        let update = if before.revision == 0 {
            update.when("attribute_not_exists(PK)")
        } else {
            update.when("#revision = :seen").value(":seen", number(before.revision))
        };
        update.send(self, "write a timeline").await
    }

    /// Writes that all of it is written out, but for what failed. Counts that are not sure to be right stay to be looked
    /// at.
    async fn settle(
        &self,
        user: &UserId,
        after: &mut BroadcasterState,
        failed: BTreeSet<DirtyRow>,
        counted: &BTreeSet<DirtyRow>,
        now: UnixSeconds,
    ) -> Result<()> {
        if after.dirty.is_empty() {
            return Ok(());
        }
        after.dirty.retain(|dirty| dirty.is_count() && !counted.contains(dirty));
        after.note_failed(failed, now);
        let update = write_task(Update::of(keys::timeline(user)), after, now);
        let update = update.when("#revision = :seen").value(":seen", number(after.revision));
        // If others wrote since, they saw what was unwritten then, and settle it.
        update.send(self, "write a timeline").await.map(drop)
    }
}

/// Writes what is left to do, and when.
fn write_task(update: Update, state: &BroadcasterState, now: UnixSeconds) -> Update {
    let names: Vec<String> = state.dirty.iter().map(DirtyRow::name).collect();
    let update = if names.is_empty() { update.remove("dirty") } else { update.set("dirty", AttributeValue::Ss(names)) };
    let update = if state.has_unconfirmed_counts() {
        update.set("unconfirmed_at", unix_seconds(state.unconfirmed_at))
    } else {
        update.remove("unconfirmed_at")
    };
    let failed: Vec<String> = state.failed.iter().map(DirtyRow::name).collect();
    let update = if failed.is_empty() {
        update.remove("failed").remove("failures").remove("retry_at")
    } else {
        let update = update.set("failed", AttributeValue::Ss(failed)).set("failures", number(state.failures));
        update.set("retry_at", unix_seconds(state.retry_at))
    };
    // What is left to do of a ban is not put off by what is told meanwhile.
    let sooner = state.due_at.filter(|_| !state.pending_actions.is_empty());
    match state.due(now).map(|due| sooner.map_or(due, |sooner| due.min(sooner))) {
        Some(due) => update.set(keys::TASK, text(OPEN)).set(keys::DUE, unix_seconds(due)),
        None => update.remove(keys::TASK).remove(keys::DUE),
    }
}
