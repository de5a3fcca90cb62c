//! Members: who watches what.
//!
//! The members of a group stand in bins, by a hash of their names. The group's head count has a counter for each bin, so
//! that a page deep in a large group is found without reading the pages before it.

use super::{
    AttributeValue, Item, Listed, Result, Table, counter_in, failed, keys, moment, moment_in, parsed,
    rooms::Visit,
    text,
    update::{Outcome, Update},
};
use crate::types::{FileId, GroupId, Page, Text, UnixSeconds, UserId};

/// How long a member is kept from whom nothing was heard: longer than any live.
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
    pub async fn enter_live(&self, host: &UserId, group: &GroupId, member: &Member, now: UnixSeconds) -> Result<()> {
        let Some((show, viewers)) = self.count_viewer_in(host, group).await? else {
            return self.enter(host, group, member, Counted::Nowhere, now).await.map(|_| ());
        };
        let before = self.enter(host, group, member, Counted::Show(show), now).await?;
        if before == Counted::Show(show) { Ok(()) } else { self.raise_peak(host, show, viewers).await }
    }

    /// Puts a viewer into the group of a replay, named by its file; the replay's viewers count up likewise.
    pub async fn enter_replay(&self, host: &UserId, group: &GroupId, member: &Member, now: UnixSeconds) -> Result<()> {
        let Some(file) = FileId::parse(group.as_str()) else { return Ok(()) };
        self.count_replay_viewers(host, &file, 1).await?;
        self.enter(host, group, member, Counted::Replay, now).await.map(|_| ())
    }

    /// Takes a viewer out of a group; what they were counted in counts down, if they were in it.
    pub async fn quit(&self, host: &UserId, group: &GroupId, user: &UserId, now: UnixSeconds) -> Result<()> {
        let request = self.client.delete_item().table_name(&self.name);
        let request = request.set_key(Some(keys::member(host, group, user)));
        let request = request.return_values(aws_sdk_dynamodb::types::ReturnValue::AllOld);
        let before = request.send().await.map_err(failed("remove a member"))?.attributes.unwrap_or_default();
        if before.is_empty() {
            return Ok(());
        }
        self.count_head(host, group, user, -1, now).await?;
        self.count_out(host, group, Counted::read(&before)?, Visit::Over).await
    }

    /// Takes away a viewer where they were counted.
    async fn count_out(&self, host: &UserId, group: &GroupId, counted: Counted, visit: Visit) -> Result<()> {
        match (counted, FileId::parse(group.as_str())) {
            (Counted::Show(show), _) => self.count_viewer_out(host, show, visit).await,
            (Counted::Replay, Some(file)) => self.count_replay_viewers(host, &file, -1).await,
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
        now: UnixSeconds,
    ) -> Result<Counted> {
        let update = Update::of(keys::member(host, group, &member.user))
            .set("user", text(member.user.as_str()))
            .set("seen_at", moment(now))
            .set(keys::EXPIRES_AT, moment(now.plus(KEPT_SECONDS)))
            .set_text("nickname", member.nickname.as_str())
            .set_text("headpic", member.headpic.as_str());
        let update = match counted {
            Counted::Show(show) => update.set("show", moment(show)).remove("replay"),
            Counted::Replay => update.set("replay", AttributeValue::Bool(true)).remove("show"),
            Counted::Nowhere => update.remove("show").remove("replay"),
        };
        let (Outcome::Done(before) | Outcome::Unmet(before)) = update.send_for_old(self, "write a member").await?;
        // Also of who was there: then it is nothing, but the counts are kept for as long as the member is.
        let by = i64::from(before.is_empty());
        self.count_head(host, group, &member.user, by, now).await?;
        let before = Counted::read(&before)?;
        self.count_out(host, group, before, Visit::CountedTwice).await?;
        Ok(before)
    }

    async fn count_head(&self, host: &UserId, group: &GroupId, user: &UserId, by: i64, now: UnixSeconds) -> Result<()> {
        let counters = vec![(counter(keys::bin(user)), by)];
        self.add(keys::head_count(host, group), counters, Some(now.plus(KEPT_SECONDS)), "count a member").await
    }

    /// A page of the members of a group.
    pub async fn members(&self, host: &UserId, group: &GroupId, page: Page) -> Result<Listed<Member>> {
        let Some(heads) = self.get(keys::head_count(host, group), "count members").await? else {
            return Ok(Listed { total: 0, rows: vec![] });
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
            return Ok(Listed { total, rows: vec![] });
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
            rows.push(Member {
                user: parsed(&item, "user", UserId::parse)?,
                nickname: parsed(&item, "nickname", Text::parse)?,
                headpic: parsed(&item, "headpic", Text::parse)?,
            });
        }
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        Ok(Listed { total, rows: rows.into_iter().skip(skip).collect() })
    }
}

/// What a member was counted in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// The show for which the room was opened at this second.
    Show(UnixSeconds),
    /// The replay that the group is named by.
    Replay,
    /// Nothing: there was no room, or the group was not its own.
    Nowhere,
}

impl Counted {
    fn read(member: &Item) -> Result<Self> {
        match (member.contains_key("show"), member.contains_key("replay")) {
            (true, _) => moment_in(member, "show").map(Self::Show),
            (false, true) => Ok(Self::Replay),
            (false, false) => Ok(Self::Nowhere),
        }
    }
}

fn counter(bin: u8) -> String {
    format!("m{bin:02}")
}
