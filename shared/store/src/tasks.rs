//! What somebody has to look after: items that say in the index of work when they are due.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{
    Result, Table, broadcaster_state::OPEN, invalid_attribute, keys, keys::Task, number, text, unix_seconds,
    update::Update,
};
use protocol::types::UnixSeconds;

/// By how much later than its writing anything is due that concerns a live.
const SOON_SECONDS: u64 = 120;

/// The latest time by the clock of this process. After the clock was ahead, what became due by it is due now.
#[derive(Debug, Default)]
pub(super) struct LatestClock(AtomicU64);

impl LatestClock {
    /// Until which second work is due now.
    fn due_until(&self, now: UnixSeconds) -> UnixSeconds {
        let latest = UnixSeconds(self.0.fetch_max(now.0, Ordering::Relaxed));
        if latest.is_ahead_of(now) { latest.plus(SOON_SECONDS) } else { now }
    }

    /// Takes note that nothing is left of what the clock made due later.
    fn reset(&self, now: UnixSeconds) {
        self.0.store(now.0, Ordering::Relaxed);
    }
}

impl Table {
    /// What is due, the longest due first, at most so much of it. One request, if nothing is.
    pub async fn due_tasks(&self, now: UnixSeconds, max: usize) -> Result<Vec<Task>> {
        let request = self
            .client
            .query()
            .index_name(keys::TASKS)
            .key_condition_expression("#work = :open AND #due <= :now")
            .expression_attribute_names("#work", keys::TASK)
            .expression_attribute_names("#due", keys::DUE)
            .expression_attribute_values(":open", text(OPEN))
            .expression_attribute_values(":now", number(self.latest_clock.due_until(now)));
        let items = self.query(request, max, "look for work").await?;
        if items.len() < max {
            self.latest_clock.reset(now);
        }
        let at = |item| self.ok_or_log(item, Task::of_key(item).ok_or_else(|| invalid_attribute(keys::PK)));
        Ok(items.iter().filter_map(at).collect())
    }

    /// Writes when somebody should look after it again; never, without a time. Nothing happens if it is gone.
    pub async fn reschedule(&self, task: &Task, due: Option<UnixSeconds>) -> Result<()> {
        let update = Update::of(task.key()).when("attribute_exists(PK)");
        let update = match due {
            Some(due) => update.set(keys::TASK, text(OPEN)).set(keys::DUE, unix_seconds(due)),
            None => update.remove(keys::TASK).remove(keys::DUE),
        };
        update.send(self, "postpone work").await.map(|_| ())
    }
}
