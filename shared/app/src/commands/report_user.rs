//! `report_user`: a viewer reports a broadcaster to the operators.

use super::prelude::*;

pub struct ReportUser {
    host: UserId,
}

impl Command for ReportUser {
    const NAMES: Names = Names::both("report_user", "ReportUser");
    type Caller = User;
    type Reply = EmptyReply;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<UserId>("userid")?;
        Ok(Self { host: params.required("hostuserid")? })
    }

    async fn run(self, caller: User, app: &App) -> Result<EmptyReply, Error> {
        app.table.report(&self.host, caller.id(), app.now()).await?;
        Ok(EmptyReply {})
    }
}
