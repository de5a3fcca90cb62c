//! `logout`: ends the session with whose token the call is signed.

use super::prelude::*;
use crate::auth::SessionHolder;

pub struct Logout;

impl Command for Logout {
    const NAMES: Names = Names::rest("logout");
    type Caller = SessionHolder;
    type Reply = EmptyReply;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<AccountName>("userid")?;
        Ok(Self)
    }

    async fn run(self, caller: SessionHolder, app: &App) -> Result<EmptyReply, Error> {
        app.table.end_session(caller.user(), caller.session(), app.now()).await?;
        Ok(EmptyReply {})
    }
}
