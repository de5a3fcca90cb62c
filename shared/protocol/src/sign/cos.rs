//! Signatures for the object storage (COS): phones upload covers and portraits there directly.
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
//! ```
//!
//! COS checks the listed parameters and headers only: a request may have others that are not signed.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use thiserror::Error as ThisError;

use super::{constant_time_eq, hex, hmac_sha1, sha1_hex, signed_text};
use crate::types::{Secret, UnixSeconds};

/// The account, bucket and file of a v4 signature.
#[derive(Clone, Copy, Debug)]
pub struct V4<'a> {
    /// The COS account.
    pub appid: u64,
    /// The bucket, without the appid.
    pub bucket: &'a str,
    /// The id of the key.
    pub secret_id: &'a str,
    /// The file the signature is bound to, percent-encoded; empty for any file of the bucket.
    pub file: &'a str,
}

/// Signs uploads to the old JSON API. The signature can be used any number of times until `expiry`.
pub fn sign_v4(upload: V4<'_>, key: &Secret, now: UnixSeconds, expiry: UnixSeconds, random: u32) -> String {
    let V4 { appid, bucket, secret_id, file } = upload;
    signed_text(key, &format!("a={appid}&b={bucket}&k={secret_id}&e={expiry}&t={now}&r={random}&f={file}"))
}

/// A derived key that signs COS requests during an interval of time.
#[derive(Clone)]
pub struct SignKey {
    /// The interval, `<start>;<end>`, in seconds since 1970.
    pub key_time: String,
    /// The derived key, 40 hexadecimal digits.
    pub sign_key: String,
}

/// Derives a key that is valid from `start` to `end`.
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

/// How long before now a key starts, as in Tencent's SDKs: COS refuses a key that starts in the future by COS's clock,
/// which can be behind ours.
const BEFORE_NOW_SECONDS: u64 = 60;

/// Derives a key that is valid for `seconds` from now.
pub fn derive_now(key: &Secret, now: UnixSeconds, seconds: u64) -> SignKey {
    derive(key, now.minus(BEFORE_NOW_SECONDS), now.plus(seconds))
}

/// The signed parts of a COS request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method, in any case.
    pub method: &'a str,
    /// The path, not encoded, with the leading `/`.
    pub path: &'a str,
    /// The parameters of the query, not encoded.
    pub parameters: &'a [(&'a str, &'a str)],
    /// The headers.
    pub headers: &'a [(&'a str, &'a str)],
}

impl Request<'_> {
    /// The text that is signed: the method, the path and both lists, one per line.
    pub fn text(&self) -> String {
        let [(_, parameters), (_, headers)] = [self.parameters, self.headers].map(canonical_lists);
        format!("{}\n{}\n{parameters}\n{headers}\n", self.method.to_ascii_lowercase(), self.path)
    }
}

impl SignKey {
    /// The header `Authorization` of a request, valid during the interval of the key.
    pub fn authorization(&self, secret_id: &str, request: Request<'_>) -> String {
        let [(parameters, _), (headers, _)] = [request.parameters, request.headers].map(canonical_lists);
        let key_time = &self.key_time;
        let text = format!("sha1\n{key_time}\n{}\n", sha1_hex(&request.text()));
        // The key is the text of the hexadecimal digits, not the bytes that they encode.
        let signature = hex(hmac_sha1(&Secret::new(&self.sign_key), &text));
        format!(
            "q-sign-algorithm=sha1&q-ak={secret_id}&q-sign-time={key_time}&q-key-time={key_time}\
             &q-header-list={headers}&q-url-param-list={parameters}&q-signature={signature}"
        )
    }
}

/// Why a request's `Authorization` is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub enum Fault {
    /// The header has not the form that is described above.
    #[error("the header Authorization is missing, or malformed")]
    Shape,
    /// The key is another one.
    #[error("q-ak is not the id of the key")]
    Key,
    /// The time is before or after the interval.
    #[error("the signature is not valid at this time: q-sign-time is {0}")]
    Time(UnixSeconds),
    /// A signed header or parameter is missing in the request.
    #[error("a header or parameter that is signed is missing")]
    Missing,
    /// The signature is another one.
    #[error("q-signature is wrong")]
    Signature,
}

