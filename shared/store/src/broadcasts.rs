//! Broadcasts: the information that an app gives in a start request, by the time of the start request.

use std::collections::{BTreeMap, BTreeSet};

use super::state::Broadcaster;
use crate::prelude::*;
use protocol::types::{GroupId, StreamId};

/// How long the information of a start request is kept: longer than the evidence of its lives.
const KEPT_SECONDS: u64 = 60 * 24 * 3600;

/// The part of a user's profile that an app sends with a start request or a video.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The nickname.
    pub nickname: Text<128>,
    /// The portrait's URL.
    pub headpic: Text<255>,
    /// The cover's URL.
    pub frontcover: Text<255>,
    /// The place.
    pub location: Text<128>,
}

impl Profile {
    pub(super) fn write(&self, update: Update) -> Update {
        update
            .set_text("nickname", self.nickname.as_str())
            .set_text("headpic", self.headpic.as_str())
            .set_text("frontcover", self.frontcover.as_str())
            .set_text("location", self.location.as_str())
    }

    pub(super) fn read(item: &Item) -> Result<Self> {
        Ok(Self {
            nickname: parsed(item, "nickname", Text::parse)?,
            headpic: parsed(item, "headpic", Text::parse)?,
            frontcover: parsed(item, "frontcover", Text::parse)?,
            location: parsed(item, "location", Text::parse)?,
        })
    }

    /// The profile with a cover picture, if it has no cover of its own.
    pub(super) fn or_cover(self, picture: &str) -> Self {
        let has_cover = !self.frontcover.as_str().is_empty();
        if has_cover { self } else { Self { frontcover: Text::parse(picture).unwrap_or_default(), ..self } }
    }
}

/// The information that an app gives in a start request.
#[derive(Clone, Debug)]
pub struct BroadcastInfo {
    /// The chat room; without one the room keeps its chat room.
    pub group: Option<GroupId>,
    /// The title.
    pub title: Text<255>,
    /// The profile of the broadcaster.
    pub profile: Profile,
    /// The description.
    pub description: Text<255>,
}

/// The information of a start request, with the stream that the user got.
#[derive(Clone, Debug)]
pub(super) struct StartRequestRow {
    pub(super) info: BroadcastInfo,
    pub(super) stream: StreamId,
}

impl StartRequestRow {
    fn read(item: &Item) -> Result<Self> {
        let info = BroadcastInfo {
            group: GroupId::parse(text_in(item, "group")?),
            title: parsed(item, "title", Text::parse)?,
            profile: Profile::read(item)?,
            description: parsed(item, "description", Text::parse)?,
        };
        Ok(Self { info, stream: parsed(item, "stream", StreamId::parse)? })
    }

    pub(super) fn write(&self, update: Update) -> Update {
        let BroadcastInfo { group, title, profile, description } = &self.info;
        let update = profile
            .write(update)
            .set("title", text(title.as_str()))
            .set_text("description", description.as_str())
            .set("stream", text(self.stream.as_str()));
        match group {
            Some(group) => update.set("group", text(group.as_str())),
            None => update,
        }
    }
}

impl Broadcaster<'_> {
    /// Writes the information of a start request of now.
    pub(super) async fn write_start_request(&self, start_request: &StartRequestRow) -> Result<()> {
        let expires_at = unix_seconds(self.now.plus(KEPT_SECONDS));
        let update = Update::of(keys::start_request(self.user, self.now)).set(keys::EXPIRES_AT, expires_at);
        start_request.write(update).send(self.table, "write a start request").await.map(drop)
    }
}

impl Table {
    /// The information of a start request; `None` if it has expired.
    pub(super) async fn start_request(&self, user: &UserId, at: UnixSeconds) -> Result<Option<StartRequestRow>> {
        self.get(keys::start_request(user, at), "read a start request")
            .await?
            .as_ref()
            .map(StartRequestRow::read)
            .transpose()
    }

    /// The titles in start requests of a user. The result lacks those that have expired.
    pub async fn titles(
        &self,
        user: &UserId,
        start_requests: BTreeSet<UnixSeconds>,
    ) -> Result<BTreeMap<UnixSeconds, Text<255>>> {
        let keys = start_requests.iter().map(|at| keys::start_request(user, *at));
        let rows = self.batch(keys, Consistency::Strong, "read start requests").await?;
        let title = |at: UnixSeconds| {
            let row = rows.get(&keys::id(&keys::start_request(user, at)))?;
            Some((at, self.ok_or_log(row, StartRequestRow::read(row))?.info.title))
        };
        Ok(start_requests.into_iter().filter_map(title).collect())
    }
}
