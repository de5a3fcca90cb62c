//! The ledger: every notice of the cloud as it came, before anything is done about it.
//!
//! A notice is kept under what tells it from others, so one that comes again is known. Until it has been dealt with it is
//! in the index of work, where the sweep finds what a process that died left behind.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    Item, ListPage, Result, Table,
    batch::Consistency,
    broadcaster_state::OPEN,
    counter_in, invalid_attribute, keys, number, parsed, text, text_in, unix_seconds, unix_seconds_in,
    update::{OutcomeWithOldItem, Update},
};
use protocol::types::{Page, StreamId, UnixSeconds, UserId};
use timeline::Reason;

/// How soon a notice that nobody finished is dealt with by the sweep: later than the cloud's own next try.
const UNFINISHED_SECONDS: u64 = 90;
/// When a notice is tried again that was about a stream of nobody: the stream may have become somebody's.
const PARKED_SECONDS: [u64; 3] = [60, 600, 3600];

/// What the cloud told.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The stream that it is about.
    pub stream: StreamId,
    /// The event, and what tells it from others of its kind.
    pub id: String,
    /// The body as it came.
    pub body: String,
    /// Whether it came after its expiry.
    pub is_late: bool,
    /// What it says of why a push ended.
    pub reason: Option<Reason>,
}

/// What became of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeStatus {
    /// It is not dealt with yet.
    Open,
    /// What follows from it is written.
    Applied(UserId),
    /// It is about a stream of nobody; perhaps not for long.
    Parked,
    /// Nothing follows from it, for this reason.
    Dropped(String),
}

impl NoticeStatus {
    /// What it is called in the table and in answers to operators.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Applied(_) => "applied",
            Self::Parked => "parked",
            Self::Dropped(_) => "dropped",
        }
    }
}

/// A notice in the ledger.
#[derive(Clone, Debug)]
pub struct NoticeRecord {
    /// What the cloud told.
    pub notice: Notice,
    /// When it came first.
    pub received_at: UnixSeconds,
    /// How often it came.
    pub times: u64,
    /// What became of it.
    pub status: NoticeStatus,
    /// How often it was tried since it was parked.
    tries: u64,
}

