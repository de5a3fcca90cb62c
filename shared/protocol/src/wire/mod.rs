//! Bytes to typed parameters, and the three dialects that answers are given in.
//!
//! A dialect is an envelope and a table of codes. It never asks which command it carries.

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

/// The longest body that is read: as nginx before the original. The longest that an app sends is some hundred bytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Fields that Gen-2 apps of 2021 spell in another way.
const ALIASES: [(&str, &str); 2] = [("userid", "userId"), ("frontcover", "frontCover")];

/// What is wrong with a body that a Gen-2 command cannot be called with.
const NO_JSON: &str = "the body must be a JSON object; this one is no JSON";
const NO_OBJECT: &str = "the body must be a JSON object";

/// Why a field is refused; the name of the field goes before it.
const MISSING: &str = "is null or empty!";
/// The rule that most texts break.
const TOO_LONG_OR_CONTROL: &str = "is too long, or holds a control character!";

/// How a caller speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Gen-1 apps: one address, the command in the field `Action`.
    Action,
    /// Gen-2 apps and new callers: an address per command.
    Rest,
    /// The live cloud.
    Callback,
}

/// An answer: the status of HTTP and the body, always JSON.
#[derive(PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The JSON text.
    pub body: String,
}

impl Dialect {
    /// The dialect's name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Rest => "rest",
            Self::Callback => "callback",
        }
    }

    /// The code of an answer, as the log has it.
    pub fn code(self, outcome: Result<(), &Error>) -> u16 {
        match (self, outcome) {
            (Self::Action, outcome) => outcome.map_or_else(|error| action::code(error).0, |()| action::SUCCESS),
            (Self::Rest, outcome) => outcome.map_or_else(|error| rest::code(error).0, |()| rest::SUCCESS),
            (Self::Callback, outcome) => outcome.map_or_else(|error| callback::code(error).1, |()| callback::SUCCESS),
        }
    }

    /// Says that a command was done.
    pub fn accept(self, data: &impl Serialize) -> Reply {
        let body = match self {
            Self::Action => action::accept(data),
            Self::Rest => rest::accept(data),
            Self::Callback => callback::accept(),
        };
        Reply { status: 200, body }
    }

    /// Says that a command was not done, and why.
    pub fn refuse(self, error: &Error) -> Reply {
        // Old Android apps take any other status for a dead network, so apps always get 200.
        match self {
            Self::Action => Reply { status: 200, body: action::refuse(error) },
            Self::Rest => Reply { status: 200, body: rest::refuse(error) },
            Self::Callback => callback::refuse(error),
        }
    }
}

/// Writes an envelope. The types written are ours, so it cannot fail.
fn json(envelope: &impl Serialize) -> String {
    serde_json::to_string(envelope).expect("text, numbers, lists and structs can be written as JSON")
}

/// One call, read.
pub struct Call {
    /// How the caller speaks.
    pub dialect: Dialect,
    /// The parameters.
    pub params: Params,
    /// The header `Liteav-Sig`.
    pub signature: Option<String>,
    /// The header `X-User-Sig`.
    pub user_sig: Option<String>,
    /// The header `X-Operator-Key`.
    pub operator_key: Option<String>,
    /// Where the call comes from: by the connection or the gateway, never by what the caller says.
    pub client_address: Option<ClientAddress>,
}

/// Nothing of what the caller sent: there may be a password in it.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

/// The fields of a call's JSON object, with the leniency that the originals had towards types.
#[derive(Default)]
pub struct Params {
    fields: Map<String, Value>,
    text: Vec<u8>,
}

/// Nothing of what the caller sent: there may be a password in it.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Params").finish_non_exhaustive()
    }
}

impl Params {
    /// Reads the body of a notice again that has been kept.
    pub fn of_notice(body: &str) -> Result<Self, Error> {
        Self::read(Dialect::Callback, body.as_bytes().to_vec())
    }

    /// Reads a body.
    ///
    /// All refuse a body that is too long. Gen 1 and the callback refuse one that is no JSON, or JSON that PHP takes for
    /// false, and take a list or a bare value for a body without fields. Gen 2 takes an empty body, and what PHP takes
    /// for false, for one without fields, and refuses whatever else is no JSON object.
    pub fn read(dialect: Dialect, body: Vec<u8>) -> Result<Self, Error> {
        if body.len() > MAX_BODY_BYTES {
            return Err(Error::Body(BodyFault::TooLong));
        }
        // A notice is kept, whatever its bytes.
        let body = match dialect {
            Dialect::Callback => String::from_utf8_lossy(&body).into_owned().into_bytes(),
            Dialect::Action | Dialect::Rest => body,
        };
        let value = std::str::from_utf8(&body).ok().and_then(shallow::read);
        let is_json = value.is_some();
        // As the originals: interface.php and Live_callback.php look at the decoded value with `!$data`.
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
        Ok(Self { fields, text: body })
    }

    /// Whether the body is a notice of the cloud and no call of an app.
    pub fn is_notice(&self) -> bool {
        self.fields.contains_key("event_type") && !self.fields.contains_key("Action")
    }

