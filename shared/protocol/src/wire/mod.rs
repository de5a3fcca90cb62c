//! The wire formats: parses requests into typed parameters, and writes replies in the caller's dialect.
//!
//! There are three dialects. Each has an envelope (the JSON object around a reply's data) and a table of codes. A
//! dialect does not depend on the command.

pub mod action;
pub mod callback;
pub mod rest;
mod shallow;

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    error::{BodyFault, Error},
    types::{
        AccountName, ClientAddress, FileId, GroupId, Link, Nickname, NoticeId, Password, Sex, StreamId, Text,
        Timestamp, UnixSeconds, UserId,
    },
};

/// The maximum length of a body: as the default of nginx, which ran in front of the original. Apps send a few hundred
/// bytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Fields that have another spelling in Gen-2 apps of 2021: the name here, and the name there.
const ALIASES: [(&str, &str); 2] = [("userid", "userId"), ("frontcover", "frontCover")];

/// The errors of Gen 2 for a body that is no JSON object.
const NO_JSON: &str = "the body must be a JSON object; this one is no JSON";
const NO_OBJECT: &str = "the body must be a JSON object";

/// The reason for a missing field. Texts like this one follow the name of the field.
const MISSING: &str = "is null or empty!";
/// The reason for most invalid texts.
const TOO_LONG_OR_CONTROL: &str = "is too long, or holds a control character!";

/// The format of a caller's requests and replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Gen-1 apps: one path for all commands, the command's name in the field `Action`.
    Action,
    /// Gen-2 apps and new clients: one path per command.
    Rest,
    /// Callbacks of the live cloud, which send notices.
    Callback,
}

/// A reply: the HTTP status and a JSON body.
#[derive(PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The JSON text.
    pub body: String,
}

impl Dialect {
    /// The name of the dialect in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Rest => "rest",
            Self::Callback => "callback",
        }
    }

    /// The code of a reply, for the log.
    pub fn code(self, outcome: Result<(), &Error>) -> u16 {
        match (self, outcome) {
            (Self::Action, outcome) => outcome.map_or_else(|error| action::code(error).0, |()| action::SUCCESS),
            (Self::Rest, outcome) => outcome.map_or_else(|error| rest::code(error).0, |()| rest::SUCCESS),
            (Self::Callback, outcome) => outcome.map_or_else(|error| callback::code(error).1, |()| callback::SUCCESS),
        }
    }

    /// The reply of a successful command.
    pub fn accept(self, data: &impl Serialize) -> Reply {
        let body = match self {
            Self::Action => action::accept(data),
            Self::Rest => rest::accept(data),
            Self::Callback => callback::accept(),
        };
        Reply { status: 200, body }
    }

    /// The reply of a failed command.
    pub fn refuse(self, error: &Error) -> Reply {
        // Apps always get status 200: old Android apps treat any other status as a network failure.
        match self {
            Self::Action => Reply { status: 200, body: action::refuse(error) },
            Self::Rest => Reply { status: 200, body: rest::refuse(error) },
            Self::Callback => callback::refuse(error),
        }
    }
}

/// One call of a command, parsed from a request.
pub struct Call {
    /// The dialect of the caller.
    pub dialect: Dialect,
    /// The parameters in the body.
    pub params: Params,
    /// The header `Liteav-Sig`.
    pub signature: Option<String>,
    /// The header `X-User-Sig`.
    pub user_sig: Option<String>,
    /// The header `X-Operator-Key`.
    pub operator_key: Option<String>,
    /// The address of the client, from the connection, the gateway or a trusted proxy.
    pub client_address: Option<ClientAddress>,
}

/// Shows no content of the request: it may have a password.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

/// The fields of the JSON object in a call's body. Types are converted as leniently as in the originals.
#[derive(Default)]
pub struct Params {
    fields: Map<String, Value>,
    body: Vec<u8>,
}

