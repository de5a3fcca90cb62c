//! Additions to counts that many calls write at once: those that meet go into the table as one.
//!
//! Calls that change a list all add to the same few counts. While one addition to a count is on its way, the others to
//! the same count gather; then they are written together, and each caller hears what became of them. A function of
//! the cloud that answers one call at a time never has two that meet; a server of one's own has little else.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::{
    Error, Result, Table, broadcaster_state::OPEN, failed, keys, keys::Key, text, unix_seconds, update::Update,
};
use protocol::{error::Chain, types::UnixSeconds};

/// How many counters are written at a time: an expression has 4 KB at most, and a counter needs some 15 bytes of it.
const COUNTERS_A_WRITE: usize = 128;

/// Additions that gather, by the item that they go to.
#[derive(Debug, Default)]
pub(super) struct CounterBatcher(Mutex<HashMap<ItemId, PendingBatch>>);

/// What tells items apart: partition and sort key.
pub(super) type ItemId = (Option<String>, Option<String>);

/// What has gathered for one item since its last write went off.
#[derive(Debug, Default)]
struct PendingBatch {
    counters: BTreeMap<String, i64>,
    options: WriteOptions,
    waiting: Vec<oneshot::Sender<std::result::Result<(), String>>>,
}

/// What else is written with an addition.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WriteOptions {
    /// The item may be deleted from then on.
    pub(super) expires_at: Option<UnixSeconds>,
    /// When this is, to know later whether a count is at rest.
    pub(super) changed_at: Option<UnixSeconds>,
    /// When somebody should look after the item, unless they were to look sooner already.
    pub(super) due: Option<UnixSeconds>,
}

impl WriteOptions {
    fn and(self, other: Self) -> Self {
        Self {
            expires_at: self.expires_at.max(other.expires_at),
            changed_at: self.changed_at.max(other.changed_at),
            due: self.due.or(other.due),
        }
    }

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
        // Nothing is done under this lock that could panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Adds to counters of an item, which is made if it is not there.
    pub(super) async fn add(
        &self,
        key: Key,
        counters: Vec<(String, i64)>,
        options: WriteOptions,
        context: &'static str,
    ) -> Result<()> {
        let (done, heard) = oneshot::channel();
        let id = keys::id(&key);
        let is_first = {
            let mut items = self.counter_batcher.lock();
            let is_first = !items.contains_key(&id);
            let batch = items.entry(id.clone()).or_default();
            for (counter, by) in counters {
                *batch.counters.entry(counter).or_default() += by;
            }
            batch.options = batch.options.and(options);
            batch.waiting.push(done);
            is_first
        };
        if is_first {
            // A task of its own: the call that came first may be given up, the others count on it.
            tokio::spawn(self.clone().write_batches(key, id, context));
        }
        heard.await.map_err(failed(context))?.map_err(|text| Error::new(context, text))
    }

    /// Writes what has gathered for an item, until nothing has gathered any more.
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
            // Additions that cancel out still keep the item from expiring, and change it: they need not meet again.
            let WriteOptions { expires_at, changed_at, .. } = batch.options;
            let nothing = counters.is_empty().then_some([].as_slice());
            let nothing = nothing.filter(|_| expires_at.is_some() || changed_at.is_some());
            for counters in counters.chunks(COUNTERS_A_WRITE).chain(nothing) {
                let mut update = Update::of(key.clone());
                for (counter, by) in counters {
                    update = update.add(counter, *by);
                }
                let written = batch.options.write(update).send(&self, context).await;
                outcome = outcome.and(written.map(|_| ()).map_err(|error| Chain(&error).to_string()));
            }
            for waiting in batch.waiting {
                // Who was given up does not listen any more.
                drop(waiting.send(outcome.clone()));
            }
        }
    }
}
