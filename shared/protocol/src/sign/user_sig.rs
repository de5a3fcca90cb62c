//! UserSig: the token with which an app logs a user in to Tencent's instant-messaging service (IM).
//!
//! ```text
//! content = "TLS.identifier:<user>\nTLS.sdkappid:<app>\nTLS.time:<now>\nTLS.expire:<seconds>\n"
//!           and, if the customer's own server adds a userbuf, "TLS.userbuf:<base64>\n"
//! TLS.sig = base64(HMAC-SHA256(key, content))
//! UserSig = base64(zlib({"TLS.ver":"2.0", ... "TLS.sig":...}))   with + / = written as * - _
//! ```
//!
//! The HMAC key is the text of the secret key, not the bytes that its hexadecimal digits encode. Implementations of
//! zlib compress the same text to different bytes, so two UserSigs with the same content can differ.

use std::io::Read;

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD as BASE64},
};
use flate2::{Compression, read::ZlibDecoder, read::ZlibEncoder};
use serde::{Deserialize, Serialize};

use super::{constant_time_eq, hmac_sha256};
use crate::{
    json,
    types::{Secret, UnixSeconds},
};

/// The maximum length of a decompressed document. A valid one has about 200 bytes.
const MAX_DOCUMENT_BYTES: u64 = 4096;

/// The content of a UserSig.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    #[serde(rename = "TLS.ver")]
    version: String,
    #[serde(rename = "TLS.identifier")]
    user: String,
    #[serde(rename = "TLS.sdkappid")]
    sdk_app_id: u64,
    #[serde(rename = "TLS.expire")]
    expire: u64,
    #[serde(rename = "TLS.time")]
    time: u64,
    #[serde(rename = "TLS.userbuf", default, skip_serializing_if = "Option::is_none")]
    userbuf: Option<String>,
    #[serde(rename = "TLS.sig")]
    signature: String,
}

impl Document {
    /// The correct [`Document::signature`].
    fn sign(&self, key: &Secret) -> String {
        let Self { user, sdk_app_id, time, expire, userbuf, .. } = self;
        let userbuf = userbuf.as_ref().map(|buf| format!("TLS.userbuf:{buf}\n")).unwrap_or_default();
        let content = format!(
            "TLS.identifier:{user}\nTLS.sdkappid:{sdk_app_id}\nTLS.time:{time}\nTLS.expire:{expire}\n{userbuf}"
        );
        BASE64.encode(hmac_sha256(key, &content))
    }
}

/// Creates a UserSig of `user`, valid for `seconds` from `now`.
///
/// ```
/// use protocol::{sign::user_sig, types::{Secret, UnixSeconds}};
/// let (key, now) = (Secret::new("imsecret"), UnixSeconds(1_500_000_000));
/// let sig = user_sig::sign("alice", 1_400_000_000, &key, now, 60);
/// assert_eq!(user_sig::verify(&sig, 1_400_000_000, &key, now).as_deref(), Some("alice"));
/// assert_eq!(user_sig::verify(&sig, 1_400_000_000, &key, now.plus(61)), None, "expired");
/// assert_eq!(user_sig::verify(&sig, 1_400_000_000, &Secret::new("other"), now), None, "another key");
/// ```
pub fn sign(user: &str, sdk_app_id: u64, key: &Secret, now: UnixSeconds, seconds: u64) -> String {
    let mut document = Document {
        version: "2.0".to_owned(),
        user: user.to_owned(),
        sdk_app_id,
        expire: seconds,
        time: now.0,
        userbuf: None,
        signature: String::new(),
    };
    document.signature = document.sign(key);
    let json = json::to_text(&document);
    let mut packed = Vec::new();
    ZlibEncoder::new(json.as_bytes(), Compression::default()).read_to_end(&mut packed).expect("memory can be read");
    BASE64.encode(packed).replace('+', "*").replace('/', "-").replace('=', "_")
}

/// Verifies a UserSig and returns its user; `None` if it is malformed, expired, for another app, or signed with another
/// key.
///
/// As in the original (`common/TLSSigAPIv2.php`), a `time` in the future is accepted, and so are the standard alphabet
/// of base64 and missing padding.
pub fn verify(user_sig: &str, sdk_app_id: u64, key: &Secret, now: UnixSeconds) -> Option<String> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let packed = LENIENT.decode(user_sig.replace('*', "+").replace('-', "/").replace('_', "=")).ok()?;
    let mut json = Vec::new();
    ZlibDecoder::new(packed.as_slice()).take(MAX_DOCUMENT_BYTES).read_to_end(&mut json).ok()?;
    let document: Document = serde_json::from_slice(&json).ok()?;
    let is_valid = document.sdk_app_id == sdk_app_id
        && now.0 <= document.time.checked_add(document.expire)?
        && constant_time_eq(&document.sign(key), &document.signature);
    is_valid.then_some(document.user)
}
