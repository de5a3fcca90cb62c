//! Lists by page number, at a cost that depends on the size of the page and not on the length of the list.
//!
//! Apps ask for a page by its number, newest rows first, and show the total beside it. A row is in the index
//! [`keys::LISTS`] at a [`Position`]: its time in seconds, then three bits of a hash of its id. Beside the index, a
//! tree of counters has the number of rows per bucket of positions. The tree has three levels; a node has up to 256
//! counters:
//!
//! | level | bucket of a counter | span of a node |
//! |-------|---------------------|----------------|
//! | 2     | 2.3 hours           | 24 days        |
//! | 1     | 32 seconds          | 2.3 hours      |
//! | 0     | 1/8 second          | 32 seconds     |
//!
//! To find the row at an offset, the search descends the tree until the rest of the offset is no more than a page, and
//! reads the index from there. Page 1 and page 5,000 of a million replays cost the same: the top-level counters, one
//! more node, and the page. One more node is read where more than a page of rows has times within 32 seconds.
//!
//! Counters are added to after the row is written. If a process dies in between, the total is off by one until
//! [`super::recount`] counts the bucket again. No row is lost.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;

use super::{counter_batcher::WriteOptions, keys::hash};
use crate::prelude::*;

/// The number of bits of a position that are a hash.
const HASH_BITS: u32 = 3;
/// The number of bits of a position per level of the tree: a node has 2^8 counters.
const LEVEL_BITS: u32 = 8;
/// The top level of the tree.
pub(super) const TOP_LEVEL: u32 = 2;
/// How far ahead of now the time of a listed row may be: the end of a recording is by the cloud's clock, not ours.
const MAX_ROW_AHEAD_SECONDS: u64 = 24 * 3600;
/// How long the counters of a row outlive its place in the list: more than the 24 days that a node spans, so that a
/// node outlives all its rows, whichever row was written last.
const COUNTS_KEPT_SECONDS: u64 = 60 * 24 * 3600;

/// The position of a row in its list. Newer rows have higher positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position(pub(super) u64);

impl Position {
    /// The position before every row.
    pub(super) const FIRST: Self = Self(0);
    /// The position after every row.
    pub(super) const LAST: Self = Self(u64::MAX >> LEVEL_BITS);

    /// The position of the row with this time and id.
    pub(super) fn of(at: UnixSeconds, id: &str) -> Self {
        Self((at.0 << HASH_BITS) | u64::from(hash(id) >> (8 - HASH_BITS)))
    }

    /// The lowest position with this time.
    fn start_of(at: UnixSeconds) -> Self {
        Self(at.0 << HASH_BITS)
    }

    /// Reads the position in a sort key of [`keys::LISTS`], as [`keys::list_sort_key`] writes it.
    fn read(sort_key: &str) -> Option<Self> {
        sort_key.split('#').next()?.parse().ok().map(Self)
    }

    /// The position of a row that is in a list.
    pub(super) fn in_row(row: &Item) -> Result<Self> {
        Self::read(text_in(row, keys::POSITION)?).ok_or_else(|| invalid_attribute(keys::POSITION))
    }

    /// The bucket of 32 seconds with this position, which is a counter of level 1 and a node of level 0: its first
    /// position, and the first position after it.
    pub(super) fn bucket(self) -> (Self, Self) {
        let node = self.node(0);
        (Self(node << LEVEL_BITS), Self((node + 1) << LEVEL_BITS))
    }

    /// The time at which the span of a node ends.
    pub(super) fn end_of_node(level: u32, number: u64) -> UnixSeconds {
        UnixSeconds(((number + 1) << (LEVEL_BITS * (level + 1))) >> HASH_BITS)
    }

    /// The number of the child node of a counter: the node one level down that has the same rows in smaller buckets.
    pub(super) fn node_below(number: u64, counter: u8) -> u64 {
        (number << LEVEL_BITS) | u64::from(counter)
    }

    /// The number of the node of a level that has this position.
    pub(super) fn node(self, level: u32) -> u64 {
        self.0 >> (LEVEL_BITS * (level + 1))
    }

    /// The counter of this position in that node.
    pub(super) fn counter(self, level: u32) -> u8 {
        u8::try_from((self.0 >> (LEVEL_BITS * level)) & 0xff).expect("eight bits")
    }
}

