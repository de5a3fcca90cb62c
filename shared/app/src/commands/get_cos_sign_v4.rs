//! `get_cos_sign_v4`: a signature with which the phone uploads to the old JSON interface of the object storage.

use serde::Serialize;

use super::{Command, Names, get_cos_sign::giving_keys};
use crate::{App, auth::SomeUser};
use protocol::{error::Error, sign::cos, wire::Params};

/// See the module.
#[derive(Debug)]
pub struct GetCosSignV4;

/// The signature.
#[derive(Debug, Serialize)]
pub struct Reply {
    sign: String,
}

impl Command for GetCosSignV4 {
    const NAMES: Names = Names::both("get_cos_sign_v4", "GetCOSSign");
    type Caller = SomeUser;
    type Reply = Reply;

    fn parse(_: &Params) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn run(self, _: SomeUser, app: &App) -> Result<Reply, Error> {
        let (settings, now) = (giving_keys(app)?, app.now());
        let what =
            cos::V4 { appid: settings.appid, bucket: &settings.bucket, secret_id: &settings.secret_id, file: "" };
        // The cloud takes 31 bits: PHP's rand() gave no more.
        let random = (app.random)() >> 1;
        Ok(Reply { sign: cos::sign_v4(what, &settings.secret_key, now, now.plus(settings.sign_seconds), random) })
    }
}
