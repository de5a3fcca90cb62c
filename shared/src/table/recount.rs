//! Counts the lists again, from their rows.
//!
//! A row is written before it is counted, so a process that is killed in between leaves counts that are off; and where
//! they are, pages skip rows. The local server counts again when it finds that it was killed, before it answers anybody:
//! the new counts replace the old ones, whatever those were. Elsewhere the sweep counts a stretch again when it finds that
//! somebody may have died over it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Item, Result, Table, damaged, failed, keys,
    lists::{List, Position, Series, TOP, counts_kept_until},
    moment, moment_in, number, number_in, replays, rooms, text_in,
    update::{Update, Written},
    videos,
};
use crate::types::UnixSeconds;

/// A count that was not added to for this long is at rest: no process works on one event for so long, and the index has
/// caught up with the table.
const AT_REST_SECONDS: u64 = 60;

/// A tree, its lists, and whether rows leave them with time, and the counts after them.
const TREES: [(&str, &[List], bool); 3] = [
    ("rooms", &[rooms::ONLINE, rooms::ALL], false),
    ("replays", &[replays::REPLAYS], true),
    ("videos", &[videos::VIDEOS], true),
];

/// The counters of the nodes of a tree, by level and number.
type Tree = BTreeMap<(u32, u64), BTreeMap<String, u64>>;

impl Table {
    /// Counts every list again. Nobody else may write meanwhile.
    pub async fn recount_lists(&self, window: u64) -> Result<()> {
        for (name, lists, expires) in TREES {
            let counted = self.count_rows(lists).await?;
            let mut stale: BTreeSet<(u32, u64)> = self.counted_nodes(name).await?;
            stale.extend(counted.keys());
            for (level, number) in stale {
                let counters = counted.get(&(level, number)).cloned().unwrap_or_default();
                let expires_at = expires.then(|| counts_kept_until(Position::end_of_node(level, number), window));
                self.replace_node(name, (level, number), counters, expires_at).await?;
            }
        }
        Ok(())
    }

    /// Counts again the rows of the finest stretch that holds a position, while others write elsewhere. Says whether it
    /// was at rest; if not, nothing is done.
    pub(super) async fn recount_stretch(&self, tree: &str, position: Position, now: UnixSeconds) -> Result<bool> {
        const CONTEXT: &str = "count a list again";
        let Some((tree, lists, _)) = TREES.iter().find(|(name, ..)| *name == tree) else { return Ok(true) };
        let node = |level| keys::list_count(tree, level, TOP, position.node(level));
        let finest = self.get(node(0), CONTEXT).await?.unwrap_or_default();
        let changed_at = moment_in(&finest, keys::CHANGED_AT)?;
        if changed_at.plus(AT_REST_SECONDS) > now {
            return Ok(false);
        }
        for list in *lists {
            let mut below = self.count_rows_between(list, position.stretch()).await?;
            for level in 0..=TOP {
                let item =
                    if level == 0 { finest.clone() } else { self.get(node(level), CONTEXT).await?.unwrap_or_default() };
                let mut update = Update::of(node(level));
                let mut is_right = true;
                for counter in 0..=u8::MAX {
                    if level > 0 && counter != position.counter(level) {
                        continue;
                    }
                    let name = list.series.attribute(counter);
                    let count =
                        if level == 0 { below.get(&counter).copied().unwrap_or(0) } else { below.values().sum() };
                    if number_in(&item, &name)? == i64::try_from(count).unwrap_or(i64::MAX) {
                        continue;
                    }
                    is_right = false;
                    update = update.set(&name, number(count));
                    update = match item.get(&name) {
                        Some(seen) if level > 0 => update
                            .when(&format!("#{name} = :seen_{name}"))
                            .value(&format!(":seen_{name}"), seen.clone()),
                        None if level > 0 => update.when(&format!("attribute_not_exists(#{name})")),
                        Some(_) | None => update,
                    };
                }
                if level == 0 {
                    update = match item.get(keys::CHANGED_AT) {
                        Some(seen) => update.when("#changed_at = :changed_at").value(":changed_at", seen.clone()),
                        None => update.when("attribute_not_exists(#changed_at)"),
                    };
                }
                if !is_right && update.send(self, CONTEXT).await? == Written::Unmet {
                    return Ok(false);
                }
                // What the node counts altogether, for the counter of the level above that stands for it.
                if level > 0 {
                    let item = self.get(node(level), CONTEXT).await?.unwrap_or_default();
                    below = list.series.counters(&item);
                }
            }
        }
        Ok(true)
    }

