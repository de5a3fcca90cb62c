//! Values that cannot be wrong: each has one way in, and its rule is in its documentation.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use time::{
    OffsetDateTime, PrimitiveDateTime,
    macros::{datetime, format_description, offset},
};

/// Defines a name that identifies something: one line of 1 to `$max` characters.
macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Reads the name, or gives `None` if it is empty, too long, or holds a control character.
            pub fn parse(text: &str) -> Option<Self> {
                let fits = (1..=$max).contains(&text.chars().count());
                (fits && !text.chars().any(char::is_control)).then(|| Self(text.to_owned()))
            }

            /// The name as text.
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
    /// A user, as the app names them: 1 to 128 characters, none of them a control character. Compared byte by byte.
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
    /// An IM group, the chat room of a live, or the file of a replay: 1 to 200 characters, none of them a control
    /// character. It is as long as a [`FileId`], so that every replay can be entered.
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
    /// A file of the video-on-demand service: 1 to 200 characters, none of them a control character.
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
    /// A stream of the live cloud, its "live code": 1 to 255 characters, none of them a control character.
    ///
    /// ```
    /// use protocol::types::StreamId;
    /// assert!(StreamId::parse("8888_alice").is_some());
    /// assert!(StreamId::parse("").is_none());
    /// ```
    StreamId,
    255
);

/// What tells a notice of the cloud from others about its stream: 1 to 600 bytes, of any kind.
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
    /// Reads the name, or gives `None` if it is empty or too long.
    pub fn parse(text: &str) -> Option<Self> {
        (1..=600).contains(&text.len()).then(|| Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of an account: a letter, then 3 to 23 letters, digits or underscores. Compared byte by byte.
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
    /// Reads the name, or gives `None` if it breaks the rule.
    pub fn parse(text: &str) -> Option<Self> {
        // As the original: `^[a-zA-Z][a-zA-Z0-9_]{3,23}$`, interface/register.php.
        let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic()) && (4..=24).contains(&text.len());
        if is_name && is_word { UserId::parse(text).map(Self) } else { None }
    }

    /// The user whose account it is.
    pub fn user(&self) -> &UserId {
        &self.0
    }
}

/// A password as it arrives: 1 to 255 letters and digits. What the apps send is a digest of what the user typed.
///
/// ```
/// use protocol::types::Password;
/// assert!(Password::parse("e352963bbbd32a45ce27c73b0666aabe").is_some());
/// assert!(Password::parse("with blank").is_none());
/// assert!(Password::parse("0").is_none(), "as empty");
/// ```
#[derive(Clone, Debug)]
pub struct Password(Secret);

impl Password {
    /// Reads the password, or gives `None` if it breaks the rule.
    pub fn parse(text: &str) -> Option<Self> {
        // As the original: `^[a-zA-Z0-9]+$`, and "0" is empty in PHP; recorded traffic depends on that it is refused.
        let fits = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (fits && text != "0").then(|| Self(Secret::new(text)))
    }

    /// The password itself, to be hashed.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// What a user calls themselves: at most 100 characters, of any kind.
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
    /// Reads the nickname, or gives `None` if it is too long.
    pub fn parse(text: &str) -> Option<Self> {
        (text.chars().count() <= 100).then(|| Self(text.to_owned()))
    }

    /// The nickname.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a picture is: at most `MAX` characters on one line, and if it names a scheme, http or https. May be empty.
///
/// ```
/// use protocol::types::Link;
/// assert!(Link::<255>::parse("https://covers.example.com/a.png").is_some());
/// assert!(Link::<255>::parse("alice/a.png").is_some(), "relative to whatever the app likes");
/// assert!(Link::<255>::parse("JavaScript:alert(1)").is_none(), "a page that shows it would run it");
/// assert!(Link::<255>::parse("java\tscript:alert(1)").is_none(), "browsers leave out the tab");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link<const MAX: usize>(String);

impl<const MAX: usize> Link<MAX> {
    /// Reads the link, or gives `None` if it breaks the rule.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.chars().count() <= MAX && !text.chars().any(char::is_control);
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let scheme = text.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| scheme.chars().all(is_scheme));
        let harmless = scheme.is_none_or(|scheme| ["http", "https"].iter().any(|h| scheme.eq_ignore_ascii_case(h)));
        (fits && harmless).then(|| Self(text.to_owned()))
    }

    /// The link.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a user says of their sex.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sex {
    /// Nothing.
    #[default]
    Unknown,
    /// Male.
    Male,
    /// Female.
    Female,
}

