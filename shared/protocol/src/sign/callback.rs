//! The signature of the cloud's notices, and of our calls to its old interface.
//!
//! ```text
//! sign = md5(key + t)          t: the second at which the notice expires, in the digits in which it came
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
