//! Lists that cost the page, not the list.
//!
//! Apps ask for lists by page number, newest first, and want the total with each page. A row stands in the index
//! [`keys::LISTS`] at a [`Position`]: its second, then three bits of a hash of its id. Beside the index stand counts of
//! the rows by stretches of position, as a tree of three levels in which each node has up to 256 counters:
//!
//! | level | a counter covers | a node covers |
//! |-------|------------------|---------------|
//! | 2     | 2.3 hours        | 24 days       |
//! | 1     | 32 seconds       | 2.3 hours     |
//! | 0     | 1/8 second       | 32 seconds    |
//!
//! To find the row at an offset one goes down this tree until what is left to skip is no more than a page, and reads
//! the index from there. Page 1 and page 5,000 of a million replays cost the same: the counts, one more node, and the
//! page. Where more than a page of rows begins within 32 seconds one more node is read.
//!
//! Counts are additive and written after the row. If a process dies in between, the total is off by one until the
//! stretch is counted again; no row is lost.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::AttributeValue};

use super::{
    Item, Result, Table,
    batch::Consistency,
    counter_batcher::WriteOptions,
    failed, invalid_attribute,
    keys::{self, hash},
    ok_or_log, text, text_in,
};
use protocol::{
    log_names::LogNames,
    types::{Page, UnixSeconds},
};

/// Bits of a position that are a hash.
const HASH_BITS: u32 = 3;
/// Bits of a position that one level of the tree distinguishes.
const LEVEL_BITS: u32 = 8;
/// The topmost level.
pub(super) const TOP_LEVEL: u32 = 2;
/// How far ahead of now a row may stand: recordings end "now" by the cloud's clock, not ours.
const AHEAD_SECONDS: u64 = 24 * 3600;
/// How much longer than a row that leaves its list the counts of its stretch of time are kept: more than the 24 days of
/// a node, so that a node outlives all its rows whichever of them was written last.
const COUNTS_KEPT_SECONDS: u64 = 60 * 24 * 3600;
/// Where a row stands in its list: newer rows have higher positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position(pub(super) u64);

impl Position {
    /// Before every row.
    pub(super) const FIRST: Self = Self(0);
    /// After every row.
    pub(super) const LAST: Self = Self(u64::MAX >> LEVEL_BITS);

    /// The position of the row `id` of this second.
    pub(super) fn of(at: UnixSeconds, id: &str) -> Self {
        Self((at.0 << HASH_BITS) | u64::from(hash(id) >> (8 - HASH_BITS)))
    }

    /// The lowest position of a second.
    fn start_of(at: UnixSeconds) -> Self {
        Self(at.0 << HASH_BITS)
    }

    /// The position in a sort key of [`keys::LISTS`], as [`keys::list_sort_key`] writes it.
    pub(super) fn read(place: &str) -> Option<Self> {
        place.split('#').next()?.parse().ok().map(Self)
    }

    /// The finest stretch that is counted in one node and holds this position: its first position, and the one after it.
    pub(super) fn bucket(self) -> (Self, Self) {
        let node = self.node(0);
        (Self(node << LEVEL_BITS), Self((node + 1) << LEVEL_BITS))
    }

    /// The second at which the stretch of a node ends.
    pub(super) fn end_of_node(level: u32, number: u64) -> UnixSeconds {
        UnixSeconds(((number + 1) << (LEVEL_BITS * (level + 1))) >> HASH_BITS)
    }

    /// The number of the node that counts more finely what a counter of a node counts.
    pub(super) fn node_below(number: u64, counter: u8) -> u64 {
        (number << LEVEL_BITS) | u64::from(counter)
    }

    /// The number of the node of a level that counts this position.
    pub(super) fn node(self, level: u32) -> u64 {
        self.0 >> (LEVEL_BITS * (level + 1))
    }

    /// The counter in that node.
    pub(super) fn counter(self, level: u32) -> u8 {
        u8::try_from((self.0 >> (LEVEL_BITS * level)) & 0xff).expect("eight bits")
    }
}

/// A list: which counts tell its length, and which partitions of the index hold its rows.
#[derive(Debug)]
pub(super) struct List {
    /// The name of the tree of counts.
    pub(super) tree: &'static str,
    /// The counts of this list in the tree.
    pub(super) series: Series,
    /// The partitions, read side by side and merged.
    pub(super) partitions: &'static [&'static str],
}