    /// How many rows of a list stand at each position of a stretch.
    async fn count_rows_between(&self, list: &List, (from, to): (Position, Position)) -> Result<BTreeMap<u8, u64>> {
        let mut counted = BTreeMap::new();
        for partition in list.partitions {
            let rows = self.partition_query(partition, from, to).projection_expression("#position");
            for row in self.query(rows, usize::MAX, "count a list again").await? {
                let position = Position::read(text_in(&row, keys::POSITION)?).ok_or_else(|| damaged(keys::POSITION))?;
                *counted.entry(position.counter(0)).or_default() += 1;
            }
        }
        Ok(counted)
    }

    /// What the counts should be, by the rows.
    async fn count_rows(&self, lists: &[List]) -> Result<Tree> {
        let mut tree = Tree::new();
        for list in lists {
            for partition in list.partitions {
                let rows = self.partition_query(partition, Position::FIRST, Position::LAST);
                let mut rows = self.pages(rows.projection_expression("#position"), None, "count a list again");
                while let Some(page) = rows.next().await? {
                    for row in page {
                        let place = text_in(&row, keys::POSITION)?;
                        let position = Position::read(place).ok_or_else(|| damaged(keys::POSITION))?;
                        for level in 0..=TOP {
                            let counters = tree.entry((level, position.node(level))).or_default();
                            *counters.entry(list.series.attribute(position.counter(level))).or_default() += 1;
                        }
                    }
                }
            }
        }
        Ok(tree)
    }

    /// The nodes that the counts as they are lead to.
    async fn counted_nodes(&self, tree: &'static str) -> Result<BTreeSet<(u32, u64)>> {
        let mut found = BTreeSet::new();
        let mut left: Vec<(u32, u64, Item)> = Vec::new();
        for item in self.top_counts(tree).await? {
            let number = text_in(&item, keys::SK)?.parse().map_err(|_| damaged(keys::SK))?;
            left.push((TOP, number, item));
        }
        while let Some((level, number, item)) = left.pop() {
            found.insert((level, number));
            for counter in item.keys().filter_map(|name| Series::counter_in(name)).collect::<BTreeSet<_>>() {
                let below = Position::node_below(number, counter);
                if level > 0 && !found.contains(&(level - 1, below)) {
                    let key = keys::list_count(tree, level - 1, TOP, below);
                    if let Some(item) = self.get(key, "count a list again").await? {
                        left.push((level - 1, below, item));
                    }
                }
            }
        }
        Ok(found)
    }

    /// Writes a node as if nothing had been there; one that counts nothing goes.
    async fn replace_node(
        &self,
        tree: &'static str,
        (level, node): (u32, u64),
        counters: BTreeMap<String, u64>,
        expires_at: Option<UnixSeconds>,
    ) -> Result<()> {
        let mut item = keys::list_count(tree, level, TOP, node);
        if counters.is_empty() {
            let request = self.client.delete_item().table_name(&self.name).set_key(Some(item));
            request.send().await.map_err(failed("count a list again"))?;
            return Ok(());
        }
        item.extend(counters.into_iter().map(|(name, count)| (name, number(count))));
        item.extend(expires_at.map(|at| (keys::EXPIRES_AT.to_owned(), moment(at))));
        let request = self.client.put_item().table_name(&self.name).set_item(Some(item));
        request.send().await.map_err(failed("count a list again"))?;
        Ok(())
    }
}
