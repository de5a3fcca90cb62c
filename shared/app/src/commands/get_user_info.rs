//! `get_user_info`: the account of the caller.

use super::prelude::*;
use crate::auth::AccountHolder;

pub struct GetUserInfo;

#[derive(Serialize)]
pub struct Reply {
    userid: String,
    nickname: String,
    avatar: String,
    sex: i8,
    frontcover: String,
}

impl Command for GetUserInfo {
    const NAMES: Names = Names::rest("get_user_info");
    type Caller = AccountHolder;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<AccountName>("userid")?;
        Ok(Self)
    }

    async fn run(self, caller: AccountHolder, _: &App) -> Result<Reply, Error> {
        let account = caller.account().ok_or(Error::NotFound("user"))?;
        Ok(Reply {
            userid: caller.user().to_string(),
            nickname: account.nickname.as_str().to_owned(),
            avatar: account.avatar.as_str().to_owned(),
            sex: account.sex.number(),
            frontcover: account.frontcover.as_str().to_owned(),
        })
    }
}