    /// The body, just as it was sent: what a signature covers.
    pub fn body(&self) -> &[u8] {
        &self.text
    }

    /// The field, which must be there.
    pub fn required<T: FromParam>(&self, name: &'static str) -> Result<T, Error> {
        self.optional(name)?.ok_or(Error::InvalidParam { name, reason: MISSING })
    }

    /// The field, or `None` if it is absent or null.
    pub fn optional<T: FromParam>(&self, name: &'static str) -> Result<Option<T>, Error> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match T::from_param(value) {
                Ok(value) => Ok(Some(value)),
                Err(reason) => Err(Error::InvalidParam { name, reason }),
            },
        }
    }

    /// The field, which must be there; `None` if it is null.
    pub fn nullable<T: FromParam>(&self, name: &'static str) -> Result<Option<T>, Error> {
        if self.fields.contains_key(name) {
            self.optional(name)
        } else {
            Err(Error::InvalidParam { name, reason: MISSING })
        }
    }

    /// The field, which must be a text and not something that could be taken for one.
    pub fn text_only(&self, name: &'static str) -> Result<String, Error> {
        match self.fields.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err(Error::InvalidParam { name, reason: "is not a text!" }),
        }
    }

    /// The field as text, which must be there; empty if it is neither a number nor a text.
    pub fn number_or_text(&self, name: &'static str) -> Result<String, Error> {
        match self.fields.get(name) {
            None => Err(Error::InvalidParam { name, reason: MISSING }),
            Some(value @ (Value::Number(_) | Value::String(_))) => Ok(String::from_param(value).unwrap_or_default()),
            Some(_) => Ok(String::new()),
        }
    }

    /// The fields of an object inside; none if it is absent or something else, as the originals had no rule for it.
    pub fn object(&self, name: &str) -> Params {
        let fields = self.fields.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        Self { fields, text: Vec::new() }
    }

    /// The JSON text of an object inside, just as it was sent.
    pub fn raw_object(&self, name: &'static str) -> Result<String, Error> {
        const NOT_AN_OBJECT: &str = "is not an object!";
        let whole = std::str::from_utf8(&self.text).map_err(|_| Error::MalformedRequest)?;
        let text = shallow::raw_field(whole, name).ok_or(Error::InvalidParam { name, reason: MISSING })?;
        if text.starts_with('{') {
            Ok(text.to_owned())
        } else {
            Err(Error::InvalidParam { name, reason: NOT_AN_OBJECT })
        }
    }
}

/// Whether PHP takes the value for false.
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

/// A type that a field can be read as. The error says which rule the field breaks.
pub trait FromParam: Sized {
    /// Reads a value that is not null.
    fn from_param(value: &Value) -> Result<Self, &'static str>;
}

/// Text: trimmed; numbers and `true` are taken as their text, as in PHP.
impl FromParam for String {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        match value {
            Value::Null | Value::Bool(false) => Ok(Self::new()),
            Value::Bool(true) => Ok("1".to_owned()),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                // Such a number has lost digits already, and two users would become one.
                (None, Some(float)) if float.abs() >= EXACT_FLOAT_LIMIT => Err("is too large a number!"),
                (None, Some(float)) => Ok(float.to_string()),
                (Some(_) | None, _) => Ok(number.to_string()),
            },
            // As PHP, which takes a zero byte for a blank.
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

/// Below this a float holds whole numbers exactly: 2^53.
const EXACT_FLOAT_LIMIT: f64 = 9_007_199_254_740_992.0;

/// The number, if it is a whole one that a float holds exactly.
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

/// Reads text that a type has a rule for; empty text is a missing field.
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
        // Names of older notices may begin with a blank.
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

/// A moment in seconds: a number, or its text, also with a fraction or an exponent, as PHP's `is_numeric` has it.
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

/// A link: may be empty.
impl<const MAX: usize> FromParam for Link<MAX> {
    fn from_param(value: &Value) -> Result<Self, &'static str> {
        Self::parse(&String::from_param(value)?).ok_or("is too long, or no http(s) address!")
    }
}

/// Free text: may be empty. What must not be empty is read as [`NonEmpty`].
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
        // Two such users would be one.
        assert!(String::from_param(&json!(99_999_999_999_999_999_999_001_f64)).is_err());
        assert!(String::from_param(&json!(["x"])).is_err());
        assert!(String::from_param(&json!({})).is_err());
    }

    #[test]
    fn what_php_takes_for_false_is_no_call_in_gen_1_and_a_call_without_fields_in_gen_2() {
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
    fn an_object_is_handed_on_letter_by_letter() {
        let params = Params::read(Dialect::Action, br#"{"p": {"b" : 1e2,"a":"\u4e2d"} }"#.to_vec()).unwrap();
        assert_eq!(params.raw_object("p").unwrap(), r#"{"b" : 1e2,"a":"\u4e2d"}"#);
        assert!(params.raw_object("q").is_err());
    }
}
