//! The ledger: a record of every notice (callback) of the live cloud, written before the notice is applied.
//!
//! The key of a record has the stream, the event and the id of the notice, so a notice that is sent twice has one
//! record. An open record has a task: if the process dies before the notice is applied, the sweep applies it. A parked
//! record has a task until its last try.

use super::{ListPage, attributes_expression, tasks::OPEN, verdicts};
use crate::prelude::*;
use protocol::types::StreamId;
use timeline::Reason;

/// How long after its receipt the sweep applies a notice that is still open. The cloud repeats an unanswered notice sooner.
const UNFINISHED_SECONDS: u64 = 90;
/// When a parked notice is tried again, after each try: the stream may have an owner by then.
const PARKED_RETRY_SECONDS: [u64; 3] = [60, 600, 3600];

/// A notice of the live cloud.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The stream.
    pub stream: StreamId,
    /// The event type, a space, and an id that is unique among the notices of that type about the stream.
    pub id: String,
    /// The body of the request, unchanged.
    pub body: String,
    /// Whether the notice was received after its expiry.
    pub is_late: bool,
    /// Why the push ended, in a notice about the end of a push.
    pub reason: Option<Reason>,
}

/// The processing status of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeStatus {
    /// Not applied yet.
    Open,
    /// Applied to the timeline of this user.
    Applied(UserId),
    /// Waiting: the stream has no owner yet.
    Parked,
    /// Ignored, for this reason.
    Dropped(String),
}

impl NoticeStatus {
    /// The name in the table and in replies to operators.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Applied(_) => "applied",
            Self::Parked => "parked",
            Self::Dropped(_) => "dropped",
        }
    }
}

/// The record of a notice in the ledger.
#[derive(Clone, Debug)]
pub struct NoticeRecord {
    /// The notice.
    pub notice: Notice,
    /// When the notice was first received.
    pub received_at: UnixSeconds,
    /// How many times the notice was received.
    pub times: u64,
    /// The processing status.
    pub status: NoticeStatus,
    /// How many times the notice was tried and parked.
    tries: u64,
}

impl NoticeRecord {
    pub(super) fn read(item: &Item) -> Result<Self> {
        let status = match text_in(item, "fate")? {
            "" => NoticeStatus::Open,
            "applied" => NoticeStatus::Applied(parsed(item, "user", UserId::parse)?),
            "parked" => NoticeStatus::Parked,
            "dropped" => NoticeStatus::Dropped(text_in(item, "reason")?.to_owned()),
            _ => return Err(invalid_attribute("fate")),
        };
        let reason = || -> Result<Reason> {
            Ok(Reason {
                code: counter_in(item, "errcode")?,
                detail: counter_in(item, "sub_errcode")?,
                message: text_in(item, "errmsg")?.to_owned(),
            })
        };
        let notice = Notice {
            reason: item.contains_key("errcode").then(reason).transpose()?,
            stream: parsed(item, "stream", StreamId::parse)?,
            id: text_in(item, keys::SK)?.to_owned(),
            body: text_in(item, "body")?.to_owned(),
            is_late: item.contains_key("late"),
        };
        let (times, tries) = (counter_in(item, "times")?, counter_in(item, "tries")?);
        Ok(Self { notice, received_at: unix_seconds_in(item, "received_at")?, times, status, tries })
    }
}

impl Table {
    /// Records a notice, for `kept_seconds`, and returns its record. The record of a new notice is open. For a notice
    /// that was received before, the count of receipts goes up and the rest of the record stays.
    pub async fn record_notice(&self, notice: &Notice, now: UnixSeconds, kept_seconds: u64) -> Result<NoticeRecord> {
        const CONTEXT: &str = "record a notice";
        let update = Update::of(keys::notice(&notice.stream, &notice.id))
            .set("stream", text(notice.stream.as_str()))
            .set("body", text(&notice.body))
            .set("received_at", unix_seconds(now))
            .set("times", number(1))
            .set(keys::EXPIRES_AT, unix_seconds(now.plus(kept_seconds)))
            .set_due(Some(now.plus(UNFINISHED_SECONDS)))
            .set_flag("late", notice.is_late)
            .when("attribute_not_exists(PK)");
        let update = match &notice.reason {
            Some(Reason { code, detail, message }) => {
                update.set("errcode", number(*code)).set("sub_errcode", number(*detail)).set_text("errmsg", message)
            }
            None => update,
        };
        let (outcome, known) = verdicts::list_if_verdict(update, notice, now).send_returning_old(self, CONTEXT).await?;
        if outcome == WriteOutcome::Done {
            let (notice, status) = (notice.clone(), NoticeStatus::Open);
            return Ok(NoticeRecord { notice, received_at: now, times: 1, status, tries: 0 });
        }
        let again = Update::of(keys::notice(&notice.stream, &notice.id)).add_at_least_once("times", 1);
        let again = if notice.is_late { again } else { again.remove("late") };
        again.when("attribute_exists(PK)").send(self, CONTEXT).await?;
        let mut record = NoticeRecord::read(&known)?;
        record.notice.is_late &= notice.is_late;
        Ok(record)
    }

