//! The chunk stream of RTMP: bytes to messages, and messages to bytes. No I/O.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::Error;
use crate::bounds::{MAX_CHUNK_STREAMS, MAX_MESSAGE_BYTES, MAX_PARTIAL_BYTES};

/// The chunk size of a connection before its first Set Chunk Size.
const DEFAULT_CHUNK_BYTES: usize = 128;
/// The memory that is set aside at most for a message when it begins. Longer messages grow with the bytes that arrive,
/// so headers alone cannot claim much memory.
const INITIAL_BODY_BYTES: usize = 128 << 10;
/// The value of a timestamp field that says that an extended timestamp follows.
const EXTENDED: u32 = 0xff_ffff;

/// The types of messages that belong to the chunk stream itself.
const SET_CHUNK_SIZE: u8 = 1;
const ABORT: u8 = 2;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The type of the message.
    pub kind: u8,
    /// The timestamp in milliseconds.
    pub time: u32,
    /// The id of the message stream.
    pub stream: u32,
    /// The body.
    pub body: Bytes,
}

/// Reads messages from chunks.
#[derive(Debug)]
pub struct ChunkReader {
    chunk_bytes: usize,
    /// The longest message, and how many bytes of incomplete ones there may be.
    max_message: usize,
    max_partial: usize,
    streams: BTreeMap<u32, ChunkStream>,
    /// The bytes of all incomplete messages.
    partial_bytes: usize,
    /// The chunk whose header has been read: its chunk stream, and how many of its bytes are missing.
    chunk: Option<(u32, usize)>,
}

/// The last header of a chunk stream, and the part of a message that has arrived.
#[derive(Debug, Default)]
struct ChunkStream {
    header: Header,
    body: BytesMut,
}

#[derive(Clone, Copy, Debug, Default)]
struct Header {
    /// The timestamp of the message.
    time: u32,
    /// The timestamp or the delta, as the header had it.
    field: u32,
    /// Whether `field` is a timestamp and not a delta.
    is_absolute: bool,
    /// Whether `field` came as an extended timestamp.
    is_extended: bool,
    length: usize,
    kind: u8,
    stream: u32,
}

impl Default for ChunkReader {
    fn default() -> Self {
        Self {
            chunk_bytes: DEFAULT_CHUNK_BYTES,
            max_message: MAX_MESSAGE_BYTES,
            max_partial: MAX_PARTIAL_BYTES,
            streams: BTreeMap::new(),
            partial_bytes: 0,
            chunk: None,
        }
    }
}

impl ChunkReader {
    /// A reader that accepts messages up to this length, and as many bytes of incomplete ones, until [`Self::unlock`].
    pub fn locked(max_message: usize) -> Self {
        Self { max_message, max_partial: max_message, ..Self::default() }
    }

    /// Accepts the messages of a push from now on.
    pub fn unlock(&mut self) {
        (self.max_message, self.max_partial) = (MAX_MESSAGE_BYTES, MAX_PARTIAL_BYTES);
    }

    /// Takes bytes from `input` until a message is complete. `None`: more bytes are needed, and at most a header of
    /// 18 bytes is left in `input`. Set Chunk Size and Abort are obeyed and not returned.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<Option<Message>, Error> {
        loop {
            let Some((id, missing)) = self.chunk else {
                if self.read_header(input)? {
                    continue;
                }
                return Ok(None);
            };
            let stream = self.streams.entry(id).or_default();
            let taken = missing.min(input.len());
            stream.body.extend_from_slice(&input[..taken]);
            input.advance(taken);
            self.partial_bytes += taken;
            if self.partial_bytes > self.max_partial {
                return Err(Error::TooManyPartialBytes(self.max_partial));
            }
            if taken < missing {
                self.chunk = Some((id, missing - taken));
                return Ok(None);
            }
            self.chunk = None;
            if stream.body.len() < stream.header.length {
                continue;
            }
            let Header { time, kind, stream: message_stream, .. } = stream.header;
            let body = std::mem::take(&mut stream.body).freeze();
            self.partial_bytes -= body.len();
            let message = Message { kind, time, stream: message_stream, body };
            match message.kind {
                SET_CHUNK_SIZE => self.set_chunk_bytes(message.word()?)?,
                ABORT => self.abort(message.word()?),
                _ => return Ok(Some(message)),
            }
        }
    }

    /// How many bytes of incomplete messages are held.
    pub fn buffered_bytes(&self) -> usize {
        self.partial_bytes
    }

    /// Reads the header of a chunk. `false`: more bytes are needed, and none were taken.
    fn read_header(&mut self, input: &mut BytesMut) -> Result<bool, Error> {
        let mut rest: &[u8] = input;
        let Some((format, id)) = read_basic_header(&mut rest) else { return Ok(false) };
        let old = self.streams.get(&id);
        if old.is_none() {
            // Some encoders begin a chunk stream with format 1: the message is of stream 0 and its delta the timestamp.
            if format > 1 {
                return Err(Error::NoEarlierChunk(id));
            }
            if self.streams.len() >= MAX_CHUNK_STREAMS {
                return Err(Error::TooManyChunkStreams);
            }
        }
        let arrived = old.map_or(0, |stream| stream.body.len());
        let mut header = old.map(|stream| stream.header).unwrap_or_default();
        if arrived == 0 {
            if header.read(format, &mut rest).is_none() {
                return Ok(false);
            }
        } else if format < 3 {
            return Err(Error::MessageWithinMessage(id));
        } else if header.is_extended && header.skip_repeated_timestamp(&mut rest).is_none() {
            return Ok(false);
        }
        if header.length > self.max_message {
            return Err(Error::MessageTooLong(header.length, self.max_message));
        }
        let taken = input.len() - rest.len();
        input.advance(taken);
        let stream = self.streams.entry(id).or_default();
        stream.header = header;
        if arrived == 0 {
            stream.body.reserve(header.length.min(INITIAL_BODY_BYTES).min(self.max_partial - self.partial_bytes));
        }
        self.chunk = Some((id, (header.length - arrived).min(self.chunk_bytes)));
        Ok(true)
    }

    fn set_chunk_bytes(&mut self, bytes: u32) -> Result<(), Error> {
        if bytes == 0 || bytes > i32::MAX.unsigned_abs() {
            return Err(Error::ChunkSize(bytes));
        }
        self.chunk_bytes = bytes as usize;
        Ok(())
    }

    /// Drops the incomplete message of a chunk stream.
    fn abort(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id) {
            self.partial_bytes -= std::mem::take(&mut stream.body).len();
        }
    }
}

