//! The parameters of a call: the fields of the JSON object in its body.

use serde_json::{Map, Value};

use super::{
    Dialect,
    from_param::{FromParam, MISSING},
    shallow,
};
use crate::error::{BodyFault, Error};

/// The maximum length of a body: as the default of nginx, which ran in front of the original. Apps send a few hundred
/// bytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Fields that have another spelling in Gen-2 apps of 2021: the name here, and the name there.
const ALIASES: [(&str, &str); 2] = [("userid", "userId"), ("frontcover", "frontCover")];

/// The errors of Gen 2 for a body that is no JSON object.
const NO_JSON: &str = "the body must be a JSON object; this one is no JSON";
const NO_OBJECT: &str = "the body must be a JSON object";

/// The fields of the JSON object in a call's body. Types are converted as leniently as in the originals.
pub struct Params {
    fields: Map<String, Value>,
    body: Vec<u8>,
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
                if let Some(value) = fields.remove(alias) {
                    fields.entry(name).or_insert(value);
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
        self.optional(name)?.ok_or(invalid(name, MISSING))
    }

    /// A field, or `None` if it is absent or null.
    pub fn optional<T: FromParam>(&self, name: &'static str) -> Result<Option<T>, Error> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::from_param(value).map(Some).map_err(|reason| invalid(name, reason)),
        }
    }

    /// A field that must be present; `None` if it is null.
    pub fn nullable<T: FromParam>(&self, name: &'static str) -> Result<Option<T>, Error> {
        if self.fields.contains_key(name) { self.optional(name) } else { Err(invalid(name, MISSING)) }
    }

    /// A field that must be a JSON string: other types are not converted.
    pub fn text_only(&self, name: &'static str) -> Result<String, Error> {
        match self.fields.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err(invalid(name, "is not a text!")),
        }
    }

    /// A field that must be present, as text: empty if the field is neither a number nor a string.
    pub fn number_or_text(&self, name: &'static str) -> Result<String, Error> {
        match self.fields.get(name) {
            None => Err(invalid(name, MISSING)),
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
        let whole = std::str::from_utf8(&self.body).map_err(|_| Error::MalformedRequest)?;
        let text = shallow::raw_field(whole, name).ok_or(invalid(name, MISSING))?;
        if text.starts_with('{') { Ok(text.to_owned()) } else { Err(invalid(name, "is not an object!")) }
    }
}

fn invalid(name: &'static str, reason: &'static str) -> Error {
    Error::InvalidParam { name, reason }
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
