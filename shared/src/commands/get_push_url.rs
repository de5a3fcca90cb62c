//! `get_push_url`: opens the caller's room and gives the URL to push to.

use serde::Serialize;

use super::{Command, Names, profile};
use crate::{
    app::App,
    auth::User,
    error::Error,
    sign::push_url::fits_url,
    table::{Opened, Show},
    types::{StreamId, UserId},
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
        let Filled::<128>(title) = params.required("title")?;
        let description = params.object("userinfo").optional("desc")?.unwrap_or_default();
        let show = Show { group: Some(group), title: title.widened(), profile: profile(params)?, description };
        Ok(Self { show })
    }

    async fn run(self, caller: User, app: &App) -> Result<Reply, Error> {
        let (live, now, id) = (&app.config.live, app.now(), caller.id());
        if !fits_url(id) {
            return Err(Error::Meaningless(UNFIT));
        }
        let stream = open_room(app, id, &self.show).await?;
        let expiry = now.plus(live.push_url_seconds);
        let pushurl = live.domains.push_url(&live.push_key, &stream, expiry, live.recording.as_ref());
        Ok(Reply { pushurl, timestamp: now.0 })
    }
}

/// Opens the room of `user`, whose name can be part of a URL, for a show; the stream that it is to push.
pub(super) async fn open_room(app: &App, user: &UserId, show: &Show) -> Result<StreamId, Error> {
    let (domains, key) = (&app.config.live.domains, &app.config.live.push_key);
    let streams = [domains.stream(user), domains.distinct_stream(user, key)];
    let (rules, now) = (&app.config.rules, app.now());
    match app.table.open_room(user, show, &domains.prefix(), streams, rules, now).await? {
        Opened::Open(stream) => Ok(stream),
        Opened::Banned => Err(Error::Banned),
    }
}
