//! `list_notices`: the notices of a stream, the notices of a user's streams, or all unsettled notices.

use super::notices::NoticeRow;
use super::prelude::*;
use super::rows::{CountedRows, operator_page};
use store::NoticeRecord;

/// The statuses of a notice.
const FATES: [&str; 4] = ["open", "applied", "parked", "dropped"];

pub struct ListNotices {
    filter: Filter,
    /// Only notices of this event.
    event: Option<Text<16>>,
    /// Only notices with this status.
    fate: Option<Text<16>>,
    page: Page,
}

enum Filter {
    Stream(StreamId),
    User(UserId),
    /// The unsettled notices of all streams.
    Unsettled,
}

impl Command for ListNotices {
    const NAMES: Names = Names::rest("list_notices");
    type Caller = Operator;
    type Reply = CountedRows<NoticeRow>;

    fn parse(params: &Params) -> Result<Self, Error> {
        let filter = match (params.optional("streamid")?, params.optional("userid")?) {
            (Some(stream), None) => Filter::Stream(stream),
            (None, Some(user)) => Filter::User(user),
            (None, None) => Filter::Unsettled,
            (Some(_), Some(_)) => return Err(Error::InvalidArgument("streamid or userid, not both")),
        };
        let event = params.optional("event")?;
        let fate: Option<Text<16>> = params.optional("fate")?;
        if fate.as_ref().is_some_and(|fate| !FATES.contains(&fate.as_str())) {
            return Err(Error::InvalidArgument("fate is open, applied, parked or dropped"));
        }
        if fate.is_some() && matches!(filter, Filter::Unsettled) {
            return Err(Error::InvalidArgument("fate needs a streamid or a userid"));
        }
        Ok(Self { filter, event, fate, page: operator_page(params)? })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Self::Reply, Error> {
        let row = |record: &NoticeRecord| NoticeRow::of(record, &record.status);
        let event = self.event.as_ref().map(Text::as_str);
        let streams = match self.filter {
            Filter::Stream(stream) => vec![stream],
            Filter::User(user) => app.table.streams_of(&user).await?.ok_or(Error::NotFound("room"))?,
            Filter::Unsettled => {
                let listed = app.table.unfinished_notices(event, self.page).await?;
                return Ok(CountedRows::new(listed.total, listed.rows.iter().map(row)));
            }
        };
        let mut records = Vec::new();
        for stream in streams {
            records.extend(app.table.notice_summaries(&stream).await?);
        }
        records.retain(|record: &NoticeRecord| {
            let is_of_event = |event| record.notice.id.split(' ').next() == Some(event);
            event.is_none_or(is_of_event) && self.fate.as_ref().is_none_or(|fate| fate.as_str() == record.status.name())
        });
        records.sort_by(|a, b| (b.received_at, &b.notice.id).cmp(&(a.received_at, &a.notice.id)));
        let total = records.len().try_into().unwrap_or(u64::MAX);
        Ok(CountedRows::new(total, self.page.of(&records).map(row)))
    }
}
