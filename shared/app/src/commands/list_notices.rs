//! `list_notices`: what the cloud told of a stream or of a user's streams, or what of it is not dealt with.

use serde::Serialize;

use super::{Command, Names, notices::NoticeRow};
use crate::{App, auth::Operator};
use protocol::{
    error::Error,
    types::{Page, StreamId, UserId},
    wire::Params,
};

/// How many rows a page has if nobody says how many.
const ROWS: u64 = 20;

/// See the module.
#[derive(Debug)]
pub struct ListNotices {
    of: Of,
    page: Page,
}

#[derive(Debug)]
enum Of {
    Stream(StreamId),
    User(UserId),
    /// Of whatever stream, and not dealt with.
    Unsettled,
}

/// A page.
#[derive(Debug, Serialize)]
pub struct Reply {
    totalcount: u64,
    list: Vec<NoticeRow>,
}

impl Command for ListNotices {
    const NAMES: Names = Names::rest("list_notices");
    type Caller = Operator;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        let of = match (params.optional("streamid")?, params.optional("userid")?) {
            (Some(stream), None) => Of::Stream(stream),
            (None, Some(user)) => Of::User(user),
            (None, None) => Of::Unsettled,
            (Some(_), Some(_)) => return Err(Error::InvalidArgument("streamid or userid, not both")),
        };
        let (index, count) = (params.optional("index")?.unwrap_or(1), params.optional("count")?.unwrap_or(ROWS));
        Ok(Self { of, page: Page::new(index, count) })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Reply, Error> {
        let streams = match self.of {
            Of::Stream(stream) => vec![stream],
            Of::User(user) => app.table.streams_of(&user).await?.ok_or(Error::NotFound("room"))?,
            Of::Unsettled => {
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