/// Verifies the header `Authorization` of a request as COS does. `request` has all headers and parameters of the
/// request; those that the header does not list are ignored.
///
/// ```
/// use protocol::{sign::cos::{self, Fault}, types::{Secret, UnixSeconds}};
/// // The example of the COS document (436/7778).
/// let headers = [
///     ("content-length", "13"), ("content-md5", "mQ/fVh815F3k6TAUm8m0eg=="), ("content-type", "text/plain"),
///     ("date", "Thu, 16 May 2019 06:45:51 GMT"),
///     ("host", "examplebucket-1250000000.cos.ap-beijing.myqcloud.com"), ("user-agent", "not signed"),
///     ("x-cos-acl", "private"), ("x-cos-grant-read", "uin=\"100000000011\""),
/// ];
/// let request =
///     cos::Request { method: "PUT", path: "/exampleobject(\u{817e}\u{8baf}\u{4e91})", parameters: &[], headers: &headers };
/// let header = "q-sign-algorithm=sha1&q-ak=AKIDQjz3ltompVjBni5LitkWHFlFpwkn9U5q\
///     &q-sign-time=1557989151;1557996351&q-key-time=1557989151;1557996351\
///     &q-header-list=content-length;content-md5;content-type;date;host;x-cos-acl;x-cos-grant-read\
///     &q-url-param-list=&q-signature=3b8851a11a569213c17ba8fa7dcf2abec6935172";
/// let key = Secret::new("BQYIM75p8x0iWVFSIgqEKwFprpRSVHlz");
/// let verify = |request, now| cos::verify(header, request, "AKIDQjz3ltompVjBni5LitkWHFlFpwkn9U5q", &key, UnixSeconds(now));
/// assert_eq!(verify(request, 1_557_990_000), Ok(()));
/// assert_eq!(verify(cos::Request { path: "/another", ..request }, 1_557_990_000), Err(Fault::Signature));
/// assert_eq!(verify(request, 1_557_996_352), Err(Fault::Time(UnixSeconds(1_557_996_351))));
/// ```
pub fn verify(
    header: &str,
    request: Request<'_>,
    secret_id: &str,
    key: &Secret,
    now: UnixSeconds,
) -> Result<(), Fault> {
    let field = |name: &str| {
        let mut fields = header.split('&').filter_map(|field| field.split_once('='));
        fields.find_map(|(field, value)| (field == name).then_some(value)).ok_or(Fault::Shape)
    };
    let (sign_time, key_time) = (field("q-sign-time")?, field("q-key-time")?);
    if field("q-sign-algorithm")? != "sha1" {
        return Err(Fault::Shape);
    }
    if field("q-ak")? != secret_id {
        return Err(Fault::Key);
    }
    for interval in [sign_time, key_time] {
        let (start, end) = interval.split_once(';').ok_or(Fault::Shape)?;
        let (start, end) = (start.parse().map_err(|_| Fault::Shape)?, end.parse().map_err(|_| Fault::Shape)?);
        if now < UnixSeconds(start) || now > UnixSeconds(end) {
            return Err(Fault::Time(UnixSeconds(if now.0 < start { start } else { end })));
        }
    }
    let headers = listed(field("q-header-list")?, request.headers)?;
    let parameters = listed(field("q-url-param-list")?, request.parameters)?;
    let signed = Request { parameters: &parameters, headers: &headers, ..request };
    let sign_key = Secret::new(hex(hmac_sha1(key, key_time)));
    let signature = hex(hmac_sha1(&sign_key, &format!("sha1\n{sign_time}\n{}\n", sha1_hex(&signed.text()))));
    if constant_time_eq(&signature, field("q-signature")?) { Ok(()) } else { Err(Fault::Signature) }
}

/// Those pairs whose names are in a list of the header.
fn listed<'a>(list: &str, pairs: &[(&'a str, &'a str)]) -> Result<Vec<(&'a str, &'a str)>, Fault> {
    let names = list.split(';').filter(|name| !name.is_empty());
    let pair = |name: &str| pairs.iter().find(|pair| encode(pair.0).eq_ignore_ascii_case(name)).copied();
    names.map(|name| pair(name).ok_or(Fault::Missing)).collect()
}

/// The list of names and the list of `name=value` pairs, sorted and encoded as COS signs them.
fn canonical_lists(pairs: &[(&str, &str)]) -> (String, String) {
    let mut pairs: Vec<_> =
        pairs.iter().map(|(name, value)| (encode(name).to_ascii_lowercase(), encode(value))).collect();
    pairs.sort();
    let names: Vec<_> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    let list: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    (names.join(";"), list.join("&"))
}

/// The URL of an object at the address of its bucket. The path is given without encoding.
///
/// ```
/// use protocol::sign::cos::url;
/// assert_eq!(url("https://h", "/a b/\u{7528}.png"), "https://h/a%20b/%E7%94%A8.png");
/// ```
pub fn url(address: &str, path: &str) -> String {
    let segments: Vec<_> = path.split('/').map(encode).collect();
    format!("{address}{}", segments.join("/"))
}

/// Percent-encodes every byte but letters, digits, `-`, `_`, `.` and `~`.
fn encode(text: &str) -> String {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, RESERVED).to_string()
}
