//! Members: the viewers in the group of a live or a replay.
//!
//! The members of a group are in bins, by a hash of their ids. The group's head count has a counter for each bin, so that
//! a page deep in a large group is found without reading the pages before it.

use aws_sdk_dynamodb::{error::SdkError, types::ReturnValue};

use super::{ListPage, counter_batcher::WriteOptions, viewers::Departure};
use crate::prelude::*;
use protocol::types::GroupId;

/// How much longer than the sweep needs the table keeps a member.
const KEPT_SECONDS: u64 = 7 * 24 * 3600;

/// A member of a group.
#[derive(Debug)]
pub struct Member {
    /// The viewer.
    pub user: UserId,
    /// The nickname.
    pub nickname: Text<128>,
    /// The portrait's URL.
    pub headpic: Text<255>,
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

/// A group that is changed, with the time of the change.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    pub(super) table: &'a Table,
    pub(super) host: &'a UserId,
    pub(super) id: &'a GroupId,
    pub(super) now: UnixSeconds,
}

/// The counter that counted a member as a viewer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// That of the room, since the start request of this time.
    Broadcast(UnixSeconds),
    /// That of the replay that the group is named after.
    Replay,
    /// None: there was no room, or the group was not its own.
    Nowhere,
}

impl Counted {
    pub(super) fn read(table: &Table, member: &Item) -> Self {
        if member.contains_key("broadcast") {
            let since = table.ok_or_log(member, unix_seconds_in(member, "broadcast"));
            return since.map_or(Self::Nowhere, Self::Broadcast);
        }
        if member.contains_key("replay") { Self::Replay } else { Self::Nowhere }
    }
}

/// The attribute of a head count that counts the members of a bin.
pub(super) fn counter(bin: u8) -> String {
    format!("m{bin:02}")
}

impl Group<'_> {
    /// Adds a viewer of a live. A new viewer is counted in the room, if the group is that of the room.
    ///
    /// The room is written first, then the member: whoever finds the member can rely on the count. The member has the
    /// start request since which the room counts, because a new broadcast starts to count at zero.
    pub async fn enter_live(&self, member: &Member, rules: &Rules) -> Result<()> {
        let Some((broadcast, viewers)) = self.count_room_viewer_in().await? else {
            return self.enter(member, Counted::Nowhere, rules).await.map(drop);
        };
        let before = self.enter(member, Counted::Broadcast(broadcast), rules).await?;
        if before == Counted::Broadcast(broadcast) { Ok(()) } else { self.raise_peak(broadcast, viewers).await }
    }

    /// Adds a viewer of the replay whose file is the name of the group. A new viewer is counted in the replay.
    pub async fn enter_replay(&self, member: &Member, rules: &Rules) -> Result<()> {
        let Some(file) = FileId::parse(self.id.as_str()) else { return Ok(()) };
        let exists = self.table.replay(self.host, &file).await?.is_some();
        if exists {
            self.count_replay_viewer(&file, 1).await?;
        }
        self.enter(member, if exists { Counted::Replay } else { Counted::Nowhere }, rules).await.map(drop)
    }

    /// Removes a viewer, and counts them out.
    pub async fn quit(&self, user: &UserId) -> Result<()> {
        self.take_out(user, None).await
    }

    /// Writes a member who was just counted, and returns how the member was counted before. Of a viewer who was counted
    /// twice, the older count is undone.
    async fn enter(&self, member: &Member, counted: Counted, rules: &Rules) -> Result<Counted> {
        let until = self.now.plus(rules.member_seconds);
        let expires_at = until.plus(KEPT_SECONDS);
        let update = Update::of(keys::member(self.host, self.id, &member.user))
            .set("user", text(member.user.as_str()))
            .set("seen_at", unix_seconds(self.now))
            .set(keys::EXPIRES_AT, unix_seconds(expires_at))
            .set_text("nickname", member.nickname.as_str())
            .set_text("headpic", member.headpic.as_str())
            .set_flag("replay", counted == Counted::Replay);
        let update = match counted {
            Counted::Broadcast(broadcast) => update.set("broadcast", unix_seconds(broadcast)),
            Counted::Replay | Counted::Nowhere => update.remove("broadcast"),
        };
        let (_, before) = update.send_returning_old(self.table, "write a member").await?;
        // An addition of 0 for a known member: it extends the expiry of the head count.
        let by = i64::from(before.is_empty());
        // A group that is counted nowhere needs no sweep.
        let due = (counted != Counted::Nowhere).then_some(until);
        self.count_head(&member.user, by, Some(expires_at), due).await?;
        let before = Counted::read(self.table, &before);
        self.count_out(before, Departure::Duplicate).await?;
        Ok(before)
    }

    /// Removes a member, if given only one whose last call was at `seen_at`, and counts them out.
    pub(super) async fn take_out(&self, user: &UserId, seen_at: Option<UnixSeconds>) -> Result<()> {
        let request = self.table.client.delete_item().table_name(&self.table.name);
        let request = request.set_key(Some(keys::member(self.host, self.id, user)));
        let request = request.return_values(ReturnValue::AllOld);
        let request = match seen_at {
            Some(seen_at) => request
                .condition_expression("seen_at = :seen_at")
                .expression_attribute_values(":seen_at", unix_seconds(seen_at)),
            None => request,
        };
        let before = match request.send().await {
            Ok(done) => done.attributes.unwrap_or_default(),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => return Ok(()),
            Err(error) => return Err(table_error("remove a member")(error)),
        };
        if before.is_empty() {
            return Ok(());
        }
        self.count_head(user, -1, None, None).await?;
        self.count_out(Counted::read(self.table, &before), Departure::Left).await
    }

    /// Undoes the count of a viewer.
    async fn count_out(&self, counted: Counted, departure: Departure) -> Result<()> {
        match (counted, FileId::parse(self.id.as_str())) {
            (Counted::Broadcast(broadcast), _) => self.count_room_viewer_out(broadcast, departure).await,
            (Counted::Replay, Some(file)) => self.count_replay_viewer(&file, -1).await,
            (Counted::Replay, None) | (Counted::Nowhere, _) => Ok(()),
        }
    }

    async fn count_head(
        &self,
        user: &UserId,
        by: i64,
        expires_at: Option<UnixSeconds>,
        due: Option<UnixSeconds>,
    ) -> Result<()> {
        let options = WriteOptions { expires_at, due, changed_at: (by != 0).then_some(self.now) };
        let counters = vec![(counter(keys::bin(user)), by)];
        self.table.add(keys::head_count(self.host, self.id), counters, options, "count a member").await
    }
}

