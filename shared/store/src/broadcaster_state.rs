//! The timeline of a user: what was told, kept in one item, and written out into the room, the lives and the replays.
//!
//! Whoever has something to tell reads the item, adds to it, and writes it under the condition that nobody wrote it
//! since; the item names then what is not [written out](BroadcasterState::dirty) yet. Each row is written with the revision
//! of the timeline that it follows from, and only over an older one. When all of it is written the names are taken away.
//! Who finds names that others left, in flight or dead, writes those rows out along with their own.
//!
//! A call succeeds once the item is written. If the table then fails, the names stay, and the next call or the sweep
//! writes the rows. A row that the table refuses, or that is damaged, is logged and left to the sweep, which tries it
//! again less and less often; all other rows are written meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use super::{
    Item, Result, Table,
    batch::Consistency,
    invalid_attribute, keys,
    lists::Position,
    lives::BroadcastRow,
    number, number_in, replays,
    rooms::{self, Room},
    text, text_in, too_many_conflicts, unix_seconds, unix_seconds_in,
    update::{Update, WriteOutcome},
};
use crate::rules::{Moderation, Rules};
use protocol::{
    error::Chain,
    sign::md5_hex,
    types::{FileId, UnixSeconds, UserId},
};
use timeline::{End, Evidence, Live, Part, ReplayFiles, Timeline, UserStream};

/// The most verdicts that are kept of a user.
const MAX_VERDICTS: usize = 64;
/// How often a write is tried again that another one came before.
const ATTEMPTS: u32 = 16;
/// How long evidence is kept: a day more than the longest recording.
pub(super) const KEPT_SECONDS: u64 = 8 * 24 * 3600;
/// How soon a live is looked after.
pub(super) const CHECK_SECONDS: u64 = 30;
/// For how long the cloud is asked whether a live is over whose end is doubtful.
const DOUBT_SECONDS: u64 = 150;
/// How soon unfinished work is finished by others: no process works on one event for so long.
const UNFINISHED_SECONDS: u64 = 90;
/// How soon the sweep tries a row again that could not be written; each time twice as late, and at most so late.
const RETRY_SECONDS: u64 = 60;
const MAX_RETRY_SECONDS: u64 = 3600;
/// The most bytes of names of rows and counts that are to be written. The timeline itself has at most 250,000, and an
/// item of the table 400 KB.
const MAX_NAME_BYTES: usize = 120_000;
/// The partition of the index of work.
pub(super) const OPEN: &str = "open";

/// What is known of a user.
#[derive(Clone, Debug, Default)]
pub struct BroadcasterState {
    /// What was told.
    pub timeline: Timeline,
    /// Whether they may broadcast.
    pub ban: Option<Ban>,
    /// The show that is kept out of the lists, by the second at which it was opened.
    pub hidden: Option<UnixSeconds>,
    /// When a picture was found to be forbidden that is of no live known so far: its start may be told late.
    pending_verdict_at: Option<UnixSeconds>,
    /// The seconds of all pictures that were found to be forbidden: what they are of is kept out of the lists.
    verdicts: BTreeSet<UnixSeconds>,
    /// What is left to do about a ban.
    pub pending_actions: BTreeSet<PendingAction>,
    /// How often the cloud, asked, knew nothing of the live, one time after the other.
    pub misses: u64,
    /// When it knew nothing of it for the first of these times.
    pub missed_at: UnixSeconds,
    /// When the stream was last seen to run.
    pub seen_at: UnixSeconds,
    revision: i64,
    dirty: BTreeSet<DirtyRow>,
    /// When a count was last noted in it.
    unconfirmed_at: UnixSeconds,
    /// What could not be written, and is not tried again before [`BroadcasterState::retry_at`].
    failed: BTreeSet<DirtyRow>,
    /// How often writing failed, one time after the other.
    failures: u32,
    retry_at: UnixSeconds,
    /// When somebody is to look at this again, as it is written.
    due_at: Option<UnixSeconds>,
}

/// That a user may not broadcast.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// When it was said.
    pub at: u64,
    /// Until when; without it for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Who said it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// Whether the user's replays are kept out of the lists, too.
    #[serde(default)]
    pub hides_replays: bool,
    /// When the cloud has to be told again: it forgets bans.
    #[serde(default)]
    pub renew_at: u64,
}

impl Ban {
    /// Whether it still holds.
    pub fn holds(&self, now: UnixSeconds) -> bool {
        self.until.is_none_or(|until| now.0 < until)
    }
}

/// A part of a ban, or of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PendingAction {
    /// The cloud is told to take no push of the stream, and to cut the one that runs.
    ForbidStream,
    /// The cloud is told to take pushes of the stream again.
    AllowStream,
    /// The cloud is told to cut the push that runs, whatever comes after it.
    CutStream,
    /// The user is logged out everywhere.
    EndSessions,
    /// The user's replays are taken out of the lists.
    WithholdReplays,
    /// They come back.
    ReleaseReplays,
}

/// Something that follows from the timeline and may not be written yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DirtyRow {
    Room,
    /// The sort key of a live.
    Live(String),
    /// A file, by a hash of its id, and the replay that it is of: ids can be so long that there is no room for many.
    File(String),
    /// Rows of a tree came to or went from this position, and may not have been counted.
    Count(&'static str, Position),
}

impl DirtyRow {
    pub(super) fn live(live: &Live) -> Self {
        Self::Live(keys::live_id(live.start, &live.user_stream))
    }

