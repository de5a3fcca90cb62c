//! AMF0 values: the names and arguments of RTMP commands.

use bytes::{Buf, BufMut, BytesMut};

/// How deep values may be nested.
pub const MAX_DEPTH: usize = 8;
/// How many values, nested ones included, one reader reads.
pub const MAX_VALUES: usize = 1024;

const NUMBER: u8 = 0;
const BOOLEAN: u8 = 1;
const STRING: u8 = 2;
const OBJECT: u8 = 3;
const NULL: u8 = 5;
const UNDEFINED: u8 = 6;
const ECMA_ARRAY: u8 = 8;
const OBJECT_END: u8 = 9;
const STRICT_ARRAY: u8 = 10;
const DATE: u8 = 11;
const LONG_STRING: u8 = 12;
const UNSUPPORTED: u8 = 13;
const XML: u8 = 15;
const TYPED_OBJECT: u8 = 16;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number, or a date in milliseconds.
    Number(f64),
    /// A truth value.
    Boolean(bool),
    /// A text. Bytes that are not UTF-8 are read as U+FFFD.
    Text(String),
    /// An object or an array, in the order of the wire. The keys of a strict array are its indexes.
    Object(Vec<(String, Value)>),
    /// Null, undefined or unsupported.
    Null,
}

/// Why bytes are not a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes end within the value.
    #[error("an AMF value ends too early")]
    Truncated,
    /// The value is nested too deep.
    #[error("AMF values are nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// There are too many values.
    #[error("more than {MAX_VALUES} AMF values in a message")]
    TooMany,
    /// The type of the value is not known.
    #[error("unknown type {0} of an AMF value")]
    UnknownType(u8),
}

impl Value {
    /// The text, if the value is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) | Self::Boolean(_) | Self::Object(_) | Self::Null => None,
        }
    }

    /// The number, if the value is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) | Self::Boolean(_) | Self::Object(_) | Self::Null => None,
        }
    }

    /// The first value under a key, if this value is an object that has the key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Object(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            Self::Number(_) | Self::Boolean(_) | Self::Text(_) | Self::Null => None,
        }
    }

    /// An object with these texts.
    pub fn texts(entries: &[(&str, &str)]) -> Self {
        Self::Object(entries.iter().map(|(key, text)| ((*key).to_owned(), Self::from(*text))).collect())
    }

    /// Appends the value to `out`. Of a key only the first 65535 bytes are written.
    pub fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Number(number) => {
                out.put_u8(NUMBER);
                out.put_f64(*number);
            }
            Self::Boolean(truth) => out.put_slice(&[BOOLEAN, u8::from(*truth)]),
            Self::Text(text) => match u16::try_from(text.len()) {
                Ok(_) => {
                    out.put_u8(STRING);
                    write_short(text, out);
                }
                Err(_) => {
                    out.put_u8(LONG_STRING);
                    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                    out.put_u32(length);
                    out.put_slice(&text.as_bytes()[..length as usize]);
                }
            },
            Self::Object(entries) => {
                out.put_u8(OBJECT);
                for (key, value) in entries {
                    write_short(key, out);
                    value.write(out);
                }
                out.put_slice(&[0, 0, OBJECT_END]);
            }
            Self::Null => out.put_u8(NULL),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

fn write_short(text: &str, out: &mut BytesMut) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.put_slice(&text.as_bytes()[..usize::from(length)]);
}

/// Reads the values of a message one after another.
pub struct Reader<'a> {
    bytes: &'a [u8],
    values_left: usize,
}

