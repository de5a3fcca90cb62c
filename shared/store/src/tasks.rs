//! The queue of the sweep: finds the items that are due. An item that needs the sweep at a time has that time in its
//! attribute `due`, by which the index `tasks` sorts it. [`Task`] says which item a key of the index means.

use std::sync::atomic::{AtomicU64, Ordering};

use super::keys::Task;
use crate::prelude::*;

/// The partition of the index of tasks.
pub(super) const OPEN: &str = "open";
/// More than the longest delay (90 s) with which a task of a live is scheduled.
const SOON_SECONDS: u64 = 120;

/// The latest time that the clock of this process has shown. If the clock was ahead and was set back, tasks that were
/// scheduled by the wrong time are due at once.
#[derive(Debug, Default)]
pub(super) struct LatestClock(AtomicU64);

impl LatestClock {
    /// The time up to which tasks are due now.
    fn due_until(&self, now: UnixSeconds) -> UnixSeconds {
        let latest = UnixSeconds(self.0.fetch_max(now.0, Ordering::Relaxed));
        if latest.is_ahead_of(now) { latest.plus(SOON_SECONDS) } else { now }
    }

    /// Forgets the latest time, when no task is left that was scheduled by it.
    fn reset(&self, now: UnixSeconds) {
        self.0.store(now.0, Ordering::Relaxed);
    }
}

impl Table {
    /// The tasks that are due, earliest first, at most `max`. One request if there is none.
    pub async fn due_tasks(&self, now: UnixSeconds, max: usize) -> Result<Vec<Task>> {
        let request = self
            .client
            .query()
            .index_name(keys::TASKS)
            .key_condition_expression("#task = :open AND #due <= :now")
            .expression_attribute_names("#task", keys::TASK)
            .expression_attribute_names("#due", keys::DUE)
            .expression_attribute_values(":open", text(OPEN))
            .expression_attribute_values(":now", number(self.latest_clock.due_until(now)));
        let items = self.query(request, max, "query the due tasks").await?;
        if items.len() < max {
            self.latest_clock.reset(now);
        }
        let read = |item| self.ok_or_log(item, Task::of_key(item).ok_or_else(|| invalid_attribute(keys::PK)));
        Ok(items.iter().filter_map(read).collect())
    }

    /// Sets when a task is due next, or removes the task if there is no time. Does nothing if the item does not exist.
    pub async fn reschedule(&self, task: &Task, due: Option<UnixSeconds>) -> Result<()> {
        let update = Update::of(task.key()).when("attribute_exists(PK)");
        update.set_due(due).send(self, "reschedule a task").await.map(|_| ())
    }
}
