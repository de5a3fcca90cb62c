//! Values as JSON text, and the length of that text.

use serde::Serialize;

/// Writes a value as JSON.
///
/// # Panics
///
/// Panics if the value has a map whose keys are not texts. No reply, row or timeline has one.
pub fn to_text<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("text, numbers, lists and structs can be written as JSON")
}

/// The length of a value as JSON, in bytes.
pub fn bytes_of<T: Serialize + ?Sized>(value: &T) -> usize {
    to_text(value).len()
}
