//! `quit_group`: a viewer leaves a live or a replay.

use super::{Command, Done, Names, enter_group::Of};
use crate::{
    app::App,
    auth::User,
    error::Error,
    types::{GroupId, UserId},
    wire::Params,
};

/// See the module.
#[derive(Debug)]
pub struct QuitGroup {
    host: UserId,
    group: GroupId,
    of: Of,
}

impl Command for QuitGroup {
    const NAMES: Names = Names::both("quit_group", "QuitGroup");
    type Caller = User;
    type Reply = Done;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<UserId>("userid")?;
        Ok(Self { host: params.required("liveuserid")?, group: params.required("groupid")?, of: Of::parse(params)? })
    }

    async fn run(self, caller: User, app: &App) -> Result<Done, Error> {
        let Self { host, group, of } = self;
        match of {
            Of::Live => app.table.quit_live(&host, &group, caller.id(), app.now()).await?,
            Of::Replay => app.table.quit_replay(&host, &group, caller.id(), app.now()).await?,
        }
        Ok(Done::YES)
    }
}
