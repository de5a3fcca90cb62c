//! `update_replay`: renames, hides or shows a replay of the caller.

use super::prelude::*;
use store::ReplayChanges;

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
        let hidden = params.optional::<u64>("hidden")?;
        let hidden = hidden.map(|hidden| zero_or_one(hidden, [false, true], "hidden is 0 (shown) or 1 (hidden)"));
        Ok(Self { file, changes: ReplayChanges { title, hidden: hidden.transpose()? } })
    }

    async fn run(self, caller: User, app: &App) -> Result<EmptyReply, Error> {
        let changed = app.broadcaster(caller.id()).change_replay(&self.file, &self.changes).await?;
        if changed { Ok(EmptyReply {}) } else { Err(Error::NotFound("replay")) }
    }
}
