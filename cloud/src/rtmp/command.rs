//! The commands of a publisher: what a command message says, and the app and the stream that a publisher means.

use bytes::Bytes;

use super::{
    Error,
    amf::{Reader, Value},
};
use crate::bounds::MAX_COMMAND_BYTES;

/// How many values of a command are read: name, transaction, command object, and its arguments.
const MAX_COMMAND_VALUES: usize = 8;

/// A command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Command {
    pub(crate) name: String,
    /// The number that the answer repeats; 0 if there is to be none.
    pub(crate) transaction: f64,
    values: Vec<Value>,
}

impl Command {
    /// Reads the body of a command message. Values behind the first that cannot be read are left out: some encoders
    /// add AMF3 values that no command here uses.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Error> {
        if body.len() > MAX_COMMAND_BYTES {
            return Err(Error::CommandTooLong(body.len()));
        }
        let mut reader = Reader::new(body);
        let Value::Text(name) = reader.read()? else { return Err(Error::MissingArgument("name")) };
        let mut values = Vec::new();
        while values.len() < MAX_COMMAND_VALUES
            && let Ok(value) = reader.read()
        {
            values.push(value);
        }
        let transaction = values.first().and_then(Value::as_number).unwrap_or_default();
        Ok(Self { name, transaction, values })
    }

    /// The app that a `connect` names, with all that the publisher wrote behind it.
    pub(crate) fn app(&self) -> &str {
        let text = |key| self.values.get(1).and_then(|object| object.get(key)).and_then(Value::as_text);
        // The URL has the app behind its host: rtmp://host/app
        let of_url = || text("tcUrl").and_then(|url| url.split_once("://")?.1.split_once('/')).map(|(_, path)| path);
        text("app").or_else(of_url).unwrap_or_default()
    }

    /// The stream that a `publish` names.
    pub(crate) fn stream(&self) -> Result<&str, Error> {
        self.values.get(2).and_then(Value::as_text).ok_or(Error::MissingArgument("stream"))
    }
}

/// The app and the stream that a publisher means. `app` is what `connect` has, `stream` what `publish` has.
///
/// Encoders put the stream and its query into either, and leave slashes where they like.
pub(crate) fn target(app: &str, stream: &str) -> (String, String) {
    let (path, app_query) = app.split_once('?').unwrap_or((app, ""));
    let (stream, query) = stream.split_once('?').unwrap_or((stream, ""));
    let (path, mut stream) = (path.trim_matches('/'), stream.trim_matches('/'));
    let mut app = path;
    if stream.is_empty()
        && let Some((first, rest)) = path.split_once('/')
    {
        (app, stream) = (first, rest);
    }
    let query = if query.is_empty() { app_query } else { query };
    let stream = if query.is_empty() { stream.to_owned() } else { format!("{stream}?{query}") };
    (app.to_owned(), stream)
}

/// The body of a script tag in the body of a data message: without the `@setDataFrame` that asks a server to keep the
/// data. `None` for `@clearDataFrame`, which is no data.
pub(crate) fn script(body: &Bytes) -> Option<Bytes> {
    let mut reader = Reader::new(body);
    match reader.read().ok().as_ref().and_then(Value::as_text) {
        Some("@setDataFrame") => Some(body.slice(body.len() - reader.rest().len()..)),
        Some("@clearDataFrame") => None,
        Some(_) | None => Some(body.clone()),
    }
}

/// The AMF0 values in a message of the types for AMF3: those begin with a zero, which says that AMF0 follows.
pub(crate) fn unwrap_amf3(body: &Bytes) -> Bytes {
    if body.first() == Some(&0) { body.slice(1..) } else { body.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_app_and_the_stream_are_found_wherever_an_encoder_puts_them() {
        let expected = ("live".to_owned(), "8888_x?txSecret=1&txTime=2".to_owned());
        for (app, stream) in [
            ("live", "8888_x?txSecret=1&txTime=2"),
            ("live/", "8888_x?txSecret=1&txTime=2"),
            ("/live", "/8888_x?txSecret=1&txTime=2"),
            ("live?vhost=push.example", "8888_x?txSecret=1&txTime=2"),
            ("live?txSecret=1&txTime=2", "8888_x"),
            ("live/?txSecret=1&txTime=2", "8888_x"),
            ("live/8888_x?txSecret=1&txTime=2", ""),
            ("live/8888_x", "?txSecret=1&txTime=2"),
        ] {
            assert_eq!(target(app, stream), expected, "{app} and {stream}");
        }
        assert_eq!(target("live", "8888_x"), ("live".to_owned(), "8888_x".to_owned()));
        assert_eq!(target("", ""), (String::new(), String::new()));
        assert_eq!(target("live/more", "x"), ("live/more".to_owned(), "x".to_owned()));
    }

    #[test]
    fn the_app_is_taken_from_the_url_if_connect_has_none() {
        let connect = |entries: &[(&str, &str)]| Command {
            name: "connect".to_owned(),
            transaction: 1.0,
            values: vec![Value::Number(1.0), Value::texts(entries)],
        };
        assert_eq!(connect(&[("app", "live"), ("tcUrl", "rtmp://h/other")]).app(), "live");
        assert_eq!(connect(&[("tcUrl", "rtmp://h:1935/live/8888_x?a=b")]).app(), "live/8888_x?a=b");
        assert_eq!(connect(&[("tcUrl", "rtmp://h")]).app(), "");
    }
}
