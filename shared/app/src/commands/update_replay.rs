//! `update_replay`: renames, hides or shows a replay of the caller.

use super::{Command, EmptyReply, Names};
use crate::{App, auth::User};
use protocol::{
    error::Error,
    types::{FileId, UserId},
    wire::Params,
};
use store::ReplayChanges;

/// See the module.
#[derive(Debug)]
pub struct UpdateReplay {
    file: FileId,
    changes: ReplayChanges,
}

impl Command for UpdateReplay {
    const NAMES: Names = Names::rest("update_replay");
    type Caller = User;
    type Reply = EmptyReply;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<UserId>("userid")?;
        let file = params.required("file_id")?;
        let title = params.optional("title")?;
        let hidden = match params.optional::<u64>("hidden")? {
            None => None,
            Some(0) => Some(false),
            Some(1) => Some(true),
            Some(_) => return Err(Error::InvalidArgument("hidden is 0 (shown) or 1 (hidden)")),
        };
        Ok(Self { file, changes: ReplayChanges { title, hidden } })
    }

    async fn run(self, caller: User, app: &App) -> Result<EmptyReply, Error> {
        let changed =
            app.table.change_replay(caller.id(), &self.file, &self.changes, &app.config.rules, app.now()).await?;
        if changed { Ok(EmptyReply {}) } else { Err(Error::NotFound("replay")) }
    }
}
