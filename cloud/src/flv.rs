//! FLV tags: the form in which audio, video and metadata travel through the live cloud.

use bytes::Bytes;

/// What a tag carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
    /// A script: metadata of the stream, as `onMetaData`.
    Script,
}

/// An FLV tag without its header: RTMP messages and WebSocket messages carry the same body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// What the tag carries.
    pub kind: TagKind,
    /// The time of the tag in milliseconds, by the publisher's clock.
    pub time: u32,
    /// The body, as the FLV specification has it.
    pub body: Bytes,
}
