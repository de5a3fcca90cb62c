//! The ways in which a publisher can break RTMP.

use super::amf;
use crate::bounds::{MAX_CHUNK_STREAMS, MAX_COMMAND_BYTES};

/// What is wrong with the bytes of a publisher. Each error ends the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The first byte is not the version of RTMP.
    #[error("the connection begins with byte {0}, not with version 3 of RTMP")]
    Version(u8),
    /// A message is too long.
    #[error("a message of {0} bytes; at most {1} are accepted")]
    MessageTooLong(usize, usize),
    /// A command is too long.
    #[error("a command of {0} bytes; at most {MAX_COMMAND_BYTES} are accepted")]
    CommandTooLong(usize),
    /// There are too many chunk streams.
    #[error("more than {MAX_CHUNK_STREAMS} chunk streams")]
    TooManyChunkStreams,
    /// Too many messages have begun and are not complete.
    #[error("more than {0} bytes of incomplete messages")]
    TooManyPartialBytes(usize),
    /// The chunk size is zero or has its highest bit set.
    #[error("a chunk size of {0}")]
    ChunkSize(u32),
    /// The first chunk of a chunk stream refers to an earlier one.
    #[error("the first chunk of chunk stream {0} refers to an earlier chunk")]
    NoEarlierChunk(u32),
    /// A message begins before the earlier one of its chunk stream is complete.
    #[error("a message begins within another on chunk stream {0}")]
    MessageWithinMessage(u32),
    /// A message of the protocol itself is too short.
    #[error("a message of type {0} is too short")]
    ShortMessage(u8),
    /// A command cannot be read.
    #[error("a command cannot be read: {0}")]
    Command(#[from] amf::Error),
    /// A command has no name, or lacks an argument.
    #[error("a command lacks its {0}")]
    MissingArgument(&'static str),
    /// A command comes at the wrong time.
    #[error("the command {0} is not expected here")]
    UnexpectedCommand(&'static str),
}
