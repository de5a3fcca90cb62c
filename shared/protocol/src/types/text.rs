//! Texts with a rule: ids, names, free text, links, passwords and secrets.

use std::{fmt, ops::RangeInclusive};

use serde::Serialize;

/// Defines a type of text. Its one constructor, `parse`, checks the rule.
macro_rules! text_type {
    ($(#[$meta:meta])* $name:ident $(<const $max:ident: usize>)?, $rule:expr) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        pub struct $name $(<const $max: usize>)? (String);

        impl $(<const $max: usize>)? $name $(<$max>)? {
            /// Parses a text; `None` if it breaks the rule.
            pub fn parse(text: &str) -> Option<Self> {
                let follows_rule: fn(&str) -> bool = $rule;
                follows_rule(text).then(|| Self(text.to_owned()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl $(<const $max: usize>)? fmt::Display for $name $(<$max>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// Whether a text has this number of characters, none of them a control character.
fn is_line(text: &str, chars: RangeInclusive<usize>) -> bool {
    chars.contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

text_type!(
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
    |text| is_line(text, 1..=128)
);

text_type!(
    /// The id of the group of viewers of a live (an IM group) or of a replay (its [`FileId`]): 1 to 200 characters,
    /// none of them a control character.
    GroupId,
    |text| is_line(text, 1..=200)
);

text_type!(
    /// The id of a file in the video-on-demand service: 1 to 200 characters, none of them a control character.
    FileId,
    |text| is_line(text, 1..=200)
);

text_type!(
    /// The name of a stream in the live cloud (its "live code"): 1 to 255 characters, none of them a control character.
    StreamId,
    |text| is_line(text, 1..=255)
);

text_type!(
    /// The id of a notice of the live cloud among those about its stream: 1 to 600 bytes, with any characters.
    NoticeId,
    |text| (1..=600).contains(&text.len())
);

text_type!(
    /// The nickname of a user: at most 100 characters of any kind.
    ///
    /// ```
    /// use protocol::types::Nickname;
    /// assert!(Nickname::parse("Alice \u{1F3A4}").is_some());
    /// assert!(Nickname::parse("a\u{1}b").is_some(), "as the original");
    /// assert!(Nickname::parse(&"n".repeat(101)).is_none(), "too long");
    /// ```
    #[derive(Default)]
    Nickname,
    |text| text.chars().count() <= 100
);

text_type!(
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
    #[derive(Default)]
    Link<const MAX: usize>,
    |text| {
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let scheme = text.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| scheme.chars().all(is_scheme));
        let harmless = scheme.is_none_or(|scheme| ["http", "https"].iter().any(|h| scheme.eq_ignore_ascii_case(h)));
        is_line(text, 0..=MAX) && harmless
    }
);

text_type!(
    /// Free text: at most `MAX` characters, no control characters but tab and line ends.
    ///
    /// ```
    /// use protocol::types::Text;
    /// assert_eq!(Text::<5>::parse("a\tb\nc").unwrap().as_str(), "a\tb\nc");
    /// assert!(Text::<5>::parse("播播播播播").is_some(), "characters are counted, not bytes");
    /// assert!(Text::<5>::parse("123456").is_none(), "too long");
    /// assert!(Text::<5>::parse("\0").is_none(), "a control character");
    /// ```
    #[derive(Default)]
    Text<const MAX: usize>,
    |text| {
        text.chars().count() <= MAX && !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
    }
);

impl<const MAX: usize> Text<MAX> {
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

text_type!(
    /// The unique id of a call, in its log line and in its response: 1 to 64 visible ASCII characters. If the gateway
    /// has given the request an id, the server or adapter puts that id into the request's extensions.
    ///
    /// ```
    /// use protocol::types::RequestId;
    /// assert!(RequestId::parse("JKJaXmPLvHcESHA=").is_some());
    /// assert!(RequestId::parse("two words").is_none());
    /// assert!(RequestId::parse(&"x".repeat(65)).is_none(), "too long");
    /// ```
    RequestId,
    |text| (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
);

impl RequestId {
    /// A unique id from 128 random bits.
    pub fn from_random(bits: [u32; 4]) -> Self {
        Self(bits.map(|part| format!("{part:08x}")).concat())
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
        UserId::parse(text).filter(|_| is_name && is_word).map(Self)
    }

    /// The user with this account.
    pub fn user(&self) -> &UserId {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_character_to_as_many_as_its_type_allows() {
        type Parses = fn(&str) -> bool;
        let types: [(usize, Parses); 5] = [
            (128, |text| UserId::parse(text).is_some()),
            (200, |text| GroupId::parse(text).is_some()),
            (200, |text| FileId::parse(text).is_some()),
            (255, |text| StreamId::parse(text).is_some()),
            (600, |text| NoticeId::parse(text).is_some()),
        ];
        for (max, parses) in types {
            let are_ids = [0, 1, max, max + 1].map(|length| parses(&"x".repeat(length)));
            assert_eq!(are_ids, [false, true, true, false], "{max}");
        }
    }
}
