//! `get_push_url`: opens the caller's room and gives the URL to push to.

use serde::Serialize;

use super::{Command, Names, profile};
use crate::{
    app::App,
    auth::User,
    error::Error,
    sign::push_url::fits_url,
    table::{Opened, Show},
    types::UserId,
    wire::{Filled, Params},
};

/// What a user is told whose name cannot be part of a URL.
pub(super) const UNFIT: &str = "userid holds a character that a URL cannot have: / ? & or %";

/// See the module.
#[derive(Debug)]
pub struct GetPushUrl {
    show: Show,
}

/// Where to push.
#[derive(Debug, Serialize)]
pub struct Reply {
    pushurl: String,
    /// Now; share pages name the live by it.
    timestamp: u64,
}

impl Command for GetPushUrl {
    const NAMES: Names = Names::both("get_push_url", "RequestLVBAddr");
    type Caller = User;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<UserId>("userid")?;
        let group = params.required("groupid")?;
        let Filled(title) = params.required("title")?;
        let description = params.object("userinfo").optional("desc")?.unwrap_or_default();
        Ok(Self { show: Show { group, title, profile: profile(params)?, description } })
    }

    async fn run(self, caller: User, app: &App) -> Result<Reply, Error> {
        let (live, now, id) = (&app.config.live, app.now(), caller.id());
        if !fits_url(id) {
            return Err(Error::Meaningless(UNFIT));
        }
        let (prefix, key) = (live.domains.prefix(), &live.push_key);
        let streams = [live.domains.stream(id), live.domains.distinct_stream(id, key)];
        let Opened::Open(stream) = app.table.open_room(id, &self.show, &prefix, streams, now).await? else {
            return Err(Error::Banned);
        };
        let expiry = now.plus(live.push_url_seconds);
        let pushurl = live.domains.push_url(&live.push_key, &stream, expiry, live.recording.as_ref());
        Ok(Reply { pushurl, timestamp: now.0 })
    }
}
