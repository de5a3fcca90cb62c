//! `change_status`: the broadcaster's app reports that the room goes online or offline.

use super::prelude::*;
use store::Status;

pub struct ChangeStatus {
    status: Status,
}

impl Command for ChangeStatus {
    const NAMES: Names = Names::both("change_status", "ChangeStatus");
    type Caller = User;
    type Reply = Done;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<UserId>("userid")?;
        // The values are the reverse of those in the lists, where 1 is online.
        let (status, rule) = (params.required::<u64>("status")?, "status is 0 (online) or 1 (offline)");
        Ok(Self { status: zero_or_one(status, [Status::Online, Status::Offline], rule)? })
    }

    async fn run(self, caller: User, app: &App) -> Result<Done, Error> {
        app.broadcaster(caller.id()).set_status(self.status).await?;
        Ok(Done::YES)
    }
}

/// The older command to go offline, which only Gen-1 apps use.
pub struct StopLive;

impl Command for StopLive {
    const NAMES: Names = Names::action("change_status", "StopLVB");
    type Caller = User;
    type Reply = Done;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<UserId>("userid").map(|_| Self)
    }

    async fn run(self, caller: User, app: &App) -> Result<Done, Error> {
        app.broadcaster(caller.id()).set_status(Status::Offline).await?;
        Ok(Done::YES)
    }
}
