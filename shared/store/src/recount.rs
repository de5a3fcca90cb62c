//! Recounts lists: sets the counters of [`super::lists`] to the number of rows.
//!
//! A row is written before its counters are added to. A process that is killed in between leaves wrong counters, and
//! pages that are found by wrong counters skip or repeat rows. Two recounts repair them:
//!
//! - [`Table::recount_lists`] replaces all counters. The local server does so when it starts after it was killed,
//!   before it takes calls.
//! - [`Table::recount_bucket`] repairs the counters of one bucket while other processes write. The sweep does so for
//!   each write whose counting was not confirmed.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    counter_batcher::WriteOptions,
    lists::{List, Position, Series, TOP_LEVEL, expires_after_window},
    replays, rooms, videos,
};
use crate::prelude::*;

/// A counter that was not added to for this long is quiet: no process works on one event for a minute, and the index is
/// up to date with the table by then.
pub(super) const QUIET_SECONDS: u64 = 60;

/// The operation in errors.
const CONTEXT: &str = "recount a list";

/// Every tree of counters: its name, its lists, and whether its rows leave the lists by age, so that counters expire.
const COUNT_TREES: [(&str, &[List], bool); 3] = [
    ("rooms", &[rooms::ONLINE, rooms::ALL], false),
    ("replays", &[replays::REPLAYS], true),
    ("videos", &[videos::VIDEOS], true),
];

/// Whether the counters of an item were last added to a minute ago or longer, by the attribute `changed_at`. A time in
/// the future is by a clock that was ahead: then the addition is long ago.
pub(super) fn is_quiet(count: &Item, changed_at: &str, now: UnixSeconds) -> Result<bool> {
    let changed_at = unix_seconds_in(count, changed_at)?;
    Ok(changed_at.plus(QUIET_SECONDS) <= now || changed_at.is_ahead_of(now))
}

/// Whether nothing was added to the counters of an item since a recount set them.
pub(super) fn is_recounted(count: &Item) -> bool {
    count.contains_key(keys::RECOUNTED) && count.get(keys::RECOUNTED) == count.get(keys::CHANGES)
}

/// The counters of a tree, by the level and number of their node.
type Tree = BTreeMap<(u32, u64), BTreeMap<String, i64>>;

impl Table {
    /// Recounts every list. No other process may write meanwhile.
    pub async fn recount_lists(&self, window: u64) -> Result<()> {
        for (name, lists, expires) in COUNT_TREES {
            let counted = self.count_rows(lists, (Position::FIRST, Position::LAST)).await?;
            let mut stale: BTreeSet<(u32, u64)> = self.counted_nodes(name).await?;
            stale.extend(counted.keys());
            for (level, number) in stale {
                let counters = counted.get(&(level, number)).cloned().unwrap_or_default();
                let expires_at = expires.then(|| expires_after_window(Position::end_of_node(level, number), window));
                self.replace_node(name, (level, number), counters, expires_at).await?;
            }
        }
        Ok(())
    }

    /// Recounts the bucket of a position (the span of a level-0 node, 32 seconds) and the counters above it, while
    /// other processes write. Returns whether these counters are correct with regard to every write that was
    /// unconfirmed at `noted_at`.
    ///
    /// A call that writes returns `false`, and the caller calls again a minute later. Only a call that finds nothing to
    /// correct returns `true`, so a change that another process made meanwhile is found.
    ///
    /// - Level 0 is correct if a recount set it, a minute or longer after `noted_at`, and nothing was added for a
    ///   minute after that. A process that had written a row before the recount, and did not count it in that minute,
    ///   is dead. A process that writes a row later marks its own write as unconfirmed.
    /// - A level above is correct if the counter of the position is the sum of its child node. Processes add from level
    ///   0 up. If the child node was quiet, and is unchanged after both levels were read, then no live process is
    ///   between the two levels.
    pub(super) async fn recount_bucket(
        &self,
        tree: &str,
        position: Position,
        noted_at: UnixSeconds,
        window: u64,
        now: UnixSeconds,
    ) -> Result<bool> {
        let Some((tree, lists, expires)) = COUNT_TREES.iter().find(|(name, ..)| *name == tree) else { return Ok(true) };
        let key = |level| keys::list_count(tree, level, TOP_LEVEL, position.node(level));
        let read = async |level| Ok(self.get(key(level), CONTEXT).await?.unwrap_or_default());
        let options = |level| {
            let end = Position::end_of_node(level, position.node(level));
            let expires_at = expires.then(|| expires_after_window(end, window));
            WriteOptions { expires_at, changed_at: Some(now), due: None }
        };
        let mut below: Item = read(0).await?;
        let may_be_at_work = noted_at.plus(QUIET_SECONDS) > now;
        if may_be_at_work || !is_quiet(&below, keys::CHANGED_AT, now)? {
            return Ok(false);
        }
        let counted_at = unix_seconds_in(&below, keys::CHANGED_AT)?;
        let is_long_enough = noted_at.plus(QUIET_SECONDS) <= counted_at && counted_at.plus(QUIET_SECONDS) <= now;
        let is_sure = is_recounted(&below) && is_long_enough;
        if !is_sure {
            let rows = self.count_rows(lists, position.bucket()).await?.remove(&(0, position.node(0)));
            let rows = rows.unwrap_or_default();
            let counters = lists.iter().flat_map(|list| (0..=u8::MAX).map(|counter| list.series.attribute(counter)));
            let counted = counters.map(|counter| {
                let count = rows.get(&counter).copied().unwrap_or(0);
                (counter, count)
            });
            let update = WriteOptions { changed_at: None, ..options(0) }.write(Update::of(key(0)));
            if self.set_counts(update, &mut below, counted, now).await? == WriteOutcome::ConditionFailed {
                return Ok(false);
            }
        }
        for level in 1..=TOP_LEVEL {
            if level > 1 && !(is_sure && is_quiet(&below, keys::CHANGED_AT, now)?) {
                return Ok(false);
            }
            let above: Item = read(level).await?;
            if number_in(&read(level - 1).await?, keys::CHANGES)? != number_in(&below, keys::CHANGES)? {
                return Ok(false);
            }
            let (mut update, mut missing) = (options(level).write(Update::of(key(level))), Vec::new());
            for list in *lists {
                let counter = list.series.attribute(position.counter(level));
                let counters = (0..=u8::MAX).map(|counter| number_in(&below, &list.series.attribute(counter)));
                let sum: i64 = counters.sum::<Result<i64>>()?;
                let by = sum - number_in(&above, &counter)?;
                if by != 0 {
                    missing.push((list.series, by));
                    update = update.when_unchanged(&counter, &above).set(&counter, number(sum));
                }
            }
            if missing.is_empty() {
                below = above;
                continue;
            }
            if update.send(self, CONTEXT).await? == WriteOutcome::Done {
                // A process that died before it added to this level had not added to the levels above either.
                for level in level + 1..=TOP_LEVEL {
                    let name = |series: &Series| series.attribute(position.counter(level));
                    let counters = missing.iter().map(|(series, by)| (name(series), *by)).collect();
                    self.add(key(level), counters, options(level), CONTEXT).await?;
                }
            }
            return Ok(false);
        }
        Ok(true)
    }