impl<'a> Reader<'a> {
    /// A reader of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, values_left: MAX_VALUES }
    }

    /// The bytes that have not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// Reads the next value.
    pub fn read(&mut self) -> Result<Value, Error> {
        self.read_nested(0)
    }

    fn read_nested(&mut self, depth: usize) -> Result<Value, Error> {
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep);
        }
        self.values_left = self.values_left.checked_sub(1).ok_or(Error::TooMany)?;
        match self.u8()? {
            NUMBER => Ok(Value::Number(self.f64()?)),
            BOOLEAN => Ok(Value::Boolean(self.u8()? != 0)),
            STRING => Ok(Value::Text(self.short_text()?)),
            LONG_STRING | XML => Ok(Value::Text(self.long_text()?)),
            NULL | UNDEFINED | UNSUPPORTED => Ok(Value::Null),
            OBJECT => self.entries(depth),
            ECMA_ARRAY => {
                // The count is a hint: the end marker decides.
                self.u32()?;
                self.entries(depth)
            }
            TYPED_OBJECT => {
                self.short_text()?;
                self.entries(depth)
            }
            STRICT_ARRAY => {
                let count = self.u32()?;
                let mut entries = Vec::new();
                for index in 0..count {
                    entries.push((index.to_string(), self.read_nested(depth + 1)?));
                }
                Ok(Value::Object(entries))
            }
            DATE => {
                let milliseconds = self.f64()?;
                // The time zone, which is always 0.
                self.take(2)?;
                Ok(Value::Number(milliseconds))
            }
            unknown => Err(Error::UnknownType(unknown)),
        }
    }

    fn entries(&mut self, depth: usize) -> Result<Value, Error> {
        let mut entries = Vec::new();
        loop {
            let key = self.short_text()?;
            if key.is_empty() && self.bytes.first() == Some(&OBJECT_END) {
                self.bytes.advance(1);
                return Ok(Value::Object(entries));
            }
            entries.push((key, self.read_nested(depth + 1)?));
        }
    }

    fn short_text(&mut self) -> Result<String, Error> {
        let length = self.bytes.try_get_u16().map_err(|_| Error::Truncated)?;
        self.text(usize::from(length))
    }

    fn long_text(&mut self) -> Result<String, Error> {
        let length = self.u32()?;
        self.text(length as usize)
    }

    fn text(&mut self, length: usize) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(Error::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, Error> {
        self.bytes.try_get_u8().map_err(|_| Error::Truncated)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.bytes.try_get_u32().map_err(|_| Error::Truncated)
    }

    fn f64(&mut self) -> Result<f64, Error> {
        self.bytes.try_get_f64().map_err(|_| Error::Truncated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Value, Error> {
        Reader::new(bytes).read()
    }

    #[test]
    fn a_value_that_is_written_is_read_back() {
        let value = Value::Object(vec![
            ("app".to_owned(), Value::from("live")),
            ("long".to_owned(), Value::Text("x".repeat(70_000))),
            ("inner".to_owned(), Value::Object(vec![("n".to_owned(), Value::Number(1.5))])),
            ("on".to_owned(), Value::Boolean(true)),
            ("none".to_owned(), Value::Null),
        ]);
        let mut out = BytesMut::new();
        value.write(&mut out);
        assert_eq!(read(&out), Ok(value));
    }

    #[test]
    fn arrays_dates_and_typed_objects_are_read() {
        let number = [0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0];
        let one = || Value::Number(1.0);
        let strict = [&[10, 0, 0, 0, 2][..], &number, &number].concat();
        assert_eq!(read(&strict), Ok(Value::Object(vec![("0".to_owned(), one()), ("1".to_owned(), one())])));
        // The count of an ECMA array may be wrong.
        let ecma = [&[8, 0, 0, 0, 0, 0, 1, b'a'][..], &number, &[0, 0, 9]].concat();
        assert_eq!(read(&ecma), Ok(Value::Object(vec![("a".to_owned(), one())])));
        let typed = [&[16, 0, 1, b'T', 0, 1, b'a'][..], &number, &[0, 0, 9]].concat();
        assert_eq!(read(&typed), Ok(Value::Object(vec![("a".to_owned(), one())])));
        let date = [&[11][..], &number[1..], &[0, 0]].concat();
        assert_eq!(read(&date), Ok(one()));
    }

    #[test]
    fn every_prefix_of_a_value_is_truncated() {
        let mut out = BytesMut::new();
        Value::Object(vec![("a".to_owned(), Value::Number(1.0)), ("b".to_owned(), Value::from("c"))]).write(&mut out);
        for length in 0..out.len() {
            assert_eq!(read(&out[..length]), Err(Error::Truncated), "{length} bytes");
        }
    }

    #[test]
    fn nesting_and_count_have_bounds() {
        let nested = |levels: usize| {
            let mut bytes = [3, 0, 1, b'a'].repeat(levels);
            bytes.push(5);
            bytes.extend([0, 0, 9].repeat(levels));
            bytes
        };
        assert!(read(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(read(&nested(MAX_DEPTH + 1)), Err(Error::TooDeep));
        let array = |count: usize| [&[10][..], &u32::try_from(count).unwrap().to_be_bytes(), &vec![5; count]].concat();
        assert!(read(&array(MAX_VALUES - 1)).is_ok());
        assert_eq!(read(&array(MAX_VALUES)), Err(Error::TooMany));
    }

    #[test]
    fn an_unknown_type_is_refused() {
        assert_eq!(read(&[17, 1]), Err(Error::UnknownType(17)));
    }
}
