//! Push and play URLs of the live cloud, and their signature (hotlink protection).
//!
//! ```text
//! txTime   = when the URL expires, in seconds since 1970, hexadecimal, lower case, not padded
//! txSecret = md5(key + stream + txTime)
//! ```
//!
//! The digest covers the digits of txTime in the URL. They are lower case, as in the original.

use thiserror::Error as ThisError;

use super::{constant_time_eq, hex, hmac_sha256, md5_hex};
use crate::types::{Secret, StreamId, UnixSeconds, UserId};

/// The business id of a Tencent live account, and the account's push and play domains.
#[derive(Clone, Debug)]
pub struct Domains {
    /// The business id, the prefix of all stream names of the account: four digits as a rule.
    pub bizid: String,
    /// The domain that phones push to, and its port if that is not RTMP's.
    pub push: String,
    /// The domain that phones play from, and its port if that is not the scheme's.
    pub play: String,
    /// The scheme of the URLs that play FLV and HLS.
    pub play_scheme: Scheme,
}

/// The scheme of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`, which players in a page that was loaded over `https` require.
    Https,
}

impl Scheme {
    /// The scheme in a URL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// How the cloud records a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The file formats, `flv`, `hls` or `mp4`, joined by `|`.
    pub formats: String,
    /// The maximum length of a file, in seconds.
    pub interval_seconds: u64,
}

/// The expiry in the format of the URL.
pub fn tx_time(UnixSeconds(expiry): UnixSeconds) -> String {
    format!("{expiry:x}")
}

/// The signature of a URL for `stream` that expires at `tx_time`.
///
/// ```
/// use protocol::{sign::push_url, types::Secret};
/// // The example of Tencent's document on hotlink protection (267/32735), which has txTime in upper case.
/// let key = Secret::new("e12c46f2612d5106e2034781ab261ca3");
/// assert_eq!(push_url::tx_secret(&key, "test", "5C271099"), "f85a2ab363fe4deaffef9754d79da6fe");
/// ```
pub fn tx_secret(key: &Secret, stream: &str, tx_time: &str) -> String {
    md5_hex(&[key.expose(), stream, tx_time])
}

/// The parameters of a URL that sign it.
fn signature(key: &Secret, stream: &str, expiry: UnixSeconds) -> String {
    let tx_time = tx_time(expiry);
    format!("txSecret={}&txTime={tx_time}", tx_secret(key, stream, &tx_time))
}

impl Domains {
    /// The prefix of all stream names of this account.
    fn prefix(&self) -> String {
        format!("{}_", self.bizid)
    }

    /// The stream of `user` by the original's rule: the business id, then the user id with `@`, `#` and `-` replaced by
    /// `_`.
    ///
    /// Two users can have the same stream by this rule. The table assigns a stream to one user only.
    pub fn stream(&self, user: &UserId) -> StreamId {
        let name = user.as_str().replace(['@', '#', '-'], "_");
        self.stream_id(&format!("{}{name}", self.prefix()))
    }

    /// The candidates for the stream of `user`: the user gets the first one that no other user owns.
    ///
    /// The first candidate is [the original's](Self::stream), if the cloud [accepts](Self::accepts_stream) that name.
    /// The second one ends with 16 digits of a keyed hash, so that nobody can take it in advance to keep the user from
    /// going live.
    ///
    /// ```
    /// # use protocol::{sign::push_url::{Domains, Scheme}, types::{Secret, UserId}};
    /// # let domains = Domains { bizid: "8888".into(), push: String::new(), play: String::new(), play_scheme: Scheme::Http };
    /// let streams = |user| domains.streams(&UserId::parse(user).unwrap(), &Secret::new("pushkey123"));
    /// assert_eq!(streams("a@b").map(|stream| stream.to_string()), ["8888_a_b", "8888_a_b_f3a29a7d73a035fd"]);
    /// assert_eq!(streams("a-b").map(|stream| stream.to_string()), ["8888_a_b", "8888_a_b_9b9a2400647c77a4"]);
    /// assert_eq!(streams("john doe").map(|stream| stream.to_string()), ["8888_john_doe_4033865975e17046"; 2]);
    /// assert_eq!(streams("用户").map(|stream| stream.to_string()), ["8888_10ce0b9358d02148"; 2]);
    /// ```
    pub fn streams(&self, user: &UserId, key: &Secret) -> [StreamId; 2] {
        let (original, digest) = (self.stream(user), hex(hmac_sha256(key, user.as_str())));
        let digits = &digest[..16];
        if self.accepts_stream(&original) {
            let distinct = self.stream_id(&format!("{original}_{digits}"));
            return [original, distinct];
        }
        let words = user.as_str().split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let words: Vec<_> = [self.bizid.as_str()].into_iter().chain(words).chain([digits]).collect();
        let made = self.stream_id(&words.join("_"));
        [made.clone(), made]
    }