impl Table {
    /// A group, for changes now.
    pub fn group<'a>(&'a self, host: &'a UserId, id: &'a GroupId, now: UnixSeconds) -> Group<'a> {
        Group { table: self, host, id, now }
    }

    /// Whether a viewer is in a group.
    pub async fn is_member(&self, host: &UserId, group: &GroupId, user: &UserId) -> Result<bool> {
        Ok(self.get(keys::member(host, group, user), "look for a member").await?.is_some())
    }

    /// A page of the members of a group.
    pub async fn members(&self, host: &UserId, group: &GroupId, page: Page) -> Result<ListPage<Member>> {
        let Some(heads) = self.get(keys::head_count(host, group), "count members").await? else {
            return Ok(ListPage { total: 0, rows: vec![] });
        };
        let mut total = 0;
        let (mut bin, mut skip) = (0, page.offset);
        for next in 0..keys::BINS {
            if total <= page.offset {
                (bin, skip) = (next, page.offset - total);
            }
            total += counter_in(&heads, &counter(next))?;
        }
        if page.offset >= total {
            return Ok(ListPage { total, rows: vec![] });
        }
        let wanted = usize::try_from(skip + page.size).unwrap_or(usize::MAX);
        let request = self
            .client
            .query()
            .key_condition_expression("PK = :group AND SK BETWEEN :first AND :end")
            .expression_attribute_values(":group", text(keys::group_partition(host, group)))
            .expression_attribute_values(":first", text(keys::bin_prefix(bin)))
            .expression_attribute_values(":end", text(keys::bin_prefix(keys::BINS)));
        let items = self.query(request, wanted, "read members").await?;
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let rows = items.iter().skip(skip).filter_map(|item| self.ok_or_log(item, Member::read(item))).collect();
        Ok(ListPage { total, rows })
    }
}