impl Sex {
    /// Reads the wire's number: -1, 0 or 1.
    pub fn from_number(number: i64) -> Option<Self> {
        match number {
            -1 => Some(Self::Unknown),
            0 => Some(Self::Male),
            1 => Some(Self::Female),
            _ => None,
        }
    }

    /// The wire's number.
    pub fn number(self) -> i8 {
        match self {
            Self::Unknown => -1,
            Self::Male => 0,
            Self::Female => 1,
        }
    }
}

/// Free text for people: at most `MAX` characters, no control characters but tab and line ends.
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
    /// Reads the text, or gives `None` if it is too long or holds a control character.
    pub fn parse(text: &str) -> Option<Self> {
        let clean = !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'));
        (clean && text.chars().count() <= MAX).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text, where a longer one may stand.
    pub fn widened<const WIDER: usize>(self) -> Text<WIDER> {
        const { assert!(MAX <= WIDER) };
        Text(self.0)
    }
}

/// A link is a text of one line.
impl<const MAX: usize> From<Link<MAX>> for Text<MAX> {
    fn from(Link(link): Link<MAX>) -> Self {
        Self(link)
    }
}

/// A page of a list: pages are numbered from 1, and page 0 is page 1.
///
/// ```
/// use protocol::types::Page;
/// assert_eq!(Page::new(3, 20), Page { offset: 40, size: 20 });
/// assert_eq!(Page::new(0, 20), Page::new(1, 20));
/// assert_eq!(Page::new(1, 9).size, 10, "below 10 means 10, as the original");
/// assert_eq!(Page::new(1, 101).size, 100, "above 100 means 100");
/// assert_eq!(Page::new(u64::MAX, 20).offset, u64::MAX, "far beyond any list, but a page");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many rows come before it.
    pub offset: u64,
    /// How many rows it has room for: 10 to 100.
    pub size: u64,
}

impl Page {
    /// The page of this number, for lists with this many rows a page.
    pub fn new(number: u64, size: u64) -> Self {
        // As the original, below 10: common/GlobalFunctions.php. Above 100 the original fell back to 10,
        // which cut the lists of an Android app that asks for 200.
        let size = size.clamp(10, 100);
        Self { offset: number.saturating_sub(1).saturating_mul(size), size }
    }

    /// What of these rows is on it.
    pub fn of<T>(self, rows: &[T]) -> impl Iterator<Item = &T> {
        let [offset, size] = [self.offset, self.size].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        rows.iter().skip(offset).take(size)
    }
}

/// A moment: whole seconds since 1970, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixSeconds(pub u64);

/// A clock that shows an earlier time has not been set yet.
const FIRST_SECOND: UnixSeconds = UnixSeconds(1_577_836_800);

/// How far ahead of our clock a time may be. What is later was said by a clock that is wrong, the cloud's or ours.
pub const AHEAD_SECONDS: u64 = 30;

impl UnixSeconds {
    /// This moment, or `now` if it is later than any clock that is about right says.
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

    /// Whether it is later than any clock that is about right says. A clock that was never set says nothing: by that, all
    /// times are of days to come.
    ///
    /// ```
    /// use protocol::types::UnixSeconds;
    /// assert!(UnixSeconds(1_600_000_100).is_ahead_of(UnixSeconds(1_600_000_000)));
    /// assert!(!UnixSeconds(1_600_000_100).is_ahead_of(UnixSeconds(100)));
    /// ```
    pub fn is_ahead_of(self, now: Self) -> bool {
        now >= FIRST_SECOND && self > now.plus(AHEAD_SECONDS)
    }

