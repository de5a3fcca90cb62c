//! The connection of a publisher as a state machine without I/O: bytes in; a push, its tags and answers out.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{
    Error,
    aggregate::Aggregate,
    amf::Value,
    chunk::{ChunkReader, ChunkWriter, Message},
    command::{Command, script, target, unwrap_amf3},
    handshake::Handshake,
};
use crate::{
    bounds::{MAX_COMMAND_BYTES, MAX_TARGET_BYTES},
    flv::{Tag, TagKind},
};

/// The types of messages.
const ACKNOWLEDGEMENT: u8 = 3;
const USER_CONTROL: u8 = 4;
const WINDOW_SIZE: u8 = 5;
const PEER_BANDWIDTH: u8 = 6;
const AUDIO: u8 = 8;
const VIDEO: u8 = 9;
const DATA_AMF3: u8 = 15;
const COMMAND_AMF3: u8 = 17;
const DATA: u8 = 18;
const COMMAND: u8 = 20;
const AGGREGATE: u8 = 22;

/// The events of user control messages.
const PING: u16 = 6;
const PONG: u16 = 7;

/// The chunk streams of answers.
const CONTROL_CHUNKS: u8 = 2;
const COMMAND_CHUNKS: u8 = 3;

/// The acknowledgement window that both sides use unless the publisher names its own.
const WINDOW_BYTES: u32 = 2_500_000;
/// The kind of bandwidth limit that a publisher may adapt to.
const DYNAMIC_LIMIT: u8 = 2;
/// The chunk size of answers. Every answer but a long reason fits into one chunk.
const CHUNK_BYTES: u16 = 4096;
/// The message stream that `createStream` gives. A connection has one push.
const MESSAGE_STREAM: f64 = 1.0;

/// Why `play` is refused.
pub const PLAY_REFUSED: &str = "this port only takes pushes; play the stream by HTTP-FLV or HLS";
/// Why a push with a very long name is refused.
pub const TARGET_TOO_LONG: &str = "the push URL is too long";

/// What a publisher does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The publisher wants to push. Nothing more is read until [`Session::accept`] or [`Session::refuse`].
    Publish {
        /// The app, without slashes and query.
        app: String,
        /// The stream id, with the query of the push URL.
        stream: String,
    },
    /// The next tag of the push that was accepted.
    Tag(Tag),
    /// The publisher ended the push.
    Close,
    /// The connection is refused, and the answer with this reason is in the output.
    Refused(&'static str),
}

/// The state of a connection.
#[derive(Debug)]
pub struct Session {
    handshake: Handshake,
    chunks: ChunkReader,
    writer: ChunkWriter,
    output: BytesMut,
    phase: Phase,
    /// The app of `connect`, as it was sent.
    app: String,
    /// The message stream of the push.
    stream: u32,
    /// The aggregate message whose tags are being returned.
    aggregate: Option<Aggregate>,
    acknowledgements: Acknowledgements,
}

/// The phases of a connection, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before `connect`.
    New,
    /// Before `publish`.
    Connected,
    /// The push is neither accepted nor refused.
    Deciding,
    /// The push was accepted.
    Publishing,
    /// Everything that follows is ignored.
    Ended,
}

/// The count of received bytes, which the publisher wants to know once a window.
#[derive(Debug)]
struct Acknowledgements {
    received: u32,
    acknowledged: u32,
    window: u32,
}

impl Default for Acknowledgements {
    fn default() -> Self {
        Self { received: 0, acknowledged: 0, window: WINDOW_BYTES }
    }
}

impl Default for Session {
    fn default() -> Self {
        Self {
            handshake: Handshake::default(),
            // Whoever has no push has only commands to send.
            chunks: ChunkReader::locked(MAX_COMMAND_BYTES),
            writer: ChunkWriter::default(),
            output: BytesMut::new(),
            phase: Phase::New,
            app: String::new(),
            stream: 0,
            aggregate: None,
            acknowledgements: Acknowledgements::default(),
        }
    }
}