    /// Sets counters of an item to `counted`, unless the item was added to since it was read as `seen`. Updates `seen`
    /// to what is written.
    pub(super) async fn set_counts(
        &self,
        update: Update,
        seen: &mut Item,
        counted: impl IntoIterator<Item = (String, i64)>,
        now: UnixSeconds,
    ) -> Result<WriteOutcome> {
        let changes = number(number_in(seen, keys::CHANGES)? + 1);
        let mut update = update.when_unchanged(keys::CHANGES, seen).set(keys::CHANGED_AT, unix_seconds(now));
        let mut written = vec![(keys::CHANGES.to_owned(), changes.clone()), (keys::RECOUNTED.to_owned(), changes)];
        for (counter, count) in counted {
            if number_in(seen, &counter)? != count {
                written.push((counter, number(count)));
            }
        }
        for (attribute, value) in &written {
            update = update.set(attribute, value.clone());
        }
        seen.extend(written);
        update.send(self, CONTEXT).await
    }

    /// The correct counters of a tree, from the rows of its lists between two positions.
    async fn count_rows(&self, lists: &[List], (from, to): (Position, Position)) -> Result<Tree> {
        let mut tree = Tree::new();
        for list in lists {
            for partition in list.partitions {
                let rows = self.partition_query(partition, from, to).projection_expression("#position");
                let mut pages = self.pages(rows, None, CONTEXT);
                while let Some(page) = pages.next().await? {
                    for row in page {
                        let position = Position::in_row(&row)?;
                        for level in 0..=TOP_LEVEL {
                            let counters = tree.entry((level, position.node(level))).or_default();
                            *counters.entry(list.series.attribute(position.counter(level))).or_default() += 1;
                        }
                    }
                }
            }
        }
        Ok(tree)
    }

    /// The nodes of a tree that exist in the table: those of the top level, and the child nodes of their counters.
    async fn counted_nodes(&self, tree: &'static str) -> Result<BTreeSet<(u32, u64)>> {
        let mut found = BTreeSet::new();
        let mut left: Vec<(u32, u64, Item)> = Vec::new();
        for item in self.top_counts(tree).await? {
            let number = text_in(&item, keys::SK)?.parse().map_err(|_| invalid_attribute(keys::SK))?;
            left.push((TOP_LEVEL, number, item));
        }
        while let Some((level, number, item)) = left.pop() {
            found.insert((level, number));
            for counter in item.keys().filter_map(|name| Series::counter_in(name)).collect::<BTreeSet<_>>() {
                let below = Position::node_below(number, counter);
                if level > 0 && !found.contains(&(level - 1, below)) {
                    let key = keys::list_count(tree, level - 1, TOP_LEVEL, below);
                    if let Some(item) = self.get(key, CONTEXT).await? {
                        left.push((level - 1, below, item));
                    }
                }
            }
        }
        Ok(found)
    }

    /// Replaces a node; deletes a node without counters.
    async fn replace_node(
        &self,
        tree: &'static str,
        (level, node): (u32, u64),
        counters: BTreeMap<String, i64>,
        expires_at: Option<UnixSeconds>,
    ) -> Result<()> {
        let mut item = keys::list_count(tree, level, TOP_LEVEL, node);
        if counters.is_empty() {
            let request = self.client.delete_item().table_name(&self.name).set_key(Some(item));
            request.send().await.map_err(table_error(CONTEXT))?;
            return Ok(());
        }
        item.extend(counters.into_iter().map(|(name, count)| (name, number(count))));
        item.extend(expires_at.map(|at| (keys::EXPIRES_AT.to_owned(), unix_seconds(at))));
        let request = self.client.put_item().table_name(&self.name).set_item(Some(item));
        request.send().await.map_err(table_error(CONTEXT))?;
        Ok(())
    }
}
