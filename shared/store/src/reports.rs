//! Reports of abuse: a viewer reports a broadcaster to the operators.

use super::lists::Position;
use crate::prelude::*;

/// When a report expires: after 180 days.
const KEPT_SECONDS: u64 = 180 * 24 * 3600;
/// The list of all reports.
const LIST: &str = "reports";

/// A report of abuse.
#[derive(Clone, Debug)]
pub struct Report {
    /// The broadcaster.
    pub host: UserId,
    /// The viewer.
    pub reporter: UserId,
    /// The time of the report.
    pub at: UnixSeconds,
}

impl Report {
    fn read(item: &Item) -> Result<Self> {
        Ok(Self {
            host: parsed(item, "user", UserId::parse)?,
            reporter: parsed(item, "reporter", UserId::parse)?,
            at: unix_seconds_in(item, "reported_at")?,
        })
    }
}

impl Table {
    /// Records that `reporter` reported `host`.
    pub async fn report(&self, host: &UserId, reporter: &UserId, now: UnixSeconds) -> Result<()> {
        let position = Position::of(now, reporter.as_str());
        let update = Update::of(keys::report(host, now, reporter))
            .set("user", text(host.as_str()))
            .set("reporter", text(reporter.as_str()))
            .set("reported_at", unix_seconds(now))
            .set(keys::LIST, text(LIST))
            .set(keys::POSITION, text(keys::list_sort_key(position, reporter.as_str())))
            .set(keys::EXPIRES_AT, unix_seconds(now.plus(KEPT_SECONDS)));
        update.send(self, "write a report").await.map(|_| ())
    }

    /// A page of all reports, newest first, and whether more follow.
    pub async fn reports(&self, now: UnixSeconds, page: Page) -> Result<(Vec<Report>, bool)> {
        let (rows, has_more) = self.uncounted_page(LIST, now.minus(KEPT_SECONDS), page).await?;
        Ok((rows.iter().filter_map(|row| self.ok_or_log(row, Report::read(row))).collect(), has_more))
    }

    /// The reports of a broadcaster, newest first.
    pub async fn reports_of(&self, host: &UserId) -> Result<Vec<Report>> {
        let rows = self.query(self.items_of(keys::reports_partition(host), ""), usize::MAX, "read reports").await?;
        let mut reports: Vec<Report> = rows.iter().filter_map(|row| self.ok_or_log(row, Report::read(row))).collect();
        reports.sort_by(|one, other| (other.at, &one.reporter).cmp(&(one.at, &other.reporter)));
        Ok(reports)
    }
}
