//! What the cloud tells the business server, and how it goes on when it is not heard.

use app::{answer::CALLBACKS, config::Live};
use protocol::{
    sign::callback::sign,
    types::{Secret, UnixSeconds},
};
use serde_json::{Value, json};

/// Where a server with these settings has notices posted to.
pub fn path(live: &Live) -> String {
    let key = live.callback_path_key.iter().map(|key| format!("/{}", key.expose()));
    key.chain([CALLBACKS[0].to_owned()]).collect()
}

/// How long a notice is good for.
pub const LIFE_SECONDS: u64 = 600;

/// A notice, all but its `t` and its `sign`.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The stream that it is about.
    pub stream: String,
    /// The members of its object.
    pub fields: Value,
}

impl Notice {
    /// Takes a member away; `None` if there is none of this name.
    pub fn remove(&mut self, field: &str) -> Option<Value> {
        self.fields.as_object_mut()?.remove(field)
    }

    /// The body of the notice as it is made at `now`: it expires ten minutes later.
    ///
    /// ```
    /// use cli::simulate::notices::Notice;
    /// use protocol::types::{Secret, UnixSeconds};
    /// let notice = Notice { stream: "8888_alice".into(), fields: serde_json::json!({ "event_type": 1 }) };
    /// let body = notice.body(UnixSeconds(1_500_000_000), &Secret::new("cbkey456"));
    /// let expected = r#"{"event_type":1,"sign":"f9471b62d40374b6eb2716c7ec4e088b","t":1500000600}"#;
    /// assert_eq!(body, expected.as_bytes());
    /// ```
    pub fn body(&self, now: UnixSeconds, key: &Secret) -> Vec<u8> {
        let t = now.plus(LIFE_SECONDS);
        let mut body = self.fields.clone();
        body["t"] = json!(t.0);
        body["sign"] = json!(sign(key, &t.to_string()));
        body.to_string().into_bytes()
    }
}

/// How the cloud goes on with a notice that did not get HTTP status 200: it sends the same bytes again.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// How often.
    pub times: u32,
    /// After how many seconds.
    pub seconds: u64,
}

impl Retries {
    /// As the cloud does today.
    pub const OF_TODAY: Self = Self { times: 12, seconds: 60 };

    /// Not at all.
    pub const NONE: Self = Self { times: 0, seconds: 0 };
}
