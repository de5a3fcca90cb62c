//! `upload_user_info`: changes the account of the caller.

use super::prelude::*;
use store::AccountChanges;

pub struct UploadUserInfo {
    changes: AccountChanges,
}

impl Command for UploadUserInfo {
    const NAMES: Names = Names::rest("upload_user_info");
    type Caller = User;
    type Reply = EmptyReply;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<AccountName>("userid")?;
        let nickname = params.optional("nickname")?;
        let avatar = params.optional("avatar")?;
        let sex = params.required("sex")?;
        let frontcover = params.optional("frontcover")?;
        Ok(Self { changes: AccountChanges { nickname, avatar, sex, frontcover } })
    }

    async fn run(self, caller: User, app: &App) -> Result<EmptyReply, Error> {
        let changed = app.table.change_account(caller.id(), &self.changes).await?;
        if changed { Ok(EmptyReply {}) } else { Err(Error::NotFound("user")) }
    }
}
