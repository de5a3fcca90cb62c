//! `list_reports`: the reports of viewers about broadcasters, newest first: all, or those about one broadcaster.

use super::prelude::*;
use super::rows::{UncountedRows, operator_page};
use store::Report;

pub struct ListReports {
    host: Option<UserId>,
    page: Page,
}

#[derive(Serialize)]
pub struct Row {
    hostuserid: String,
    /// The viewer who reported.
    userid: String,
    at: u64,
}

impl Command for ListReports {
    const NAMES: Names = Names::rest("list_reports");
    type Caller = Operator;
    type Reply = UncountedRows<Row>;

    fn parse(params: &Params) -> Result<Self, Error> {
        Ok(Self { host: params.optional("hostuserid")?, page: operator_page(params)? })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Self::Reply, Error> {
        let (reports, has_more) = match &self.host {
            None => app.table.reports(app.now(), self.page).await?,
            Some(host) => {
                let all = app.table.reports_of(host).await?;
                let has_more = rest_after(self.page, all.len());
                (self.page.of(&all).cloned().collect(), has_more)
            }
        };
        Ok(UncountedRows::new(reports.iter().map(Row::of), has_more))
    }
}

/// Whether rows follow after a page, of so many in all.
fn rest_after(page: Page, all: usize) -> bool {
    u64::try_from(all).unwrap_or(u64::MAX) > page.offset.saturating_add(page.size)
}

impl Row {
    fn of(report: &Report) -> Self {
        Self { hostuserid: report.host.to_string(), userid: report.reporter.to_string(), at: report.at.0 }
    }
}
