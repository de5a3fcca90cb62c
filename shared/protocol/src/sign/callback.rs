//! The signature of callbacks of the live cloud, and of calls to the cloud's old API.
//!
//! ```text
//! sign = md5(key + t)          t: when the callback or call expires, in seconds since 1970, as digits in the request
//! ```

use super::md5_hex;
use crate::types::Secret;

/// Signs the expiry `t`.
///
/// ```
/// use protocol::{sign::callback, types::Secret};
/// // The example of the joint-broadcasting document (454/8092).
/// let key = Secret::new("40328529ca4381a80c6ecf2e6aa57438");
/// assert_eq!(callback::sign(&key, "1490858347"), "7f29ed83c61b77de1b0d66936fd4fd44");
/// ```
pub fn sign(key: &Secret, t: &str) -> String {
    md5_hex(&[key.expose(), t])
}
