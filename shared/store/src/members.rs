//! Members: who watches what.
//!
//! The members of a group stand in bins, by a hash of their names. The group's head count has a counter for each bin, so
//! that a page deep in a large group is found without reading the pages before it.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::{
    Item, ListPage, Result, Table,
    counter_batcher::WriteOptions,
    counter_in, failed, keys, number_in, parsed,
    recount::{QUIET_SECONDS, is_quiet, is_recounted},
    rooms::Departure,
    tasks::OPEN,
    text, text_in, unix_seconds, unix_seconds_in,
    update::{OutcomeWithOldItem, Update},
};
use crate::rules::Rules;
use protocol::types::{FileId, GroupId, Page, Text, UnixSeconds, UserId};

/// How much longer than the sweep leaves a member in a group the table keeps the item.
const KEPT_SECONDS: u64 = 7 * 24 * 3600;

/// A viewer in the group of a live or a replay.
#[derive(Debug)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// Their name for people.
    pub nickname: Text<128>,
    /// The URL of their portrait.
    pub headpic: Text<255>,
}

impl Table {
    /// Puts a viewer into the group of a live; the room's viewers count up if they were not in it and the group is the
    /// room's.
    ///
    /// The room is counted up first and the member written then, so that whoever finds the member and takes them out
    /// finds them counted. The member remembers what they were counted in: when the room has been opened for another
    /// show since, its viewers began at zero without them.
    pub async fn enter_live(
        &self,
        host: &UserId,
        group: &GroupId,
        member: &Member,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<()> {
        let Some((broadcast, viewers)) = self.count_viewer_in(host, group, now).await? else {
            return self.enter(host, group, member, Counted::Nowhere, rules, now).await.map(|_| ());
        };
        let before = self.enter(host, group, member, Counted::Broadcast(broadcast), rules, now).await?;
        if before == Counted::Broadcast(broadcast) { Ok(()) } else { self.raise_peak(host, broadcast, viewers).await }
    }

    /// Puts a viewer into the group of a replay, named by its file; the replay's viewers count up likewise.
    pub async fn enter_replay(
        &self,
        host: &UserId,
        group: &GroupId,
        member: &Member,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<()> {
        let Some(file) = FileId::parse(group.as_str()) else { return Ok(()) };
        let is_there = self.replay(host, &file).await?.is_some();
        let counted = if is_there { Counted::Replay } else { Counted::Nowhere };
        if is_there {
            self.count_replay_viewer(host, &file, 1, now).await?;
        }
        self.enter(host, group, member, counted, rules, now).await.map(|_| ())
    }

    /// Whether a viewer is in a group.
    pub async fn is_member(&self, host: &UserId, group: &GroupId, user: &UserId) -> Result<bool> {
        Ok(self.get(keys::member(host, group, user), "look for a member").await?.is_some())
    }

    /// Takes a viewer out of a group; what they were counted in counts down, if they were in it.
    pub async fn quit(&self, host: &UserId, group: &GroupId, user: &UserId, now: UnixSeconds) -> Result<()> {
        self.take_out(host, group, user, None, now).await
    }

    /// Looks after a group: takes those viewers out of whom nothing was heard for `seconds`, counts again those who are
    /// left, and writes when somebody should look after it the next time; never, if nobody is left and all is right.
    pub async fn sweep_group(&self, host: &UserId, group: &GroupId, seconds: u64, now: UnixSeconds) -> Result<()> {
        let request = self
            .client
            .query()
            .consistent_read(true)
            .key_condition_expression("PK = :group")
            .expression_attribute_values(":group", text(keys::group_partition(host, group)));
        // The head count comes first.
        let (mut heads, mut left, mut oldest, mut was_taken_out) = (Item::new(), Watching::default(), None, false);
        let mut pages = self.pages(request, None, "read members");
        while let Some(page) = pages.next().await? {
            for item in page {
                let Some(bin) = text_in(&item, keys::SK)?.strip_prefix(keys::MEMBER_PREFIX).map(keys::bin_of) else {
                    heads = item;
                    continue;
                };
                let read = unix_seconds_in(&item, "seen_at")
                    .and_then(|seen_at| Ok((seen_at, parsed(&item, "user", UserId::parse)?)));
                if let Some((seen_at, user)) = self.ok_or_log(&item, read) {
                    let mut heard_at = seen_at;
                    if seen_at.plus(seconds) <= now {
                        self.take_out(host, group, &user, Some(seen_at), now).await?;
                        was_taken_out = true;
                        continue;
                    }
                    if seen_at.is_ahead_of(now) {
                        // Our clock was ahead: from now on the viewer has as long as anybody.
                        let update = Update::of(keys::member(host, group, &user)).set("seen_at", unix_seconds(now));
                        update.when_unchanged("seen_at", &item).send(self, "write a member").await?;
                        heard_at = now;
                    }
                    oldest = oldest.into_iter().chain([heard_at]).min();
                }
                left.add(bin, Counted::read(self, &item));
            }
        }
        let is_right = !was_taken_out
            && (self.recount_heads(host, group, &mut heads, &left, now).await?
                & self.recount_viewers_of(host, group, &left, now).await?);
        let silent: Option<UnixSeconds> = oldest.map(|seen_at: UnixSeconds| seen_at.plus(seconds));
        let due = silent.into_iter().chain((!is_right).then(|| now.plus(QUIET_SECONDS))).min();
        let update = Update::of(keys::head_count(host, group)).when("attribute_exists(PK)");
        let update = match due {
            Some(due) => update.set(keys::TASK, text(OPEN)).set(keys::DUE, unix_seconds(due)),
            // Who has come since found that somebody would look after the group already.
            None => update.remove(keys::TASK).remove(keys::DUE).when_unchanged(keys::CHANGES, &heads),
        };
        update.send(self, "postpone work").await.map(|_| ())
    }

    /// Counts the members of each bin again, if nobody has come or gone lately; says whether they were right. If nobody is
    /// left, they are only if they were set a minute ago and nobody has come or gone since: who was between a member and
    /// the count has then counted, or died.
    async fn recount_heads(
        &self,
        host: &UserId,
        group: &GroupId,
        heads: &mut Item,
        left: &Watching,
        now: UnixSeconds,
    ) -> Result<bool> {
        let is_quiet = is_quiet(heads, keys::CHANGED_AT, now)?;
        let mut is_right = left.is_anybody() || is_quiet && is_recounted(heads);
        for (counter, count) in left.bins() {
            is_right &= number_in(heads, &counter)? == count;
        }
        if !is_right && is_quiet {
            self.set_counts(Update::of(keys::head_count(host, group)), heads, left.bins(), now).await?;
        }
        Ok(is_right)
    }

    /// Counts the viewers of what a group watches again; says whether they were right.
    async fn recount_viewers_of(
        &self,
        host: &UserId,
        group: &GroupId,
        left: &Watching,
        now: UnixSeconds,
    ) -> Result<bool> {
        let watched = FileId::parse(group.as_str());
        let replay = match &watched {
            Some(file) => self.viewed_replay(host, file).await?,
            None => None,
        };
        let (Some(watched), Some((row, files))) = (watched, replay) else {
            return self.recount_room_viewers(host, group, |since| left.of_show(since), now).await;
        };
        let mut viewers = left.of_replay;
        // Who watches it by another of its files is in another group.
        for group in files.iter().filter(|file| **file != watched).filter_map(|file| GroupId::parse(file.as_str())) {
            let request = self
                .client
                .query()
                .consistent_read(true)
                .key_condition_expression("PK = :group AND begins_with(SK, :member)")
                .filter_expression("attribute_exists(replay)")
                .projection_expression("SK")
                .expression_attribute_values(":group", text(keys::group_partition(host, &group)))
                .expression_attribute_values(":member", text(keys::MEMBER_PREFIX));
            let mut pages = self.pages(request, None, "read members");
            while let Some(page) = pages.next().await? {
                viewers += u64::try_from(page.len()).unwrap_or(u64::MAX);
            }
        }
        self.recount_viewers(keys::replay(host, &files[0]), &row, viewers, now).await
    }

    /// Takes a viewer out of a group, if they were last heard of at this second.
    async fn take_out(
        &self,
        host: &UserId,
        group: &GroupId,
        user: &UserId,
        seen_at: Option<UnixSeconds>,
        now: UnixSeconds,
    ) -> Result<()> {
        let request = self.client.delete_item().table_name(&self.name);
        let request = request.set_key(Some(keys::member(host, group, user)));
        let request = request.return_values(ReturnValue::AllOld);
        let request = match seen_at {
            Some(seen_at) => request
                .condition_expression("seen_at = :seen_at")
                .expression_attribute_values(":seen_at", unix_seconds(seen_at)),
            None => request,
        };
        let before = match request.send().await {
            Ok(done) => done.attributes.unwrap_or_default(),
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                return Ok(());
            }
            Err(error) => return Err(failed("remove a member")(error)),
        };
        if before.is_empty() {
            return Ok(());
        }
        self.count_head(host, group, user, -1, None, now).await?;
        self.count_out(host, group, Counted::read(self, &before), Departure::Left, now).await
    }

    /// Takes away a viewer where they were counted.
    async fn count_out(
        &self,
        host: &UserId,
        group: &GroupId,
        counted: Counted,
        visit: Departure,
        now: UnixSeconds,
    ) -> Result<()> {
        match (counted, FileId::parse(group.as_str())) {
            (Counted::Broadcast(broadcast), _) => self.count_viewer_out(host, broadcast, visit, now).await,
            (Counted::Replay, Some(file)) => self.count_replay_viewer(host, &file, -1, now).await,
            (Counted::Replay, None) | (Counted::Nowhere, _) => Ok(()),
        }
    }

    /// Writes a member who has just been counted; what they were counted in before. If they had been, one of the two is
    /// taken back: of the same show or replay the new one; of what has ended nothing is left.
    async fn enter(
        &self,
        host: &UserId,
        group: &GroupId,
        member: &Member,
        counted: Counted,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<Counted> {
        let stay = Presence { until: now.plus(rules.member_seconds), is_looked_after: true };
        let update = Update::of(keys::member(host, group, &member.user))
            .set("user", text(member.user.as_str()))
            .set("seen_at", unix_seconds(now))
            .set(keys::EXPIRES_AT, unix_seconds(stay.kept_until()))
            .set_text("nickname", member.nickname.as_str())
            .set_text("headpic", member.headpic.as_str());
        let update = match counted {
            Counted::Broadcast(broadcast) => update.set("broadcast", unix_seconds(broadcast)).remove("replay"),
            Counted::Replay => update.set("replay", AttributeValue::Bool(true)).remove("broadcast"),
            Counted::Nowhere => update.remove("broadcast").remove("replay"),
        };
        let (OutcomeWithOldItem::Done(before) | OutcomeWithOldItem::ConditionFailed(before)) =
            update.send_returning_old(self, "write a member").await?;
        // Also of who was there: then it is nothing, but the counts are kept for as long as the member is.
        let by = i64::from(before.is_empty());
        // Nobody counts the viewers of what is not there, so nobody need look after them.
        let stay = Presence { is_looked_after: counted != Counted::Nowhere, ..stay };
        self.count_head(host, group, &member.user, by, Some(stay), now).await?;
        let before = Counted::read(self, &before);
        self.count_out(host, group, before, Departure::Duplicate, now).await?;
        Ok(before)
    }

    async fn count_head(
        &self,
        host: &UserId,
        group: &GroupId,
        user: &UserId,
        by: i64,
        stay: Option<Presence>,
        now: UnixSeconds,
    ) -> Result<()> {
        let counters = vec![(counter(keys::bin(user)), by)];
        let options = WriteOptions {
            expires_at: stay.map(Presence::kept_until),
            due: stay.filter(|stay| stay.is_looked_after).map(|stay| stay.until),
            changed_at: (by != 0).then_some(now),
        };
        self.add(keys::head_count(host, group), counters, options, "count a member").await
    }

    /// A page of the members of a group.
    pub async fn members(&self, host: &UserId, group: &GroupId, page: Page) -> Result<ListPage<Member>> {
        let Some(heads) = self.get(keys::head_count(host, group), "count members").await? else {
            return Ok(ListPage { total: 0, rows: vec![] });
        };
        let mut total = 0;
        let mut start = (0, page.offset);
        for bin in 0..keys::BINS {
            if total <= page.offset {
                start = (bin, page.offset - total);
            }
            total += counter_in(&heads, &counter(bin))?;
        }
        if page.offset >= total {
            return Ok(ListPage { total, rows: vec![] });
        }
        let (bin, skip) = start;
        let wanted = usize::try_from(skip + page.size).unwrap_or(usize::MAX);
        let request = self
            .client
            .query()
            .key_condition_expression("PK = :group AND SK BETWEEN :first AND :end")
            .expression_attribute_values(":group", text(keys::group_partition(host, group)))
            .expression_attribute_values(":first", text(keys::bin_prefix(bin)))
            .expression_attribute_values(":end", text(keys::bin_prefix(keys::BINS)));
        let mut rows = Vec::new();
        for item in self.query(request, wanted, "read members").await? {
            // One that is damaged is skipped below as any other.
            rows.push(self.ok_or_log(&item, Member::read(&item)));
        }
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        Ok(ListPage { total, rows: rows.into_iter().skip(skip).flatten().collect() })
    }
}

impl Member {
    fn read(item: &Item) -> Result<Self> {
        Ok(Self {
            user: parsed(item, "user", UserId::parse)?,
            nickname: parsed(item, "nickname", Text::parse)?,
            headpic: parsed(item, "headpic", Text::parse)?,
        })
    }
}

/// How long a member may stay who is not heard of again.
#[derive(Clone, Copy)]
struct Presence {
    until: UnixSeconds,
    is_looked_after: bool,
}

impl Presence {
    /// Until when the item is kept, if the sweep never came.
    fn kept_until(self) -> UnixSeconds {
        self.until.plus(KEPT_SECONDS)
    }
}

/// Those who watch, by where they are counted.
#[derive(Debug, Default)]
struct Watching {
    bins: BTreeMap<u8, i64>,
    broadcasts: BTreeMap<UnixSeconds, u64>,
    of_replay: u64,
}

impl Watching {
    fn add(&mut self, bin: u8, counted: Counted) {
        *self.bins.entry(bin).or_default() += 1;
        match counted {
            Counted::Broadcast(broadcast) => *self.broadcasts.entry(broadcast).or_default() += 1,
            Counted::Replay => self.of_replay += 1,
            Counted::Nowhere => {}
        }
    }

    fn is_anybody(&self) -> bool {
        !self.bins.is_empty()
    }

    fn of_show(&self, broadcast: UnixSeconds) -> u64 {
        self.broadcasts.get(&broadcast).copied().unwrap_or(0)
    }

    /// What the head count should be, counter by counter.
    fn bins(&self) -> impl Iterator<Item = (String, i64)> {
        (0..keys::BINS).map(|bin| (counter(bin), self.bins.get(&bin).copied().unwrap_or(0)))
    }
}

/// What a member was counted in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// The show for which the room was opened at this second.
    Broadcast(UnixSeconds),
    /// The replay that the group is named by.
    Replay,
    /// Nothing: there was no room, or the group was not its own.
    Nowhere,
}

impl Counted {
    fn read(table: &Table, member: &Item) -> Self {
        match (member.contains_key("broadcast"), member.contains_key("replay")) {
            (true, _) => {
                table.ok_or_log(member, unix_seconds_in(member, "broadcast")).map_or(Self::Nowhere, Self::Broadcast)
            }
            (false, true) => Self::Replay,
            (false, false) => Self::Nowhere,
        }
    }
}

fn counter(bin: u8) -> String {
    format!("m{bin:02}")
}