/// Shows no content of the request: it may have a password.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Params").finish_non_exhaustive()
    }
}

impl Params {
    /// Parses the body of a notice from the ledger.
    pub fn of_notice(body: &str) -> Result<Self, Error> {
        Self::read(Dialect::Callback, body.as_bytes().to_vec())
    }

    /// Parses a body.
    ///
    /// | body                                            | Gen 1, callback | Gen 2     |
    /// |-------------------------------------------------|-----------------|-----------|
    /// | longer than [`MAX_BODY_BYTES`]                  | refused         | refused   |
    /// | a JSON object with fields                       | its fields      | its fields |
    /// | empty                                           | refused         | no fields |
    /// | JSON that PHP converts to false: `{}`, `[]`, `0`, `null`, ... | refused | no fields |
    /// | other JSON: `[1]`, `5`, `"text"`, `true`        | no fields       | refused   |
    /// | not JSON                                        | refused         | refused   |
    pub fn read(dialect: Dialect, body: Vec<u8>) -> Result<Self, Error> {
        if body.len() > MAX_BODY_BYTES {
            return Err(Error::Body(BodyFault::TooLong));
        }
        // A notice is recorded even if it is not valid UTF-8.
        let body = match dialect {
            Dialect::Callback => String::from_utf8_lossy(&body).into_owned().into_bytes(),
            Dialect::Action | Dialect::Rest => body,
        };
        let value = std::str::from_utf8(&body).ok().and_then(shallow::read);
        let is_json = value.is_some();
        // As the originals: interface.php and Live_callback.php test the decoded value with `!$data`.
        let mut fields = match (value.filter(|value| !is_falsy_in_php(value)), dialect) {
            (Some(Value::Object(fields)), _) => fields,
            (Some(_), Dialect::Action | Dialect::Callback) => Map::new(),
            (None, Dialect::Callback) if !is_json && body.trim_ascii_start().starts_with(b"{") => {
                return Err(Error::Body(BodyFault::BrokenJson));
            }
            (None, Dialect::Action | Dialect::Callback) => return Err(Error::MalformedRequest),
            (Some(_), Dialect::Rest) => return Err(Error::InvalidArgument(NO_OBJECT)),
            (None, Dialect::Rest) if !is_json && !body.trim_ascii().is_empty() => {
                return Err(Error::InvalidArgument(NO_JSON));
            }
            (None, Dialect::Rest) => Map::new(),
        };
        if dialect == Dialect::Rest {
            for (name, alias) in ALIASES {
                if !fields.contains_key(name) {
                    let value = fields.remove(alias);
                    fields.extend(value.map(|value| (name.to_owned(), value)));
                }
            }
        }
        Ok(Self { fields, body })
    }

    /// Whether the body is a notice of the live cloud, and not a call of an app.
    pub fn is_notice(&self) -> bool {
        self.fields.contains_key("event_type") && !self.fields.contains_key("Action")
    }

    /// The body, unchanged: a signature covers these bytes.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// A field that must be present and not null.
    pub fn required<T: FromParam>(&self, name: &'static str) -> Result<T, Error> {
        self.optional(name)?.ok_or(Error::InvalidParam { name, reason: MISSING })
    }

