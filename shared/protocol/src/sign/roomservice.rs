//! The signature with which an app logs in to Tencent's room service (RoomService).
//!
//! ```text
//! sign = md5(key + txTime + userid)          txTime: when the signature expires, in seconds since 1970, decimal
//! ```

use super::md5_hex;
use crate::types::{Secret, UnixSeconds, UserId};

/// Signs a login of `user`, valid until `expiry`.
///
/// ```
/// use protocol::{sign::roomservice, types::{Secret, UnixSeconds, UserId}};
/// // The expected value is by the original's formula: interface/get_roomservice_sign.php.
/// let (key, user) = (Secret::new("apikey"), UserId::parse("alice").unwrap());
/// let sign = roomservice::sign(&key, &user, UnixSeconds(1_500_000_600));
/// assert_eq!(sign, "916341a42d1712e10703febe6d427228");
/// ```
pub fn sign(key: &Secret, user: &UserId, expiry: UnixSeconds) -> String {
    md5_hex(&[key.expose(), &expiry.to_string(), user.as_str()])
}
