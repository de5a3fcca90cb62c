//! `get_link_mic_play_url`: signs a play URL for the low-latency lines of a joint broadcast.

use std::collections::BTreeSet;

use super::prelude::*;
use protocol::sign::push_url::PlayUrl;
use store::{Owner, Room};

/// The message to a caller who may not get the URL of a stream.
const NOT_IN_GROUP: &str = "enter the group of the live first; of a guest's stream, name the broadcaster in liveuserid";

pub struct GetLinkMicPlayUrl {
    url: PlayUrl,
    stream: StreamId,
    host: Option<UserId>,
}

#[derive(Serialize)]
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
        let NonEmpty::<1024>(url) = params.required("originStreamUrl")?;
        let url = PlayUrl::parse(url.as_str()).ok_or(Error::InvalidParam {
            name: "originStreamUrl",
            reason: "is not the URL of a stream, like rtmp://host/live/stream!",
        })?;
        let stream = url.stream().ok_or(Error::InvalidArgument("originStreamUrl names no stream"))?;
        Ok(Self { url, stream, host: params.optional("liveuserid")? })
    }

    async fn run(self, caller: User, app: &App) -> Result<Reply, Error> {
        let (live, now) = (&app.config.live, app.now());
        // The signature of the URL also lets its holder push the stream.
        if caller.is_verified() {
            self.allow(caller.id(), app).await?;
        } else {
            // With ACTION_AUTH=open any caller gets any stream, as in the original, unless the caller is banned.
            refuse_banned(app, caller.id()).await?;
            let stream = app.config.log_names.of(self.stream.as_str());
            tracing::info!(stream, "a play URL was signed for an unverified caller: ACTION_AUTH=open");
        }
        let signed = self.url.signed(&live.domains.bizid, &live.push_key, now.plus(live.link_mic_seconds));
        Ok(Reply { streamUrlWithSignature: signed, timestamp: now.0 })
    }
}

impl GetLinkMicPlayUrl {
    /// Refuses banned callers, and callers who neither own the stream nor are in the same live as its owner.
    async fn allow(&self, caller: &UserId, app: &App) -> Result<(), Error> {
        // A room's own stream belongs to the live of that room. The table does not have the live of a guest's stream:
        // the caller names its broadcaster in `liveuserid`, or else is the broadcaster.
        let (owner, host) = match app.table.stream_owner(&self.stream).await? {
            Owner::User(owner) => (owner.clone(), owner),
            Owner::Guest(owner, until) if until > app.now() => (owner, self.host.as_ref().unwrap_or(caller).clone()),
            Owner::Guest(..) | Owner::Nobody => return Err(Error::NotFound("stream")),
        };
        let rooms = app.table.rooms(&BTreeSet::from([caller, &owner, &host])).await?;
        let room = |user: &UserId| rooms.iter().find(|room| room.user == *user);
        let is_banned = |user| room(user).is_some_and(|room| room.banned);
        if is_banned(caller) {
            return Err(Error::Banned);
        }
        if *caller == owner {
            return Ok(());
        }
        let Some(host) = room(&host).filter(|host| !host.banned && !is_banned(&owner)) else {
            return Err(Error::NotAllowed(NOT_IN_GROUP));
        };
        let both = [is_in_live(app, host, caller).await?, is_in_live(app, host, &owner).await?];
        if both == [true; 2] { Ok(()) } else { Err(Error::NotAllowed(NOT_IN_GROUP)) }
    }
}

/// Whether a user is the broadcaster of a room or a member of its group.
async fn is_in_live(app: &App, room: &Room, user: &UserId) -> Result<bool, Error> {
    if *user == room.user {
        return Ok(true);
    }
    let Some(group) = GroupId::parse(&room.group) else { return Ok(false) };
    Ok(app.table.is_member(&room.user, &group, user).await?)
}
