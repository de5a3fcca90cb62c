//! `list_notices`: the notices of a stream, the notices of a user's streams, or all unsettled notices.

use super::notices::NoticeRow;
use super::prelude::*;

/// The default number of rows of a page.
const DEFAULT_COUNT: u64 = 20;

pub struct ListNotices {
    filter: Filter,
    page: Page,
}

enum Filter {
    Stream(StreamId),
    User(UserId),
    /// The unsettled notices of all streams.
    Unsettled,
}

#[derive(Serialize)]
pub struct Reply {
    totalcount: u64,
    list: Vec<NoticeRow>,
}

impl Command for ListNotices {
    const NAMES: Names = Names::rest("list_notices");
    type Caller = Operator;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        let filter = match (params.optional("streamid")?, params.optional("userid")?) {
            (Some(stream), None) => Filter::Stream(stream),
            (None, Some(user)) => Filter::User(user),
            (None, None) => Filter::Unsettled,
            (Some(_), Some(_)) => return Err(Error::InvalidArgument("streamid or userid, not both")),
        };
        let (index, count) =
            (params.optional("index")?.unwrap_or(1), params.optional("count")?.unwrap_or(DEFAULT_COUNT));
        Ok(Self { filter, page: Page::new(index, count) })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Reply, Error> {
        let streams = match self.filter {
            Filter::Stream(stream) => vec![stream],
            Filter::User(user) => app.table.streams_of(&user).await?.ok_or(Error::NotFound("room"))?,
            Filter::Unsettled => {
                let listed = app.table.unfinished_notices(self.page).await?;
                let list = listed.rows.iter().map(|record| NoticeRow::of(record, &record.status)).collect();
                return Ok(Reply { totalcount: listed.total, list });
            }
        };
        let mut records = Vec::new();
        for stream in streams {
            records.extend(app.table.notice_summaries(&stream).await?);
        }
        records.sort_by(|a, b| (b.received_at, &b.notice.id).cmp(&(a.received_at, &a.notice.id)));
        let list = self.page.of(&records).map(|record| NoticeRow::of(record, &record.status)).collect();
        Ok(Reply { totalcount: records.len().try_into().unwrap_or(u64::MAX), list })
    }
}
