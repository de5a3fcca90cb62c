//! `get_live_info`: one live, replay or short video.

use super::{
    Command, Names,
    rows::{Row, host, parts},
};
use crate::{App, auth::SomeUser};
use protocol::{
    error::Error,
    types::{FileId, UserId},
    wire::Params,
};

/// See the module.
#[derive(Debug)]
pub struct GetLiveInfo {
    host: UserId,
    what: What,
}

#[derive(Debug)]
enum What {
    Live,
    Replay(Option<FileId>),
    Video(Option<FileId>),
}

impl Command for GetLiveInfo {
    const NAMES: Names = Names::both("get_live_info", "GetUserInfo");
    type Caller = SomeUser;
    type Reply = Row;

    fn parse(params: &Params) -> Result<Self, Error> {
        let host = host(params)?;
        let what: i64 = params.required("type")?;
        // A file that is missing or empty is one that nobody has, as in the original: interface/GetUserInfo.php.
        let file = FileId::parse(&params.optional::<String>("fileid")?.unwrap_or_default());
        let what = match what {
            0 => What::Live,
            1 => What::Replay(file),
            2 => What::Video(file),
            _ => return Err(Error::InvalidArgument("type is 0 (live), 1 (replay) or 2 (video)")),
        };
        Ok(Self { host, what })
    }

    async fn run(self, _: SomeUser, app: &App) -> Result<Row, Error> {
        let row = match self.what {
            What::Live => {
                let room = app.table.room(&self.host).await?.ok_or(Error::NotFound("room"))?;
                Row::of_room(room, &app.config.live.domains)
            }
            What::Replay(file) => {
                let file = file.ok_or(Error::NotFound("replay"))?;
                let replay = app.table.replay(&self.host, &file).await?.filter(|replay| !replay.hidden);
                let replay = replay.ok_or(Error::NotFound("replay"))?;
                let parts = parts(&replay);
                Row::of_replay(replay).with_parts(parts)
            }
            What::Video(file) => {
                let file = file.ok_or(Error::NotFound("video"))?;
                Row::of_video(&app.table.video(&self.host, &file).await?.ok_or(Error::NotFound("video"))?)
            }
        };
        Ok(row.alone())
    }
}
