//! The signature with which an app logs in to the cloud's room service.
//!
//! ```text
//! sign = md5(key + txTime + userid)          txTime: the second at which it expires, in decimal digits
//! ```

use super::md5_hex;
use crate::types::{Secret, UnixSeconds, UserId};

/// Signs a login of `user` that is good until `expiry`.
///
/// ```
/// use protocol::{sign::roomservice, types::{Secret, UnixSeconds, UserId}};
/// // By the original's formula: interface/get_roomservice_sign.php.
/// let (key, user) = (Secret::new("apikey"), UserId::parse("alice").unwrap());
/// let sign = roomservice::sign(&key, &user, UnixSeconds(1_500_000_600));
/// assert_eq!(sign, "916341a42d1712e10703febe6d427228");
/// ```
pub fn sign(key: &Secret, user: &UserId, expiry: UnixSeconds) -> String {
    md5_hex(&[key.expose(), &expiry.to_string(), user.as_str()])
}
