//! `quit_group`: a viewer leaves a live or a replay.

use super::enter_group::WatchTarget;
use super::prelude::*;

pub struct QuitGroup {
    host: UserId,
    group: GroupId,
}

impl Command for QuitGroup {
    const NAMES: Names = Names::both("quit_group", "QuitGroup");
    type Caller = User;
    type Reply = Done;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<UserId>("userid")?;
        let (host, group) = (params.required("liveuserid")?, params.required("groupid")?);
        // The row of the member says whether a live or a replay counts the member. The field must be valid all the
        // same.
        WatchTarget::parse(params)?;
        Ok(Self { host, group })
    }

    async fn run(self, caller: User, app: &App) -> Result<Done, Error> {
        app.table.group(&self.host, &self.group, app.now()).quit(caller.id()).await?;
        Ok(Done::YES)
    }
}
