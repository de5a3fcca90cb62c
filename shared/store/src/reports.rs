//! Reports of abuse: a viewer reports a broadcaster to the operators.

use crate::prelude::*;

/// When a report expires: after 180 days.
const KEPT_SECONDS: u64 = 180 * 24 * 3600;

impl Table {
    /// Records that `reporter` reported `host`.
    pub async fn report(&self, host: &UserId, reporter: &UserId, now: UnixSeconds) -> Result<()> {
        let update = Update::of(keys::report(host, now, reporter))
            .set("user", text(host.as_str()))
            .set("reporter", text(reporter.as_str()))
            .set("reported_at", unix_seconds(now))
            .set(keys::EXPIRES_AT, unix_seconds(now.plus(KEPT_SECONDS)));
        update.send(self, "write a report").await.map(|_| ())
    }
}