/// A list: the counters of its rows, and the partitions of the index with its rows.
#[derive(Debug)]
pub(super) struct List {
    /// The name of the tree of counters.
    pub(super) tree: &'static str,
    /// The counters of this list in the tree.
    pub(super) series: Series,
    /// The partitions, which are read concurrently and merged.
    pub(super) partitions: &'static [&'static str],
}

/// A set of counters in a tree: two lists of the same rows can share a tree, each with a counter series of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Series {
    /// All rows of the tree.
    All,
    /// The rooms that are online.
    Online,
}

impl Series {
    /// The first letter of the names of its counters.
    fn letter(self) -> char {
        match self {
            Self::All => 'a',
            Self::Online => 'o',
        }
    }

    /// The attribute of a counter: for example `a0f` for counter 15 of [`Series::All`].
    pub(super) fn attribute(self, counter: u8) -> String {
        format!("{}{counter:02x}", self.letter())
    }

    /// The counters of a node that are greater than zero. Invalid ones are logged and skipped.
    fn counters(self, table: &Table, item: &Item) -> BTreeMap<u8, u64> {
        let counters = item.keys().filter_map(|name| Some((name, self.counter(name)?)));
        let counters = counters.filter_map(|(name, n)| Some((n, table.ok_or_log(item, counter_in(item, name))?)));
        counters.filter(|(_, count)| *count > 0).collect()
    }

    /// The counter with this attribute name; `None` if the attribute is no counter of this series.
    fn counter(self, attribute: &str) -> Option<u8> {
        let digits = attribute.strip_prefix(self.letter()).filter(|rest| rest.len() == 2)?;
        u8::from_str_radix(digits, 16).ok()
    }

    /// The counter with this attribute name, in any series; `None` if the attribute is no counter.
    pub(super) fn counter_in(attribute: &str) -> Option<u8> {
        Self::All.counter(attribute).or_else(|| Self::Online.counter(attribute))
    }
}

/// A change to the counters: a row was added at a position (+1), or removed from it (-1).
pub(super) type Change = (Series, Position, i64);

/// A page of a list, and the length of the list.
#[derive(Debug)]
pub struct ListPage<T> {
    /// The number of rows in the list.
    pub total: u64,
    /// The rows of the page, newest first.
    pub rows: Vec<T>,
}

impl ListPage<Item> {
    /// The page with its rows read, without invalid ones.
    pub(super) fn parse<T>(self, table: &Table, read: fn(&Item) -> Result<T>) -> ListPage<T> {
        let rows = self.rows.iter().filter_map(|item| table.ok_or_log(item, read(item))).collect();
        ListPage { total: self.total, rows }
    }
}

/// A node of a tree of counters, with the counters of one series.
struct Node {
    number: u64,
    counters: BTreeMap<u8, u64>,
}

impl Node {
    /// The sum of the counters after this one: of the newer rows.
    fn sum_above(&self, counter: u8) -> u64 {
        self.counters.range(counter..).skip_while(|(c, _)| **c == counter).map(|(_, n)| n).sum()
    }

    /// Skips `skip` rows in these nodes, newest first. Returns the number of the bucket in which the skipping ends, and
    /// how many rows of that bucket remain to skip; `None` if there are fewer rows.
    fn find(nodes: &[Self], mut skip: u64) -> Option<(u64, u64)> {
        for node in nodes {
            for (counter, count) in node.counters.iter().rev() {
                if skip < *count {
                    return Some((Position::node_below(node.number, *counter), skip));
                }
                skip -= count;
            }
        }
        None
    }
}

/// When the counters of a row expire, by the row's time. The row leaves its list `window` seconds after that time.
pub(super) fn expires_after_window(at: UnixSeconds, window: u64) -> UnixSeconds {
    at.plus(window).plus(COUNTS_KEPT_SECONDS)
}