impl NoticeRecord {
    fn read(item: &Item) -> Result<Self> {
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
    /// Keeps a notice for so many seconds, and says what is known of it: a new one is open.
    pub async fn record_notice(&self, notice: &Notice, now: UnixSeconds, seconds: u64) -> Result<NoticeRecord> {
        const CONTEXT: &str = "keep a notice";
        let update = Update::of(keys::notice(&notice.stream, &notice.id))
            .set("stream", text(notice.stream.as_str()))
            .set("body", text(&notice.body))
            .set("received_at", unix_seconds(now))
            .set("times", number(1))
            .set(keys::EXPIRES_AT, unix_seconds(now.plus(seconds)))
            .set(keys::TASK, text(OPEN))
            .set(keys::DUE, unix_seconds(now.plus(UNFINISHED_SECONDS)))
            .when("attribute_not_exists(PK)");
        let update = if notice.is_late { update.set("late", AttributeValue::Bool(true)) } else { update };
        let update = match &notice.reason {
            Some(Reason { code, detail, message }) => {
                update.set("errcode", number(*code)).set("sub_errcode", number(*detail)).set_text("errmsg", message)
            }
            None => update,
        };
        match update.send_returning_old(self, CONTEXT).await? {
            OutcomeWithOldItem::Done(_) => {
                let (notice, status) = (notice.clone(), NoticeStatus::Open);
                Ok(NoticeRecord { notice, received_at: now, times: 1, status, tries: 0 })
            }
            OutcomeWithOldItem::ConditionFailed(known) => {
                let again = Update::of(keys::notice(&notice.stream, &notice.id)).add_at_least_once("times", 1);
                let again = if notice.is_late { again } else { again.remove("late") };
                again.when("attribute_exists(PK)").send(self, CONTEXT).await?;
                let mut record = NoticeRecord::read(&known)?;
                record.notice.is_late &= notice.is_late;
                Ok(record)
            }
        }
    }

    /// Writes what became of a notice.
    pub async fn set_notice_status(
        &self,
        record: &NoticeRecord,
        status: &NoticeStatus,
        now: UnixSeconds,
    ) -> Result<()> {
        let update = Update::of(keys::notice(&record.notice.stream, &record.notice.id)).when("attribute_exists(PK)");
        let update =
            if *status == NoticeStatus::Open { update.remove("fate") } else { update.set("fate", text(status.name())) };
        let update = match status {
            NoticeStatus::Applied(user) => update.set("user", text(user.as_str())),
            NoticeStatus::Dropped(reason) => update.set("reason", text(reason)),
            NoticeStatus::Open | NoticeStatus::Parked => update,
        };
        let again = match status {
            NoticeStatus::Open => Some(UNFINISHED_SECONDS),
            NoticeStatus::Parked => {
                usize::try_from(record.tries).ok().and_then(|tries| PARKED_SECONDS.get(tries)).copied()
            }
            NoticeStatus::Applied(_) | NoticeStatus::Dropped(_) => None,
        };
        let update = match again {
            Some(seconds) => update.set(keys::DUE, unix_seconds(now.plus(seconds))).set(keys::TASK, text(OPEN)),
            None => update.remove(keys::DUE).remove(keys::TASK),
        };
        let update = if *status == NoticeStatus::Parked { update.add_at_least_once("tries", 1) } else { update };
        update.send(self, "settle a notice").await.map(|_| ())
    }

    /// Notices as they are read, without those that are damaged.
    fn read_notices(&self, items: &[Item]) -> Vec<NoticeRecord> {
        items.iter().filter_map(|item| self.ok_or_log(item, NoticeRecord::read(item))).collect()
    }

    /// A notice.
    pub async fn notice(&self, stream: &StreamId, id: &str) -> Result<Option<NoticeRecord>> {
        self.get(keys::notice(stream, id), "read a notice").await?.as_ref().map(NoticeRecord::read).transpose()
    }

    /// The notices of a stream without their bodies, the first to come first.
    pub async fn notice_summaries(&self, stream: &StreamId) -> Result<Vec<NoticeRecord>> {
        const HEAD: [&str; 13] = [
            keys::PK,
            keys::SK,
            "stream",
            "fate",
            "user",
            "reason",
            "received_at",
            "times",
            "tries",
            "late",
            "errcode",
            "sub_errcode",
            "errmsg",
        ];
        let names: Vec<String> = HEAD.iter().map(|name| format!("#{name}")).collect();
        let mut request = self
            .client
            .query()
            .consistent_read(true)
            .key_condition_expression("PK = :stream")
            .expression_attribute_values(":stream", text(keys::notices_partition(stream)))
            .projection_expression(names.join(", "));
        for name in HEAD {
            request = request.expression_attribute_names(format!("#{name}"), name);
        }
        let items = self.query(request, usize::MAX, "read notices").await?;
        let mut records = self.read_notices(&items);
        records.sort_by_key(|record| record.received_at);
        Ok(records)
    }

    /// A page of the notices that are not dealt with yet, those first that are tried last.
    pub async fn unfinished_notices(&self, page: Page) -> Result<ListPage<NoticeRecord>> {
        const CONTEXT: &str = "read notices";
        let request = self
            .client
            .query()
            .index_name(keys::TASKS)
            .key_condition_expression("#work = :open")
            .expression_attribute_names("#work", keys::TASK)
            .expression_attribute_values(":open", text(OPEN))
            .scan_index_forward(false);
        let found = self.query(request, usize::MAX, CONTEXT).await?;
        let found = found.iter().filter_map(keys::Task::of_key).filter(|work| matches!(work, keys::Task::Notice(..)));
        let found: Vec<keys::Key> = found.map(|work| work.key()).collect();
        let wanted: Vec<&keys::Key> = page.of(&found).collect();
        let mut items = self.batch(wanted.iter().map(|key| (*key).clone()), Consistency::Strong, CONTEXT).await?;
        let rows = wanted.into_iter().filter_map(|key| items.remove(&keys::id(key)));
        let rows = self.read_notices(&rows.collect::<Vec<_>>());
        Ok(ListPage { total: found.len().try_into().unwrap_or(u64::MAX), rows })
    }

    /// What the cloud told of pushes of a stream and of its files and that is still kept, by the ids after this one; at
    /// most so many. And the id after which there is more. Ends come before starts, and files last, so that done again
    /// in this order they turn nothing on that is over.
    pub async fn timeline_notices(
        &self,
        stream: &StreamId,
        after: Option<&str>,
        max: usize,
    ) -> Result<(Vec<NoticeRecord>, Option<String>)> {
        /// The events that are evidence, as ids begin with them.
        const EVIDENCE: [&str; 3] = ["0 ", "1 ", "100 "];
        let (first, last) = (EVIDENCE[0].to_owned(), format!("{}\u{10ffff}", EVIDENCE[2]));
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
        records.retain(|record| EVIDENCE.iter().any(|event| record.notice.id.starts_with(event)));
        Ok((records, last))
    }

    /// Everything that the cloud told of a stream and that is still kept, the first to come first.
    pub async fn notices(&self, stream: &StreamId) -> Result<Vec<NoticeRecord>> {
        let request = self
            .client
            .query()
            .consistent_read(true)
            .key_condition_expression("PK = :stream")
            .expression_attribute_values(":stream", text(keys::notices_partition(stream)));
        let mut records = self.read_notices(&self.query(request, usize::MAX, "read notices").await?);
        records.sort_by_key(|record| record.received_at);
        Ok(records)
    }
}
