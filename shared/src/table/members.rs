//! Members: who watches what.
//!
//! The members of a group stand in bins, by a hash of their names. The group's head count has a counter for each bin, so
//! that a page deep in a large group is found without reading the pages before it.

use super::{
    Item, Listed, Result, Table, counter_in, failed, keys, moment, moment_in, parsed, text,
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
    /// Puts a viewer into the group of a live; the room's viewers count up if they were not in it.
    ///
    /// The room is counted up first and the member written then, so that whoever finds the member and takes them out
    /// finds them counted. The member remembers the show that they were counted in: when the room has been opened for
    /// another one since, its viewers began at zero without them.
    pub async fn enter_live(&self, host: &UserId, group: &GroupId, member: &Member, now: UnixSeconds) -> Result<()> {
        let show = self.count_viewer_in(host).await?;
        let before = self.enter(host, group, member, show, now).await?;
        if before.is_empty() {
            return self.count_head(host, group, &member.user, 1, now).await;
        }
        match (show, show_in(&before)?) {
            (Some(show), Some(counted)) if show == counted => self.count_viewer_out(host, show).await,
            (Some(_) | None, _) => Ok(()),
        }
    }

    /// Takes a viewer out of the group of a live; the room's viewers count down if they were in it.
    pub async fn quit_live(&self, host: &UserId, group: &GroupId, user: &UserId, now: UnixSeconds) -> Result<()> {
        let before = self.quit(host, group, user).await?;
        if before.is_empty() {
            return Ok(());
        }
        self.count_head(host, group, user, -1, now).await?;
        match show_in(&before)? {
            Some(show) => self.count_viewer_out(host, show).await,
            None => Ok(()),
        }
    }

    /// Puts a viewer into the group of a replay, named by its file; the replay's viewers count up likewise.
    pub async fn enter_replay(&self, host: &UserId, group: &GroupId, member: &Member, now: UnixSeconds) -> Result<()> {
        self.count_viewers_of(host, group, 1).await?;
        if self.enter(host, group, member, None, now).await?.is_empty() {
            self.count_head(host, group, &member.user, 1, now).await
        } else {
            self.count_viewers_of(host, group, -1).await
        }
    }

    /// Takes a viewer out of the group of a replay; the replay's viewers count down likewise.
    pub async fn quit_replay(&self, host: &UserId, group: &GroupId, user: &UserId, now: UnixSeconds) -> Result<()> {
        if self.quit(host, group, user).await?.is_empty() {
            return Ok(());
        }
        self.count_head(host, group, user, -1, now).await?;
        self.count_viewers_of(host, group, -1).await
    }

    async fn count_viewers_of(&self, host: &UserId, group: &GroupId, by: i64) -> Result<()> {
        match FileId::parse(group.as_str()) {
            Some(file) => self.count_replay_viewers(host, &file, by).await,
            None => Ok(()),
        }
    }

    /// Writes the member, counted in this show; gives what was known of them before, empty if they are new.
    async fn enter(
        &self,
        host: &UserId,
        group: &GroupId,
        member: &Member,
        show: Option<UnixSeconds>,
        now: UnixSeconds,
    ) -> Result<Item> {
        let update = Update::of(keys::member(host, group, &member.user))
            .set("user", text(member.user.as_str()))
            .set("seen_at", moment(now))
            .set(keys::EXPIRES_AT, moment(now.plus(KEPT_SECONDS)))
            .set_text("nickname", member.nickname.as_str())
            .set_text("headpic", member.headpic.as_str());
        let update = match show {
            Some(show) => update.set("show", moment(show)),
            None => update.remove("show"),
        };
        match update.send_for_old(self, "write a member").await? {
            Outcome::Done(before) | Outcome::Unmet(before) => Ok(before),
        }
    }

    /// Removes the member; gives what was known of them, empty if they were not there.
    async fn quit(&self, host: &UserId, group: &GroupId, user: &UserId) -> Result<Item> {
        let request = self.client.delete_item().table_name(&self.name);
        let request = request.set_key(Some(keys::member(host, group, user)));
        let request = request.return_values(aws_sdk_dynamodb::types::ReturnValue::AllOld);
        let answer = request.send().await.map_err(failed("remove a member"))?;
        Ok(answer.attributes.unwrap_or_default())
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
        let mut rows = Vec::new();
        let mut after = None;
        while rows.len() < wanted {
            let answer = self
                .client
                .query()
                .table_name(&self.name)
                .key_condition_expression("PK = :group AND SK BETWEEN :first AND :end")
                .expression_attribute_values(":group", text(keys::group_partition(host, group)))
                .expression_attribute_values(":first", text(keys::bin_prefix(bin)))
                .expression_attribute_values(":end", text(keys::bin_prefix(keys::BINS)))
                .limit(i32::try_from(wanted - rows.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(after)
                .send()
                .await
                .map_err(failed("read members"))?;
            for item in answer.items() {
                rows.push(Member {
                    user: parsed(item, "user", UserId::parse)?,
                    nickname: parsed(item, "nickname", Text::parse)?,
                    headpic: parsed(item, "headpic", Text::parse)?,
                });
            }
            after = answer.last_evaluated_key;
            if after.is_none() {
                break;
            }
        }
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        Ok(Listed { total, rows: rows.into_iter().skip(skip).collect() })
    }
}

/// The show that a member was counted in, if any: when its room was opened for it.
fn show_in(member: &Item) -> Result<Option<UnixSeconds>> {
    member.contains_key("show").then(|| moment_in(member, "show")).transpose()
}

/// The attribute that counts the members of a bin.
fn counter(bin: u8) -> String {
    format!("m{bin:02}")
}
