//! `get_cos_sign`: a key with which the phone signs its own uploads to the object storage.

use super::prelude::*;
use crate::config::Cos;
use protocol::sign::cos;

pub struct GetCosSign;

#[derive(Serialize)]
#[expect(non_snake_case, reason = "the wire's own spelling")]
pub struct Reply {
    signKey: String,
    keyTime: String,
}

impl Command for GetCosSign {
    const NAMES: Names = Names::both("get_cos_sign", "GetCOSSignV2");
    type Caller = AnyUser;
    type Reply = Reply;

    fn parse(_: &Params) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn run(self, _: AnyUser, app: &App) -> Result<Reply, Error> {
        let settings = cos_if_keys_given(app)?;
        let key = cos::derive_now(&settings.secret_key, app.now(), settings.sign_seconds);
        Ok(Reply { signKey: key.sign_key, keyTime: key.key_time })
    }
}

/// The settings of the object storage, if COS_SIGN_KEYS allows keys and signatures for any request.
pub(super) fn cos_if_keys_given(app: &App) -> Result<&Cos, Error> {
    let settings = &app.config.cos;
    settings.gives_keys.then_some(settings).ok_or(Error::SwitchedOff("get_cos_grant grants uploads"))
}
