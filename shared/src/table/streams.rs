//! Who owns a stream. A stream belongs to one user, although the names that the original made of users collide.

use super::{
    Result, Table, keys, moment, parsed, text,
    update::{Update, Written},
};
use crate::types::{StreamId, UnixSeconds, UserId};

impl Table {
    /// Gives the stream to `user` unless it is somebody else's; says whether it is theirs now.
    pub(super) async fn claim_stream(&self, stream: &StreamId, user: &UserId) -> Result<bool> {
        let update = Update::of(keys::stream(stream))
            .set("user", text(user.as_str()))
            .when("(attribute_not_exists(PK) OR #user = :user)");
        Ok(update.send(self, "give a stream to a user").await? == Written::Done)
    }

    /// Lends `user` the first of the streams that is not somebody else's, for one joint broadcast.
    pub async fn lend_stream(&self, streams: [StreamId; 2], user: &UserId, until: UnixSeconds) -> Result<StreamId> {
        const CONTEXT: &str = "lend a stream to a user";
        for stream in streams {
            let update = Update::of(keys::stream(&stream))
                .set("user", text(user.as_str()))
                .set("guest", super::AttributeValue::Bool(true))
                .set(keys::EXPIRES_AT, moment(until))
                .when("(attribute_not_exists(PK) OR (#guest = :guest AND #user = :user))");
            if update.send(self, CONTEXT).await? == Written::Done {
                return Ok(stream);
            }
        }
        Err(super::Error { context: CONTEXT, source: "all that it could have belong to others".into() })
    }

    /// The user whose own stream this is; not the guest to whom it was lent.
    pub async fn stream_owner(&self, stream: &StreamId) -> Result<Option<UserId>> {
        let owner = self.get(keys::stream(stream), "say whose stream it is").await?;
        let owner = owner.filter(|item| !item.contains_key("guest"));
        owner.map(|item| parsed(&item, "user", UserId::parse)).transpose()
    }

    /// Whether we gave this stream to anybody, as their own or for a joint broadcast that goes on.
    pub async fn stream_is_ours(&self, stream: &StreamId, now: UnixSeconds) -> Result<bool> {
        let Some(item) = self.get(keys::stream(stream), "say whose stream it is").await? else { return Ok(false) };
        let until = super::moment_in(&item, keys::EXPIRES_AT)?;
        Ok(!item.contains_key(keys::EXPIRES_AT) || until > now)
    }
}