    /// The stream of a guest in a joint broadcast: a candidate of the guest, with the expiry as a suffix, so that the
    /// guest gets a new stream every second.
    pub fn guest_stream(&self, stream: &StreamId, expiry: UnixSeconds) -> StreamId {
        self.stream_id(&format!("{stream}_{}", tx_time(expiry)))
    }

    /// Whether a name is a stream of this account that the cloud accepts in a URL without encoding: letters, digits and
    /// symbols (Tencent's document 267/31084), of which only symbols without a special meaning in a path.
    ///
    /// ```
    /// # use protocol::{sign::push_url::{Domains, Scheme}, types::StreamId};
    /// # let domains = Domains { bizid: "8888".into(), push: String::new(), play: String::new(), play_scheme: Scheme::Http };
    /// let accepts = |stream| domains.accepts_stream(&StreamId::parse(stream).unwrap());
    /// assert!(accepts("8888_e.x+1"));
    /// assert!(!accepts("9999_e"), "of another account");
    /// assert!(!accepts("8888_x.flv?"), "it would play the stream of x");
    /// assert!(!accepts("8888_%61lice") && !accepts("8888_john doe") && !accepts("8888_o'neil") && !accepts("8888_用户"));
    /// ```
    pub fn accepts_stream(&self, stream: &StreamId) -> bool {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$()*+,;=:@".contains(&byte);
        stream.as_str().strip_prefix(&self.prefix()).is_some_and(|name| name.bytes().all(fits))
    }

    fn stream_id(&self, stream: &str) -> StreamId {
        StreamId::parse(stream).expect("a user id and a business id are short and clean")
    }

    /// The URL that a broadcaster pushes to.
    ///
    /// The parameters are in the order of the original: `interface/RequestLVBAddr.php`.
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
        let (push, bizid, signature) = (&self.push, &self.bizid, signature(key, stream.as_str(), expiry));
        format!("rtmp://{push}/live/{stream}?bizid={bizid}{record}&{signature}")
    }

    /// Parses and verifies a push URL as the live cloud does: the inverse of [`push_url`](Self::push_url).
    pub fn read_push_url<'a>(&self, url: &'a str, key: &Secret, now: UnixSeconds) -> Result<PushUrl<'a>, Fault> {
        let read = PushUrl::parse(url).ok_or(Fault::Shape)?;
        if read.host != self.push {
            return Err(Fault::Host);
        }
        if !read.stream.starts_with(&self.prefix()) {
            return Err(Fault::Stream);
        }
        let is_number = |text: &&str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let time = read.parameter("txTime").filter(is_number).ok_or(Fault::Time)?;
        let expiry = u64::from_str_radix(time, 16).map(UnixSeconds).map_err(|_| Fault::Time)?;
        let secret = read.parameter("txSecret").ok_or(Fault::Secret)?;
        if !constant_time_eq(&tx_secret(key, read.stream, time), secret) {
            return Err(Fault::Secret);
        }
        if expiry < now { Err(Fault::Expired(expiry)) } else { Ok(read) }
    }

    /// The URL for viewers that plays the stream as FLV over HTTP.
    pub fn flv_url(&self, stream: &str) -> String {
        format!("{}://{}/live/{stream}.flv", self.play_scheme.name(), self.play)
    }

    /// The URL for viewers that plays the stream as HLS.
    pub fn hls_url(&self, stream: &str) -> String {
        format!("{}://{}/live/{stream}.m3u8", self.play_scheme.name(), self.play)
    }

    /// The RTMP URL with which a partner in a joint broadcast plays the stream, without the
    /// [signature](PlayUrl::signed).
    pub fn rtmp_url(&self, stream: &StreamId) -> String {
        format!("rtmp://{}/live/{stream}", self.play)
    }
}

/// A parsed push URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushUrl<'a> {
    /// The push domain.
    pub host: &'a str,
    /// The path segment before the stream: `live` as a rule.
    pub app: &'a str,
    /// The stream.
    pub stream: &'a str,
    /// The query, without the `?`.
    pub query: &'a str,
}

/// What is wrong with a push URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[expect(missing_docs, reason = "the text of a fault says what it is")]
pub enum Fault {
    #[error("it is not rtmp://<host>/<app>/<stream>?<query>")]
    Shape,
    #[error("its host is not the push domain")]
    Host,
    #[error("its stream does not begin with the business id")]
    Stream,
    #[error("its txTime is missing, or not hexadecimal")]
    Time,
    #[error("its txTime is past: it expired at {0}")]
    Expired(UnixSeconds),
    /// The txSecret is not that of the stream and the txTime.
    #[error("its txSecret is missing, or wrong")]
    Secret,
}