    pub(super) fn file(file: &FileId) -> Self {
        let mut hash = md5_hex(&[file.as_str()]);
        hash.truncate(12);
        Self::File(hash)
    }

    /// Where the room is counted that was opened at this second.
    pub(super) fn room_count(opened: UnixSeconds, user: &UserId) -> Self {
        Self::Count(rooms::COUNT_TREE, Position::of(opened, user.as_str()))
    }

    /// Where a replay is counted.
    pub(super) fn replay_count(replay: &ReplayFiles) -> Self {
        Self::Count(replays::COUNT_TREE, Position::of(replay.end, replay.file.as_str()))
    }

    fn name(&self) -> String {
        match self {
            Self::Room => "room".to_owned(),
            Self::Live(key) => format!("live {key}"),
            Self::File(hash) => format!("recording {hash}"),
            Self::Count(tree, Position(position)) => format!("count {tree} {position}"),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let (kind, rest) = name.split_once(' ').unwrap_or((name, ""));
        match kind {
            "room" => Some(Self::Room),
            "live" => Some(Self::Live(rest.to_owned())),
            "recording" => Some(Self::File(rest.to_owned())),
            "count" => {
                let (tree, position) = rest.split_once(' ')?;
                let tree = [rooms::COUNT_TREE, replays::COUNT_TREE].into_iter().find(|known| *known == tree)?;
                Some(Self::Count(tree, Position(position.parse().ok()?)))
            }
            _ => None,
        }
    }

    fn place(&self) -> Option<&str> {
        match self {
            Self::Live(place) => Some(place),
            Self::Room | Self::File(_) | Self::Count(..) => None,
        }
    }

    fn is_count(&self) -> bool {
        matches!(self, Self::Count(..))
    }
}

/// What of a [`BroadcasterState`] is one text.
#[derive(Default, Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    timeline: Timeline,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ban: Option<Ban>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hidden: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending_verdict_at: Option<u64>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    verdicts: BTreeSet<u64>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pending_actions: BTreeSet<PendingAction>,
    #[serde(default)]
    misses: u64,
    #[serde(default)]
    missed_at: u64,
    #[serde(default)]
    seen_at: u64,
}

/// What follows from a timeline.
pub(super) struct Projection {
    pub(super) lives: Vec<Live>,
    pub(super) replays: Vec<ReplayFiles>,
}

impl Projection {
    pub(super) fn of(timeline: &Timeline, rules: &Rules) -> Self {
        let lives = timeline.lives(rules.grace_seconds);
        let replays = timeline.replays(&lives);
        Self { lives, replays }
    }

    fn live_of(&self, replay: &ReplayFiles) -> Option<&Live> {
        self.lives.get(replay.live?)
    }

    /// What is written of the lives, given the seconds at which broadcasts were opened.
    fn written_lives(&self, broadcasts: &[UnixSeconds]) -> Vec<Live> {
        self.lives.iter().map(|live| written(live, broadcasts)).collect()
    }

    /// What is written of the name of a replay, and of its live.
    fn written_of(&self, replay: &ReplayFiles, broadcasts: &[UnixSeconds]) -> (Option<UnixSeconds>, Option<Live>) {
        let live = self.live_of(replay).map(|live| written(live, broadcasts));
        (live.as_ref().map_or(replay.info_at, |live| live.info_at), live)
    }
}

/// The part of a live that its row and its replay depend on, given the seconds at which broadcasts were opened. While a
/// live goes on, a repeated start request costs no write: the rows may show the information of any start request of their
/// broadcast. They are written again at once if that start request turns out to belong to another broadcast.
fn written(live: &Live, broadcasts: &[UnixSeconds]) -> Live {
    let broadcast_of =
        |start_request: UnixSeconds| broadcasts.iter().rfind(|broadcast| **broadcast <= start_request).copied();
    let is_decisive = live.end.is_some() || live.info_at.and_then(broadcast_of) != live.broadcast;
    Live { info_at: live.info_at.filter(|_| is_decisive), ..live.clone() }
}

impl BroadcasterState {
    /// Reads the item. A room that was opened before there were timelines is evidence of itself.
    fn read(item: Option<&Item>, room: Option<&Room>) -> Result<Self> {
        let Some(item) = item else {
            let mut timeline = Timeline::default();
            let ban = room.filter(|room| room.banned).map(|_| Ban::default());
            if let Some(room) = room {
                timeline.add(Evidence::StartRequested(room.opened_at));
                if room.is_on() {
                    timeline.add(Evidence::On(room.opened_at));
                }
            }
            return Ok(Self { timeline, ban, ..Self::default() });
        };
        let record: Record =
            serde_json::from_str(text_in(item, "timeline")?).map_err(|_| invalid_attribute("timeline"))?;
        let named = |attribute: &str| match item.get(attribute) {
            None => Ok(BTreeSet::new()),
            Some(AttributeValue::Ss(names)) => Ok(names.iter().filter_map(|name| DirtyRow::parse(name)).collect()),
            Some(_) => Err(invalid_attribute(attribute)),
        };
        Ok(Self {
            timeline: record.timeline,
            ban: record.ban,
            hidden: record.hidden.map(UnixSeconds),
            pending_verdict_at: record.pending_verdict_at.map(UnixSeconds),
            verdicts: record.verdicts.into_iter().map(UnixSeconds).collect(),
            pending_actions: record.pending_actions,
            misses: record.misses,
            missed_at: UnixSeconds(record.missed_at),
            seen_at: UnixSeconds(record.seen_at),
            revision: number_in(item, "revision")?,
            dirty: named("dirty")?,
            unconfirmed_at: unix_seconds_in(item, "unconfirmed_at")?,
            failed: named("failed")?,
            failures: number_in(item, "failures")?.try_into().unwrap_or(0),
            retry_at: unix_seconds_in(item, "retry_at")?,
            due_at: item.contains_key(keys::DUE).then(|| unix_seconds_in(item, keys::DUE)).transpose()?,
        })
    }

