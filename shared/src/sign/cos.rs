//! Upload signatures of the object storage (COS): covers and portraits go there straight from the phone.
//!
//! ```text
//! v4:  plain   = a=<appid>&b=<bucket>&k=<secret id>&e=<expiry>&t=<now>&r=<random>&f=
//!      sign    = base64(HMAC-SHA1(secret key, plain) ++ plain)
//! v5:  keyTime = "<start>;<end>"                                 seconds since 1970
//!      signKey = hex(HMAC-SHA1(secret key, keyTime))
//! ```

use super::{hex, hmac_sha1, signed_text};
use crate::types::{Secret, UnixSeconds};

/// What a v4 signature is made for.
#[derive(Clone, Copy, Debug)]
pub struct V4<'a> {
    /// The COS account.
    pub appid: u64,
    /// The bucket, without the appid.
    pub bucket: &'a str,
    /// The name of the key.
    pub secret_id: &'a str,
    /// The file the signature is bound to, percent-encoded; empty for any file of the bucket.
    pub file: &'a str,
}

/// Signs uploads to the old JSON interface until `expiry`, as often as one likes.
pub fn sign_v4(what: V4<'_>, key: &Secret, now: UnixSeconds, expiry: UnixSeconds, random: u32) -> String {
    let V4 { appid, bucket, secret_id, file } = what;
    signed_text(key, &format!("a={appid}&b={bucket}&k={secret_id}&e={expiry}&t={now}&r={random}&f={file}"))
}

/// A key that signs COS requests for a stretch of time.
#[derive(Clone, Debug)]
pub struct SignKey {
    /// The stretch, `<start>;<end>`.
    pub key_time: String,
    /// The derived key, 40 hexadecimal digits.
    pub sign_key: String,
}

/// Derives the key that is good from `start` to `end`.
///
/// ```
/// use shared::{sign::cos, types::{Secret, UnixSeconds}};
/// // The example of the COS document (436/7778).
/// let key = cos::derive(
///     &Secret::new("BQYIM75p8x0iWVFSIgqEKwFprpRSVHlz"), UnixSeconds(1_557_989_151), UnixSeconds(1_557_996_351));
/// assert_eq!(key.key_time, "1557989151;1557996351");
/// assert_eq!(key.sign_key, "eb2519b498b02ac213cb1f3d1a3d27a3b3c9bc5f");
/// ```
pub fn derive(key: &Secret, start: UnixSeconds, end: UnixSeconds) -> SignKey {
    let key_time = format!("{start};{end}");
    SignKey { sign_key: hex(&hmac_sha1(key, &key_time)), key_time }
}
