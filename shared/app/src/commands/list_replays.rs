//! `list_replays`: all replays of a user, newest first, also those that no list of the apps has.

use super::prelude::*;
use super::rows::{CountedRows, PartRow, all_parts, operator_page};
use store::UserReplay;

pub struct ListReplays {
    user: UserId,
    page: Page,
}

#[derive(Serialize)]
pub struct Row {
    fileid: String,
    title: String,
    start_time: u64,
    end_time: u64,
    viewercount: u64,
    likecount: u64,
    playurl: String,
    hls_play_url: String,
    frontcover: String,
    /// 1 if the replay is in the list of the apps, else 0.
    listed: u8,
    // Why it is not: the first is the owner's doing, or an operator's.
    hidden: u8,
    deleted: u8,
    withheld: u8,
    forbidden: u8,
    parts: Vec<PartRow>,
}

impl Command for ListReplays {
    const NAMES: Names = Names::rest("list_replays");
    type Caller = Operator;
    type Reply = CountedRows<Row>;

    fn parse(params: &Params) -> Result<Self, Error> {
        Ok(Self { user: params.required("userid")?, page: operator_page(params)? })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Self::Reply, Error> {
        let replays = app.table.replays_of(&self.user).await?;
        let total = replays.len().try_into().unwrap_or(u64::MAX);
        Ok(CountedRows::new(total, self.page.of(&replays).map(Row::of)))
    }
}

impl Row {
    fn of(found: &UserReplay) -> Self {
        let UserReplay { replay, is_listed, is_deleted, is_withheld, is_forbidden } = found;
        Self {
            fileid: replay.file.to_string(),
            title: replay.title.as_str().to_owned(),
            start_time: replay.started_at.0,
            end_time: replay.ended_at.0,
            viewercount: replay.viewers,
            likecount: replay.likes,
            playurl: replay.play_url.clone(),
            hls_play_url: replay.hls_url.clone(),
            frontcover: replay.profile.frontcover.as_str().to_owned(),
            listed: u8::from(*is_listed),
            hidden: u8::from(replay.hidden),
            deleted: u8::from(*is_deleted),
            withheld: u8::from(*is_withheld),
            forbidden: u8::from(*is_forbidden),
            parts: all_parts(replay),
        }
    }
}
