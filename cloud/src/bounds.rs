//! What publishers, viewers and callers may make the live cloud hold: every bound of memory, disk and number, with its
//! reason. The limits of time are with the code that waits.
//!
//! A connection without a signed URL holds at most some 100 KB. A push is accepted by its signature, and then holds at
//! most [`MAX_PARTIAL_BYTES`] of incomplete messages, [`BACKLOG_BYTES`] for viewers and [`MAX_UNRECORDED_BYTES`] for the
//! disk. A viewer holds no video of its own: all viewers of a push share one copy of each tag.

// Pushes

/// How many pushes there may be, by RTMP and WebSocket together, until their files are complete. Each has a thread, which
/// writes its files.
pub const MAX_PUSHES: usize = 100;
/// The longest message of a push, by RTMP or WebSocket. A key frame of a push of 20 Mbit/s has some 1 MB.
pub const MAX_MESSAGE_BYTES: usize = 4 << 20;
/// How many bytes of incomplete RTMP messages a push may have: one of the longest, and others beside it.
pub const MAX_PARTIAL_BYTES: usize = MAX_MESSAGE_BYTES + (1 << 20);
/// The longest RTMP message before a push is accepted, which is also the longest command at any time. A command has some
/// 300 bytes.
pub const MAX_COMMAND_BYTES: usize = 64 << 10;
/// How many RTMP chunk streams a connection may use. Encoders use three to six.
pub const MAX_CHUNK_STREAMS: usize = 16;
/// The longest app and stream in RTMP, with their queries. A signed URL has some 200 bytes.
pub const MAX_TARGET_BYTES: usize = 2048;
/// How many bytes of pongs and a close frame wait for a WebSocket publisher that does not read.
pub const MAX_UNSENT_PUBLISHER_BYTES: usize = 4096;

// Viewers

/// How many tags of a push are kept for viewers that fall behind: two seconds of audio and video. The tags since the last
/// key frame are kept besides, up to the following two bounds.
pub const BACKLOG_TAGS: usize = 128;
/// How many tags of a push are kept at most. A minute has some 4000.
pub const MAX_BACKLOG_TAGS: usize = 4096;
/// How many bytes of a push are kept at most: 40 s of 1.6 Mbit/s. A viewer that falls behind farther goes on with a key
/// frame.
pub const BACKLOG_BYTES: usize = 8 << 20;
/// How many bytes of a response wait for a client that does not read, and how many bytes the head of a request may have.
/// The tag or the piece of a file that exceeds the bound is kept whole.
pub const MAX_CONNECTION_BYTES: usize = 16 << 10;

// HLS and recordings

/// How many bytes of tags may wait for the disk: 80 s of 1.6 Mbit/s. A recording whose disk is slower ends early.
pub const MAX_UNRECORDED_BYTES: usize = 16 << 20;
/// How many tags may wait for the disk: half a minute of audio and video.
pub const MAX_UNRECORDED_TAGS: usize = 2048;
/// The longest segment of HLS: players read it as a whole. It is cut at the next frame.
pub const MAX_SEGMENT_BYTES: usize = 8 << 20;
/// The longest parameter sets of H.264 that HLS carries: they are repeated before each key frame. Encoders have less than
/// 200 bytes.
pub const MAX_PARAMETER_SET_BYTES: usize = 4096;
/// The longest file of a recording, whatever interval a push URL names: the signature of the URL does not cover it.
pub const MAX_INTERVAL_SECONDS: u64 = 24 * 3600;
/// After how many bytes of files, and how many segments, a recording goes on with new files. Two hours of 1.6 Mbit/s have
/// 2.9 GB and 3600 segments. The recording of a publisher who sends no key frame ends at twice as much.
pub const MAX_PART_BYTES: u64 = 4 << 30;
/// See [`MAX_PART_BYTES`].
pub const MAX_PART_SEGMENTS: usize = 20_000;
/// How large all recordings may be, those that are being written included. An hour of 1.6 Mbit/s in both formats is 1.4 GB.
/// The oldest ones are deleted.
pub const MAX_RECORDED_BYTES: u64 = 20 << 30;

// Pictures

/// The longest picture that ffmpeg takes of a push. A picture of 1080p has some 300 KB.
pub const MAX_PICTURE_BYTES: u64 = 4 << 20;
/// How many pictures ffmpeg takes at a time. Others are taken at the next key frame.
pub const MAX_CAMERAS: usize = 4;
/// The longest picture in the object storage: a photo of a phone as it is.
pub const MAX_OBJECT_BYTES: u64 = 16 << 20;
/// How large all pictures in the object storage may be.
pub const MAX_OBJECTS_BYTES: u64 = 1 << 30;
/// How many pictures are uploaded at a time, each in memory until it is complete. Further uploads wait.
pub const MAX_UPLOADS: usize = 8;

// Chat

/// How many members the groups of the chat may have, all together.
pub const MAX_MEMBERS: usize = 2000;
/// How many times one user may be a member: a few groups on a few devices.
pub const MAX_MEMBERSHIPS: usize = 20;
/// The longest message of a member on the wire.
pub const MAX_CHAT_MESSAGE_BYTES: usize = 8 << 10;
/// How many messages a group keeps for a member who is slow to read. Further ones are skipped for this member.
pub const CHAT_BACKLOG: usize = 64;
/// How many bytes of chat messages wait for a member who does not read: some of the longest messages.
pub const MAX_UNSENT_CHAT_BYTES: usize = 16 << 10;

// Connections and calls

/// How many connections there may be by RTMP. Further connections wait to be accepted.
pub const MAX_PUBLISHERS: usize = 100;
/// How many connections there may be by HTTP: viewers, members of the chat, publishers in pages. Further connections wait
/// to be accepted.
pub const MAX_CLIENTS: usize = 2000;
/// The longest body of a call of the business server. The longest call, a mix, has some 3 KB.
pub const MAX_CALL_BYTES: usize = 64 << 10;
/// How many notices may wait for the business server. Further ones are lost, with a warning: the business server asks for
/// the state of a live that it has not heard of.
pub const MAX_NOTICES: usize = 1024;
/// How many streams the cloud remembers after their pushes ended. The old interface does not know a stream that was
/// forgotten.
pub const MAX_PUSHED_STREAMS: usize = 100_000;