    fn record(&self) -> Result<String> {
        let record = Record {
            timeline: self.timeline.clone(),
            ban: self.ban.clone(),
            hidden: self.hidden.map(|at| at.0),
            pending_verdict_at: self.pending_verdict_at.map(|at| at.0),
            verdicts: self.verdicts.iter().map(|at| at.0).collect(),
            pending_actions: self.pending_actions.clone(),
            misses: self.misses,
            missed_at: self.missed_at.0,
            seen_at: self.seen_at.0,
        };
        serde_json::to_string(&record).map_err(super::failed("write a timeline"))
    }

    /// Takes in that a picture of the stream was found to be forbidden at a second, and hides or ends, as the settings
    /// say, the live that ran then. Says whether that is news.
    pub fn apply_verdict(&mut self, at: UnixSeconds, rules: &Rules) -> bool {
        let is_new = self.verdicts.insert(at);
        while self.verdicts.len() > MAX_VERDICTS {
            self.drop_verdict(rules);
        }
        self.apply_verdict_to_live(at, rules) || is_new
    }

    /// Drops the verdict that means least: of a live one is enough, and of verdicts of other seconds the one that is
    /// nearest to its neighbours says the least.
    fn drop_verdict(&mut self, rules: &Rules) {
        let lives = self.timeline.lives(rules.grace_seconds);
        let live_of =
            |at: UnixSeconds| lives.iter().position(|live| live.user_stream == UserStream::Own && live.holds(at));
        let verdicts: Vec<UnixSeconds> = self.verdicts.iter().copied().collect();
        let rank = |n: usize| {
            let at = verdicts[n];
            let before = n.checked_sub(1).map(|before| verdicts[before]);
            let is_known = before.is_some_and(|before| live_of(at).is_some() && live_of(before) == live_of(at));
            let distance = |other: Option<&UnixSeconds>| other.map_or(u64::MAX / 2, |other| other.0.abs_diff(at.0));
            (!is_known, distance(before.as_ref()).saturating_add(distance(verdicts.get(n + 1))))
        };
        if let Some(least) = (0..verdicts.len()).min_by_key(|n| rank(*n)) {
            self.verdicts.remove(&verdicts[least]);
        }
    }

    fn apply_verdict_to_live(&mut self, at: UnixSeconds, rules: &Rules) -> bool {
        if let Some(live) = self.timeline.live_at(at, rules.grace_seconds) {
            return self.moderate(&live, at, rules);
        }
        let before = self.pending_verdict_at;
        self.pending_verdict_at = before.max(Some(at));
        self.pending_verdict_at != before
    }

    /// Does the same for a verdict whose live has turned up since.
    fn apply_pending_verdict(&mut self, rules: &Rules) -> bool {
        let Some(at) = self.pending_verdict_at else { return false };
        let Some(live) = self.timeline.live_at(at, rules.grace_seconds) else { return false };
        self.pending_verdict_at = None;
        self.moderate(&live, at, rules);
        true
    }

    fn moderate(&mut self, live: &Live, at: UnixSeconds, rules: &Rules) -> bool {
        let hidden = self.hidden.max(live.broadcast);
        let is_news = hidden != self.hidden;
        self.hidden = hidden;
        if rules.moderation == Moderation::End && live.end.is_none() {
            self.pending_actions.insert(PendingAction::CutStream);
            // What ends it comes after all that is known: it may have been interrupted at that second.
            let end = Evidence::Off(at.max(self.timeline.last_word()), End::Moderated);
            return self.timeline.add(end) || is_news;
        }
        is_news
    }

    /// Whether a replay remains of a live that is hidden for a forbidden picture: of its own, or of an earlier live of its
    /// show. Without a known live a picture of its own time decides.
    pub(super) fn is_forbidden(&self, projection: &Projection, replay: &ReplayFiles) -> bool {
        let holds = |live: &Live, at: UnixSeconds| live.user_stream == UserStream::Own && live.holds(at);
        let is_of_show = |live: &Live, at| {
            projection.lives.iter().any(|other| holds(other, at) && other.broadcast == live.broadcast)
        };
        self.verdicts.iter().any(|at| match projection.live_of(replay) {
            None => (replay.start..=replay.end).contains(at),
            Some(live) if live.user_stream != UserStream::Own => false,
            Some(live) => {
                let is_hidden_later = live.broadcast.is_some() && *at < live.start && is_of_show(live, *at);
                holds(live, *at) || is_hidden_later
            }
        })
    }

    /// Bans the user, or another time, and notes what there is to do about it.
    pub(super) fn ban(&mut self, ban: &Ban, now: UnixSeconds) {
        // Also of what is not known to run: its start may come late.
        self.timeline.add(Evidence::Off(now, End::Banned));
        self.release_or_withhold(ban.hides_replays);
        self.pending_actions.extend([PendingAction::ForbidStream, PendingAction::EndSessions]);
        self.pending_actions.remove(&PendingAction::AllowStream);
        self.ban = Some(ban.clone());
    }

    /// Lifts the ban, and notes what there is to do about that.
    pub(super) fn lift(&mut self) {
        self.release_or_withhold(false);
        self.pending_actions.insert(PendingAction::AllowStream);
        self.pending_actions
            .retain(|action| ![PendingAction::ForbidStream, PendingAction::EndSessions].contains(action));
        self.ban = None;
    }

