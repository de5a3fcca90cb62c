//! Rate limits of logins and registrations: counters of attempts per time window.

use crate::{prelude::*, rules::Limit};

/// A kind of attempts that are limited, with the user or address that they are counted by.
#[derive(Clone, Copy, Debug)]
pub enum Attempt<'a> {
    /// Logins of one user.
    UserLogin(&'a str),
    /// Logins from one address.
    AddressLogin(&'a str),
    /// Registrations from one address, successful or not.
    AddressRegistration(&'a str),
}

impl Table {
    /// Counts an attempt in the current window of `seconds`, unless the limit is reached. Returns whether the attempt
    /// is admitted. A refused attempt is not counted, so attempts are admitted again in the next window in any case.
    pub async fn admit_attempt(
        &self,
        attempt: Attempt<'_>,
        limit: Limit,
        seconds: u64,
        now: UnixSeconds,
    ) -> Result<bool> {
        let Some(max) = limit.max() else { return Ok(true) };
        let window = now.0 / seconds;
        let update = Update::of(keys::attempts(attempt, window))
            .add_at_least_once("attempts", 1)
            .set(keys::EXPIRES_AT, unix_seconds(UnixSeconds((window + 1).saturating_mul(seconds))))
            .when("(attribute_not_exists(#attempts) OR #attempts < :most)")
            .value(":most", number(max));
        Ok(update.send(self, "count an attempt").await? == WriteOutcome::Done)
    }

    /// Undoes the count of an attempt that was admitted at `then`.
    pub async fn undo_attempt(
        &self,
        attempt: Attempt<'_>,
        limit: Limit,
        seconds: u64,
        then: UnixSeconds,
    ) -> Result<()> {
        if limit.max().is_none() {
            return Ok(());
        }
        let update = Update::of(keys::attempts(attempt, then.0 / seconds)).add_at_least_once("attempts", -1);
        update.when("#attempts > :none").value(":none", number(0)).send(self, "count an attempt").await.map(|_| ())
    }
}
