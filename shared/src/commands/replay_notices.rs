//! `replay_notices`: has what follows from notices of the cloud done again, and says what became of each.

use serde::Serialize;

use super::{Command, Names, live_callback, notices::NoticeRow};
use crate::{
    app::App,
    auth::Operator,
    error::Error,
    types::{NoticeId, Page, StreamId},
    wire::Params,
};

/// How many notices are done again in one call if nobody says how many; more would take longer than a call may.
const ROWS: u64 = 100;
/// The events that are evidence of what happened to a stream.
const EVIDENCE: [&str; 3] = ["0 ", "1 ", "100 "];

/// See the module.
#[derive(Debug)]
pub struct ReplayNotices {
    stream: StreamId,
    id: Option<NoticeId>,
    page: Page,
}

/// What became of them.
#[derive(Debug, Serialize)]
pub struct Reply {
    totalcount: u64,
    list: Vec<NoticeRow>,
}

impl Command for ReplayNotices {
    const NAMES: Names = Names::rest("replay_notices");
    type Caller = Operator;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        let (index, count) = (params.optional("index")?.unwrap_or(1), params.optional("count")?.unwrap_or(ROWS));
        let (stream, id) = (params.required("streamid")?, params.optional("id")?);
        Ok(Self { stream, id, page: Page::new(index, count) })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Reply, Error> {
        if let Some(id) = &self.id {
            let row = again(app, &self.stream, id.as_str()).await?.ok_or(Error::NotFound("notice"))?;
            return Ok(Reply { totalcount: 1, list: vec![row] });
        }
        let mut heads = app.table.notice_heads(&self.stream).await?;
        // A judgement is none: that a live was ended once is no reason to end what follows it.
        heads.retain(|head| EVIDENCE.iter().any(|event| head.notice.id.starts_with(event)));
        let mut list = Vec::new();
        for head in self.page.of(&heads) {
            list.extend(again(app, &self.stream, &head.notice.id).await?);
        }
        Ok(Reply { totalcount: heads.len().try_into().unwrap_or(u64::MAX), list })
    }
}

async fn again(app: &App, stream: &StreamId, id: &str) -> Result<Option<NoticeRow>, Error> {
    let Some(entry) = app.table.notice(stream, id).await? else { return Ok(None) };
    let fate = live_callback::apply(app, &entry).await?;
    Ok(Some(NoticeRow::of(&entry, &fate)))
}