/// One of the lists that share a tree of counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Series {
    /// All rows of the tree.
    All,
    /// Of the rooms, those that are online.
    Online,
}

impl Series {
    fn letter(self) -> char {
        match self {
            Self::All => 'a',
            Self::Online => 'o',
        }
    }

    /// The name of a counter.
    pub(super) fn attribute(self, counter: u8) -> String {
        format!("{}{counter:02x}", self.letter())
    }

    /// The counters of a node that are not zero, without those that are damaged.
    pub(super) fn counters(self, item: &Item) -> BTreeMap<u8, u64> {
        let mut counters = BTreeMap::new();
        for (attribute, value) in item {
            let Some(counter) = attribute.strip_prefix(self.letter()).filter(|rest| rest.len() == 2) else {
                continue;
            };
            let count = u8::from_str_radix(counter, 16).map_err(|_| invalid_attribute(attribute)).and_then(|counter| {
                let AttributeValue::N(count) = value else { return Err(invalid_attribute(attribute)) };
                Ok((counter, count.parse::<i64>().map_err(|_| invalid_attribute(attribute))?))
            });
            if let Some((counter, count)) = ok_or_log(&LogNames::Plain, item, count)
                && let Ok(count @ 1..) = u64::try_from(count)
            {
                counters.insert(counter, count);
            }
        }
        counters
    }

    /// The counter that an attribute is the name of, in any series.
    pub(super) fn counter_in(attribute: &str) -> Option<u8> {
        let is_one_of = |series: Self| attribute.strip_prefix(series.letter()).filter(|rest| rest.len() == 2);
        u8::from_str_radix(is_one_of(Self::All).or_else(|| is_one_of(Self::Online))?, 16).ok()
    }
}

/// A change to the counts: a row came to a position (+1) or went from it (-1).
pub(super) type Change = (Series, Position, i64);

/// A page of a list, and how long the list is.
#[derive(Debug)]
pub struct ListPage<T> {
    /// How many rows the list has.
    pub total: u64,
    /// The rows of the page, newest first.
    pub rows: Vec<T>,
}

/// A node of the counts, for one series.
struct Node {
    number: u64,
    counters: BTreeMap<u8, u64>,
}

impl Node {
    fn read(number: u64, item: &Item, series: Series) -> Self {
        Self { number, counters: series.counters(item) }
    }

    fn sum_above(&self, counter: u8) -> u64 {
        self.counters.range(counter..).skip_while(|(c, _)| **c == counter).map(|(_, n)| n).sum()
    }

    /// The newest stretch of these nodes, newest first, that is not skipped whole, and what is left to skip in it.
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

/// Until when the counts are kept of a row of this second that leaves its list `window` seconds later.
pub(super) fn counts_expire_at(at: UnixSeconds, window: u64) -> UnixSeconds {
    at.plus(window).plus(COUNTS_KEPT_SECONDS)
}

impl Table {
    /// Counts rows that came or went, level by level from the finest: what a level counts, those below it count already.
    pub(super) async fn add_to_counts(
        &self,
        tree: &'static str,
        changes: &[Change],
        expires_at: Option<UnixSeconds>,
        now: UnixSeconds,
    ) -> Result<()> {
        const CONTEXT: &str = "count a list";
        let options = WriteOptions { expires_at, changed_at: Some(now), due: None };
        let mut nodes: BTreeMap<(u32, u64), BTreeMap<String, i64>> = BTreeMap::new();
        for (series, position, by) in changes {
            for level in 0..=TOP_LEVEL {
                let counters = nodes.entry((level, position.node(level))).or_default();
                *counters.entry(series.attribute(position.counter(level))).or_default() += by;
            }
        }
        let table = self.clone();
        // A task of its own: a call that is given up between two levels would leave them different.
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
        counting.await.map_err(failed(CONTEXT))?
    }