impl<'a> PushUrl<'a> {
    /// Parses a push URL; `None` if the text is not a push URL.
    pub fn parse(url: &'a str) -> Option<Self> {
        let address = url.strip_prefix("rtmp://")?;
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let (host, path) = path.split_once('/')?;
        let (app, stream) = path.split_once('/')?;
        let is_whole = ![host, app, stream].contains(&"") && !stream.contains('/');
        is_whole.then_some(Self { host, app, stream, query })
    }

    /// The value of a parameter of the query.
    fn parameter(&self, name: &str) -> Option<&'a str> {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find_map(|(key, value)| (key == name).then_some(value))
    }
}

/// A parsed play URL: the inverse of [`flv_url`](Domains::flv_url), [`hls_url`](Domains::hls_url) and
/// [`rtmp_url`](Domains::rtmp_url).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayUrl {
    /// The URL without its query.
    base: String,
    stream: String,
}

impl PlayUrl {
    /// Parses a play URL; `None` if the text is not a play URL. The stream is the last segment of the path, without the
    /// extension `.flv` or `.m3u8`. A query is dropped.
    ///
    /// ```
    /// use protocol::sign::push_url::PlayUrl;
    /// let stream = |url| PlayUrl::parse(url).unwrap().stream().map(|stream| stream.to_string());
    /// assert_eq!(stream("rtmp://host/live/8888_alice").as_deref(), Some("8888_alice"));
    /// assert_eq!(stream("http://host/live/8888_e.x.flv?a=/b.c").as_deref(), Some("8888_e.x"));
    /// assert_eq!(stream("rtmp://host/live/"), None);
    /// assert_eq!(PlayUrl::parse("8888_alice"), None);
    /// assert_eq!(PlayUrl::parse("ftp://host/live/8888_alice"), None);
    /// ```
    pub fn parse(url: &str) -> Option<Self> {
        let base = url.split(['?', '#']).next()?;
        let (scheme, address) = base.split_once("://")?;
        let (host, path) = address.split_once('/')?;
        let (app, name) = path.rsplit_once('/')?;
        let is_known = ["rtmp", "http", "https", "webrtc"].contains(&scheme);
        if !is_known || host.is_empty() || app.is_empty() || base.contains(char::is_whitespace) {
            return None;
        }
        let name = [".flv", ".m3u8"].into_iter().find_map(|extension| name.strip_suffix(extension)).unwrap_or(name);
        Some(Self { base: base.to_owned(), stream: name.to_owned() })
    }

    /// The stream of the URL; `None` if the last segment of the path is not a valid stream.
    pub fn stream(&self) -> Option<StreamId> {
        StreamId::parse(&self.stream)
    }

    /// The signed URL for low-latency playing in a joint broadcast.
    ///
    /// The cloud requires a signature with the *push* key, so whoever has this URL could also push to the stream. The
    /// URL's own query is dropped: the original appended a second `?` to it, which no player understood.
    pub fn signed(&self, bizid: &str, key: &Secret, expiry: UnixSeconds) -> String {
        format!("{}?{}&bizid={bizid}", self.base, signature(key, &self.stream, expiry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_push_url_that_is_wrong_is_named() {
        let domains = Domains {
            bizid: "8888".into(),
            push: "push.example".into(),
            play: String::new(),
            play_scheme: Scheme::Http,
        };
        let (key, now) = (Secret::new("pushkey123"), UnixSeconds(1_500_000_000));
        let good = "rtmp://push.example/live/8888_alice?bizid=8888&txSecret=4e92aebb4b6c185abea7669adde8091b\
                    &txTime=59685930";
        let read = PushUrl { host: "push.example", app: "live", stream: "8888_alice", query: &good[36..] };
        let (stream, expiry) = (StreamId::parse(read.stream).unwrap(), now.plus(10_800));
        assert_eq!(domains.push_url(&key, &stream, expiry, None), good);
        assert_eq!(domains.read_push_url(good, &key, expiry), Ok(read));
        assert_eq!(domains.read_push_url(good, &key, expiry.plus(1)), Err(Fault::Expired(expiry)));
        let faults = [
            ("rtmp://", "http://", Fault::Shape),
            ("/live/", "/", Fault::Shape),
            ("/live/", "/live/more/", Fault::Shape),
            ("8888_alice", "", Fault::Shape),
            ("push.example", "play.example", Fault::Host),
            ("8888_alice", "9999_alice", Fault::Stream),
            ("alice", "bob", Fault::Secret),
            ("4e92", "4e93", Fault::Secret),
            ("txSecret", "secret", Fault::Secret),
            ("txTime=59685930", "txTime=59685931", Fault::Secret),
            ("txTime", "time", Fault::Time),
            ("59685930", "soon", Fault::Time),
            ("59685930", "", Fault::Time),
            ("59685930", "+59685930", Fault::Time),
            ("59685930", "10000000000000000", Fault::Time),
        ];
        for (part, other, fault) in faults {
            let url = good.replacen(part, other, 1);
            assert_eq!(domains.read_push_url(&url, &key, now), Err(fault), "{url}");
        }
    }
}
