//! `list_bans`: the users who are banned, the latest ban first.

use super::prelude::*;
use super::rows::{UncountedRows, operator_page};
use store::Ban;

pub struct ListBans {
    page: Page,
}

#[derive(Serialize)]
pub struct Row {
    userid: String,
    reason: String,
    actor: String,
    at: u64,
    /// No field if the ban has no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    hide_replays: u8,
}

impl Command for ListBans {
    const NAMES: Names = Names::rest("list_bans");
    type Caller = Operator;
    type Reply = UncountedRows<Row>;

    fn parse(params: &Params) -> Result<Self, Error> {
        Ok(Self { page: operator_page(params)? })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Self::Reply, Error> {
        let (bans, has_more) = app.table.bans(self.page).await?;
        // The sweep lifts a ban up to a minute after its end.
        let list = bans.into_iter().filter(|(_, ban)| ban.holds(app.now())).map(|(user, ban)| Row::of(&user, ban));
        Ok(UncountedRows::new(list, has_more))
    }
}

impl Row {
    fn of(user: &UserId, ban: Ban) -> Self {
        Self {
            userid: user.to_string(),
            reason: ban.reason,
            actor: ban.actor,
            at: ban.at,
            until: ban.until,
            hide_replays: u8::from(ban.hides_replays),
        }
    }
}
