//! Batches additions to counters: concurrent additions to one item become one write.
//!
//! All calls that change a list add to the same few counters. While one write to an item is in flight, further
//! additions to the item collect in a batch. The batch is written next, and every caller gets the result of that write.
//! A Lambda function handles one call at a time and has nothing to batch; a server with many concurrent calls has.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::{Error, keys::Key, tasks::OPEN};
use crate::prelude::*;
use protocol::error::Chain;

/// The maximum number of counters per write: an expression has at most 4 KB, and a counter takes about 15 bytes.
const COUNTERS_PER_WRITE: usize = 128;

/// The pending batch of each item that has a write in flight.
#[derive(Debug, Default)]
pub(super) struct CounterBatcher(Mutex<HashMap<ItemId, PendingBatch>>);

/// The primary key of an item: partition key and sort key.
pub(super) type ItemId = (Option<String>, Option<String>);

/// The additions to one item since its last write was sent.
#[derive(Debug, Default)]
struct PendingBatch {
    /// The sum of the additions, by counter.
    counters: BTreeMap<String, i64>,
    options: WriteOptions,
    /// Where each caller waits for the result.
    waiting: Vec<oneshot::Sender<std::result::Result<(), String>>>,
}

/// Attributes that are written with an addition.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WriteOptions {
    /// When the item expires; in a batch the latest time counts.
    pub(super) expires_at: Option<UnixSeconds>,
    /// The time of the addition, by which a recount knows whether the counters are quiet.
    pub(super) changed_at: Option<UnixSeconds>,
    /// When the item's task is due, if the item has no task yet.
    pub(super) due: Option<UnixSeconds>,
}

impl WriteOptions {
    /// The options of two additions in one write.
    fn and(self, other: Self) -> Self {
        Self {
            expires_at: self.expires_at.max(other.expires_at),
            changed_at: self.changed_at.max(other.changed_at),
            due: self.due.or(other.due),
        }
    }

    /// Adds the attributes to an update.
    pub(super) fn write(self, update: Update) -> Update {
        let mut update = update;
        if let Some(expires_at) = self.expires_at {
            update = update.set(keys::EXPIRES_AT, unix_seconds(expires_at));
        }
        if let Some(changed_at) = self.changed_at {
            update = update.set(keys::CHANGED_AT, unix_seconds(changed_at)).add(keys::CHANGES, 1);
        }
        if let Some(due) = self.due {
            update = update.set_if_missing(keys::TASK, text(OPEN)).set_if_missing(keys::DUE, unix_seconds(due));
        }
        update
    }
}

impl CounterBatcher {
    fn lock(&self) -> MutexGuard<'_, HashMap<ItemId, PendingBatch>> {
        // No code under this lock panics, so a poisoned map is consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Adds to counters of an item. The item is created if there is none.
    pub(super) async fn add(
        &self,
        key: Key,
        counters: Vec<(String, i64)>,
        options: WriteOptions,
        context: &'static str,
    ) -> Result<()> {
        let (sender, result) = oneshot::channel();
        let id = keys::id(&key);
        let is_first = {
            let mut items = self.counter_batcher.lock();
            let is_first = !items.contains_key(&id);
            let batch = items.entry(id.clone()).or_default();
            for (counter, by) in counters {
                *batch.counters.entry(counter).or_default() += by;
            }
            batch.options = batch.options.and(options);
            batch.waiting.push(sender);
            is_first
        };
        if is_first {
            // A spawned task runs to its end, even if the call that started it is cancelled: other calls wait for it.
            tokio::spawn(self.clone().write_batches(key, id, context));
        }
        result.await.map_err(table_error(context))?.map_err(|text| Error::new(context, text))
    }

    /// Writes the pending batch of an item, again and again, until there is none.
    async fn write_batches(self, key: Key, id: ItemId, context: &'static str) {
        loop {
            let batch = {
                let mut items = self.counter_batcher.lock();
                match items.get_mut(&id).map(std::mem::take) {
                    Some(batch) if !batch.waiting.is_empty() => batch,
                    _ => {
                        items.remove(&id);
                        return;
                    }
                }
            };
            let counters: Vec<_> = batch.counters.into_iter().filter(|(_, by)| *by != 0).collect();
            let mut outcome = Ok(());
            // Additions that cancel out still write the expiry and the time of the change, as they would if they were
            // written one by one.
            let WriteOptions { expires_at, changed_at, .. } = batch.options;
            let no_counters = counters.is_empty().then_some([].as_slice());
            let no_counters = no_counters.filter(|_| expires_at.is_some() || changed_at.is_some());
            for counters in counters.chunks(COUNTERS_PER_WRITE).chain(no_counters) {
                let mut update = Update::of(key.clone());
                for (counter, by) in counters {
                    update = update.add(counter, *by);
                }
                let written = batch.options.write(update).send(&self, context).await;
                outcome = outcome.and(written.map(|_| ()).map_err(|error| Chain(&error).to_string()));
            }
            for waiting in batch.waiting {
                // The receiver is gone if its call was cancelled.
                drop(waiting.send(outcome.clone()));
            }
        }
    }
}
