//! `get_vod_sign`: a signature with which the phone uploads a short video.

use super::prelude::*;
use protocol::sign::vod;

/// How long the signature is valid, as in the original.
const SIGN_SECONDS: u64 = 24 * 3600;

pub struct GetVodSign;

/// [`GetVodSign`] with the field names of the upload SDK's first version.
pub struct GetVodSignV1;

#[derive(Serialize)]
pub struct Reply {
    signature: String,
}

impl Command for GetVodSign {
    const NAMES: Names = Names::both("get_vod_sign", "GetVodSignatureV2");
    type Caller = AnyUser;
    type Reply = Reply;

    fn parse(_: &Params) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn run(self, _: AnyUser, app: &App) -> Result<Reply, Error> {
        Ok(sign(app, ["secretId", "currentTimeStamp", "expireTime", "procedure", "random"]))
    }
}

impl Command for GetVodSignV1 {
    const NAMES: Names = Names::action("get_vod_sign", "GetVodSignature");
    type Caller = AnyUser;
    type Reply = Reply;

    fn parse(_: &Params) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn run(self, _: AnyUser, app: &App) -> Result<Reply, Error> {
        Ok(sign(app, ["s", "t", "e", "p", "r"]))
    }
}

fn sign(app: &App, names: [&str; 5]) -> Reply {
    let (settings, now) = (&app.config.vod, app.now());
    let random = (app.random)() >> 1;
    let values = [
        settings.secret_id.clone(),
        now.to_string(),
        now.plus(SIGN_SECONDS).to_string(),
        settings.procedure.clone(),
        random.to_string(),
    ];
    let parameters: Vec<_> = names.into_iter().zip(values.iter().map(String::as_str)).collect();
    Reply { signature: vod::sign(&parameters, &settings.secret_key) }
}
