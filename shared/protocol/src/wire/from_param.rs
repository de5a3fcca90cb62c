//! The conversion of the fields of a call into typed parameters, as lenient as in the originals.

use serde_json::Value;

use crate::types::{
    AccountName, FileId, GroupId, Link, Nickname, NoticeId, Password, Sex, StreamId, Text, Timestamp, UnixSeconds,
    UserId,
};

/// The reason for a missing field. Texts like this one follow the name of the field.
pub(super) const MISSING: &str = "is null or empty!";
/// The reason for most invalid texts.
const TOO_LONG_OR_CONTROL: &str = "is too long, or holds a control character!";

/// Below this number, 2^53, every integer is exact as a float.
const EXACT_FLOAT_LIMIT: f64 = 9_007_199_254_740_992.0;

/// A type of parameters. The error of a conversion is the rule that the field breaks.
pub trait FromParam: Sized {
    /// Converts a value that is not null.
    fn from_param(value: &Value) -> Result<Self, &'static str>;
}

/// Text, trimmed. Numbers and booleans are converted to text, as in PHP: `true` is `1`, and `false` is empty.
impl FromParam for String {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        match value {
            Value::Null | Value::Bool(false) => Ok(Self::new()),
            Value::Bool(true) => Ok("1".to_owned()),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                // The number has lost digits in parsing. Two user ids could become equal.
                (None, Some(float)) if float.abs() >= EXACT_FLOAT_LIMIT => Err("is too large a number!"),
                (None, Some(float)) => Ok(float.to_string()),
                (Some(_) | None, _) => Ok(number.to_string()),
            },
            // As PHP's `trim`, which removes zero bytes too.
            Value::String(text) => Ok(text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned()),
            Value::Array(_) | Value::Object(_) => Err("is not a text!"),
        }
    }
}

/// A whole number, or its canonical text: `5`, `"5"`, `-1`, `1.0` and `true`, but not `"05"`, `" 5"`, `"1.0"` or `""`.
impl FromParam for i64 {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        let number = match value {
            Value::Bool(true) => Some(1),
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(exact_integer)),
            Value::String(text) => text.parse().ok().filter(|number: &Self| number.to_string() == *text),
            Value::Null | Value::Bool(false) | Value::Array(_) | Value::Object(_) => None,
        };
        number.ok_or("is not an integer!")
    }
}

/// Converts a float that is an exact integer.
fn exact_integer(float: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    (float.fract() == 0.0 && float.abs() < EXACT_FLOAT_LIMIT).then_some(float as i64)
}

/// A whole number that is not negative.
impl FromParam for u64 {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        let number = i64::from_param(value)?;
        Self::try_from(number).map_err(|_| "is not in range [0,+)!")
    }
}

impl FromParam for Sex {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        Self::from_number(i64::from_param(value)?).ok_or("is none of -1, 0 and 1!")
    }
}

/// A time in seconds: a number, or the text of a number, with an optional fraction or exponent, as PHP's `is_numeric`.
impl FromParam for UnixSeconds {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        let seconds = match value {
            Value::Number(number) => Self::parse(&number.to_string()),
            Value::String(text) => Self::parse(text.trim()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        seconds.ok_or("is no time!")
    }
}

/// Converts a value to text that is not empty. Empty text counts as a missing field.
fn non_empty(value: &Value) -> Result<String, &'static str> {
    String::from_param(value).and_then(|text| if text.is_empty() { Err(MISSING) } else { Ok(text) })
}

/// A table of the types whose fields are converted to text, and then parsed: the conversion to text, and the reason for
/// a text that breaks the rule of the type.
macro_rules! parsed_from_text {
    ($($text:path => $type:ident $(<$max:ident>)?: $reason:expr;)*) => {$(
        impl $(<const $max: usize>)? FromParam for $type $(<$max>)? {
            fn from_param(value: &Value) -> Result<Self, &'static str> {
                Self::parse(&$text(value)?).ok_or($reason)
            }
        }
    )*};
}

parsed_from_text! {
    non_empty => UserId: TOO_LONG_OR_CONTROL;
    non_empty => GroupId: TOO_LONG_OR_CONTROL;
    non_empty => FileId: TOO_LONG_OR_CONTROL;
    non_empty => StreamId: TOO_LONG_OR_CONTROL;
    non_empty => AccountName: "is not a letter and 3 to 23 letters, digits or underscores!";
    non_empty => Password: "is not 1 to 255 letters and digits!";
    notice_id => NoticeId: "is too long!";
    String::from_param => Nickname: "is too long!";
    String::from_param => Timestamp: "is no time!";
    String::from_param => Link<MAX>: "is too long, or no http(s) address!";
    String::from_param => Text<MAX>: TOO_LONG_OR_CONTROL;
}

/// The text of a notice's id. It is not trimmed: the ids of older notices may begin with a blank.
fn notice_id(value: &Value) -> Result<String, &'static str> {
    match value.as_str().filter(|text| !text.trim().is_empty()) {
        Some(text) => Ok(text.to_owned()),
        None => non_empty(value),
    }
}

/// Free text that is not empty.
#[derive(Clone, Debug)]
pub struct NonEmpty<const MAX: usize>(pub Text<MAX>);

impl<const MAX: usize> FromParam for NonEmpty<MAX> {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        non_empty(value).and_then(|text| Text::parse(&text).ok_or(TOO_LONG_OR_CONTROL)).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_are_read_as_the_original_did() {
        let max = i64::MAX.to_string();
        for (json, number) in [
            ("5", 5),
            (r#""5""#, 5),
            (r#""0""#, 0),
            ("-1", -1),
            (r#""-1""#, -1),
            ("true", 1),
            ("1.0", 1),
            (&max, i64::MAX),
        ] {
            assert_eq!(i64::from_param(&serde_json::from_str(json).unwrap()), Ok(number), "{json}");
        }
        for text in ["", "1.0", "1e3", " 5", "05", "+5", "-0", "ab", "a"] {
            assert!(i64::from_param(&json!(text)).is_err(), "{text:?}");
        }
        for value in [json!(false), json!(1.5), json!(1e20), json!([1]), json!({}), json!(u64::MAX)] {
            assert!(i64::from_param(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn numbers_and_true_are_taken_as_their_text() {
        for (value, text) in [
            (json!(123), "123"),
            (json!(1.5), "1.5"),
            (json!(1.0), "1"),
            (json!(true), "1"),
            (json!("  t  "), "t"),
            (json!(0), "0"),
            (json!(false), ""),
        ] {
            assert_eq!(String::from_param(&value).as_deref(), Ok(text), "{value}");
        }
        // Two user ids could become equal.
        assert!(String::from_param(&json!(99_999_999_999_999_999_999_001_f64)).is_err());
        assert!(String::from_param(&json!(["x"])).is_err());
        assert!(String::from_param(&json!({})).is_err());
    }
}