impl Message {
    /// The first four bytes of the body as a number.
    pub fn word(&self) -> Result<u32, Error> {
        (&self.body[..]).try_get_u32().map_err(|_| Error::ShortMessage(self.kind))
    }
}

/// Reads the format of a chunk and its chunk stream.
fn read_basic_header(rest: &mut &[u8]) -> Option<(u8, u32)> {
    let first = rest.try_get_u8().ok()?;
    let id = match first & 0x3f {
        0 => 64 + u32::from(rest.try_get_u8().ok()?),
        1 => 64 + u32::from(rest.try_get_u16_le().ok()?),
        id => u32::from(id),
    };
    Some((first >> 6, id))
}

impl Header {
    /// Reads the header of a chunk that begins a message. `None`: it is not complete.
    fn read(&mut self, format: u8, rest: &mut &[u8]) -> Option<()> {
        let mut field = if self.is_extended { EXTENDED } else { self.field };
        if format < 3 {
            field = read_u24(rest)?;
            self.is_absolute = format == 0;
        }
        if format < 2 {
            self.length = read_u24(rest)? as usize;
            self.kind = rest.try_get_u8().ok()?;
        }
        if format == 0 {
            self.stream = rest.try_get_u32_le().ok()?;
        }
        self.is_extended = field == EXTENDED;
        self.field = if self.is_extended { rest.try_get_u32().ok()? } else { field };
        // A format 3 chunk after a format 0 chunk takes the timestamp of the latter as its delta, so the specification
        // and ffmpeg. An extended field is repeated in full, and is a timestamp still.
        let is_timestamp = self.is_absolute && (format == 0 || self.is_extended);
        self.time = if is_timestamp { self.field } else { self.time.wrapping_add(self.field) };
        Some(())
    }

    /// Skips the extended timestamp that a chunk within a message repeats. `None`: its bytes have not arrived.
    ///
    /// Encoders differ: most repeat the field, some write the timestamp of the message where the field is a delta, and
    /// old ones write nothing. Four bytes that are neither belong to the body.
    fn skip_repeated_timestamp(self, rest: &mut &[u8]) -> Option<()> {
        let mut ahead = *rest;
        let repeated = ahead.try_get_u32().ok()?;
        if repeated == self.field || repeated == self.time {
            *rest = ahead;
        }
        Some(())
    }
}

fn read_u24(rest: &mut &[u8]) -> Option<u32> {
    let (high, low) = (rest.try_get_u8().ok()?, rest.try_get_u16().ok()?);
    Some(u32::from(high) << 16 | u32::from(low))
}

/// Writes messages as chunks.
#[derive(Debug)]
pub struct ChunkWriter {
    chunk_bytes: usize,
}

impl Default for ChunkWriter {
    fn default() -> Self {
        Self { chunk_bytes: DEFAULT_CHUNK_BYTES }
    }
}

impl ChunkWriter {
    /// Appends a Set Chunk Size to `out` and uses this size from then on. A size of 0 is written as 1.
    pub fn set_chunk_bytes(&mut self, bytes: u16, out: &mut BytesMut) {
        let bytes = bytes.max(1);
        let body = Bytes::copy_from_slice(&u32::from(bytes).to_be_bytes());
        self.write(2, &Message { kind: SET_CHUNK_SIZE, time: 0, stream: 0, body }, out);
        self.chunk_bytes = usize::from(bytes);
    }

    /// Appends a message to `out`, all of it in one go. `chunk_stream` is one of 2 to 63.
    pub fn write(&self, chunk_stream: u8, message: &Message, out: &mut BytesMut) {
        let field = message.time.min(EXTENDED);
        out.put_u8(chunk_stream);
        out.put_uint(u64::from(field), 3);
        out.put_uint(message.body.len() as u64, 3);
        out.put_u8(message.kind);
        out.put_u32_le(message.stream);
        let mut parts = message.body.chunks(self.chunk_bytes);
        let first = parts.next().unwrap_or_default();
        for (index, part) in std::iter::once(first).chain(parts).enumerate() {
            if index > 0 {
                out.put_u8(0xc0 | chunk_stream);
            }
            if field == EXTENDED {
                out.put_u32(message.time);
            }
            out.put_slice(part);
        }
    }
}
