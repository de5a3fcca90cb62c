//! The signature of calls to Tencent Cloud's API 3.0: TC3-HMAC-SHA256.
//!
//! ```text
//! request   = method \n / \n query \n content-type:<type> \n host:<host> \n \n content-type;host \n hex(SHA256(body))
//! scope     = <date, UTC, yyyy-mm-dd>/<service>/tc3_request
//! text      = TC3-HMAC-SHA256 \n <seconds since 1970> \n scope \n hex(SHA256(request))
//! key       = HMAC-SHA256 of the date, then of the service, then of "tc3_request", each with the previous result as
//!             the key; the first key is "TC3" ++ secret key
//! signature = hex(HMAC-SHA256(key, text))
//! header    = TC3-HMAC-SHA256 Credential=<secret id>/<scope>, SignedHeaders=content-type;host, Signature=<signature>
//! ```
//!
//! The action and its version are in headers that are not signed, as in Tencent's SDKs. TLS protects them on the way.

use super::{hex, hmac_sha256_bytes, sha256_hex};
use crate::types::{Secret, UnixSeconds};

/// The signed parts of a call.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The encoded query, without the `?`.
    pub query: &'a str,
    /// The header `Content-Type`, exactly as it is sent, in lower case.
    pub content_type: &'a str,
    /// The header `Host`.
    pub host: &'a str,
    /// The body.
    pub body: &'a str,
}

impl Request<'_> {
    /// The canonical request, whose digest is signed.
    pub fn text(&self) -> String {
        let Self { method, query, content_type, host, body } = self;
        let digest = sha256_hex(body);
        format!("{method}\n/\n{query}\ncontent-type:{content_type}\nhost:{host}\n\ncontent-type;host\n{digest}")
    }
}

/// The header `Authorization` of a call to `service`, valid for five minutes from `now`.
pub fn authorization(request: Request<'_>, service: &str, secret_id: &str, key: &Secret, now: UnixSeconds) -> String {
    const END: &str = "tc3_request";
    let date = now.date();
    let scope = format!("{date}/{service}/{END}");
    let text = format!("TC3-HMAC-SHA256\n{now}\n{scope}\n{}", sha256_hex(&request.text()));
    let first = format!("TC3{}", key.expose()).into_bytes();
    let key = [date.as_str(), service, END].iter().fold(first, |key, part| hmac_sha256_bytes(&key, part).to_vec());
    let signature = hex(hmac_sha256_bytes(&key, &text));
    format!("TC3-HMAC-SHA256 Credential={secret_id}/{scope}, SignedHeaders=content-type;host, Signature={signature}")
}
