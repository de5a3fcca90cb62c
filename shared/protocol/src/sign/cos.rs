//! Upload signatures of the object storage (COS): covers and portraits go there straight from the phone.
//!
//! ```text
//! v4:  plain   = a=<appid>&b=<bucket>&k=<secret id>&e=<expiry>&t=<now>&r=<random>&f=
//!      sign    = base64(HMAC-SHA1(secret key, plain) ++ plain)
//! v5:  keyTime = "<start>;<end>"                                 seconds since 1970
//!      signKey = hex(HMAC-SHA1(secret key, keyTime))
//!
//!      encode    = percent-encoding of all but A-Z a-z 0-9 - _ . ~, in upper case
//!      list      = lower(encode(name))=encode(value), sorted by name, joined by &
//!      text      = lower(method) \n path, decoded \n list of signed parameters \n list of signed headers \n
//!      signature = hex(HMAC-SHA1(the 40 digits of signKey, "sha1" \n keyTime \n hex(SHA1(text)) \n))
//!      header    = q-sign-algorithm=sha1&q-ak=<secret id>&q-sign-time=<keyTime>&q-key-time=<keyTime>
//!                  &q-header-list=<names, joined by ;>&q-url-param-list=<the same>&q-signature=<signature>
//!
//!      a form's signature = hex(HMAC-SHA1(the 40 digits of signKey, hex(SHA1(policy))))
//! ```
//!
//! The storage compares what is listed and nothing else: a parameter or a header that is not signed may be added.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{hex, hmac_sha1, sha1_hex, signed_text};
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
#[derive(Clone)]
pub struct SignKey {
    /// The stretch, `<start>;<end>`.
    pub key_time: String,
    /// The derived key, 40 hexadecimal digits.
    pub sign_key: String,
}

/// Derives the key that is good from `start` to `end`.
///
/// ```
/// use protocol::{sign::cos, types::{Secret, UnixSeconds}};
/// // The example of the COS document (436/7778).
/// let key = cos::derive(
///     &Secret::new("BQYIM75p8x0iWVFSIgqEKwFprpRSVHlz"), UnixSeconds(1_557_989_151), UnixSeconds(1_557_996_351));
/// assert_eq!(key.key_time, "1557989151;1557996351");
/// assert_eq!(key.sign_key, "eb2519b498b02ac213cb1f3d1a3d27a3b3c9bc5f");
/// ```
pub fn derive(key: &Secret, start: UnixSeconds, end: UnixSeconds) -> SignKey {
    let key_time = format!("{start};{end}");
    SignKey { sign_key: hex(hmac_sha1(key, &key_time)), key_time }
}

/// How long before now a key begins, as in the storage's own SDKs: it refuses a key that has not begun by its own clock,
/// which may be behind ours.
const BEFORE_NOW_SECONDS: u64 = 60;

/// Derives the key that is good for so many seconds from now.
///
/// ```
/// use protocol::{sign::cos, types::{Secret, UnixSeconds}};
/// let key = cos::derive_now(&Secret::new("key"), UnixSeconds(1_500_000_000), 30);
/// assert_eq!(key.key_time, "1499999940;1500000030");
/// ```
pub fn derive_now(key: &Secret, now: UnixSeconds, seconds: u64) -> SignKey {
    derive(key, now.minus(BEFORE_NOW_SECONDS), now.plus(seconds))
}

/// What of a request is signed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method, in any case.
    pub method: &'a str,
    /// The path, not encoded, with the `/` that it begins with.
    pub path: &'a str,
    /// Parameters of the query, not encoded.
    pub parameters: &'a [(&'a str, &'a str)],
    /// Headers.
    pub headers: &'a [(&'a str, &'a str)],
}

impl Request<'_> {
    /// What the signature digests: the method, the path and both lists, a line each.
    pub fn text(&self) -> String {
        let [(_, parameters), (_, headers)] = [self.parameters, self.headers].map(lists);
        format!("{}\n{}\n{parameters}\n{headers}\n", self.method.to_ascii_lowercase(), self.path)
    }
}

impl SignKey {
    /// The header `Authorization` with which a request is good for the whole stretch of the key.
    ///
    /// ```
    /// use protocol::{sign::cos, types::{Secret, UnixSeconds}};
    /// // As COS's SDK for Python has it.
    /// let key = cos::derive(
    ///     &Secret::new("BQYIM75p8x0iWVFSIgqEKwFprpRSVHlz"), UnixSeconds(1_557_989_151), UnixSeconds(1_557_996_351));
    /// let headers = [("Host", "examplebucket-1250000000.cos.ap-beijing.myqcloud.com")];
    /// let request = cos::Request { method: "DELETE", path: "/x", parameters: &[], headers: &headers };
    /// let header = key.authorization("AKIDQjz3ltompVjBni5LitkWHFlFpwkn9U5q", request);
    /// let (_, signed) = header.split_once("&q-header-list=").unwrap();
    /// assert_eq!(signed, "host&q-url-param-list=&q-signature=032c69f2ce35bd55911f2417af18411ad7a4cbb5");
    /// ```
    pub fn authorization(&self, secret_id: &str, request: Request<'_>) -> String {
        let [(parameters, _), (headers, _)] = [request.parameters, request.headers].map(lists);
        let key_time = &self.key_time;
        let signature = self.sign(&format!("sha1\n{key_time}\n{}\n", sha1_hex(&request.text())));
        format!(
            "q-sign-algorithm=sha1&q-ak={secret_id}&q-sign-time={key_time}&q-key-time={key_time}\
             &q-header-list={headers}&q-url-param-list={parameters}&q-signature={signature}"
        )
    }

    /// The signature of a form that uploads under a policy, a JSON text.
    pub fn sign_policy(&self, policy: &str) -> String {
        self.sign(&sha1_hex(policy))
    }

    /// Signs with the digits of the key, not with the bytes that they stand for.
    fn sign(&self, text: &str) -> String {
        hex(hmac_sha1(&Secret::new(&self.sign_key), text))
    }
}

/// The names of the pairs, and the pairs themselves, each as it is signed.
fn lists(pairs: &[(&str, &str)]) -> (String, String) {
    let mut pairs: Vec<_> =
        pairs.iter().map(|(name, value)| (encode(name).to_ascii_lowercase(), encode(value))).collect();
    pairs.sort();
    let names: Vec<_> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    let both: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    (names.join(";"), both.join("&"))
}

/// The URL of an object by its path, which is not encoded.
///
/// ```
/// use protocol::sign::cos::url;
/// assert_eq!(url("h", "/a b/\u{7528}.png"), "https://h/a%20b/%E7%94%A8.png");
/// ```
pub fn url(host: &str, path: &str) -> String {
    let segments: Vec<_> = path.split('/').map(encode).collect();
    format!("https://{host}{}", segments.join("/"))
}

/// Percent-encodes every byte but letters, digits, `-`, `_`, `.` and `~`.
fn encode(text: &str) -> String {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, RESERVED).to_string()
}
