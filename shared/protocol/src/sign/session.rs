//! The tokens of a login session, and the signature of a Gen-2 call, whose key is the session's token.
//!
//! ```text
//! token         = hex(HMAC-SHA256(session key, "token\n<user>\n<session>\n<generation>\n"))
//! refresh token = <session>.<generation>.hex(HMAC-SHA256(session key, "refresh\n<user>\n<session>\n<generation>\n"))
//! Liteav-Sig    = md5(token + md5(body))                         each MD5 as lower-case hexadecimal digits
//! ```
//!
//! The server needs the token itself to check a signature, so the table cannot hold just a digest of it. Instead the
//! token is derived from the session key: the table holds the session's random id and the number of the valid
//! generation of tokens. Whoever reads the table without having the session key can sign nothing. The apps define
//! `Liteav-Sig`.

use super::{constant_time_eq, hex, hmac_sha256, md5_hex};
use crate::types::{Secret, UserId};

/// A generation of a session's tokens: the token and the refresh token that are valid together. A refresh replaces
/// both.
///
/// ```
/// use protocol::{sign::session::Generation, types::{Secret, UserId}};
/// let (alice, key) = (UserId::parse("alice").unwrap(), Secret::new("a-session-key"));
/// let first = Generation { session: "5e55".to_owned(), number: 0 };
/// let second = Generation { number: 1, ..first.clone() };
/// assert_eq!(first.token(&alice, &key).len(), 64);
/// assert_ne!(first.token(&alice, &key), second.token(&alice, &key));
///
/// let (token, keys) = (second.refresh_token(&alice, &key), [Secret::new("a-new-key"), key]);
/// assert_eq!(Generation::of_refresh_token(&token, &alice, &keys), Some(second));
/// assert_eq!(Generation::of_refresh_token(&token, &UserId::parse("bob").unwrap(), &keys), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// The random id of the session, 32 hexadecimal digits.
    pub session: String,
    /// How many times the session's tokens were refreshed.
    pub number: u64,
}

impl Generation {
    /// The token that signs the calls of `user`.
    pub fn token(&self, user: &UserId, key: &Secret) -> String {
        self.derive("token", user, key)
    }

    /// The token that `user` exchanges for the next generation.
    pub fn refresh_token(&self, user: &UserId, key: &Secret) -> String {
        format!("{}.{}.{}", self.session, self.number, self.derive("refresh", user, key))
    }

    /// The generation of a refresh token of `user`; `None` if the token is made with none of the `keys`.
    pub fn of_refresh_token(token: &str, user: &UserId, keys: &[Secret]) -> Option<Self> {
        let mut parts = token.split('.');
        let (session, number) = (parts.next()?.to_owned(), parts.next()?.parse().ok()?);
        let generation = Self { session, number };
        keys.iter().any(|key| constant_time_eq(&generation.refresh_token(user, key), token)).then_some(generation)
    }

    // The signed text is unambiguous: a user id has no line end, and a session id has only hexadecimal digits.
    fn derive(&self, purpose: &str, user: &UserId, key: &Secret) -> String {
        let Self { session, number } = self;
        hex(hmac_sha256(key, &format!("{purpose}\n{user}\n{session}\n{number}\n")))
    }
}

/// Signs a call with this digest of its body.
///
/// ```
/// use protocol::sign::session::{body_digest, liteav_sig};
/// let body = r#"{"index":"0","count":200,"userid":"alice","timestamp":1500000000,"expires":10}"#;
/// assert_eq!(liteav_sig("1234567890", &body_digest(body.as_bytes())), "016c0bb1b4ea59f1f761bee6365c581b");
/// ```
pub fn liteav_sig(token: &str, body_digest: &str) -> String {
    md5_hex(&[token, body_digest])
}

/// The digest of a body: its MD5.
pub fn body_digest(body: &[u8]) -> String {
    md5_hex(&[body])
}

/// The body as an Android app may have signed it: with its `timestamp` one second later. Such an app writes the body
/// once to send and once to sign, each with the current time. `None` if the body has no integer `timestamp`.
///
/// ```
/// use protocol::sign::session::with_timestamp_plus_one;
/// let later = with_timestamp_plus_one(br#"{"timestamp":1599999999,"expires":10}"#).unwrap();
/// assert_eq!(later, br#"{"timestamp":1600000000,"expires":10}"#);
/// assert_eq!(with_timestamp_plus_one(br#"{"timestamp":1512890037123.4}"#), None, "a fraction, from iOS");
/// assert_eq!(with_timestamp_plus_one(b"{}"), None);
/// ```
pub fn with_timestamp_plus_one(body: &[u8]) -> Option<Vec<u8>> {
    const NAME: &[u8] = b"\"timestamp\":";
    let start = body.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let digits = body[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (head, rest) = (&body[..start], &body[start + digits..]);
    let stamp: u64 = std::str::from_utf8(&body[start..start + digits]).ok()?.parse().ok()?;
    let later = stamp.checked_add(1)?.to_string();
    matches!(rest.first(), Some(b',' | b'}')).then(|| [head, later.as_bytes(), rest].concat())
}
