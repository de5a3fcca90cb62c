//! `replay_notices`: has what follows from notices of the cloud done again, and says what became of each.

use serde::Serialize;

use super::{
    Command, Names, live_callback,
    notices::{NoticeRow, Unknown},
};
use crate::{App, auth::Operator};
use protocol::{
    error::Error,
    types::{NoticeId, StreamId},
    wire::Params,
};

/// How many notices are done again in one call at most: more would take longer than a call may.
const MAX: u64 = 100;

/// See the module.
#[derive(Debug)]
pub struct ReplayNotices {
    stream: StreamId,
    what: What,
}

#[derive(Debug)]
enum What {
    One(NoticeId),
    /// So many, from the first after this one.
    Some {
        after: Option<NoticeId>,
        max: usize,
    },
}

/// What became of them.
#[derive(Debug, Serialize)]
pub struct Reply {
    list: Vec<NoticeRow>,
    /// The notice after which the next call goes on, unless that was all.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Command for ReplayNotices {
    const NAMES: Names = Names::rest("replay_notices");
    type Caller = Operator;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        let stream = params.required("streamid")?;
        let max = params.optional("count")?.unwrap_or(MAX).clamp(1, MAX);
        let after = params.optional("after")?;
        let what = match params.optional("id")? {
            Some(id) => What::One(id),
            None => What::Some { after, max: usize::try_from(max).unwrap_or(1) },
        };
        Ok(Self { stream, what })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Reply, Error> {
        match self.what {
            What::One(id) => {
                let record = app.table.notice(&self.stream, id.as_str()).await?.ok_or(Error::NotFound("notice"))?;
                let fate = live_callback::apply(app, &record).await?;
                Ok(Reply { list: vec![NoticeRow::of(&record, &fate)], next: None })
            }
            What::Some { after, max } => {
                let after = after.as_ref().map(NoticeId::as_str);
                // A judgement is none: that a live was ended once is no reason to end what follows it.
                let (records, next) = app.table.timeline_notices(&self.stream, after, max).await?;
                let unknown = Unknown::of(app, &self.stream, &records).await?;
                let mut list = Vec::new();
                for record in &records {
                    let fate = if unknown.has(record) {
                        live_callback::apply(app, record).await?
                    } else {
                        record.status.clone()
                    };
                    list.push(NoticeRow::of(record, &fate));
                }
                Ok(Reply { list, next })
            }
        }
    }
}
