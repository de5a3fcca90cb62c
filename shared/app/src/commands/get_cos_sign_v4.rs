//! `get_cos_sign_v4`: a signature with which the phone uploads to the old JSON interface of the object storage.

use super::get_cos_sign::cos_if_keys_given;
use super::prelude::*;
use protocol::sign::cos;

pub struct GetCosSignV4;

#[derive(Serialize)]
pub struct Reply {
    sign: String,
}

impl Command for GetCosSignV4 {
    const NAMES: Names = Names::both("get_cos_sign_v4", "GetCOSSign");
    type Caller = AnyUser;
    type Reply = Reply;

    fn parse(_: &Params) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn run(self, _: AnyUser, app: &App) -> Result<Reply, Error> {
        let (settings, now) = (cos_if_keys_given(app)?, app.now());
        let params =
            cos::V4 { appid: settings.appid, bucket: &settings.bucket, secret_id: &settings.secret_id, file: "" };
        // The cloud accepts 31 bits, the range of PHP's rand() in the original.
        let random = (app.random)() >> 1;
        Ok(Reply { sign: cos::sign_v4(params, &settings.secret_key, now, now.plus(settings.sign_seconds), random) })
    }
}
