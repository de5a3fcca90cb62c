//! Owners of streams. Each stream has one owner, although two users can have the same candidate for a stream name (the
//! original derives `8888_a_b` from both `a@b` and `a-b`): the first user who claims a stream owns it.

use super::Error;
use crate::prelude::*;
use protocol::types::StreamId;

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
    /// Assigns `user` the first of the streams that no other user owns: for good, or as the stream of a guest until a
    /// time. The second stream has a keyed hash in its name, so nobody can take that one on purpose.
    pub async fn assign_stream(
        &self,
        streams: &[StreamId; 2],
        user: &UserId,
        guest_until: Option<UnixSeconds>,
        now: UnixSeconds,
    ) -> Result<StreamId> {
        const CONTEXT: &str = "assign a stream to a user";
        for stream in streams {
            let update = Update::of(keys::stream(stream)).set("user", text(user.as_str()));
            let update = update.set_flag("guest", guest_until.is_some()).value(":now", unix_seconds(now));
            let update = match guest_until {
                Some(until) => update
                    .set(keys::EXPIRES_AT, unix_seconds(until))
                    .when("(attribute_not_exists(PK) OR (#guest = :guest AND (#user = :user OR #expires_at < :now)))"),
                None => update
                    .remove(keys::EXPIRES_AT)
                    .when("(attribute_not_exists(PK) OR #user = :user OR #expires_at < :now)"),
            };
            if update.send(self, CONTEXT).await? == WriteOutcome::Done {
                return Ok(stream.clone());
            }
        }
        Err(Error::new(CONTEXT, "other users own all candidates"))
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
