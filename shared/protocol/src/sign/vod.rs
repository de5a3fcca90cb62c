//! Upload signatures for the video-on-demand service (VOD): phones upload short videos there directly.
//!
//! ```text
//! original  = a query string with URL-encoded values
//!             parameters: secretId, currentTimeStamp, expireTime, procedure, random; their old names: s, t, e, p, r
//! signature = base64(HMAC-SHA1(secret key, original) ++ original)
//! ```

use super::signed_text;
use crate::types::Secret;

/// Signs the parameters in the given order.
pub fn sign(parameters: &[(&str, &str)], key: &Secret) -> String {
    signed_text(key, &query(parameters))
}

/// The parameters as a query string, encoded as by PHP's `http_build_query`.
///
/// ```
/// use protocol::sign::vod::query;
/// assert_eq!(query(&[("a", "b c~*-_."), ("d", "&=")]), "a=b+c%7E%2A-_.&d=%26%3D");
/// ```
pub fn query(parameters: &[(&str, &str)]) -> String {
    // The serializer encodes as browsers do, which differ from PHP only in that they do not encode `*`.
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish().replace('*', "%2A")
}