    /// A field, or `None` if it is absent or null.
    pub fn optional<T: FromParam>(&self, name: &'static str) -> Result<Option<T>, Error> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match T::from_param(value) {
                Ok(value) => Ok(Some(value)),
                Err(reason) => Err(Error::InvalidParam { name, reason }),
            },
        }
    }

    /// A field that must be present; `None` if it is null.
    pub fn nullable<T: FromParam>(&self, name: &'static str) -> Result<Option<T>, Error> {
        if self.fields.contains_key(name) {
            self.optional(name)
        } else {
            Err(Error::InvalidParam { name, reason: MISSING })
        }
    }

    /// A field that must be a JSON string: other types are not converted.
    pub fn text_only(&self, name: &'static str) -> Result<String, Error> {
        match self.fields.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err(Error::InvalidParam { name, reason: "is not a text!" }),
        }
    }

    /// A field that must be present, as text: empty if the field is neither a number nor a string.
    pub fn number_or_text(&self, name: &'static str) -> Result<String, Error> {
        match self.fields.get(name) {
            None => Err(Error::InvalidParam { name, reason: MISSING }),
            Some(value @ (Value::Number(_) | Value::String(_))) => Ok(String::from_param(value).unwrap_or_default()),
            Some(_) => Ok(String::new()),
        }
    }

    /// The fields of a nested object. The result has no fields if the object is absent or is no object, since the
    /// originals did not check it.
    pub fn object(&self, name: &str) -> Params {
        let fields = self.fields.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        Self { fields, body: Vec::new() }
    }

    /// The JSON text of a nested object, unchanged.
    pub fn raw_object(&self, name: &'static str) -> Result<String, Error> {
        const NOT_AN_OBJECT: &str = "is not an object!";
        let whole = std::str::from_utf8(&self.body).map_err(|_| Error::MalformedRequest)?;
        let text = shallow::raw_field(whole, name).ok_or(Error::InvalidParam { name, reason: MISSING })?;
        if text.starts_with('{') {
            Ok(text.to_owned())
        } else {
            Err(Error::InvalidParam { name, reason: NOT_AN_OBJECT })
        }
    }
}

/// Whether PHP converts the value to false.
fn is_falsy_in_php(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty() || text == "0",
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

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

/// Below this number, 2^53, every integer is exact as a float.
const EXACT_FLOAT_LIMIT: f64 = 9_007_199_254_740_992.0;

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

/// Converts a value to text and parses that. Empty text counts as a missing field. `rule` is the reason if parsing
/// fails.
fn parse_with_rule<T>(value: &Value, rule: &'static str, parse: fn(&str) -> Option<T>) -> Result<T, &'static str> {
    let text = String::from_param(value)?;
    if text.is_empty() {
        return Err(MISSING);
    }
    parse(&text).ok_or(rule)
}

impl FromParam for UserId {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        parse_with_rule(value, TOO_LONG_OR_CONTROL, Self::parse)
    }
}

impl FromParam for GroupId {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        parse_with_rule(value, TOO_LONG_OR_CONTROL, Self::parse)
    }
}

impl FromParam for FileId {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        parse_with_rule(value, TOO_LONG_OR_CONTROL, Self::parse)
    }
}

impl FromParam for StreamId {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        parse_with_rule(value, TOO_LONG_OR_CONTROL, Self::parse)
    }
}

impl FromParam for NoticeId {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        const RULE: &str = "is too long!";
        // The ids of older notices may begin with a blank, so the text is not trimmed.
        match value.as_str().filter(|text| !text.trim().is_empty()) {
            Some(text) => Self::parse(text).ok_or(RULE),
            None => parse_with_rule(value, RULE, Self::parse),
        }
    }
}

impl FromParam for AccountName {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        parse_with_rule(value, "is not a letter and 3 to 23 letters, digits or underscores!", Self::parse)
    }
}

impl FromParam for Password {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        parse_with_rule(value, "is not 1 to 255 letters and digits!", Self::parse)
    }
}

impl FromParam for Nickname {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        Self::parse(&String::from_param(value)?).ok_or("is too long!")
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

impl FromParam for Timestamp {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        Self::parse(&String::from_param(value)?).ok_or("is no time!")
    }
}

/// A link, which may be empty.
impl<const MAX: usize> FromParam for Link<MAX> {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        Self::parse(&String::from_param(value)?).ok_or("is too long, or no http(s) address!")
    }
}

/// Free text, which may be empty. [`NonEmpty`] is free text that may not.
impl<const MAX: usize> FromParam for Text<MAX> {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        let text = String::from_param(value)?;
        Self::parse(&text).ok_or(TOO_LONG_OR_CONTROL)
    }
}

