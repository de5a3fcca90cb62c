//! `get_link_mic_play_url`: signs a play URL for the low-latency lines of a joint broadcast.

use serde::Serialize;

use super::{Command, Names};
use crate::{
    app::App,
    auth::{Proof, User},
    error::Error,
    sign::push_url::{signed_play_url, stream_in},
    types::{StreamId, Text, UserId},
    wire::{Filled, Params},
};

/// See the module.
#[derive(Debug)]
pub struct GetLinkMicPlayUrl {
    url: Text<1024>,
    stream: StreamId,
}

/// The signed URL.
#[derive(Debug, Serialize)]
#[expect(non_snake_case, reason = "the wire's own spelling")]
pub struct Reply {
    streamUrlWithSignature: String,
    timestamp: u64,
}

impl Command for GetLinkMicPlayUrl {
    const NAMES: Names = Names::both("get_link_mic_play_url", "RequestPlayUrlWithSignForLinkMic");
    type Caller = User;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<UserId>("userid")?;
        let Filled(url) = params.required("originStreamUrl")?;
        let stream = stream_in(url.as_str()).and_then(StreamId::parse);
        let stream = stream.ok_or(Error::Meaningless("originStreamUrl names no stream"))?;
        Ok(Self { url, stream })
    }

    async fn run(self, caller: User, app: &App) -> Result<Reply, Error> {
        let (live, now) = (&app.config.live, app.now());
        // Who has this URL can push the stream. An open door hands it to anybody, as the original did; callers who
        // prove who they are get it for streams that we gave out.
        if caller.proof() == Proof::Signed && !app.table.stream_is_ours(&self.stream, now).await? {
            return Err(Error::NotFound("stream"));
        }
        let expiry = now.plus(live.link_mic_seconds);
        let signed = signed_play_url(self.url.as_str(), &live.domains.bizid, &live.push_key, expiry);
        let signed = signed.ok_or(Error::Meaningless("originStreamUrl names no stream"))?;
        Ok(Reply { streamUrlWithSignature: signed, timestamp: now.0 })
    }
}