    fn release_or_withhold(&mut self, withholds: bool) {
        let did = self.ban.as_ref().is_some_and(|ban| ban.hides_replays);
        if withholds {
            self.pending_actions.remove(&PendingAction::ReleaseReplays);
            self.pending_actions.insert(PendingAction::WithholdReplays);
        } else if did {
            self.pending_actions.remove(&PendingAction::WithholdReplays);
            self.pending_actions.insert(PendingAction::ReleaseReplays);
        }
    }

    /// Brings what was said by a clock that was ahead, the cloud's or ours, back to now. Says whether there was any.
    pub(super) fn cap(&mut self, now: UnixSeconds) -> bool {
        let before = self.clone();
        self.timeline.cap(now);
        for at in [&mut self.seen_at, &mut self.missed_at, &mut self.unconfirmed_at] {
            *at = at.or_now_if_ahead(now);
        }
        for at in [&mut self.pending_verdict_at, &mut self.hidden].into_iter().flatten() {
            *at = at.or_now_if_ahead(now);
        }
        self.verdicts = self.verdicts.iter().map(|at| at.or_now_if_ahead(now)).collect();
        if let Some(ban) = self.ban.as_mut().filter(|ban| UnixSeconds(ban.at).is_ahead_of(now)) {
            let ahead = ban.at - now.0;
            ban.at = now.0;
            // Until when the ban holds an operator said, by no clock of ours.
            ban.renew_at = ban.renew_at.saturating_sub(ahead);
        }
        let is_known = |is: &Self| {
            (
                is.timeline.clone(),
                is.seen_at,
                is.missed_at,
                is.unconfirmed_at,
                is.pending_verdict_at,
                is.hidden,
                is.verdicts.clone(),
                is.ban.clone(),
            )
        };
        is_known(&before) != is_known(self)
    }

    /// Whether the room is to be seen live.
    pub(super) fn is_live(&self) -> bool {
        self.ban.is_none() && self.timeline.is_on()
    }

    /// Whether the room is kept out of the lists.
    pub(super) fn is_hidden(&self) -> bool {
        let hidden = self.hidden.and_then(|start_request| self.timeline.broadcast_of(start_request));
        hidden.is_some() && hidden == self.timeline.broadcast() && self.is_live()
    }

    /// The list that the room stands in.
    pub(super) fn list(&self) -> &'static str {
        match (self.is_live(), self.is_hidden()) {
            (true, true) => "hidden",
            (true, false) => "online",
            (false, _) => "offline",
        }
    }

    /// Whether rows that follow from it may not be written, because a process died, or others are at it just now, or the
    /// row could not be written and is to be tried again.
    pub fn has_dirty_rows(&self, now: UnixSeconds) -> bool {
        !self.dirty.iter().all(DirtyRow::is_count) || self.is_to_be_retried(now)
    }

    /// Notes that these rows are to be written, and these counts are not sure to be right.
    fn mark_dirty(&mut self, names: impl IntoIterator<Item = DirtyRow>, now: UnixSeconds) {
        for name in names {
            if name.is_count() {
                self.unconfirmed_at = now;
            }
            self.dirty.insert(name);
        }
    }

    /// Whether there are counts that are not sure to be right.
    pub fn has_unconfirmed_counts(&self) -> bool {
        self.dirty.iter().any(DirtyRow::is_count)
    }

    fn is_to_be_retried(&self, now: UnixSeconds) -> bool {
        // A clock that was ahead may have put it off.
        let is_due = self.retry_at <= now || self.retry_at > now.plus(MAX_RETRY_SECONDS);
        is_due && !self.failed.is_empty()
    }

    /// Notes what could not be written.
    fn note_failed(&mut self, failed: BTreeSet<DirtyRow>, now: UnixSeconds) {
        if !failed.is_empty() {
            let seconds = RETRY_SECONDS.saturating_mul(1 << self.failures.min(10)).min(MAX_RETRY_SECONDS);
            self.failures = self.failures.saturating_add(1);
            self.retry_at = now.plus(seconds);
            self.failed.extend(failed);
        }
        if self.failed.is_empty() {
            (self.failures, self.retry_at) = (0, UnixSeconds(0));
        }
    }

    /// Forgets the oldest doubts of counts if their names take more room than the item has: only if a process died would
    /// they matter.
    fn fit_names(&mut self, user: &str) {
        let bytes = |names: &BTreeSet<DirtyRow>| names.iter().map(|name| name.name().len()).sum::<usize>();
        let mut total = bytes(&self.dirty) + bytes(&self.failed);
        let mut dropped = 0;
        while total > MAX_NAME_BYTES
            && let Some(count) = self.dirty.iter().find(|name| name.is_count()).cloned()
        {
            total -= count.name().len();
            dropped += 1;
            self.dirty.remove(&count);
        }
        if dropped > 0 {
            tracing::warn!(user, dropped, "so many counts are not known to be right that not all are noted");
        }
    }

    /// When the user's own stream ended, if the cloud should be asked whether it did.
    pub fn unconfirmed_end(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        let end = self.timeline.unconfirmed_end().filter(|_| self.ban.is_none())?;
        (now < end.plus(DOUBT_SECONDS)).then_some(end)
    }

    /// When somebody should look at this again; `None` if nothing is left to do.
    pub fn due(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        let unfinished = (!self.dirty.is_empty()).then(|| now.plus(UNFINISHED_SECONDS));
        let live = (self.is_live() || self.unconfirmed_end(now).is_some()).then(|| now.plus(CHECK_SECONDS));
        let pending_actions = (!self.pending_actions.is_empty()).then(|| now.plus(CHECK_SECONDS));
        let retried = (!self.failed.is_empty()).then_some(self.retry_at);
        let lifted = self.ban.as_ref().and_then(|ban| ban.until);
        let renewed = self.ban.as_ref().map(|ban| ban.renew_at).filter(|at| *at > 0);
        let times = [unfinished, live, pending_actions, retried, lifted.map(UnixSeconds), renewed.map(UnixSeconds)];
        times.into_iter().flatten().min()
    }
}

