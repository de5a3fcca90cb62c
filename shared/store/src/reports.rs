//! Reports of abuse, for operators to look at.

use super::{Result, Table, keys, text, unix_seconds, update::Update};
use protocol::types::{UnixSeconds, UserId};

/// How long a report is kept.
const KEPT_SECONDS: u64 = 180 * 24 * 3600;

impl Table {
    /// Writes down that `reporter` reported `host`.
    pub async fn report(&self, host: &UserId, reporter: &UserId, now: UnixSeconds) -> Result<()> {
        let update = Update::of(keys::report(host, now, reporter))
            .set("user", text(host.as_str()))
            .set("reporter", text(reporter.as_str()))
            .set("reported_at", unix_seconds(now))
            .set(keys::EXPIRES_AT, unix_seconds(now.plus(KEPT_SECONDS)));
        update.send(self, "write down a report").await.map(|_| ())
    }
}
