//! Push and play URLs, and the hotlink protection of the live cloud.
//!
//! ```text
//! txTime   = hexadecimal of the second at which the URL expires, lower case, no padding
//! txSecret = md5(key + stream + txTime)
//! ```
//!
//! The digest covers txTime as it is written in the URL. The original writes lower case; so do we.

use super::{hex, hmac_sha256, md5_hex};
use crate::types::{Secret, StreamId, UnixSeconds, UserId};

/// The business id of a Tencent live account and the domains it pushes to and plays from.
#[derive(Clone, Debug)]
pub struct Domains {
    /// The id that every stream of the account begins with, usually four digits.
    pub bizid: String,
    /// Where phones push to.
    pub push: String,
    /// Where phones play from.
    pub play: String,
}

/// What the cloud records of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The file formats, `flv`, `hls` or `mp4`, joined by `|`.
    pub formats: String,
    /// The longest file, in seconds.
    pub interval_seconds: u64,
}

/// The expiry as the URL carries it.
pub fn tx_time(UnixSeconds(expiry): UnixSeconds) -> String {
    format!("{expiry:x}")
}

/// The secret of a URL for `stream` that expires at `tx_time`.
///
/// ```
/// use shared::{sign::push_url, types::Secret};
/// // The example of the hotlink-protection document (267/32735); it writes txTime in upper case.
/// let key = Secret::new("e12c46f2612d5106e2034781ab261ca3");
/// assert_eq!(push_url::tx_secret(&key, "test", "5C271099"), "f85a2ab363fe4deaffef9754d79da6fe");
/// ```
pub fn tx_secret(key: &Secret, stream: &str, tx_time: &str) -> String {
    md5_hex(&[key.expose(), stream, tx_time])
}

impl Domains {
    /// What every stream of this account begins with.
    pub fn prefix(&self) -> String {
        format!("{}_", self.bizid)
    }

    /// The stream of `user`: the business id, then the name with `@`, `#` and `-` replaced by `_`.
    ///
    /// Different users can have the same one; the table decides who owns it.
    ///
    /// ```
    /// # use shared::{sign::push_url::Domains, types::UserId};
    /// # let domains = Domains { bizid: "8888".into(), push: String::new(), play: String::new() };
    /// assert_eq!(domains.stream(&UserId::parse("a@b").unwrap()).as_str(), "8888_a_b");
    /// assert_eq!(domains.stream(&UserId::parse("a-b").unwrap()).as_str(), "8888_a_b");
    /// ```
    pub fn stream(&self, user: &UserId) -> StreamId {
        let name = user.as_str().replace(['@', '#', '-'], "_");
        StreamId::parse(&format!("{}_{name}", self.bizid)).expect("a user id and a business id are short and clean")
    }

    /// The stream of a user whose first choice belongs to somebody else: the first choice and eight digits that only we
    /// can tell beforehand, so that nobody takes it to keep the user from going live.
    pub fn distinct_stream(&self, user: &UserId, key: &Secret) -> StreamId {
        let digest = hex(&hmac_sha256(key, user.as_str()));
        let stream = format!("{}_{}", self.stream(user), &digest[..8]);
        StreamId::parse(&stream).expect("a user id and a business id are short and clean")
    }

    /// The stream of a guest in a joint broadcast: a new one every second.
    pub fn guest_stream(&self, user: &UserId, expiry: UnixSeconds) -> StreamId {
        let stream = format!("{}_{}", self.stream(user), tx_time(expiry));
        StreamId::parse(&stream).expect("a user id and a business id are short and clean")
    }

    /// The stream of a guest whose first choice belongs to somebody else.
    pub fn distinct_guest_stream(&self, user: &UserId, expiry: UnixSeconds, key: &Secret) -> StreamId {
        let stream = format!("{}_{}", self.distinct_stream(user, key), tx_time(expiry));
        StreamId::parse(&stream).expect("a user id and a business id are short and clean")
    }

    /// The URL that a broadcaster pushes to.
    ///
    /// The order of the parameters is the original's: `interface/RequestLVBAddr.php`.
    pub fn push_url(
        &self,
        key: &Secret,
        stream: &StreamId,
        expiry: UnixSeconds,
        recording: Option<&Recording>,
    ) -> String {
        let record = recording
            .map(|r| format!("&record_interval={}&record={}", r.interval_seconds, r.formats))
            .unwrap_or_default();
        let (push, bizid, tx_time) = (&self.push, &self.bizid, tx_time(expiry));
        let tx_secret = tx_secret(key, stream.as_str(), &tx_time);
        format!("rtmp://{push}/live/{stream}?bizid={bizid}{record}&txSecret={tx_secret}&txTime={tx_time}")
    }

    /// Where viewers play the stream as FLV over HTTP.
    pub fn flv_url(&self, stream: &str) -> String {
        format!("http://{}/live/{stream}.flv", self.play)
    }

    /// Where viewers play the stream as HLS.
    pub fn hls_url(&self, stream: &str) -> String {
        format!("http://{}/live/{stream}.m3u8", self.play)
    }

    /// Where the other side of a joint broadcast plays the stream, before [`signed_play_url`].
    pub fn rtmp_url(&self, stream: &StreamId) -> String {
        format!("rtmp://{}/live/{stream}", self.play)
    }
}

/// Whether the user's name can be part of a URL: it goes in as it is, as the original has it, so it must not hold what
/// ends a path or a query, or stands for another character.
///
/// ```
/// use shared::{sign::push_url::fits_url, types::UserId};
/// assert!(fits_url(&UserId::parse("john doe@用户").unwrap()));
/// assert!(!fits_url(&UserId::parse("x.flv?").unwrap()), "it would play the stream of x");
/// assert!(!fits_url(&UserId::parse("a/../b").unwrap()));
/// ```
pub fn fits_url(user: &UserId) -> bool {
    !user.as_str().contains(['/', '?', '&', '%'])
}

/// The stream that a play URL names: its last path segment, up to the first dot. `None` if it names none.
///
/// ```
/// use shared::sign::push_url::stream_in;
/// assert_eq!(stream_in("rtmp://host/live/8888_alice"), Some("8888_alice"));
/// assert_eq!(stream_in("http://host/live/8888_alice.flv?a=/b.c"), Some("8888_alice"));
/// assert_eq!(stream_in("rtmp://host/live/"), None);
/// ```
pub fn stream_in(url: &str) -> Option<&str> {
    let path = url.split(['?', '#']).next()?;
    let segment = path.rsplit('/').next()?;
    segment.split('.').next().filter(|stream| !stream.is_empty())
}

/// A play URL signed for the low-latency lines of a joint broadcast, or `None` if `url` names no stream.
///
/// The key is the *push* key, so who has this URL could push the stream; the cloud wants it so. A query that the
/// URL already has is dropped: the original put a second `?` behind it, which no player understood.
pub fn signed_play_url(url: &str, bizid: &str, key: &Secret, expiry: UnixSeconds) -> Option<String> {
    let stream = stream_in(url)?;
    let base = url.split(['?', '#']).next()?;
    let tx_time = tx_time(expiry);
    let tx_secret = tx_secret(key, stream, &tx_time);
    Some(format!("{base}?txSecret={tx_secret}&txTime={tx_time}&bizid={bizid}"))
}
