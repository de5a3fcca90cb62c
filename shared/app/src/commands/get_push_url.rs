//! `get_push_url`: opens the caller's room and gives the URL to push to.

use super::prelude::*;
use store::{BroadcastInfo, Opened};

pub struct GetPushUrl {
    broadcast: BroadcastInfo,
}

#[derive(Serialize)]
pub struct Reply {
    pushurl: String,
    /// When the room was opened for the live. Share links contain this number.
    timestamp: u64,
}

impl Command for GetPushUrl {
    const NAMES: Names = Names::both("get_push_url", "RequestLVBAddr");
    type Caller = User;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<UserId>("userid")?;
        let group = params.required("groupid")?;
        let NonEmpty::<128>(title) = params.required("title")?;
        let description = params.object("userinfo").optional("desc")?.unwrap_or_default();
        let broadcast =
            BroadcastInfo { group: Some(group), title: title.widened(), profile: profile(params)?, description };
        Ok(Self { broadcast })
    }

    async fn run(self, caller: User, app: &App) -> Result<Reply, Error> {
        let live = &app.config.live;
        let (stream, opened_at) = open_room(app, caller.id(), &self.broadcast).await?;
        let expiry = app.now().plus(live.push_url_seconds);
        let pushurl = live.domains.push_url(&live.push_key, &stream, expiry, live.recording.as_ref());
        Ok(Reply { pushurl, timestamp: opened_at.0 })
    }
}

/// Opens the room of `user` for a broadcast. Returns the stream to push and the time when the room was opened.
pub(super) async fn open_room(
    app: &App,
    user: &UserId,
    broadcast: &BroadcastInfo,
) -> Result<(StreamId, UnixSeconds), Error> {
    let (domains, key) = (&app.config.live.domains, &app.config.live.push_key);
    let (streams, keeps) = (domains.streams(user, key), |stream: &StreamId| domains.accepts_stream(stream));
    match app.broadcaster(user).open_room(broadcast, &streams, keeps).await? {
        Opened::Open { stream, opened_at } => Ok((stream, opened_at)),
        Opened::Banned => Err(Error::Banned),
    }
}
