//! The sweep of a group: removes silent members, and recounts those who are left.

use std::collections::BTreeMap;

use super::{
    members::{Counted, Group, counter},
    recount::{QUIET_SECONDS, is_quiet, is_recounted},
    viewers::{VIEWERS_AT, VIEWERS_BY_APP},
};
use crate::prelude::*;
use protocol::types::GroupId;

/// The members of a group, by the counters that count them.
#[derive(Debug, Default)]
struct Members {
    by_bin: BTreeMap<u8, i64>,
    by_broadcast: BTreeMap<UnixSeconds, u64>,
    of_replay: u64,
}

impl Members {
    fn add(&mut self, bin: u8, counted: Counted) {
        *self.by_bin.entry(bin).or_default() += 1;
        match counted {
            Counted::Broadcast(broadcast) => *self.by_broadcast.entry(broadcast).or_default() += 1,
            Counted::Replay => self.of_replay += 1,
            Counted::Nowhere => {}
        }
    }

    /// The correct counters of the head count.
    fn heads(&self) -> impl Iterator<Item = (String, i64)> {
        (0..keys::BINS).map(|bin| (counter(bin), self.by_bin.get(&bin).copied().unwrap_or(0)))
    }
}

impl Group<'_> {
    /// Removes the members who made no call for `seconds`, recounts the others, and sets when the group's task is due
    /// next. The task ends when the group is empty and its counts are right.
    pub async fn sweep(&self, seconds: u64) -> Result<()> {
        let Group { table, host, id, now } = *self;
        // The head count is the first item.
        let (mut heads, mut left, mut oldest, mut was_taken_out) = (Item::new(), Members::default(), None, false);
        let mut pages = table.pages(table.items_of(keys::group_partition(host, id), ""), None, "read members");
        while let Some(page) = pages.next().await? {
            for item in page {
                let Some(bin) = text_in(&item, keys::SK)?.strip_prefix(keys::MEMBER_PREFIX).map(keys::bin_of) else {
                    heads = item;
                    continue;
                };
                let read = unix_seconds_in(&item, "seen_at")
                    .and_then(|seen_at| Ok((seen_at, parsed(&item, "user", UserId::parse)?)));
                if let Some((seen_at, user)) = table.ok_or_log(&item, read) {
                    if seen_at.plus(seconds) <= now {
                        self.take_out(&user, Some(seen_at)).await?;
                        was_taken_out = true;
                        continue;
                    }
                    if seen_at.is_ahead_of(now) {
                        // The clock was ahead. The member counts as seen now.
                        let update = Update::of(keys::member(host, id, &user)).set("seen_at", unix_seconds(now));
                        update.when_unchanged("seen_at", &item).send(table, "write a member").await?;
                    }
                    oldest = oldest.into_iter().chain([seen_at.or_now_if_ahead(now)]).min();
                }
                left.add(bin, Counted::read(table, &item));
            }
        }
        let is_right =
            !was_taken_out && (self.recount_heads(&mut heads, &left).await? & self.recount_viewers(&left).await?);
        let silent = oldest.map(|seen_at: UnixSeconds| seen_at.plus(seconds));
        let due = silent.into_iter().chain((!is_right).then(|| now.plus(QUIET_SECONDS))).min();
        let update = Update::of(keys::head_count(host, id)).when("attribute_exists(PK)").set_due(due);
        // A viewer who came since found the task, and set none.
        let update = if due.is_none() { update.when_unchanged(keys::CHANGES, &heads) } else { update };
        update.send(table, "reschedule the task of a group").await.map(drop)
    }

    /// Recounts the members of each bin, if the counters are quiet. Returns whether they were right. Those of an empty
    /// group are right only if a recount set them, and nothing was added since: a process that had written a member, and
    /// not counted it yet, has counted it by then, or is dead.
    async fn recount_heads(&self, heads: &mut Item, left: &Members) -> Result<bool> {
        let is_quiet = is_quiet(heads, keys::CHANGED_AT, self.now)?;
        let mut is_right = !left.by_bin.is_empty() || is_quiet && is_recounted(heads);
        for (counter, count) in left.heads() {
            is_right &= number_in(heads, &counter)? == count;
        }
        if !is_right && is_quiet {
            let update = Update::of(keys::head_count(self.host, self.id));
            self.table.set_counts(update, heads, left.heads(), self.now).await?;
        }
        Ok(is_right)
    }

    /// Recounts the viewers of the replay or room that the group watches. Returns whether they were right.
    async fn recount_viewers(&self, left: &Members) -> Result<bool> {
        let Group { table, host, id, .. } = *self;
        let watched = FileId::parse(id.as_str());
        let replay = match &watched {
            Some(file) => table.viewed_replay(host, file).await?,
            None => None,
        };
        let (Some(watched), Some((row, files))) = (watched, replay) else {
            let Some(row) = table.get(keys::room(host), "count a viewer").await? else { return Ok(true) };
            if text_in(&row, "group")? != id.as_str() {
                return Ok(true);
            }
            let viewers = left.by_broadcast.get(&unix_seconds_in(&row, "counted_since")?).copied().unwrap_or(0);
            return self.set_viewers(keys::room(host), &row, viewers).await;
        };
        let mut viewers = left.of_replay;
        // A viewer who watches the replay by another of its files is in another group.
        for group in files.iter().filter(|file| **file != watched).filter_map(|file| GroupId::parse(file.as_str())) {
            let request = table
                .items_of(keys::group_partition(host, &group), keys::MEMBER_PREFIX)
                .filter_expression("attribute_exists(replay)")
                .projection_expression("SK");
            let mut pages = table.pages(request, None, "read members");
            while let Some(page) = pages.next().await? {
                viewers += u64::try_from(page.len()).unwrap_or(u64::MAX);
            }
        }
        self.set_viewers(keys::replay(host, &files[0]), &row, viewers).await
    }

    /// Sets the viewers of a row, unless an app counts them, or the counter is not quiet. Returns whether it was right.
    async fn set_viewers(&self, key: keys::Key, row: &Item, viewers: u64) -> Result<bool> {
        if row.contains_key(VIEWERS_BY_APP) || counter_in(row, "viewers")? == viewers {
            return Ok(true);
        }
        if is_quiet(row, VIEWERS_AT, self.now)? {
            let seen = ["viewers", VIEWERS_AT, VIEWERS_BY_APP, "counted_since"];
            let update = Update::of(key).set("viewers", number(viewers)).set(VIEWERS_AT, unix_seconds(self.now));
            let update = seen.into_iter().fold(update, |update, attribute| update.when_unchanged(attribute, row));
            update.send(self.table, "count a viewer").await?;
        }
        Ok(false)
    }
}
