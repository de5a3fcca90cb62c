//! The upload signature of the video-on-demand service (VOD): short videos go there straight from the phone.
//!
//! ```text
//! original  = a query string, values URL-encoded
//!             now: secretId, currentTimeStamp, expireTime, procedure, random      once: s, t, e, p, r
//! signature = base64(HMAC-SHA1(secret key, original) ++ original)
//! ```

use super::signed_text;
use crate::types::Secret;

/// Signs the parameters, in the order in which they are given.
pub fn sign(parameters: &[(&str, &str)], key: &Secret) -> String {
    signed_text(key, &query(parameters))
}

/// The parameters as a query string, encoded as PHP does: `http_build_query`.
///
/// ```
/// use protocol::sign::vod::query;
/// assert_eq!(query(&[("a", "b c~*-_."), ("d", "&=")]), "a=b+c%7E%2A-_.&d=%26%3D");
/// ```
pub fn query(parameters: &[(&str, &str)]) -> String {
    // Browsers, whose rule the serializer follows, leave `*` as it is; every other mark is encoded alike.
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish().replace('*', "%2A")
}
