//! Who owns a stream. A stream belongs to one user, although the names that the original made of users collide.

use super::{
    AttributeValue, Error, Result, Table, keys, parsed, text, unix_seconds, unix_seconds_in,
    update::{Update, WriteOutcome},
};
use protocol::types::{StreamId, UnixSeconds, UserId};

/// Whose a stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This user's own.
    User(UserId),
    /// It was lent to this user, a guest of a joint broadcast, until this second.
    Guest(UserId, UnixSeconds),
    /// We gave it to nobody.
    Nobody,
}

impl Table {
    /// Gives `user` the first of the streams that is not somebody else's, for good.
    pub(super) async fn claim_stream(
        &self,
        streams: &[StreamId; 2],
        user: &UserId,
        now: UnixSeconds,
    ) -> Result<StreamId> {
        const CONTEXT: &str = "give a stream to a user";
        for stream in streams {
            let update = Update::of(keys::stream(stream))
                .set("user", text(user.as_str()))
                .remove("guest")
                .remove(keys::EXPIRES_AT)
                .when("(attribute_not_exists(PK) OR #user = :user OR #expires_at < :now)")
                .value(":now", unix_seconds(now));
            if update.send(self, CONTEXT).await? == WriteOutcome::Done {
                return Ok(stream.clone());
            }
        }
        Err(taken(CONTEXT))
    }

    /// Lends `user` the first of the streams that is not somebody else's, for one joint broadcast.
    pub async fn lend_stream(
        &self,
        streams: [StreamId; 2],
        user: &UserId,
        now: UnixSeconds,
        until: UnixSeconds,
    ) -> Result<StreamId> {
        const CONTEXT: &str = "lend a stream to a user";
        for stream in streams {
            let update = Update::of(keys::stream(&stream))
                .set("user", text(user.as_str()))
                .set("guest", AttributeValue::Bool(true))
                .set(keys::EXPIRES_AT, unix_seconds(until))
                .when("(attribute_not_exists(PK) OR (#guest = :guest AND (#user = :user OR #expires_at < :now)))")
                .value(":now", unix_seconds(now));
            if update.send(self, CONTEXT).await? == WriteOutcome::Done {
                return Ok(stream);
            }
        }
        Err(taken(CONTEXT))
    }

    /// Whose stream this is.
    pub async fn stream_owner(&self, stream: &StreamId) -> Result<Owner> {
        match self.get(keys::stream(stream), "say whose stream it is").await? {
            Some(item) => {
                let user = parsed(&item, "user", UserId::parse)?;
                let is_guest = item.contains_key("guest");
                Ok(if is_guest {
                    Owner::Guest(user, unix_seconds_in(&item, keys::EXPIRES_AT)?)
                } else {
                    Owner::User(user)
                })
            }
            None => Ok(Owner::Nobody),
        }
    }
}

/// The second of a user's streams is made with a key, so nobody takes it on purpose.
fn taken(context: &'static str) -> Error {
    Error::new(context, "every stream that they could have belongs to somebody else")
}
