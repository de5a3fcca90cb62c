//! `get_link_mic_push_url`: a stream for a guest who joins a broadcast.

use super::prelude::*;

pub struct GetLinkMicPushUrl;

/// The URLs for the guest to push to and for the others to play.
#[derive(Serialize)]
pub struct Reply {
    pushurl: String,
    timestamp: u64,
    playurl: String,
}

impl Command for GetLinkMicPushUrl {
    const NAMES: Names = Names::both("get_link_mic_push_url", "RequestLVBAddrForLinkMic");
    type Caller = User;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<UserId>("userid")?;
        let NonEmpty::<128>(_title) = params.required("title")?;
        profile(params)?;
        Ok(Self)
    }

    async fn run(self, caller: User, app: &App) -> Result<Reply, Error> {
        let (live, now) = (&app.config.live, app.now());
        let expiry = now.plus(live.link_mic_seconds);
        let (id, domains) = (caller.id(), &live.domains);
        refuse_banned(app, id).await?;
        let streams = domains.streams(id, &live.push_key).map(|stream| domains.guest_stream(&stream, expiry));
        let stream = app.table.assign_stream(&streams, id, Some(expiry), now).await?;
        // A guest's stream is part of the broadcaster's live and is not recorded separately.
        let pushurl = domains.push_url(&live.push_key, &stream, expiry, None);
        Ok(Reply { pushurl, timestamp: now.0, playurl: domains.rtmp_url(&stream) })
    }
}
