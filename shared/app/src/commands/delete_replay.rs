//! `delete_replay`: deletes a replay of the caller with its files.

use super::prelude::*;
use crate::deletion;
use protocol::error::Chain;

pub struct DeleteReplay {
    file: FileId,
}

impl Command for DeleteReplay {
    const NAMES: Names = Names::rest("delete_replay");
    type Caller = User;
    type Reply = EmptyReply;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<UserId>("userid")?;
        Ok(Self { file: params.required("file_id")? })
    }

    async fn run(self, caller: User, app: &App) -> Result<EmptyReply, Error> {
        let deleted = app.broadcaster(caller.id()).delete_replay(&self.file).await?;
        let file = deleted.ok_or(Error::NotFound("replay"))?;
        // The replay is no longer visible. An error does not fail the call: the sweep deletes the files.
        if let Err(error) = deletion::finish(app, caller.id(), &file).await {
            let user = app.config.log_names.of(caller.id().as_str());
            tracing::error!(user, error = %Chain(&error), "the files of a replay are left to the sweep");
        }
        Ok(EmptyReply {})
    }
}
