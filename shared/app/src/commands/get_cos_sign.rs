//! `get_cos_sign`: a key with which the phone signs its own uploads to the object storage.

use serde::Serialize;

use super::{Command, Names};
use crate::{App, auth::SomeUser, config::Cos};
use protocol::{error::Error, sign::cos, wire::Params};

/// See the module.
#[derive(Debug)]
pub struct GetCosSign;

/// The key.
#[derive(Serialize)]
#[expect(non_snake_case, reason = "the wire's own spelling")]
pub struct Reply {
    signKey: String,
    keyTime: String,
}

impl Command for GetCosSign {
    const NAMES: Names = Names::both("get_cos_sign", "GetCOSSignV2");
    type Caller = SomeUser;
    type Reply = Reply;

    fn parse(_: &Params) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn run(self, _: SomeUser, app: &App) -> Result<Reply, Error> {
        let settings = giving_keys(app)?;
        let key = cos::derive_now(&settings.secret_key, app.now(), settings.sign_seconds);
        Ok(Reply { signKey: key.sign_key, keyTime: key.key_time })
    }
}

/// The object storage, if what is good for any request may be given to phones.
pub(super) fn giving_keys(app: &App) -> Result<&Cos, Error> {
    let settings = &app.config.cos;
    settings.gives_keys.then_some(settings).ok_or(Error::SwitchedOff("get_cos_grant grants uploads"))
}
