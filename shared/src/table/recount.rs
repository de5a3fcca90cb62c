//! Counts the lists again, from their rows.
//!
//! A row is written before it is counted, so a process that is killed in between leaves counts that are off; and where
//! they are, pages skip rows. The local server counts again when it finds that it was killed, before it answers anybody:
//! the new counts replace the old ones, whatever those were.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Item, Result, Table, damaged, failed, keys,
    lists::{List, Position, Series, TOP, counts_kept_until},
    moment, number, replays, rooms, text_in, videos,
};
use crate::types::UnixSeconds;

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

    /// Writes a node as if nothing had been there.
    async fn replace_node(
        &self,
        tree: &'static str,
        (level, node): (u32, u64),
        counters: BTreeMap<String, u64>,
        expires_at: Option<UnixSeconds>,
    ) -> Result<()> {
        let mut item = keys::list_count(tree, level, TOP, node);
        item.extend(counters.into_iter().map(|(name, count)| (name, number(count))));
        item.extend(expires_at.map(|at| (keys::EXPIRES_AT.to_owned(), moment(at))));
        let request = self.client.put_item().table_name(&self.name).set_item(Some(item));
        request.send().await.map_err(failed("count a list again"))?;
        Ok(())
    }
}