    /// Sets the status of a notice, and when the sweep tries it next.
    pub async fn set_notice_status(
        &self,
        record: &NoticeRecord,
        status: &NoticeStatus,
        now: UnixSeconds,
    ) -> Result<()> {
        // An open notice has no such attribute.
        let fate = if *status == NoticeStatus::Open { "" } else { status.name() };
        let update = Update::of(keys::notice(&record.notice.stream, &record.notice.id)).set_text("fate", fate);
        let update = update.when("attribute_exists(PK)");
        let (update, again) = match status {
            NoticeStatus::Open => (update, Some(UNFINISHED_SECONDS)),
            NoticeStatus::Applied(user) => (update.set("user", text(user.as_str())), None),
            NoticeStatus::Dropped(reason) => (update.set("reason", text(reason)), None),
            NoticeStatus::Parked => {
                let retry = usize::try_from(record.tries).ok().and_then(|tries| PARKED_RETRY_SECONDS.get(tries));
                (update.add_at_least_once("tries", 1), retry.copied())
            }
        };
        update
            .set_due(again.map(|seconds| now.plus(seconds)))
            .send(self, "set the status of a notice")
            .await
            .map(|_| ())
    }

    /// Reads records of notices. Invalid ones are logged and skipped.
    fn read_notices(&self, items: &[Item]) -> Vec<NoticeRecord> {
        items.iter().filter_map(|item| self.ok_or_log(item, NoticeRecord::read(item))).collect()
    }

    /// The record of a notice, if there is one.
    pub async fn notice(&self, stream: &StreamId, id: &str) -> Result<Option<NoticeRecord>> {
        self.get(keys::notice(stream, id), "read a notice").await?.as_ref().map(NoticeRecord::read).transpose()
    }

    /// The notices of a stream without their bodies, in the order of their receipt.
    pub async fn notice_summaries(&self, stream: &StreamId) -> Result<Vec<NoticeRecord>> {
        /// All attributes but the body, and those of the task.
        const ATTRIBUTES: &str = "stream fate user reason received_at times tries late errcode sub_errcode errmsg";
        let (attributes, names) = attributes_expression(&ATTRIBUTES.split(' ').collect::<Vec<_>>());
        let request = self.items_of(keys::notices_partition(stream), "");
        let request = request.projection_expression(attributes).set_expression_attribute_names(Some(names));
        let mut records = self.read_notices(&self.query(request, usize::MAX, "read notices").await?);
        records.sort_by_key(|record| record.received_at);
        Ok(records)
    }

    /// A page of the notices that the sweep will try again, open or parked, of this event if one is given: by the time of
    /// their next try, latest first.
    pub async fn unfinished_notices(&self, event: Option<&str>, page: Page) -> Result<ListPage<NoticeRecord>> {
        const CONTEXT: &str = "read notices";
        let request = self
            .client
            .query()
            .index_name(keys::TASKS)
            .key_condition_expression("#task = :open")
            .expression_attribute_names("#task", keys::TASK)
            .expression_attribute_values(":open", text(OPEN))
            .scan_index_forward(false);
        let found = self.query(request, usize::MAX, CONTEXT).await?;
        let found = found.iter().filter_map(keys::Task::of_key).filter(|task| match task {
            keys::Task::Notice(_, id) => event.is_none_or(|event| id.split(' ').next() == Some(event)),
            keys::Task::User(_) | keys::Task::Group(..) | keys::Task::Replay(..) => false,
        });
        let found: Vec<keys::Key> = found.map(|task| task.key()).collect();
        let wanted: Vec<&keys::Key> = page.of(&found).collect();
        let mut items = self.batch(wanted.iter().map(|key| (*key).clone()), Consistency::Strong, CONTEXT).await?;
        let rows = wanted.into_iter().filter_map(|key| items.remove(&keys::id(key)));
        let rows = self.read_notices(&rows.collect::<Vec<_>>());
        Ok(ListPage { total: found.len().try_into().unwrap_or(u64::MAX), rows })
    }

    /// The notices of a stream about pushes and files, in the order of their ids: at most `max`, from the first id
    /// after `after`. With them the id to continue after, if there may be more.
    ///
    /// In this order ends of pushes (event 0) come before starts (event 1), and files (event 100) last. So a stream
    /// whose push is over does not become live for a moment when its notices are applied again.
    pub async fn timeline_notices(
        &self,
        stream: &StreamId,
        after: Option<&str>,
        max: usize,
    ) -> Result<(Vec<NoticeRecord>, Option<String>)> {
        /// The prefixes of the ids of events that a timeline has: end of a push, start of a push, file.
        const PREFIXES: [&str; 3] = ["0 ", "1 ", "100 "];
        let (first, last) = (PREFIXES[0].to_owned(), format!("{}\u{10ffff}", PREFIXES[2]));
        if after.is_some_and(|after| after < first.as_str() || after > last.as_str()) {
            return Ok((Vec::new(), None));
        }
        let request = self
            .client
            .query()
            .consistent_read(true)
            .key_condition_expression("PK = :stream AND SK BETWEEN :first AND :last")
            .expression_attribute_values(":stream", text(keys::notices_partition(stream)))
            .expression_attribute_values(":first", text(first))
            .expression_attribute_values(":last", text(last))
            .set_exclusive_start_key(after.map(|after| keys::notice(stream, after)));
        let items = self.query(request, max, "read notices").await?;
        let last = items.last().filter(|_| items.len() == max).map(|item| text_in(item, keys::SK)).transpose()?;
        let last = last.map(str::to_owned);
        let mut records = self.read_notices(&items);
        records.retain(|record| PREFIXES.iter().any(|prefix| record.notice.id.starts_with(prefix)));
        Ok((records, last))
    }
}
