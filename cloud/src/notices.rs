//! The notices of the live cloud to the business server.

use protocol::{
    sign::callback::sign,
    types::{Secret, UnixSeconds},
};
use serde_json::{Value, json};

/// The time between the signing of a notice and its expiry.
pub const LIFETIME_SECONDS: u64 = 600;

/// A notice without `t` and `sign`.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The members of its object.
    pub fields: Value,
}

impl Notice {
    /// The body of the notice, signed at `now`. It expires ten minutes later.
    ///
    /// ```
    /// use cloud::notices::Notice;
    /// use protocol::types::{Secret, UnixSeconds};
    /// let notice = Notice { fields: serde_json::json!({ "event_type": 1 }) };
    /// let expected = r#"{"event_type":1,"sign":"f9471b62d40374b6eb2716c7ec4e088b","t":1500000600}"#;
    /// assert_eq!(notice.body(UnixSeconds(1_500_000_000), &Secret::new("cbkey456")), expected);
    /// ```
    pub fn body(&self, now: UnixSeconds, key: &Secret) -> String {
        let t = now.plus(LIFETIME_SECONDS);
        let mut body = self.fields.clone();
        body["t"] = json!(t.0);
        body["sign"] = json!(sign(key, &t.to_string()));
        body.to_string()
    }
}

/// How often, and how soon, the cloud repeats a notice that did not get HTTP status 200.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// The maximum number of repetitions.
    pub times: u32,
    /// The seconds before each repetition.
    pub seconds: u64,
}

impl Retries {
    /// The retries of Tencent's cloud.
    pub const DEFAULT: Self = Self { times: 12, seconds: 60 };

    /// No retries.
    pub const NONE: Self = Self { times: 0, seconds: 0 };
}