impl Session {
    /// Takes bytes from `input` until an event happens. `None`: everything that can be used has been taken. The answers
    /// are in [`Session::output`] after each call, also after an error.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<Option<Event>, Error> {
        let before = input.len();
        let event = self.read_event(input);
        self.acknowledge(before - input.len());
        event
    }

    /// The bytes to be sent to the publisher, who takes them from here.
    pub fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// How many bytes of incomplete messages are held.
    pub fn buffered_bytes(&self) -> usize {
        self.chunks.buffered_bytes() + self.aggregate.as_ref().map_or(0, Aggregate::len)
    }

    /// Accepts the push that the publisher asked for.
    pub fn accept(&mut self) {
        if self.phase == Phase::Deciding {
            self.phase = Phase::Publishing;
            self.chunks.unlock();
            self.status("status", "NetStream.Publish.Start", "the push is accepted");
        }
    }

    /// Refuses the push that the publisher asked for. The connection is to be closed.
    pub fn refuse(&mut self, reason: &str) {
        self.phase = Phase::Ended;
        self.status("error", "NetStream.Publish.BadName", reason);
    }

    /// Tells the publisher that the push is cut. The connection is to be closed.
    pub fn cut(&mut self, reason: &str) {
        self.phase = Phase::Ended;
        self.status("error", "NetStream.Publish.Rejected", reason);
    }

    fn read_event(&mut self, input: &mut BytesMut) -> Result<Option<Event>, Error> {
        loop {
            match self.phase {
                Phase::Deciding => return Ok(None),
                Phase::Ended => {
                    input.clear();
                    return Ok(None);
                }
                Phase::New | Phase::Connected | Phase::Publishing => {}
            }
            if let Some(aggregate) = &mut self.aggregate {
                match aggregate.next() {
                    Some(tag) => return Ok(Some(Event::Tag(tag))),
                    None => self.aggregate = None,
                }
            }
            if !self.handshake.read(input, &mut self.output)? {
                return Ok(None);
            }
            let Some(message) = self.chunks.read(input)? else { return Ok(None) };
            if let Some(event) = self.message(message)? {
                return Ok(Some(event));
            }
        }
    }

    fn message(&mut self, message: Message) -> Result<Option<Event>, Error> {
        match message.kind {
            USER_CONTROL => self.user_control(&message)?,
            // A window of 0 would ask for an acknowledgement of nothing.
            WINDOW_SIZE => self.acknowledgements.window = message.word()?.max(1),
            COMMAND => return self.command(&message.body, message.stream),
            COMMAND_AMF3 => return self.command(&unwrap_amf3(&message.body), message.stream),
            AUDIO => return Ok(self.tag(TagKind::Audio, message.time, Some(message.body))),
            VIDEO => return Ok(self.tag(TagKind::Video, message.time, Some(message.body))),
            DATA => return Ok(self.tag(TagKind::Script, message.time, script(&message.body))),
            DATA_AMF3 => {
                let body = script(&unwrap_amf3(&message.body));
                return Ok(self.tag(TagKind::Script, message.time, body));
            }
            AGGREGATE if self.phase == Phase::Publishing => {
                self.aggregate = Some(Aggregate::new(message.time, message.body));
            }
            // Acknowledgements, and what only players and shared objects have.
            _ => {}
        }
        Ok(None)
    }

    /// A tag of the push. Tags before the push and empty ones are left out.
    fn tag(&self, kind: TagKind, time: u32, body: Option<Bytes>) -> Option<Event> {
        let body = body.filter(|body| self.phase == Phase::Publishing && !body.is_empty())?;
        Some(Event::Tag(Tag { kind, time, body }))
    }

    fn user_control(&mut self, message: &Message) -> Result<(), Error> {
        let short = |_| Error::ShortMessage(USER_CONTROL);
        let mut body = &message.body[..];
        if body.try_get_u16().map_err(short)? == PING {
            let time = body.try_get_u32().map_err(short)?;
            let mut pong = BytesMut::new();
            pong.put_u16(PONG);
            pong.put_u32(time);
            self.control(USER_CONTROL, pong.freeze());
        }
        Ok(())
    }

    fn command(&mut self, body: &[u8], message_stream: u32) -> Result<Option<Event>, Error> {
        let command = Command::read(body)?;
        match command.name.as_str() {
            "connect" => self.connect(&command)?,
            "createStream" => self.result(&command, Value::Null, Value::Number(MESSAGE_STREAM)),
            "publish" => return self.publish(&command, message_stream),
            "play" | "play2" => {
                (self.phase, self.stream) = (Phase::Ended, message_stream);
                self.status("error", "NetStream.Play.Failed", PLAY_REFUSED);
                return Ok(Some(Event::Refused(PLAY_REFUSED)));
            }
            "deleteStream" | "closeStream" if self.phase == Phase::Publishing => {
                self.phase = Phase::Ended;
                return Ok(Some(Event::Close));
            }
            // Encoders announce a push by these, and some wait for the answer. FCUnpublish comes before deleteStream,
            // with tags in between: only the latter ends the push.
            "releaseStream" | "FCPublish" | "FCUnpublish" | "getStreamLength" | "_checkbw" => {
                self.result(&command, Value::Null, Value::Null);
            }
            _ => {}
        }
        Ok(None)
    }

    fn connect(&mut self, command: &Command) -> Result<(), Error> {
        if self.phase != Phase::New {
            return Err(Error::UnexpectedCommand("connect"));
        }
        self.phase = Phase::Connected;
        command.app().clone_into(&mut self.app);
        let window = WINDOW_BYTES.to_be_bytes();
        self.control(WINDOW_SIZE, Bytes::copy_from_slice(&window));
        self.control(PEER_BANDWIDTH, [&window[..], &[DYNAMIC_LIMIT]].concat().into());
        self.writer.set_chunk_bytes(CHUNK_BYTES, &mut self.output);
        let server = Value::Object(vec![
            // The form in which encoders look for a version: vendor, four numbers.
            ("fmsVer".to_owned(), Value::from("MiniLVB/1,0,0,0")),
            ("capabilities".to_owned(), Value::Number(31.0)),
        ]);
        let status = Value::Object(vec![
            ("level".to_owned(), Value::from("status")),
            ("code".to_owned(), Value::from("NetConnection.Connect.Success")),
            ("description".to_owned(), Value::from("connected")),
            // Commands in AMF0, whatever the publisher offered.
            ("objectEncoding".to_owned(), Value::Number(0.0)),
        ]);
        self.result(command, server, status);
        Ok(())
    }

    fn publish(&mut self, command: &Command, message_stream: u32) -> Result<Option<Event>, Error> {
        if self.phase != Phase::Connected {
            return Err(Error::UnexpectedCommand("publish"));
        }
        let (app, stream) = (self.app.as_str(), command.stream()?);
        self.stream = message_stream;
        if app.len() + stream.len() > MAX_TARGET_BYTES {
            self.refuse(TARGET_TOO_LONG);
            return Ok(Some(Event::Refused(TARGET_TOO_LONG)));
        }
        let (app, stream) = target(app, stream);
        self.phase = Phase::Deciding;
        Ok(Some(Event::Publish { app, stream }))
    }

    /// Counts bytes that were taken. Half a window is acknowledged at once, so that no publisher waits for it.
    fn acknowledge(&mut self, taken: usize) {
        let Acknowledgements { received, acknowledged, window } = &mut self.acknowledgements;
        // The count on the wire wraps.
        *received = received.wrapping_add(u32::try_from(taken).unwrap_or(u32::MAX));
        if received.wrapping_sub(*acknowledged) >= window.div_ceil(2) && matches!(self.handshake, Handshake::Done) {
            *acknowledged = *received;
            let count = received.to_be_bytes();
            self.control(ACKNOWLEDGEMENT, Bytes::copy_from_slice(&count));
        }
    }

    fn control(&mut self, kind: u8, body: Bytes) {
        self.writer.write(CONTROL_CHUNKS, &Message { kind, time: 0, stream: 0, body }, &mut self.output);
    }

    /// Answers a command, if the publisher waits for an answer.
    fn result(&mut self, command: &Command, properties: Value, information: Value) {
        if command.transaction != 0.0 {
            let result = [Value::from("_result"), Value::Number(command.transaction), properties, information];
            self.send_command(0, &result);
        }
    }

    fn status(&mut self, level: &str, code: &str, description: &str) {
        let status = Value::texts(&[("level", level), ("code", code), ("description", description)]);
        self.send_command(self.stream, &[Value::from("onStatus"), Value::Number(0.0), Value::Null, status]);
    }

    fn send_command(&mut self, stream: u32, values: &[Value]) {
        let mut body = BytesMut::new();
        for value in values {
            value.write(&mut body);
        }
        let message = Message { kind: COMMAND, time: 0, stream, body: body.freeze() };
        self.writer.write(COMMAND_CHUNKS, &message, &mut self.output);
    }
}
