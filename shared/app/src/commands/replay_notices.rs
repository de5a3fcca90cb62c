//! `replay_notices`: applies notices of the ledger again, and returns the new status of each.

use super::prelude::*;
use super::{
    live_callback,
    notices::{NoticeRow, missing_from_timeline},
};
use protocol::types::NoticeId;
use store::NoticeStatus;

/// How many notices one call applies at most. More would exceed the time limit of a call.
const MAX_NOTICES: u64 = 100;

pub struct ReplayNotices {
    stream: StreamId,
    selection: Selection,
}

enum Selection {
    One(NoticeId),
    /// At most `max` notices after this one.
    Page {
        after: Option<NoticeId>,
        max: usize,
    },
}

/// The notices with their new status.
#[derive(Serialize)]
pub struct Reply {
    list: Vec<NoticeRow>,
    /// The value of `after` for the next call, if there are more notices.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Command for ReplayNotices {
    const NAMES: Names = Names::rest("replay_notices");
    type Caller = Operator;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        let stream = params.required("streamid")?;
        let max = params.optional("count")?.unwrap_or(MAX_NOTICES).clamp(1, MAX_NOTICES);
        let after = params.optional("after")?;
        let selection = match params.optional("id")? {
            Some(id) => Selection::One(id),
            None => Selection::Page { after, max: usize::try_from(max).unwrap_or(1) },
        };
        Ok(Self { stream, selection })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Reply, Error> {
        match self.selection {
            Selection::One(id) => {
                let record = app.table.notice(&self.stream, id.as_str()).await?.ok_or(Error::NotFound("notice"))?;
                let status = live_callback::apply_again(app, &record).await?;
                Ok(Reply { list: vec![NoticeRow::of(&record, &status)], next: None })
            }
            Selection::Page { after, max } => {
                let after = after.as_ref().map(NoticeId::as_str);
                // Verdicts are not evidence and are not applied again: they would end a later live.
                let (records, next) = app.table.timeline_notices(&self.stream, after, max).await?;
                let missing = missing_from_timeline(app, &self.stream, &records).await?;
                let missing = missing.map(|(_, ids)| ids).unwrap_or_default();
                let mut list = Vec::new();
                for record in &records {
                    let is_settled = matches!(record.status, NoticeStatus::Applied(_));
                    let status = if is_settled && !missing.contains(&record.notice.id) {
                        record.status.clone()
                    } else {
                        live_callback::apply_again(app, record).await?
                    };
                    list.push(NoticeRow::of(record, &status));
                }
                Ok(Reply { list, next })
            }
        }
    }
}
