//! Validated types: user ids, stream ids, times, secrets. Each has one constructor, which checks the rule in its
//! documentation.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use serde::{Deserialize, Serialize};
use time::{
    OffsetDateTime, PrimitiveDateTime,
    macros::{datetime, format_description, offset},
};

/// Defines the type of an identifier: one line of 1 to `$max` characters.
macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        pub struct $name(String);

        impl $name {
            /// Parses the identifier; `None` if it is empty, too long, or has a control character.
            pub fn parse(text: &str) -> Option<Self> {
                let fits = (1..=$max).contains(&text.chars().count());
                (fits && !text.chars().any(char::is_control)).then(|| Self(text.to_owned()))
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

identifier!(
    /// The id of a user: 1 to 128 characters, none of them a control character. Ids are compared byte by byte.
    ///
    /// ```
    /// use protocol::types::UserId;
    /// assert!(UserId::parse("bob-2").is_some());
    /// assert!(UserId::parse("用户").is_some());
    /// assert!(UserId::parse("").is_none());
    /// assert!(UserId::parse("bob\n").is_none(), "a control character");
    /// ```
    UserId,
    128
);

identifier!(
    /// The id of the group of viewers of a live (an IM group) or of a replay (its [`FileId`]): 1 to 200 characters,
    /// none of them a control character.
    ///
    /// ```
    /// use protocol::types::GroupId;
    /// assert!(GroupId::parse("@TGS#a1").is_some());
    /// assert!(GroupId::parse(&"g".repeat(201)).is_none(), "too long");
    /// ```
    GroupId,
    200
);

identifier!(
    /// The id of a file in the video-on-demand service: 1 to 200 characters, none of them a control character.
    ///
    /// ```
    /// use protocol::types::FileId;
    /// assert!(FileId::parse("9031868222958931071").is_some());
    /// assert!(FileId::parse(&"f".repeat(201)).is_none(), "too long");
    /// ```
    FileId,
    200
);

identifier!(
    /// The name of a stream in the live cloud (its "live code"): 1 to 255 characters, none of them a control character.
    ///
    /// ```
    /// use protocol::types::StreamId;
    /// assert!(StreamId::parse("8888_alice").is_some());
    /// assert!(StreamId::parse("").is_none());
    /// ```
    StreamId,
    255
);

/// The id of a notice of the live cloud among those about its stream: 1 to 600 bytes, with any characters.
///
/// ```
/// use protocol::types::NoticeId;
/// assert!(NoticeId::parse("100 9031868222958931071").is_some());
/// assert!(NoticeId::parse("").is_none());
/// assert!(NoticeId::parse(&"n".repeat(601)).is_none(), "too long");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeId(String);

impl NoticeId {
    /// Parses the id; `None` if it is empty or too long.
    pub fn parse(text: &str) -> Option<Self> {
        (1..=600).contains(&text.len()).then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of an account: a letter, then 3 to 23 letters, digits or underscores. Names are compared byte by byte.
///
/// ```
/// use protocol::types::AccountName;
/// assert!(AccountName::parse("bob_the_2nd").is_some());
/// assert!(AccountName::parse("2bob").is_none(), "a digit first");
/// assert!(AccountName::parse("bob").is_none(), "too short");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountName(UserId);

impl AccountName {
    /// Parses the name; `None` if it breaks the rule.
    pub fn parse(text: &str) -> Option<Self> {
        // As the original: `^[a-zA-Z][a-zA-Z0-9_]{3,23}$`, interface/register.php.
        let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic()) && (4..=24).contains(&text.len());
        if is_name && is_word { UserId::parse(text).map(Self) } else { None }
    }

    /// The user with this account.
    pub fn user(&self) -> &UserId {
        &self.0
    }
}

/// A password in a request: 1 to 255 letters and digits. The apps send a digest of what the user typed.
///
/// ```
/// use protocol::types::Password;
/// assert!(Password::parse("e352963bbbd32a45ce27c73b0666aabe").is_some());
/// assert!(Password::parse("with blank").is_none());
/// assert!(Password::parse("0").is_none(), "empty, in PHP");
/// ```
#[derive(Clone, Debug)]
pub struct Password(Secret);

impl Password {
    /// Parses the password; `None` if it breaks the rule.
    pub fn parse(text: &str) -> Option<Self> {
        // As the original: `^[a-zA-Z0-9]+$`. It refuses "0", which is empty in PHP; the recorded traffic has such a
        // call.
        let fits = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (fits && text != "0").then(|| Self(Secret::new(text)))
    }

    /// The password as text, for hashing only.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// The nickname of a user: at most 100 characters of any kind.
///
/// ```
/// use protocol::types::Nickname;
/// assert!(Nickname::parse("Alice \u{1F3A4}").is_some());
/// assert!(Nickname::parse("a\u{1}b").is_some(), "as the original");
/// assert!(Nickname::parse(&"n".repeat(101)).is_none(), "too long");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nickname(String);

impl Nickname {
    /// Parses the nickname; `None` if it is too long.
    pub fn parse(text: &str) -> Option<Self> {
        (text.chars().count() <= 100).then(|| Self(text.to_owned()))
    }

    /// The nickname as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The URL or relative path of a picture: at most `MAX` characters on one line. If there is a scheme, it is http or
/// https. May be empty.
///
/// ```
/// use protocol::types::Link;
/// assert!(Link::<255>::parse("https://covers.example.com/a.png").is_some());
/// assert!(Link::<255>::parse("alice/a.png").is_some(), "a relative path");
/// assert!(Link::<255>::parse("JavaScript:alert(1)").is_none(), "a web page would run the script");
/// assert!(Link::<255>::parse("java\tscript:alert(1)").is_none(), "browsers ignore the tab");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link<const MAX: usize>(String);

impl<const MAX: usize> Link<MAX> {
    /// Parses the link; `None` if it breaks the rule.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.chars().count() <= MAX && !text.chars().any(char::is_control);
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let scheme = text.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| scheme.chars().all(is_scheme));
        let harmless = scheme.is_none_or(|scheme| ["http", "https"].iter().any(|h| scheme.eq_ignore_ascii_case(h)));
        (fits && harmless).then(|| Self(text.to_owned()))
    }

    /// The link as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The sex that a user states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sex {
    /// Not stated.
    #[default]
    Unknown,
    /// Male.
    Male,
    /// Female.
    Female,
}

impl Sex {
    /// The sex with this number on the wire: -1, 0 or 1.
    pub fn from_number(number: i64) -> Option<Self> {
        match number {
            -1 => Some(Self::Unknown),
            0 => Some(Self::Male),
            1 => Some(Self::Female),
            _ => None,
        }
    }

    /// The number on the wire.
    pub fn number(self) -> i8 {
        match self {
            Self::Unknown => -1,
            Self::Male => 0,
            Self::Female => 1,
        }
    }
}

/// Free text: at most `MAX` characters, no control characters but tab and line ends.
///
/// ```
/// use protocol::types::Text;
/// assert_eq!(Text::<5>::parse("a\tb\nc").unwrap().as_str(), "a\tb\nc");
/// assert!(Text::<5>::parse("播播播播播").is_some(), "characters are counted, not bytes");
/// assert!(Text::<5>::parse("123456").is_none(), "too long");
/// assert!(Text::<5>::parse("\0").is_none(), "a control character");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// Parses the text; `None` if it is too long or has a control character.
    pub fn parse(text: &str) -> Option<Self> {
        let clean = !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'));
        (clean && text.chars().count() <= MAX).then(|| Self(text.to_owned()))
    }

    /// The text as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text, as a type with a greater maximum.
    pub fn widened<const WIDER: usize>(self) -> Text<WIDER> {
        const { assert!(MAX <= WIDER) };
        Text(self.0)
    }
}

/// Every link is a valid text.
impl<const MAX: usize> From<Link<MAX>> for Text<MAX> {
    fn from(Link(link): Link<MAX>) -> Self {
        Self(link)
    }
}

/// A request for a page of a list. Page numbers start at 1; page 0 is page 1.
///
/// ```
/// use protocol::types::Page;
/// assert_eq!(Page::new(3, 20), Page { offset: 40, size: 20 });
/// assert_eq!(Page::new(0, 20), Page::new(1, 20));
/// assert_eq!(Page::new(1, 9).size, 10, "at least 10, as the original");
/// assert_eq!(Page::new(1, 101).size, 100, "at most 100");
/// assert_eq!(Page::new(u64::MAX, 20).offset, u64::MAX, "a page after the end of any list");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The number of rows before the page.
    pub offset: u64,
    /// The maximum number of rows on the page: 10 to 100.
    pub size: u64,
}

impl Page {
    /// The page with this number, with `size` rows per page.
    pub fn new(number: u64, size: u64) -> Self {
        // The minimum is the original's: common/GlobalFunctions.php. For a size above 100 the original used 10,
        // which cut the lists of an Android app that asks for 200.
        let size = size.clamp(10, 100);
        Self { offset: number.saturating_sub(1).saturating_mul(size), size }
    }

    /// The rows of the page, from all rows of the list.
    pub fn of<T>(self, rows: &[T]) -> impl Iterator<Item = &T> {
        let [offset, size] = [self.offset, self.size].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        rows.iter().skip(offset).take(size)
    }
}

/// A time: whole seconds since 1970, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnixSeconds(pub u64);

/// The start of the year 2020: a clock that shows an earlier time has not been set.
const EARLIEST_CLOCK: UnixSeconds = UnixSeconds(1_577_836_800);

/// The tolerance between clocks: a time further ahead of now comes from a wrong clock, the cloud's or ours.
pub const AHEAD_SECONDS: u64 = 30;

impl UnixSeconds {
    /// This time, or `now` if this time [is ahead](Self::is_ahead_of).
    ///
    /// ```
    /// use protocol::types::UnixSeconds;
    /// let now = UnixSeconds(1_600_000_000);
    /// assert_eq!(now.plus(30).or_now_if_ahead(now), now.plus(30));
    /// assert_eq!(now.plus(31).or_now_if_ahead(now), now);
    /// ```
    #[must_use]
    pub fn or_now_if_ahead(self, now: Self) -> Self {
        if self.is_ahead_of(now) { now } else { self }
    }

    /// Whether this time is over 30 seconds after `now`, so that one of the two clocks is wrong. Always `false` if
    /// `now` is by a clock that has not been set (before 2020).
    ///
    /// ```
    /// use protocol::types::UnixSeconds;
    /// assert!(UnixSeconds(1_600_000_100).is_ahead_of(UnixSeconds(1_600_000_000)));
    /// assert!(!UnixSeconds(1_600_000_100).is_ahead_of(UnixSeconds(100)));
    /// ```
    pub fn is_ahead_of(self, now: Self) -> bool {
        now >= EARLIEST_CLOCK && self > now.plus(AHEAD_SECONDS)
    }

    /// Parses a decimal number of seconds, with an optional fraction, which is dropped, and an optional exponent.
    /// `None` if the text is no number, or the number is negative, or 10^15 or more.
    ///
    /// ```
    /// use protocol::types::UnixSeconds;
    /// assert_eq!(UnixSeconds::parse("1600000000.5"), Some(UnixSeconds(1_600_000_000)));
    /// assert_eq!(UnixSeconds::parse("1.5e9"), Some(UnixSeconds(1_500_000_000)));
    /// assert_eq!(UnixSeconds::parse("-1"), None);
    /// assert_eq!(UnixSeconds::parse("noon"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let seconds: f64 = text.parse().ok().filter(|seconds| (0.0..1e15).contains(seconds))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and 1e15")]
        Some(Self(seconds as u64))
    }

    /// The time in China (UTC+8), as Gen-2 apps show it. A time after the year 9999 is shown as the end of 9999.
    ///
    /// ```
    /// use protocol::types::UnixSeconds;
    /// assert_eq!(UnixSeconds(1_600_000_000).in_china(), "2020-09-13 20:26:40");
    /// assert_eq!(UnixSeconds(0).in_china(), "1970-01-01 08:00:00");
    /// assert_eq!(UnixSeconds(u64::MAX).in_china(), "9999-12-31 23:59:59");
    /// ```
    pub fn in_china(self) -> String {
        let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
        self.to_datetime().to_offset(offset!(+8)).format(format).expect("every time has these components")
    }

    /// The time in UTC, in the format of ISO 8601.
    ///
    /// ```
    /// use protocol::types::UnixSeconds;
    /// assert_eq!(UnixSeconds(1_600_000_000).in_utc(), "2020-09-13T12:26:40Z");
    /// assert_eq!(UnixSeconds(u64::MAX).in_utc(), "9999-12-31T15:59:59Z", "the end of the year 9999 in China");
    /// ```
    pub fn in_utc(self) -> String {
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
        self.to_datetime().format(format).expect("every time has these components")
    }

    /// Parses a time in UTC, in the format of ISO 8601; `None` if it is invalid, or before 1970.
    ///
    /// ```
    /// use protocol::types::UnixSeconds;
    /// assert_eq!(UnixSeconds::from_utc("2020-02-29T23:59:59Z"), Some(UnixSeconds(1_583_020_799)));
    /// assert_eq!(UnixSeconds::from_utc("2020-13-01T00:00:00Z"), None);
    /// ```
    pub fn from_utc(text: &str) -> Option<Self> {
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
        let time = PrimitiveDateTime::parse(text, format).ok()?.assume_utc();
        u64::try_from(time.unix_timestamp()).ok().map(Self)
    }

    /// The date in UTC.
    ///
    /// ```
    /// use protocol::types::UnixSeconds;
    /// assert_eq!(UnixSeconds(1_600_041_599).date(), "2020-09-13", "the last second of the day");
    /// assert_eq!(UnixSeconds(1_600_041_600).date(), "2020-09-14");
    /// ```
    pub fn date(self) -> String {
        self.to_datetime().format(format_description!("[year]-[month]-[day]")).expect("every time has these components")
    }

    /// The time in UTC, at most the end of the year 9999 in China, since the formats have years of four digits.
    fn to_datetime(self) -> OffsetDateTime {
        const LAST: OffsetDateTime = datetime!(9999-12-31 23:59:59 +8);
        let seconds = i64::try_from(self.0).unwrap_or(i64::MAX).min(LAST.unix_timestamp());
        OffsetDateTime::from_unix_timestamp(seconds).expect("a time within the range")
    }

    /// The time `seconds` later.
    #[must_use]
    pub fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// The time `seconds` earlier, not before 1970.
    #[must_use]
    pub fn minus(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }
}