    /// A page of a list whose rows have no age.
    pub(super) async fn page(&self, list: &List, page: Page) -> Result<ListPage<Item>> {
        let mut tops = Vec::new();
        for item in self.top_counts(list.tree).await? {
            let number = text_in(&item, keys::SK).and_then(|sk| sk.parse().map_err(|_| invalid_attribute(keys::SK)));
            tops.extend(self.ok_or_log(&item, number).map(|number| Node::read(number, &item, list.series)));
        }
        let total = tops.iter().flat_map(|node| node.counters.values()).sum();
        self.rows(list, total, &tops, Position::FIRST, page).await
    }

    /// The topmost counts of a tree, the newest first.
    pub(super) async fn top_counts(&self, tree: &str) -> Result<Vec<Item>> {
        let request = self
            .client
            .query()
            .key_condition_expression("PK = :list")
            .expression_attribute_values(":list", text(keys::top_counts_partition(tree)))
            .scan_index_forward(false);
        self.query(request, usize::MAX, "count a list").await
    }

    /// A page of a list whose rows leave it when they are `window` seconds old.
    pub(super) async fn recent_page(
        &self,
        list: &List,
        now: UnixSeconds,
        window: u64,
        page: Page,
    ) -> Result<ListPage<Item>> {
        // As the original: a row of exactly `window` seconds is out.
        let oldest = Position::start_of(now.minus(window).plus(1));
        let newest = Position::start_of(now.plus(AHEAD_SECONDS));
        let wanted = (oldest.node(TOP_LEVEL)..=newest.node(TOP_LEVEL)).rev().map(|number| (TOP_LEVEL, number));
        // The stretches that the window's end cuts through are counted more finely, down to the second.
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

    /// Nodes of the counts, by level and number; those that are not there are left out.
    async fn nodes(&self, list: &List, wanted: Vec<(u32, u64)>) -> Result<BTreeMap<(u32, u64), Node>> {
        let key = |(level, number): &(u32, u64)| keys::list_count(list.tree, *level, TOP_LEVEL, *number);
        let mut found = self.batch(wanted.iter().map(key), Consistency::Eventual, "count a list").await?;
        let nodes = wanted.into_iter().filter_map(|node| Some((node, found.remove(&keys::id(&key(&node)))?)));
        Ok(nodes.map(|(node, item)| (node, Node::read(node.1, &item, list.series))).collect())
    }

    /// The rows of a page, of which none stands before `oldest`.
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
        // Counts that contradict each other can lead behind the oldest row, where the index refuses to look.
        let end = end.max(oldest);
        let wanted = usize::try_from(skip + page.size).unwrap_or(usize::MAX);
        let partitions = list.partitions.iter().map(|partition| self.partition(partition, oldest, end, wanted));
        let rows = futures_util::future::try_join_all(partitions).await?;
        let mut rows: Vec<Item> = rows.into_iter().flatten().collect();
        if list.partitions.len() > 1 {
            rows.sort_by(|a, b| text_in(b, keys::POSITION).ok().cmp(&text_in(a, keys::POSITION).ok()));
        }
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let size = usize::try_from(page.size).unwrap_or(usize::MAX);
        Ok(ListPage { total, rows: rows.into_iter().skip(skip).take(size).collect() })
    }

    /// A position that all rows of the page stand before, and how many rows before it come ahead of the page.
    async fn locate(&self, list: &List, tops: &[Node], page: Page) -> Result<(Position, u64)> {
        // The counts can be off by what a dead process left undone: then the search ends where they contradict.
        let mut place = (Position::LAST, page.offset);
        let mut nodes = Vec::new();
        for level in (0..=TOP_LEVEL).rev() {
            if place.1 <= page.size {
                break;
            }
            let Some((bucket, skip)) = Node::find(if level == TOP_LEVEL { tops } else { &nodes }, place.1) else {
                break;
            };
            place = (Position((bucket + 1) << (LEVEL_BITS * level)), skip);
            if level > 0 && skip > page.size {
                nodes = self.nodes(list, vec![(level - 1, bucket)]).await?.into_values().collect();
            }
        }
        Ok(place)
    }

    /// Rows of one partition of the index, newest first.
    async fn partition(&self, partition: &str, oldest: Position, end: Position, wanted: usize) -> Result<Vec<Item>> {
        self.query(self.partition_query(partition, oldest, end), wanted, "read a list").await
    }

    /// Asks for the rows of one partition of the index, newest first.
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