impl Table {
    /// Adds to the counters of rows that were added or removed, level by level from level 0 up: a row that is counted
    /// at a level is counted at all levels below. A [recount](Self::recount_bucket) relies on this order.
    pub(super) async fn add_to_counts(
        &self,
        tree: &'static str,
        changes: &[Change],
        expires_at: Option<UnixSeconds>,
        now: UnixSeconds,
    ) -> Result<()> {
        const CONTEXT: &str = "add to the counters of a list";
        let options = WriteOptions { expires_at, changed_at: Some(now), due: None };
        let mut nodes: BTreeMap<(u32, u64), BTreeMap<String, i64>> = BTreeMap::new();
        for (series, position, by) in changes {
            for level in 0..=TOP_LEVEL {
                let counters = nodes.entry((level, position.node(level))).or_default();
                *counters.entry(series.attribute(position.counter(level))).or_default() += by;
            }
        }
        let table = self.clone();
        // A spawned task runs to its end. A call that is cancelled between two levels would leave them inconsistent.
        let counting = tokio::spawn(async move {
            for level in 0..=TOP_LEVEL {
                let writes = nodes.range((level, 0)..(level + 1, 0)).filter_map(|((_, number), counters)| {
                    let counters = counters.iter().filter(|(_, by)| **by != 0);
                    let counters: Vec<_> = counters.map(|(counter, by)| (counter.clone(), *by)).collect();
                    let key = keys::list_count(tree, level, TOP_LEVEL, *number);
                    (!counters.is_empty()).then(|| table.add(key, counters, options, CONTEXT))
                });
                futures_util::future::try_join_all(writes).await?;
            }
            Ok(())
        });
        counting.await.map_err(table_error(CONTEXT))?
    }

    /// A page of a list whose rows do not leave it by age.
    pub(super) async fn page(&self, list: &List, page: Page) -> Result<ListPage<Item>> {
        let mut tops = Vec::new();
        for item in self.top_counts(list.tree).await? {
            let number = text_in(&item, keys::SK).and_then(|sk| sk.parse().map_err(|_| invalid_attribute(keys::SK)));
            let counters = list.series.counters(self, &item);
            tops.extend(self.ok_or_log(&item, number).map(|number| Node { number, counters }));
        }
        let total = tops.iter().flat_map(|node| node.counters.values()).sum();
        self.rows(list, total, &tops, Position::FIRST, page).await
    }

    /// The top-level nodes of a tree, newest first.
    pub(super) async fn top_counts(&self, tree: &str) -> Result<Vec<Item>> {
        let request = self.items_of(keys::top_counts_partition(tree), "").consistent_read(false);
        self.query(request.scan_index_forward(false), usize::MAX, "read the counters of a list").await
    }

    /// A page of a list whose rows leave it when they are `window` seconds old.
    pub(super) async fn recent_page(
        &self,
        list: &List,
        now: UnixSeconds,
        window: u64,
        page: Page,
    ) -> Result<ListPage<Item>> {
        // As the original: a row that is exactly `window` seconds old is not in the list.
        let oldest = Position::start_of(now.minus(window).plus(1));
        let newest = Position::start_of(now.plus(MAX_ROW_AHEAD_SECONDS));
        let wanted = (oldest.node(TOP_LEVEL)..=newest.node(TOP_LEVEL)).rev().map(|number| (TOP_LEVEL, number));
        // The oldest bucket of each level is only partly in the window: its rows are counted by the child node.
        let edges = (0..TOP_LEVEL).map(|level| (level, oldest.node(level)));
        let mut nodes = self.nodes(list, wanted.chain(edges).collect()).await?;
        let mut edge = |level| nodes.remove(&(level, oldest.node(level)));
        let within = |node: &Node, level| node.sum_above(oldest.counter(level));
        let mut total = 0;
        if let Some(node) = edge(0) {
            total += within(&node, 0) + node.counters.get(&oldest.counter(0)).copied().unwrap_or(0);
        }
        if let Some(node) = edge(1) {
            total += within(&node, 1);
        }
        let tops: Vec<Node> = nodes.into_values().rev().collect();
        for node in &tops {
            let oldest_node = node.number == oldest.node(TOP_LEVEL);
            total += if oldest_node { within(node, TOP_LEVEL) } else { node.counters.values().sum() };
        }
        self.rows(list, total, &tops, oldest, page).await
    }