/// The time at which an app made a call, by the app's clock: in seconds, or in milliseconds with an optional fraction,
/// as iOS apps send it.
///
/// ```
/// use protocol::types::{Timestamp, UnixSeconds};
/// assert_eq!(Timestamp::parse("1512890037").unwrap().0, UnixSeconds(1_512_890_037));
/// assert_eq!(Timestamp::parse("1512890037123.4").unwrap().0, UnixSeconds(1_512_890_037));
/// assert!(Timestamp::parse("-1").is_none());
/// assert!(Timestamp::parse("soon").is_none());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Timestamp(pub UnixSeconds);

impl Timestamp {
    /// Parses the time; `None` if it is invalid.
    pub fn parse(text: &str) -> Option<Self> {
        /// A greater number is milliseconds. As seconds this is the year 5138, as milliseconds the year 1973.
        const MAX_SECONDS: u64 = 100_000_000_000;
        let UnixSeconds(number) = UnixSeconds::parse(text)?;
        Some(Self(UnixSeconds(if number > MAX_SECONDS { number / 1000 } else { number })))
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The IP address of the client that makes a call. The server or adapter that receives the request puts the address
/// into the request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The last address of a list like `X-Forwarded-For`: the one that the nearest proxy has added. The client can
    /// forge the addresses before it.
    ///
    /// ```
    /// use protocol::types::ClientAddress;
    /// let last = |list| ClientAddress::last_of(list).map(|ClientAddress(address)| address.to_string());
    /// assert_eq!(last("203.0.113.7").as_deref(), Some("203.0.113.7"));
    /// assert_eq!(last("6.6.6.6, 203.0.113.7:41000").as_deref(), Some("203.0.113.7"));
    /// assert_eq!(last("[2001:db8::7]:41000").as_deref(), Some("2001:db8::7"));
    /// assert_eq!(last("::ffff:203.0.113.7").as_deref(), Some("203.0.113.7"));
    /// assert_eq!(last("203.0.113.7, nonsense"), None);
    /// assert_eq!(last(""), None);
    /// ```
    pub fn last_of(list: &str) -> Option<Self> {
        let last = list.rsplit(',').next()?.trim();
        let address = last.parse().or_else(|_| last.parse().map(|with_port: SocketAddr| with_port.ip()));
        address.ok().map(|address: IpAddr| Self(address.to_canonical()))
    }

    /// The network that limits per client are counted by: the IPv4 address, or the /64 network of an IPv6 address,
    /// since one client has all addresses of that network. `None` for a loopback address: a developer, or a proxy for
    /// many clients.
    pub fn network(self) -> Option<String> {
        match self.0.to_canonical() {
            address if address.is_loopback() => None,
            IpAddr::V4(address) => Some(address.to_string()),
            IpAddr::V6(address) => Some(format!("{}/64", Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))),
        }
    }
}

