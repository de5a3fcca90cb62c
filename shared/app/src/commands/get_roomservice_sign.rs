//! `get_roomservice_sign`: a signature with which the app logs in to the cloud's room service.

use super::prelude::*;
use protocol::sign::roomservice;

/// How long the signature is valid, as in the original.
const SIGN_SECONDS: u64 = 600;

pub struct GetRoomserviceSign;

#[derive(Serialize)]
#[expect(non_snake_case, reason = "the wire's own spelling")]
pub struct Reply {
    /// When the signature expires.
    txTime: u64,
    sign: String,
}

impl Command for GetRoomserviceSign {
    const NAMES: Names = Names::rest("get_roomservice_sign");
    type Caller = User;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<UserId>("userid")?;
        Ok(Self)
    }

    async fn run(self, caller: User, app: &App) -> Result<Reply, Error> {
        refuse_banned(app, caller.id()).await?;
        let expiry = app.now().plus(SIGN_SECONDS);
        Ok(Reply { txTime: expiry.0, sign: roomservice::sign(&app.config.live.api_key, caller.id(), expiry) })
    }
}
