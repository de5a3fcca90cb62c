//! `get_live_info`: a single live, replay or short video.

use super::prelude::*;
use super::rows::{ListRow, host, parts};

pub struct GetLiveInfo {
    host: UserId,
    item: Item,
}

enum Item {
    Live,
    Replay(Option<FileId>),
    Video(Option<FileId>),
}

impl Command for GetLiveInfo {
    const NAMES: Names = Names::both("get_live_info", "GetUserInfo");
    type Caller = AnyUser;
    type Reply = ListRow;

    fn parse(params: &Params) -> Result<Self, Error> {
        let host = host(params)?;
        let kind: i64 = params.required("type")?;
        // A missing or empty file id is answered like the id of no file, as in the original: interface/GetUserInfo.php.
        let file = FileId::parse(&params.optional::<String>("fileid")?.unwrap_or_default());
        let item = match kind {
            0 => Item::Live,
            1 => Item::Replay(file),
            2 => Item::Video(file),
            _ => return Err(Error::InvalidArgument("type is 0 (live), 1 (replay) or 2 (video)")),
        };
        Ok(Self { host, item })
    }

    async fn run(self, _: AnyUser, app: &App) -> Result<ListRow, Error> {
        let row = match self.item {
            Item::Live => {
                let room = app.table.room(&self.host).await?.ok_or(Error::NotFound("room"))?;
                ListRow::of_room(room, &app.config.live.domains)
            }
            Item::Replay(file) => {
                let file = file.ok_or(Error::NotFound("replay"))?;
                let replay = app.table.replay(&self.host, &file).await?.filter(|replay| !replay.hidden);
                let replay = replay.ok_or(Error::NotFound("replay"))?;
                let parts = parts(&replay);
                ListRow::of_replay(replay).with_parts(parts)
            }
            Item::Video(file) => {
                let file = file.ok_or(Error::NotFound("video"))?;
                ListRow::of_video(&app.table.video(&self.host, &file).await?.ok_or(Error::NotFound("video"))?)
            }
        };
        Ok(row.into_single())
    }
}