/// The unique id of a call, in its log line and in its response. If the gateway has given the request an id, the server
/// or adapter puts that id into the request's extensions.
///
/// ```
/// use protocol::types::RequestId;
/// assert_eq!(RequestId::parse("JKJaXmPLvHcESHA=").unwrap().as_str(), "JKJaXmPLvHcESHA=");
/// assert!(RequestId::parse("two words").is_none());
/// assert!(RequestId::parse(&"x".repeat(65)).is_none(), "too long");
/// ```
#[derive(Clone, Debug)]
pub struct RequestId(String);

impl RequestId {
    /// Parses the id: 1 to 64 visible ASCII characters; otherwise `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// A unique id from 128 random bits.
    pub fn from_random(bits: [u32; 4]) -> Self {
        Self(bits.map(|part| format!("{part:08x}")).concat())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A secret text: a key, a password, a token. `Debug` does not show it.
///
/// ```
/// use protocol::types::Secret;
/// assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(..)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value of a secret that a function does not need and was deployed without.
    pub const WITHHELD: &str = "withheld";

    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret as text: for a signature or a comparison, never for the log or a reply.
    ///
    /// # Panics
    ///
    /// Panics if the secret is [`WITHHELD`](Self::WITHHELD): then the deployment lacks a secret that the command needs.
    pub fn expose(&self) -> &str {
        assert!(self.0 != Self::WITHHELD, "this function was deployed without a secret that it needs");
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
