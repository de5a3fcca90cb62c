//! Owners of streams. Each stream has one owner, although two users can have the same candidate for a stream name (the
//! original derives `8888_a_b` from both `a@b` and `a-b`): the first user who claims a stream owns it.

use super::{
    AttributeValue, Error, Result, Table, keys, parsed, text, unix_seconds, unix_seconds_in,
    update::{Update, WriteOutcome},
};
use protocol::types::{StreamId, UnixSeconds, UserId};

/// The owner of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This user, for good.
    User(UserId),
    /// This user, a guest of a joint broadcast, until this time.
    Guest(UserId, UnixSeconds),
    /// Nobody: this server has not assigned the stream.
    Nobody,
}

impl Table {
    /// Assigns `user` the first of the streams that no other user owns, for good.
    pub(super) async fn claim_stream(
        &self,
        streams: &[StreamId; 2],
        user: &UserId,
        now: UnixSeconds,
    ) -> Result<StreamId> {
        const CONTEXT: &str = "assign a stream to a user";
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
        Err(no_free_stream(CONTEXT))
    }

    /// Lends `user` the first of the streams that no other user owns, for one joint broadcast.
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
        Err(no_free_stream(CONTEXT))
    }

    /// The owner of a stream.
    pub async fn stream_owner(&self, stream: &StreamId) -> Result<Owner> {
        match self.get(keys::stream(stream), "read the owner of a stream").await? {
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

/// The error when other users own both candidates. The second one has a keyed hash in its name, so nobody can take that
/// stream on purpose.
fn no_free_stream(context: &'static str) -> Error {
    Error::new(context, "other users own all candidates")
}