    /// Reads a number of seconds, however it is written, and drops its fraction; `None` if it is none, is negative, or is
    /// 10^15 or more.
    ///
    /// ```
    /// use protocol::types::UnixSeconds;
    /// assert_eq!(UnixSeconds::parse("1600000000.5"), Some(UnixSeconds(1_600_000_000)));
    /// assert_eq!(UnixSeconds::parse("1.5e9"), Some(UnixSeconds(1_500_000_000)));
    /// assert_eq!(UnixSeconds::parse("-1"), None);
    /// assert_eq!(UnixSeconds::parse("noon"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let moment: f64 = text.parse().ok().filter(|moment| (0.0..1e15).contains(moment))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and 1e15")]
        Some(Self(moment as u64))
    }

    /// The moment by the clocks of China, UTC+8, as Gen-2 apps show it. What is later than the year 9999 is its end.
    ///
    /// ```
    /// use protocol::types::UnixSeconds;
    /// assert_eq!(UnixSeconds(1_600_000_000).in_china(), "2020-09-13 20:26:40");
    /// assert_eq!(UnixSeconds(0).in_china(), "1970-01-01 08:00:00");
    /// assert_eq!(UnixSeconds(u64::MAX).in_china(), "9999-12-31 23:59:59");
    /// ```
    pub fn in_china(self) -> String {
        let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
        self.moment().to_offset(offset!(+8)).format(format).expect("every moment has these")
    }

    /// The moment as ISO 8601 has it, UTC.
    ///
    /// ```
    /// use protocol::types::UnixSeconds;
    /// assert_eq!(UnixSeconds(1_600_000_000).in_utc(), "2020-09-13T12:26:40Z");
    /// assert_eq!(UnixSeconds(u64::MAX).in_utc(), "9999-12-31T15:59:59Z", "the end of the year 9999 in China");
    /// ```
    pub fn in_utc(self) -> String {
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
        self.moment().format(format).expect("every moment has these")
    }

    /// Reads a moment as ISO 8601 has it, UTC; `None` if it is none, or before 1970.
    ///
    /// ```
    /// use protocol::types::UnixSeconds;
    /// assert_eq!(UnixSeconds::from_utc("2020-02-29T23:59:59Z"), Some(UnixSeconds(1_583_020_799)));
    /// assert_eq!(UnixSeconds::from_utc("2020-13-01T00:00:00Z"), None);
    /// ```
    pub fn from_utc(text: &str) -> Option<Self> {
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
        let moment = PrimitiveDateTime::parse(text, format).ok()?.assume_utc();
        u64::try_from(moment.unix_timestamp()).ok().map(Self)
    }

    /// The day, UTC.
    ///
    /// ```
    /// use protocol::types::UnixSeconds;
    /// assert_eq!(UnixSeconds(1_600_041_599).date(), "2020-09-13", "its last second");
    /// assert_eq!(UnixSeconds(1_600_041_600).date(), "2020-09-14");
    /// ```
    pub fn date(self) -> String {
        self.moment().format(format_description!("[year]-[month]-[day]")).expect("every moment has these")
    }

    /// The moment in UTC, or the end of the year 9999 in China if it is later: years have four digits.
    fn moment(self) -> OffsetDateTime {
        const LAST: OffsetDateTime = datetime!(9999-12-31 23:59:59 +8);
        let seconds = i64::try_from(self.0).unwrap_or(i64::MAX).min(LAST.unix_timestamp());
        OffsetDateTime::from_unix_timestamp(seconds).expect("a moment before the last one")
    }

    /// The moment `seconds` later.
    #[must_use]
    pub fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// The moment `seconds` earlier, not before 1970.
    #[must_use]
    pub fn minus(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }
}

/// When an app says that it made a call: in seconds, or in milliseconds, which may be fractional, as iOS counts.
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
    /// Reads the moment, or gives `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        /// Seconds up to the year 5138, milliseconds since 1973.
        const MILLISECONDS_FROM: u64 = 100_000_000_000;
        let UnixSeconds(moment) = UnixSeconds::parse(text)?;
        Some(Self(UnixSeconds(if moment > MILLISECONDS_FROM { moment / 1000 } else { moment })))
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a call comes from. Whoever receives the call puts it into the extensions of the request.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The last address of a list to which each proxy adds from whom it took the call: what stands before that may be
    /// made up.
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

    /// What one customer of a provider has: an address, or of version 6 all the 2^64 of a line. None for this machine
    /// itself, on which a developer works, or a proxy that speaks for everybody.
    pub fn network(self) -> Option<String> {
        match self.0.to_canonical() {
            address if address.is_loopback() => None,
            IpAddr::V4(address) => Some(address.to_string()),
            IpAddr::V6(address) => Some(format!("{}/64", Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))),
        }
    }
}

/// What tells a call from all others: in its log line, and in its answer. Whoever
/// receives the call puts it into the extensions of the request, if the request has one already.
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
    /// Reads the name: 1 to 64 visible characters of ASCII, or `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// A name that no other call has, from 128 random bits.
    pub fn from_random(bits: [u32; 4]) -> Self {
        Self(bits.map(|part| format!("{part:08x}")).concat())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Text that must not be seen: a key, a password, a token.
///
/// ```
/// use protocol::types::Secret;
/// assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(..)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// What stands for a secret that a function has no use for.
    pub const WITHHELD: &str = "withheld";

    /// Takes the text out of sight.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for a formula or a comparison, never for a log or an answer.
    ///
    /// # Panics
    ///
    /// If it is [`WITHHELD`](Self::WITHHELD): whoever deploys a function gives it the secrets that its command needs.
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