    /// Nodes of the tree of a list, by level and number. The result lacks nodes that do not exist.
    async fn nodes(&self, list: &List, wanted: Vec<(u32, u64)>) -> Result<BTreeMap<(u32, u64), Node>> {
        let key = |(level, number): &(u32, u64)| keys::list_count(list.tree, *level, TOP_LEVEL, *number);
        let mut found =
            self.batch(wanted.iter().map(key), Consistency::Eventual, "read the counters of a list").await?;
        let nodes = wanted.into_iter().filter_map(|node| Some((node, found.remove(&keys::id(&key(&node)))?)));
        let read = |number, item| Node { number, counters: list.series.counters(self, &item) };
        Ok(nodes.map(|(node, item)| (node, read(node.1, item))).collect())
    }

    /// The rows of a page, none of them older than `oldest`.
    async fn rows(
        &self,
        list: &List,
        total: u64,
        tops: &[Node],
        oldest: Position,
        page: Page,
    ) -> Result<ListPage<Item>> {
        if page.offset >= total || page.size == 0 {
            return Ok(ListPage { total, rows: Vec::new() });
        }
        let (end, skip) = self.locate(list, tops, page).await?;
        // Inconsistent counters can lead to a position before `oldest`. DynamoDB refuses a range that ends before its
        // start.
        let end = end.max(oldest);
        let wanted = usize::try_from(skip + page.size).unwrap_or(usize::MAX);
        let partitions = list
            .partitions
            .iter()
            .map(|partition| self.query(self.partition_query(partition, oldest, end), wanted, "read a list"));
        let rows = futures_util::future::try_join_all(partitions).await?;
        let mut rows: Vec<Item> = rows.into_iter().flatten().collect();
        if list.partitions.len() > 1 {
            rows.sort_by(|a, b| text_in(b, keys::POSITION).ok().cmp(&text_in(a, keys::POSITION).ok()));
        }
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let size = usize::try_from(page.size).unwrap_or(usize::MAX);
        Ok(ListPage { total, rows: rows.into_iter().skip(skip).take(size).collect() })
    }

    /// Where to start reading a page: a position after all rows of the page, and how many rows before that position to
    /// skip.
    async fn locate(&self, list: &List, tops: &[Node], page: Page) -> Result<(Position, u64)> {
        // Counters can be wrong after a process died. The search stops at the level where they contradict each other.
        let mut start = (Position::LAST, page.offset);
        let mut nodes = Vec::new();
        for level in (0..=TOP_LEVEL).rev() {
            if start.1 <= page.size {
                break;
            }
            let Some((bucket, skip)) = Node::find(if level == TOP_LEVEL { tops } else { &nodes }, start.1) else {
                break;
            };
            start = (Position((bucket + 1) << (LEVEL_BITS * level)), skip);
            if level > 0 && skip > page.size {
                nodes = self.nodes(list, vec![(level - 1, bucket)]).await?.into_values().collect();
            }
        }
        Ok(start)
    }

    /// A page of a list that has no counters: its rows since `oldest`, newest first, and whether more rows follow. The
    /// cost grows with the number of the page.
    pub(super) async fn uncounted_page(
        &self,
        partition: &str,
        oldest: UnixSeconds,
        page: Page,
    ) -> Result<(Vec<Item>, bool)> {
        let [offset, size] = [page.offset, page.size].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        let end = offset.saturating_add(size);
        let query = self.partition_query(partition, Position::start_of(oldest), Position::LAST);
        let mut rows = self.query(query, end.saturating_add(1), "read a list").await?;
        let has_more = rows.len() > end;
        rows.truncate(end);
        Ok((rows.split_off(offset.min(rows.len())), has_more))
    }

    /// The query for the rows of one partition of the index, newest first.
    pub(super) fn partition_query(&self, partition: &str, oldest: Position, end: Position) -> QueryFluentBuilder {
        self.client
            .query()
            .index_name(keys::LISTS)
            .key_condition_expression("#list = :list AND #position BETWEEN :oldest AND :end")
            .expression_attribute_names("#list", keys::LIST)
            .expression_attribute_names("#position", keys::POSITION)
            .expression_attribute_values(":list", text(partition))
            .expression_attribute_values(":oldest", text(keys::first_sort_key(oldest)))
            .expression_attribute_values(":end", text(keys::first_sort_key(end)))
            .scan_index_forward(false)
    }
}
