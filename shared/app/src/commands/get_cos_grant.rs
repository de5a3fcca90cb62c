//! `get_cos_grant`: a signed request with which the phone uploads one picture to the object storage. The server chooses
//! the name of the object.

use super::prelude::*;
use protocol::sign::{cos, hex};

pub struct GetCosGrant {
    size: u64,
    kind: Kind,
}

/// A kind of picture that may be uploaded, with its media type.
struct Kind {
    media_type: &'static str,
    extension: &'static str,
}

const PUT: &str = "PUT";

const KINDS: [Kind; 4] = [
    Kind { media_type: "image/jpeg", extension: "jpg" },
    Kind { media_type: "image/png", extension: "png" },
    Kind { media_type: "image/webp", extension: "webp" },
    Kind { media_type: "image/gif", extension: "gif" },
];

/// The signed request. The phone can repeat the request until it expires.
#[derive(Serialize)]
pub struct Reply {
    method: &'static str,
    url: String,
    headers: Headers,
    expires: u64,
}

/// The headers of the request.
#[derive(Serialize)]
struct Headers {
    #[serde(rename = "Authorization")]
    authorization: String,
    #[serde(rename = "Content-Type")]
    content_type: &'static str,
    #[serde(rename = "Content-Length")]
    content_length: String,
}

impl Command for GetCosGrant {
    const NAMES: Names = Names::rest("get_cos_grant");
    type Caller = User;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<AccountName>("userid")?;
        let size = params.required("size")?;
        if size == 0 {
            return Err(Error::InvalidParam { name: "size", reason: "is not in range [1,+)!" });
        }
        let media_type: String = params.required("type")?;
        let kind = KINDS.into_iter().find(|kind| kind.media_type == media_type).ok_or(Error::InvalidParam {
            name: "type",
            reason: "is not image/jpeg, image/png, image/webp or image/gif!",
        })?;
        Ok(Self { size, kind })
    }

    async fn run(self, caller: User, app: &App) -> Result<Reply, Error> {
        let (settings, now, Kind { media_type, extension }) = (&app.config.cos, app.now(), self.kind);
        if self.size > settings.max_bytes {
            return Err(Error::InvalidParam { name: "size", reason: "is more than may be uploaded!" });
        }
        // The name is unique and contains the caller's id, so an upload never replaces an object of another user.
        let path = format!("/{}/{}.{extension}", caller.id(), hex(app.nonce()));
        let (address, content_length) = (settings.address(), self.size.to_string());
        let host = address.split_once("://").map_or(&*address, |(_, host)| host);
        let headers = [("host", host), ("content-length", &*content_length), ("content-type", media_type)];
        let request = cos::Request { method: PUT, path: &path, parameters: &[], headers: &headers };
        let key = cos::derive_now(&settings.secret_key, now, settings.sign_seconds);
        let authorization = key.authorization(&settings.secret_id, request);
        Ok(Reply {
            method: PUT,
            url: cos::url(&address, &path),
            headers: Headers { authorization, content_type: media_type, content_length },
            expires: now.plus(settings.sign_seconds).0,
        })
    }
}
