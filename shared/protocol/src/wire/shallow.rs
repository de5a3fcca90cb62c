//! JSON read only as deep and as wide as a call can mean it: what is beyond is checked to be JSON, and dropped.
//!
//! A body of a megabyte can hold two hundred thousand empty objects, for which a tree of values takes a hundred times as
//! much. No command looks deeper than into `userinfo`, or knows half as many fields as are kept.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, value::RawValue};

/// How many fields of an object are kept: the first ones, and if a name comes again the last value of it.
const FIELDS: usize = 64;
/// How deep objects are kept: a call, and the objects in it.
const DEPTH: u8 = 2;

/// Reads a text; `None` if it is no JSON. A list becomes a list of nothing, empty if it was empty.
pub(super) fn read(text: &str) -> Option<Value> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Shallow { depth: DEPTH }.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(value)
}

/// The text of a field, just as it stands; of several the last.
pub(super) fn raw_field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_map(Verbatim(name)).ok()?.map(RawValue::get)
}

struct Verbatim<'n>(&'n str);

impl<'de> Visitor<'de> for Verbatim<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = entries.next_key::<String>()? {
            if name == self.0 {
                found = Some(entries.next_value()?);
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[derive(Clone, Copy)]
struct Shallow {
    /// How many levels of objects are still kept.
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Shallow {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Shallow {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while items.next_element::<IgnoredAny>()?.is_some() {
            if list.is_empty() {
                list.push(Value::Null);
            }
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let wanted = self.depth > 0 && (fields.len() < FIELDS || fields.contains_key(&name));
            if wanted {
                fields.insert(name, entries.next_value_seed(Self { depth: self.depth - 1 })?);
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(fields.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_call_can_mean_is_kept() {
        let text = r#"{"a":1,"b":-2,"c":1.5,"d":"t\u4e2d","e":null,"f":true,"userinfo":{"nickname":"n"},"a":9}"#;
        let value = json!({"a": 9, "b": -2, "c": 1.5, "d": "t中", "e": null, "f": true, "userinfo": {"nickname": "n"}});
        assert_eq!(read(text), Some(value));
        assert_eq!(read("[1,[2],{}]"), Some(json!([null])));
        assert_eq!(read("[]"), Some(json!([])));
        assert_eq!(read(" 5 "), Some(json!(5)));
    }

    #[test]
    fn what_is_no_json_is_nothing_wherever_it_stands() {
        for text in ["", "{", "{}x", r#"{"a":[1,}"#, r#"{"a":{"b":{"c":}}}"#, r#"{"a":1e999}"#, "\u{feff}{}"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_deeper_or_more_is_dropped() {
        assert_eq!(read(r#"{"a":{"b":{"c":1},"d":[[1]]}}"#), Some(json!({"a": {"b": {}, "d": [null]}})));
        let many: String = (0..1000).map(|n| format!(r#""f{n}":{n},"#)).collect();
        let Some(Value::Object(fields)) = read(&format!(r#"{{{many}"f1":"again"}}"#)) else { panic!("an object") };
        assert_eq!((fields.len(), &fields["f1"]), (FIELDS, &json!("again")));
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(&format!(r#"{{"a":{deep}}}"#)), Some(json!({"a": [null]})));
    }
}
