//! Counts of what an attacker would try often.

use super::{
    Result, Table, counter_in, keys, moment,
    update::{Outcome, Update},
};
use crate::types::UnixSeconds;

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub enum Attempt<'a> {
    /// Logins of one user.
    UserLogin(&'a str),
    /// Logins from one address.
    AddressLogin(&'a str),
    /// Registrations from one address, whatever came of them.
    AddressRegistration(&'a str),
}

impl Table {
    /// Counts an attempt in the current stretch of `seconds`; how many there were in it before.
    pub async fn count_attempt(&self, attempt: Attempt<'_>, seconds: u64, now: UnixSeconds) -> Result<u64> {
        let stretch = now.0 / seconds;
        let update = Update::of(keys::attempts(attempt, stretch))
            .add("attempts", 1)
            .set(keys::EXPIRES_AT, moment(UnixSeconds((stretch + 1).saturating_mul(seconds))));
        let (Outcome::Done(before) | Outcome::Unmet(before)) = update.send_for_old(self, "count an attempt").await?;
        counter_in(&before, "attempts")
    }

    /// Takes an attempt back: it was none of an attacker.
    pub async fn forget_attempt(&self, attempt: Attempt<'_>, seconds: u64, now: UnixSeconds) -> Result<()> {
        let update = Update::of(keys::attempts(attempt, now.0 / seconds)).add("attempts", -1);
        update.when("attribute_exists(PK)").send(self, "count an attempt").await.map(|_| ())
    }
}