impl Table {
    /// What is known of a user.
    pub async fn state(&self, user: &UserId) -> Result<BroadcasterState> {
        self.state_and_room(user).await.map(|(state, _)| state)
    }

    pub(super) async fn state_and_room(&self, user: &UserId) -> Result<(BroadcasterState, Option<Room>)> {
        let (timeline, room) = (keys::timeline(user), keys::room(user));
        let items = self.batch([timeline.clone(), room.clone()], Consistency::Strong, "read a timeline").await?;
        // A damaged room is as good as none: it is written anew when it is opened the next time.
        let room = items.get(&keys::id(&room)).and_then(|row| self.ok_or_log(row, Room::read(row)));
        Ok((BroadcasterState::read(items.get(&keys::id(&timeline)), room.as_ref())?, room))
    }

    /// Takes in what was told of a user who has a room, and writes out what follows.
    /// Gives what is known then.
    pub async fn apply(
        &self,
        user: &UserId,
        evidence: Evidence,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<BroadcasterState> {
        self.change(user, rules, now, |state| state.timeline.add(evidence.clone())).await
    }

    /// Changes what is known of a user, and writes out what follows from that. `change` says whether it did anything.
    /// Gives what is known then.
    pub async fn change(
        &self,
        user: &UserId,
        rules: &Rules,
        now: UnixSeconds,
        change: impl Fn(&mut BroadcasterState) -> bool,
    ) -> Result<BroadcasterState> {
        let seen = self.state_and_room(user).await?;
        self.change_seen(user, rules, now, seen, None, change).await
    }

    /// As [`Self::change`], of what has just been read; with an opening the change is that the room opens for a show, if
    /// it is not live then.
    pub(super) async fn change_seen(
        &self,
        user: &UserId,
        rules: &Rules,
        now: UnixSeconds,
        mut seen: (BroadcasterState, Option<Room>),
        start_request: Option<&BroadcastRow>,
        change: impl Fn(&mut BroadcasterState) -> bool,
    ) -> Result<BroadcasterState> {
        for _ in 0..ATTEMPTS {
            let unconfirmed = self.unconfirmed.count();
            let (mut before, room) = seen;
            let pruned = before.timeline.prune(now.minus(KEPT_SECONDS), rules.grace_seconds);
            before.pending_verdict_at = before.pending_verdict_at.filter(|at| *at >= now.minus(KEPT_SECONDS));
            before.verdicts.retain(|at| *at >= now.minus(2 * KEPT_SECONDS));
            let mut after = before.clone();
            let is_capped = after.cap(now);
            let is_changed = change(&mut after);
            let is_judged = after.apply_pending_verdict(rules);
            if !is_changed && !is_judged && !is_capped && !before.has_dirty_rows(now) {
                return Ok(after);
            }
            if pruned.for_lack_of_room > 0 {
                let (user, count) = (self.log_names.of(user.as_str()), pruned.for_lack_of_room);
                tracing::warn!(user, count, "a timeline is full; the oldest of it is dropped");
            }
            let (was, is) = (Projection::of(&before.timeline, rules), Projection::of(&after.timeline, rules));
            let own = differences(user, (&before, &was), (&after, &is));
            after.mark_dirty(own.iter().cloned(), now);
            let start_request = start_request.filter(|_| is_changed && !after.is_live());
            if start_request.is_some() {
                after.dirty.insert(DirtyRow::Room);
            }
            if before.is_to_be_retried(now) {
                let failed = std::mem::take(&mut after.failed);
                // They may move when they are written, and whether that was counted is not noted any more.
                let is_again = |part: &Part| failed.contains(&DirtyRow::file(&part.file));
                let again = is.replays.iter().filter(|replay| replay.parts.iter().any(is_again));
                after.mark_dirty(again.map(DirtyRow::replay_count), now);
                let room = after.timeline.broadcast().filter(|_| failed.contains(&DirtyRow::Room));
                after.mark_dirty(room.map(|broadcast| DirtyRow::room_count(broadcast, user)), now);
                after.mark_dirty(failed, now);
            }
            let BroadcasterState { dirty, failed, .. } = &mut after;
            failed.retain(|name| !dirty.contains(name));
            after.fit_names(&self.log_names.of(user.as_str()));
            after.revision += 1;
            if self.write_state(user, &before, &after, now).await? == WriteOutcome::Done {
                let write = WriteContext { user, state: &after, projection: &is, rules, now };
                let written = match self.write_dirty_rows(&write, room, start_request).await {
                    Ok(failed) => {
                        // Nobody else was at it, and all additions were answered.
                        let is_counted =
                            before.dirty.iter().all(DirtyRow::is_count) && self.unconfirmed.count() == unconfirmed;
                        let counted = if is_counted { &own - &before.dirty } else { BTreeSet::new() };
                        self.settle(user, &mut after, failed, &counted, now).await
                    }
                    trouble => trouble.map(drop),
                };
                if let Err(error) = written {
                    // The item names what is left, and when the sweep comes by.
                    let key = self.key_for_log(&keys::timeline(user));
                    tracing::error!(key, error = %Chain(&error), "rows are left to the next call, or the sweep");
                }
                return Ok(after);
            }
            seen = self.state_and_room(user).await?;
        }
        Err(too_many_conflicts("write a timeline"))
    }

    /// Writes these rows of a user anew, as they follow from what is known of them; what follows from nothing is taken
    /// away. The sweep counts again where they stand.
    pub(super) async fn write_anew(
        &self,
        user: &UserId,
        names: &BTreeSet<DirtyRow>,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<()> {
        let mark = |state: &mut BroadcasterState| {
            state.mark_dirty(names.iter().cloned(), now);
            !names.is_empty()
        };
        self.change(user, rules, now, mark).await.map(|_| ())
    }

    /// Writes the replays of a live anew, which take from its row what it came to.
    pub(super) async fn rewrite_replays_of(
        &self,
        user: &UserId,
        live: &Live,
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<()> {
        let mark = |state: &mut BroadcasterState| {
            let projection = Projection::of(&state.timeline, rules);
            let replays = projection.replays.iter().filter(|replay| projection.live_of(replay) == Some(live));
            let files: Vec<DirtyRow> = replays.map(|replay| DirtyRow::file(&replay.file)).collect();
            let is_any = !files.is_empty();
            state.dirty.extend(files);
            is_any
        };
        self.change(user, rules, now, mark).await.map(|_| ())
    }

    /// Has the sweep count again where the replays and the room of a user stand: rows that were wrong may have been
    /// counted or not.
    pub async fn recount_later(&self, user: &UserId, now: UnixSeconds, rules: &Rules) -> Result<()> {
        let unconfirmed = |state: &mut BroadcasterState| {
            let replays = Projection::of(&state.timeline, rules).replays;
            let room = state.timeline.broadcast().map(|broadcast| DirtyRow::room_count(broadcast, user));
            state.mark_dirty(replays.iter().map(DirtyRow::replay_count).chain(room), now);
            true
        };
        self.change(user, rules, now, unconfirmed).await.map(drop)
    }

    /// Counts again what may have been counted or not, as far as it is at rest; says whether all of it is right.
    pub async fn recount_unconfirmed(&self, user: &UserId, rules: &Rules, now: UnixSeconds) -> Result<bool> {
        let (state, window) = (self.state(user).await?, rules.replay_window_seconds);
        let mut counted = BTreeSet::new();
        for dirty in &state.dirty {
            if let DirtyRow::Count(tree, position) = dirty
                && self.recount_bucket(tree, *position, state.unconfirmed_at, window, now).await?
            {
                counted.insert(dirty.clone());
            }
        }
        let is_all = state.dirty.iter().filter(|dirty| dirty.is_count()).all(|known| counted.contains(known));
        if !counted.is_empty() {
            let forget = |is: &mut BroadcasterState| {
                // Unless somebody is about to write there again.
                let is_as_seen = is.unconfirmed_at == state.unconfirmed_at;
                is.dirty.retain(|dirty| !is_as_seen || !counted.contains(dirty));
                is_as_seen
            };
            self.change(user, rules, now, forget).await?;
        }
        Ok(is_all)
    }

    /// Writes down that rows are about to come to or go from these positions of a tree, and may not be counted.
    pub(super) async fn mark_counts_unconfirmed(
        &self,
        user: &UserId,
        tree: &'static str,
        positions: &[Position],
        rules: &Rules,
        now: UnixSeconds,
    ) -> Result<()> {
        let unconfirmed = |state: &mut BroadcasterState| {
            state.mark_dirty(positions.iter().map(|position| DirtyRow::Count(tree, *position)), now);
            true
        };
        self.change(user, rules, now, unconfirmed).await.map(|_| ())
    }

    /// Writes when somebody should look after a user again, unless something was told of them since.
    pub async fn reschedule_user(
        &self,
        user: &UserId,
        seen: &BroadcasterState,
        due: Option<UnixSeconds>,
    ) -> Result<()> {
        let update = Update::of(keys::timeline(user));
        let update = update.when("#revision = :seen").value(":seen", number(seen.revision));
        let update = match due {
            Some(due) => update.set(keys::TASK, text(OPEN)).set(keys::DUE, unix_seconds(due)),
            None => update.remove(keys::TASK).remove(keys::DUE),
        };
        update.send(self, "postpone work").await.map(|_| ())
    }

    async fn write_state(
        &self,
        user: &UserId,
        before: &BroadcasterState,
        after: &BroadcasterState,
        now: UnixSeconds,
    ) -> Result<WriteOutcome> {
        let update = Update::of(keys::timeline(user))
            .set("user", text(user.as_str()))
            .set("timeline", text(after.record()?))
            .set("revision", number(after.revision));
        let update = write_task(update, after, now);
        let update = if before.revision == 0 {
            update.when("attribute_not_exists(PK)")
        } else {
            update.when("#revision = :seen").value(":seen", number(before.revision))
        };
        update.send(self, "write a timeline").await
    }

    /// Writes that all of it is written out, but for what failed. Counts that are not sure to be right stay to be looked
    /// at.
    async fn settle(
        &self,
        user: &UserId,
        after: &mut BroadcasterState,
        failed: BTreeSet<DirtyRow>,
        counted: &BTreeSet<DirtyRow>,
        now: UnixSeconds,
    ) -> Result<()> {
        if after.dirty.is_empty() {
            return Ok(());
        }
        after.dirty.retain(|dirty| dirty.is_count() && !counted.contains(dirty));
        after.note_failed(failed, now);
        let update = write_task(Update::of(keys::timeline(user)), after, now);
        let update = update.when("#revision = :seen").value(":seen", number(after.revision));
        // If others wrote since, they saw what was unwritten then, and settle it.
        update.send(self, "write a timeline").await.map(drop)
    }

    /// Writes the rows that the timeline says are unwritten; gives those that could not be written, and those that follow
    /// from them. Fails if the table does.
    async fn write_dirty_rows(
        &self,
        write: &WriteContext<'_>,
        mut room: Option<Room>,
        start_request: Option<&BroadcastRow>,
    ) -> Result<BTreeSet<DirtyRow>> {
        let WriteContext { user, state, projection, .. } = write;
        let mut failed = BTreeSet::new();
        let is_room_unwritten = state.dirty.contains(&DirtyRow::Room);
        // If the room is to count anew, whoever finishes this in our stead must find what the lives came to in their rows.
        let counts_anew =
            room.as_ref().is_some_and(|room| Some(room.counts_since(write.now)) < state.timeline.broadcast());
        if is_room_unwritten && !counts_anew {
            // As it stood in the very moment before, with the counters that a live which ends takes along.
            match self.written_row(keys::room(user), self.write_room(write, room.clone(), start_request).await)? {
                Some(before) => room = before,
                None => drop(failed.insert(DirtyRow::Room)),
            }
        }
        self.write_dirty_lives(write, room.as_ref(), &mut failed).await?;
        if is_room_unwritten && counts_anew {
            // Not before the lives have what it counted.
            let is_written = failed.is_empty()
                && self.written_row(keys::room(user), self.write_room(write, room, start_request).await)?.is_some();
            if !is_written {
                failed.insert(DirtyRow::Room);
            }
        }
        for replay in &projection.replays {
            let has_dirty_rows = |part: &&Part| state.dirty.contains(&DirtyRow::file(&part.file));
            let parts: Vec<&Part> = replay.parts.iter().filter(has_dirty_rows).collect();
            if parts.is_empty() {
                continue;
            }
            let live = projection.live_of(replay);
            // It takes from the row of its live what that came to.
            let is_written = live.is_none_or(|live| !failed.contains(&DirtyRow::live(live)))
                && self
                    .written_row(keys::replay(user, &replay.file), self.write_replay(write, replay, live).await)?
                    .is_some();
            for part in parts {
                let is_written = is_written
                    && (part.file == replay.file || {
                        let written = self.write_part(write, replay, &part.file).await;
                        self.written_row(keys::replay(user, &part.file), written)?.is_some()
                    });
                if !is_written {
                    failed.insert(DirtyRow::file(&part.file));
                }
            }
        }
        Ok(failed)
    }

    /// What was written; `None`, and a line in the log, if the row could not be written whatever the table does.
    fn written_row<T>(&self, key: keys::Key, written: Result<T>) -> Result<Option<T>> {
        match written {
            Ok(written) => Ok(Some(written)),
            Err(error) if error.is_item_fault() => {
                let key = self.key_for_log(&key);
                tracing::error!(key, error = %Chain(&error), "a row could not be written; the sweep will try again");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the rows of lives that are unwritten; none, if the room is not written whose counters they take along.
    async fn write_dirty_lives(
        &self,
        write: &WriteContext<'_>,
        room: Option<&Room>,
        failed: &mut BTreeSet<DirtyRow>,
    ) -> Result<()> {
        let WriteContext { user, state, projection, .. } = write;
        let place = |live: &Live| keys::live_id(live.start, &live.user_stream);
        let lives: BTreeMap<String, &Live> = projection.lives.iter().map(|live| (place(live), live)).collect();
        let dirty = state.dirty.iter().filter_map(DirtyRow::place);
        let (written, gone): (Vec<&str>, Vec<&str>) = dirty.partition(|place| lives.contains_key(*place));
        for (place, live) in written.into_iter().filter_map(|place| Some((place, *lives.get(place)?))) {
            let is_written = !failed.contains(&DirtyRow::Room)
                && self
                    .written_row(keys::live(user, place), self.write_live(write, live, room, &gone).await)?
                    .is_some();
            if !is_written {
                failed.insert(DirtyRow::Live(place.to_owned()));
            }
        }
        // A live that is not written yet takes along what they came to.
        let is_kept = !failed.is_empty();
        for place in gone {
            let is_gone = !is_kept
                && self.written_row(keys::live(user, place), self.take_live_away(write, place).await)?.is_some();
            if !is_gone {
                failed.insert(DirtyRow::Live(place.to_owned()));
            }
        }
        Ok(())
    }
}

/// What is to be written out.
pub(super) struct WriteContext<'a> {
    pub(super) user: &'a UserId,
    pub(super) state: &'a BroadcasterState,
    pub(super) projection: &'a Projection,
    pub(super) rules: &'a Rules,
    pub(super) now: UnixSeconds,
}

impl WriteContext<'_> {
    /// The update of a row that follows from the timeline: it is not written over one that follows from a later one.
    pub(super) fn row(&self, key: keys::Key) -> Update {
        let update = Update::of(key).set("revision", self.revision());
        update.when("(attribute_not_exists(#revision) OR #revision < :revision)")
    }

    /// The revision of the timeline.
    pub(super) fn revision(&self) -> AttributeValue {
        number(self.state.revision)
    }

    /// Whether a row follows from this timeline already, or a later one.
    pub(super) fn is_written(&self, row: &Item) -> Result<bool> {
        Ok(number_in(row, "revision")? >= self.state.revision)
    }
}

/// Writes what is left to do, and when.
fn write_task(update: Update, state: &BroadcasterState, now: UnixSeconds) -> Update {
    let names: Vec<String> = state.dirty.iter().map(DirtyRow::name).collect();
    let update = if names.is_empty() { update.remove("dirty") } else { update.set("dirty", AttributeValue::Ss(names)) };
    let update = if state.has_unconfirmed_counts() {
        update.set("unconfirmed_at", unix_seconds(state.unconfirmed_at))
    } else {
        update.remove("unconfirmed_at")
    };
    let failed: Vec<String> = state.failed.iter().map(DirtyRow::name).collect();
    let update = if failed.is_empty() {
        update.remove("failed").remove("failures").remove("retry_at")
    } else {
        let update = update.set("failed", AttributeValue::Ss(failed)).set("failures", number(state.failures));
        update.set("retry_at", unix_seconds(state.retry_at))
    };
    // What is left to do of a ban is not put off by what is told meanwhile.
    let sooner = state.due_at.filter(|_| !state.pending_actions.is_empty());
    match state.due(now).map(|due| sooner.map_or(due, |sooner| due.min(sooner))) {
        Some(due) => update.set(keys::TASK, text(OPEN)).set(keys::DUE, unix_seconds(due)),
        None => update.remove(keys::TASK).remove(keys::DUE),
    }
}

/// What has to be written because what is known of a user changed, and with that what it means.
fn differences(
    user: &UserId,
    (before, was): (&BroadcasterState, &Projection),
    (after, is): (&BroadcasterState, &Projection),
) -> BTreeSet<DirtyRow> {
    let mut dirty = BTreeSet::new();
    let room = |state: &BroadcasterState| {
        (state.is_live(), state.is_hidden(), state.timeline.broadcast(), state.ban.is_some())
    };
    if room(before) != room(after) {
        dirty.insert(DirtyRow::Room);
        let broadcasts = [before, after].into_iter().filter_map(|state| state.timeline.broadcast());
        dirty.extend(broadcasts.map(|broadcast| DirtyRow::room_count(broadcast, user)));
    }
    let broadcasts = after.timeline.broadcasts_opened();
    let (were, are) = (was.written_lives(&broadcasts), is.written_lives(&broadcasts));
    let changed = were.iter().filter(|live| !are.contains(live)).chain(are.iter().filter(|live| !were.contains(live)));
    dirty.extend(changed.map(DirtyRow::live));
    let known = |replay: &ReplayFiles| was.replays.iter().find(|known| known.file == replay.file);
    for replay in &is.replays {
        let known = known(replay);
        let is_same = known.is_some_and(|known| {
            (&known.parts, was.written_of(known, &broadcasts)) == (&replay.parts, is.written_of(replay, &broadcasts))
        });
        let is_forbidden = after.is_forbidden(is, replay);
        let was_forbidden = known.is_some_and(|known| before.is_forbidden(was, known));
        if is_same && was_forbidden == is_forbidden {
            continue;
        }
        if known.is_some() && was_forbidden != is_forbidden {
            let place = Position::of(replay.end, replay.file.as_str());
            dirty.insert(DirtyRow::Count(replays::COUNT_TREE, place));
        }
        // Parts that lead to the replay already need not be told so again.
        let leads_to_it = |file: &FileId| known.is_some_and(|known| known.parts.iter().any(|part| part.file == *file));
        let files = replay.parts.iter().map(|part| &part.file);
        let files = files.filter(|file| **file == replay.file || !leads_to_it(file));
        dirty.extend(files.map(DirtyRow::file));
    }
    let position = |replay: &ReplayFiles| Position::of(replay.end, replay.file.as_str());
    let all = |projection: &Projection| projection.replays.iter().map(position).collect::<BTreeSet<_>>();
    let moved = &all(was) ^ &all(is);
    dirty.extend(moved.into_iter().map(|position| DirtyRow::Count(replays::COUNT_TREE, position)));
    dirty
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_written_has_short_names_whatever_the_files_are_called() {
        let files = (0..400).map(|n| FileId::parse(&format!("{}{n}", "\u{2070e}".repeat(190))).unwrap());
        let names: BTreeSet<String> = files.map(|file| DirtyRow::file(&file).name()).collect();
        assert_eq!(names.len(), 400);
        assert!(names.iter().map(String::len).sum::<usize>() < 10_000);
        for name in names {
            assert_eq!(DirtyRow::parse(&name).unwrap().name(), name);
        }
    }

    #[test]
    fn doubts_of_counts_are_forgotten_before_an_item_has_no_room_for_them() {
        let mut state = BroadcasterState::default();
        state.dirty.insert(DirtyRow::Room);
        state.dirty.extend((0..10_000).map(|n| DirtyRow::Count(replays::COUNT_TREE, Position(12_800_000_000 + n))));
        state.fit_names("alice");
        let bytes: usize = state.dirty.iter().map(|name| name.name().len()).sum();
        assert!((MAX_NAME_BYTES - 100..=MAX_NAME_BYTES).contains(&bytes), "{bytes} bytes");
        assert!(state.dirty.contains(&DirtyRow::Room));
        let last = DirtyRow::Count(replays::COUNT_TREE, Position(12_800_009_999));
        assert!(state.dirty.contains(&last), "the newest stay");
    }
}