/// Free text that is not empty.
#[derive(Clone, Debug)]
pub struct NonEmpty<const MAX: usize>(pub Text<MAX>);

impl<const MAX: usize> FromParam for NonEmpty<MAX> {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        parse_with_rule(value, TOO_LONG_OR_CONTROL, Text::parse).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_shows_nothing_of_what_was_sent() {
        let params = Params::read(Dialect::Rest, br#"{"password":"secret-1"}"#.to_vec()).unwrap();
        let [signature, user_sig, operator_key] = ["secret-2", "secret-3", "secret-4"].map(|key| Some(key.to_owned()));
        let call = Call { dialect: Dialect::Rest, params, signature, user_sig, operator_key, client_address: None };
        assert_eq!(format!("{call:?} {:?}", call.params), "Call { dialect: Rest, .. } Params { .. }");
    }

    #[test]
    fn whole_numbers_are_read_as_the_original_did() {
        for (value, number) in [
            (json!(5), 5),
            (json!("5"), 5),
            (json!("0"), 0),
            (json!(-1), -1),
            (json!("-1"), -1),
            (json!(true), 1),
            (json!(1.0), 1),
            (json!(i64::MAX), i64::MAX),
        ] {
            assert_eq!(i64::from_param(&value), Ok(number), "{value}");
        }
        for value in [
            json!(""),
            json!(false),
            json!(1.5),
            json!("1.0"),
            json!("1e3"),
            json!(" 5"),
            json!("05"),
            json!("+5"),
            json!("-0"),
            json!("ab"),
            json!("a"),
            json!(1e20),
            json!([1]),
            json!({}),
            json!(u64::MAX),
        ] {
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

    #[test]
    fn a_body_that_php_converts_to_false_is_refused_in_gen_1_and_has_no_fields_in_gen_2() {
        for body in ["", " ", "null", "false", "0", "0.0", "\"\"", "\"0\"", "[]", "{}"] {
            assert!(Params::read(Dialect::Action, body.into()).is_err(), "{body:?}");
            assert!(Params::read(Dialect::Callback, body.into()).is_err(), "{body:?}");
            assert!(Params::read(Dialect::Rest, body.into()).is_ok(), "{body:?}");
        }
        for body in ["5", "\"text\"", "[1]", "true"] {
            assert!(Params::read(Dialect::Action, body.into()).is_ok(), "{body:?}");
            assert!(Params::read(Dialect::Callback, body.into()).is_ok(), "{body:?}");
            assert!(Params::read(Dialect::Rest, body.into()).is_err(), "{body:?}");
        }
    }

    #[test]
    fn a_notice_with_bytes_that_are_no_text_is_a_notice() {
        let params = Params::read(Dialect::Callback, b"{\"stream_id\":\"a\xff\"}".to_vec()).unwrap();
        assert_eq!(params.required::<String>("stream_id").unwrap(), "a\u{fffd}");
    }

    #[test]
    fn a_body_at_the_limit_is_read_and_one_byte_more_is_not() {
        let body = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8)).into_bytes();
        for dialect in [Dialect::Action, Dialect::Rest, Dialect::Callback] {
            assert!(Params::read(dialect, body(MAX_BODY_BYTES)).is_ok());
            let error = Params::read(dialect, body(MAX_BODY_BYTES + 1)).unwrap_err();
            assert!(matches!(error, Error::Body(BodyFault::TooLong)), "{error}");
        }
    }

    #[test]
    fn the_text_of_a_nested_object_is_unchanged() {
        let params = Params::read(Dialect::Action, br#"{"p": {"b" : 1e2,"a":"\u4e2d"} }"#.to_vec()).unwrap();
        assert_eq!(params.raw_object("p").unwrap(), r#"{"b" : 1e2,"a":"\u4e2d"}"#);
        assert!(params.raw_object("q").is_err());
    }
}
