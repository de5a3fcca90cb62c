//! Reads a JSON text only as deep and as wide as a call needs. The rest is checked to be valid JSON, and dropped.
//!
//! A body of 1 MiB can hold 200,000 empty objects, for which a tree of values takes a hundred times the memory of the
//! text. No command reads deeper than the fields of `userinfo`, or knows half as many fields as are kept.

use std::fmt;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value, value::RawValue};

/// The number of fields of an object that are kept: the first ones. If a name is repeated, its last value counts.
const MAX_FIELDS: usize = 64;
/// The number of levels of objects that are kept: the call itself, and the objects in it.
const MAX_DEPTH: u8 = 2;

/// Reads a JSON text; `None` if it is not valid. A list becomes `[null]`, or `[]` if it is empty.
pub(super) fn read(text: &str) -> Option<Value> {
    read_value(text, MAX_DEPTH)
}

fn read_value(text: &str, depth: u8) -> Option<Value> {
    let start = text.trim_start();
    if start.starts_with('{') {
        let mut fields = Map::new();
        // An object at depth 0 has been checked as a value of the object around it.
        if depth > 0 {
            each_field(text, |name, value| {
                if fields.len() < MAX_FIELDS || fields.contains_key(&name) {
                    fields.insert(name, read_value(value, depth - 1)?);
                }
                Some(())
            })?;
        }
        Some(fields.into())
    } else if let Some(items) = start.strip_prefix('[') {
        serde_json::from_str::<IgnoredAny>(text).ok()?;
        Some(if items.trim_start().starts_with(']') { Vec::new() } else { vec![Value::Null] }.into())
    } else {
        serde_json::from_str(text).ok()
    }
}

/// The JSON text of a field of an object, unchanged. If the name is repeated, its last value counts.
pub(super) fn raw_field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut found = None;
    each_field(text, |field, value| {
        if field == name {
            found = Some(value);
        }
        Some(())
    })?;
    found
}

/// Calls `each` with the name and the JSON text of every field of an object, in their order; `None` if the text is not
/// a JSON object, or `each` returns `None`.
fn each_field<'a>(text: &'a str, each: impl FnMut(String, &'a str) -> Option<()>) -> Option<()> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_map(Fields(each)).ok()?;
    deserializer.end().ok()
}

struct Fields<F>(F);

impl<'de, F: FnMut(String, &'de str) -> Option<()>> Visitor<'de> for Fields<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some((name, value)) = entries.next_entry::<String, &RawValue>()? {
            (self.0)(name, value.get()).ok_or_else(|| A::Error::custom("a value cannot be read"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_fields_of_a_call_and_of_its_objects_are_kept() {
        let text = r#"{"a":1,"b":-2,"c":1.5,"d":"t\u4e2d","e":null,"f":true,"userinfo":{"nickname":"n"},"a":9}"#;
        let value = json!({"a": 9, "b": -2, "c": 1.5, "d": "t中", "e": null, "f": true, "userinfo": {"nickname": "n"}});
        assert_eq!(read(text), Some(value));
        assert_eq!(read("[1,[2],{}]"), Some(json!([null])));
        assert_eq!(read("[]"), Some(json!([])));
        assert_eq!(read(" 5 "), Some(json!(5)));
    }

    #[test]
    fn a_text_with_invalid_json_at_any_depth_is_refused() {
        for text in ["", "{", "{}x", r#"{"a":[1,}"#, r#"{"a":{"b":{"c":}}}"#, r#"{"a":1e999}"#, "\u{feff}{}"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn deeper_values_and_fields_over_the_maximum_are_dropped() {
        assert_eq!(read(r#"{"a":{"b":{"c":1},"d":[[1]]}}"#), Some(json!({"a": {"b": {}, "d": [null]}})));
        let many: String = (0..1000).map(|n| format!(r#""f{n}":{n},"#)).collect();
        let Some(Value::Object(fields)) = read(&format!(r#"{{{many}"f1":"again"}}"#)) else { panic!("an object") };
        assert_eq!((fields.len(), &fields["f1"]), (MAX_FIELDS, &json!("again")));
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(&format!(r#"{{"a":{deep}}}"#)), Some(json!({"a": [null]})));
    }
}
