//! What the tests stand on: a recorder in the place of the live cloud, and the bytes of a publisher.

use std::{
    future::pending,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use bytes::{Bytes, BytesMut};
use cloud::{
    flv::{Tag, TagKind},
    publish::{CutReason, EndReason, Ingest, Push, Refused},
    rtmp::{
        amf::{Reader, Value},
        chunk::{ChunkReader, ChunkWriter, Message},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::watch,
};

/// The types of messages that a publisher sends.
pub(crate) const USER_CONTROL: u8 = 4;
pub(crate) const AUDIO: u8 = 8;
pub(crate) const VIDEO: u8 = 9;
pub(crate) const COMMAND_AMF3: u8 = 17;
pub(crate) const DATA: u8 = 18;
pub(crate) const COMMAND: u8 = 20;

/// The length of the handshake in each direction.
pub(crate) const HANDSHAKE_BYTES: usize = 1 + 2 * 1536;
/// The size of the pipe between publisher and ingest.
pub(crate) const PIPE_BYTES: usize = 64 << 10;

/// A live cloud that records everything.
#[derive(Clone)]
pub(crate) struct Recorder {
    record: Arc<Mutex<Record>>,
    cut: watch::Sender<Option<CutReason>>,
    refusal: Option<&'static str>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record {
    /// The app and the stream of each push.
    pub(crate) opened: Vec<(String, String)>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) ends: Vec<EndReason>,
}

pub(crate) struct RecordedPush(Recorder);

impl Recorder {
    pub(crate) fn new() -> Self {
        Self { record: Arc::default(), cut: watch::Sender::new(None), refusal: None }
    }

    /// A live cloud that refuses every push.
    pub(crate) fn refusing(reason: &'static str) -> Self {
        Self { refusal: Some(reason), ..Self::new() }
    }

    pub(crate) fn record(&self) -> Record {
        self.record.lock().unwrap().clone()
    }

    /// Cuts the push, also one that is opened later.
    pub(crate) fn cut(&self, reason: &'static str) {
        self.cut.send_replace(Some(CutReason(reason.into())));
    }
}

impl Ingest for Recorder {
    type Push = RecordedPush;

    fn open(&self, app: &str, stream: &str, _from: Option<IpAddr>) -> Result<RecordedPush, Refused> {
        if let Some(reason) = self.refusal {
            return Err(Refused(reason.into()));
        }
        self.record.lock().unwrap().opened.push((app.to_owned(), stream.to_owned()));
        Ok(RecordedPush(self.clone()))
    }
}

impl Push for RecordedPush {
    fn tag(&mut self, tag: Tag) {
        self.0.record.lock().unwrap().tags.push(tag);
    }

    async fn cut(&self) -> CutReason {
        let mut cut = self.0.cut.subscribe();
        match cut.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone()) {
            Some(reason) => reason,
            None => pending().await,
        }
    }

    fn end(self, reason: EndReason) {
        self.0.record.lock().unwrap().ends.push(reason);
    }
}

pub(crate) fn tag(kind: TagKind, time: u32, body: &[u8]) -> Tag {
    Tag { kind, time, body: Bytes::copy_from_slice(body) }
}

/// The handshake of a publisher: C0, C1 and C2 in one go.
pub(crate) fn handshake() -> Vec<u8> {
    let mut bytes = vec![7; HANDSHAKE_BYTES];
    bytes[0] = 3;
    bytes
}

/// A message in chunks of the default size.
pub(crate) fn message(kind: u8, time: u32, stream: u32, body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    let message = Message { kind, time, stream, body: Bytes::copy_from_slice(body) };
    ChunkWriter::default().write(if kind == COMMAND { 3 } else { 4 }, &message, &mut out);
    out.to_vec()
}

pub(crate) fn values(values: &[Value]) -> Vec<u8> {
    let mut out = BytesMut::new();
    for value in values {
        value.write(&mut out);
    }
    out.to_vec()
}

pub(crate) fn command(name: &str, transaction: f64, stream: u32, arguments: &[Value]) -> Vec<u8> {
    let head = [Value::from(name), Value::Number(transaction)];
    message(COMMAND, 0, stream, &values(&[&head[..], arguments].concat()))
}

pub(crate) fn connect(app: &str) -> Vec<u8> {
    let object = Value::texts(&[("app", app), ("type", "nonprivate"), ("tcUrl", "rtmp://127.0.0.1/live")]);
    command("connect", 1.0, 0, &[object])
}

pub(crate) fn publish(stream: &str) -> Vec<u8> {
    command("publish", 5.0, 1, &[Value::Null, Value::from(stream), Value::from("live")])
}

/// The bytes of a publisher up to its first tag, as OBS sends them.
pub(crate) fn opening() -> Vec<u8> {
    let name = || Value::from("8888_x");
    [
        handshake(),
        connect("live"),
        command("releaseStream", 2.0, 0, &[Value::Null, name()]),
        command("FCPublish", 3.0, 0, &[Value::Null, name()]),
        command("createStream", 4.0, 0, &[Value::Null]),
        publish("8888_x?txSecret=abc&txTime=65A0"),
    ]
    .concat()
}

/// The bytes with which a publisher ends its push.
pub(crate) fn closing() -> Vec<u8> {
    [
        command("FCUnpublish", 6.0, 0, &[Value::Null, Value::from("8888_x")]),
        command("deleteStream", 7.0, 0, &[Value::Null, Value::Number(1.0)]),
    ]
    .concat()
}

/// A publisher's side of a connection.
pub(crate) struct Publisher(pub(crate) DuplexStream);

impl Publisher {
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The messages of the ingest until it closes the connection.
    pub(crate) async fn answers(&mut self) -> Vec<Message> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).await.unwrap();
        let mut input = BytesMut::from(&bytes[HANDSHAKE_BYTES..]);
        let mut reader = ChunkReader::default();
        std::iter::from_fn(|| reader.read(&mut input).unwrap()).collect()
    }
}

/// Each command of these answers in one line: its name, and the transaction or the code and the description.
pub(crate) fn commands(answers: &[Message]) -> Vec<String> {
    let line = |message: &Message| {
        let mut reader = Reader::new(&message.body);
        let values: Vec<Value> = std::iter::from_fn(|| reader.read().ok()).collect();
        let name = values[0].as_text().unwrap();
        match values[3].get("code").and_then(Value::as_text) {
            Some(code) if name == "onStatus" => {
                format!("{code}: {}", values[3].get("description").unwrap().as_text().unwrap())
            }
            Some(_) | None => format!("{name} {}", values[1].as_number().unwrap()),
        }
    };
    answers.iter().filter(|message| message.kind == COMMAND).map(line).collect()
}
