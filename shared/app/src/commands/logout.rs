//! `logout`: ends the session that the call is signed in.

use super::{Command, Names, Nothing};
use crate::{App, auth::SessionHolder};
use protocol::{error::Error, types::AccountName, wire::Params};

/// See the module.
#[derive(Debug)]
pub struct Logout;

impl Command for Logout {
    const NAMES: Names = Names::rest("logout");
    type Caller = SessionHolder;
    type Reply = Nothing;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<AccountName>("userid")?;
        Ok(Self)
    }

    async fn run(self, caller: SessionHolder, app: &App) -> Result<Nothing, Error> {
        app.table.end_session(caller.user(), caller.session(), app.now()).await?;
        Ok(Nothing {})
    }
}
