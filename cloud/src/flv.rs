//! FLV tags: the form in which audio, video and metadata travel through the live cloud.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

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

/// What a tag of video or audio is to a player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The configuration of the decoder (a sequence header). A player needs it before all else.
    Header,
    /// A picture that needs no earlier one.
    KeyFrame,
    /// A picture that needs earlier ones, or sound.
    Frame,
    /// The end of a sequence, or something unknown: players may do without.
    Other,
}

/// The codecs that HLS carries here, by their FLV numbers. FLV carries every codec.
const AVC: u8 = 7;
const AAC: u8 = 10;
/// The bit of enhanced RTMP: the codec is not a number but four letters, as `hvc1`.
const ENHANCED: u8 = 0x80;
const KEY_FRAME: u8 = 1;

/// The first bytes of a file: the signature, version 1, the tracks, and the length of the header.
const FILE_HEADER: [u8; 9] = [b'F', b'L', b'V', 1, 0, 0, 0, 0, 9];
const HAS_AUDIO: u8 = 4;
const HAS_VIDEO: u8 = 1;
/// The length of a tag's header, and of the number behind each tag.
const TAG_HEADER_BYTES: usize = 11;
const TRAILER_BYTES: usize = 4;

impl Tag {
    /// Whether the tag is H.264 video, which HLS carries.
    pub fn is_avc(&self) -> bool {
        self.kind == TagKind::Video && self.body.len() >= 5 && self.body[0] & 0x8f == AVC
    }

    /// Whether the tag is AAC sound, which HLS carries.
    pub fn is_aac(&self) -> bool {
        self.kind == TagKind::Audio && self.body.len() >= 2 && self.body[0] >> 4 == AAC
    }

    /// What the tag is to a player.
    pub fn role(&self) -> Role {
        let Some(&first) = self.body.first() else { return Role::Other };
        let is_key = first >> 4 & 7 == KEY_FRAME;
        let frame = if is_key { Role::KeyFrame } else { Role::Frame };
        match self.kind {
            TagKind::Script => Role::Other,
            TagKind::Audio if first >> 4 != AAC => Role::Frame,
            // The byte after the codec of enhanced video, AVC and AAC says what follows.
            TagKind::Audio => match self.body.get(1) {
                Some(0) => Role::Header,
                Some(_) => Role::Frame,
                None => Role::Other,
            },
            TagKind::Video if first & ENHANCED != 0 => match first & 15 {
                0 => Role::Header,
                1 | 3 => frame,
                _ => Role::Other,
            },
            TagKind::Video if first & 15 != AVC => frame,
            TagKind::Video => match self.body.get(1) {
                Some(0) => Role::Header,
                Some(1) => frame,
                Some(_) | None => Role::Other,
            },
        }
    }

    /// Appends the tag to a file or stream that began at `start`: the times in it are relative to that. A script has
    /// time 0, or players take it for the end of a gap. Returns the place of the body.
    pub fn write(&self, start: u32, out: &mut BytesMut) -> Range<usize> {
        let (kind, time) = match self.kind {
            TagKind::Audio => (8, self.time.saturating_sub(start)),
            TagKind::Video => (9, self.time.saturating_sub(start)),
            TagKind::Script => (18, 0),
        };
        let length = self.body.len();
        out.reserve(TAG_HEADER_BYTES + length + TRAILER_BYTES);
        out.put_u8(kind);
        out.put_uint(length as u64, 3);
        out.put_uint(u64::from(time & 0x00ff_ffff), 3);
        out.put_uint(u64::from(time >> 24), 1);
        out.put_uint(0, 3);
        let begin = out.len();
        out.extend_from_slice(&self.body);
        out.put_uint((TAG_HEADER_BYTES + length) as u64, TRAILER_BYTES);
        begin..begin + length
    }
}

/// The beginning of a file or stream with these tracks. A track that is announced and does not come stalls players.
pub fn file_header(has_audio: bool, has_video: bool) -> Bytes {
    let mut header = BytesMut::from(FILE_HEADER.as_slice());
    header[4] = if has_audio { HAS_AUDIO } else { 0 } | if has_video { HAS_VIDEO } else { 0 };
    header.put_uint(0, TRAILER_BYTES);
    header.freeze()
}

/// The metadata of a recording: its length in seconds, and its size. It always has the same number of bytes, so that the
/// values can be written over when they are known.
pub fn recording_metadata(seconds: f64, bytes: u64) -> Tag {
    let mut body = BytesMut::new();
    put_key(&mut body, Some(2), "onMetaData");
    // An array of two named numbers.
    body.put_u8(8);
    body.put_u32(2);
    #[expect(clippy::cast_precision_loss, reason = "no file has 2^53 bytes")]
    for (name, value) in [("duration", seconds), ("filesize", bytes as f64)] {
        put_key(&mut body, None, name);
        body.put_u8(0);
        body.put_f64(value);
    }
    body.put_uint(9, 3);
    Tag { kind: TagKind::Script, time: 0, body: body.freeze() }
}

/// Appends a short text of AMF0, after its type if it has one.
fn put_key(out: &mut BytesMut, amf_type: Option<u8>, text: &str) {
    out.extend(amf_type);
    out.put_uint(text.len() as u64, 2);
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(kind: TagKind, body: &[u8]) -> Tag {
        Tag { kind, time: 0x0102_0304, body: Bytes::copy_from_slice(body) }
    }

    #[test]
    fn each_tag_has_a_role_whatever_its_codec() {
        let video = |body: &[u8]| tag(TagKind::Video, body).role();
        assert_eq!(video(&[0x17, 0, 0, 0, 0, 1]), Role::Header);
        assert_eq!((video(&[0x17, 1, 0, 0, 0]), video(&[0x27, 1, 0, 0, 0])), (Role::KeyFrame, Role::Frame));
        assert_eq!((video(&[0x17, 2, 0, 0, 0]), video(&[0x17]), video(&[])), (Role::Other, Role::Other, Role::Other));
        assert_eq!(video(&[0x12, 0]), Role::KeyFrame, "H.263");
        assert_eq!(
            (video(b"\x90hvc1"), video(b"\x91hvc1"), video(b"\xa3hvc1")),
            (Role::Header, Role::KeyFrame, Role::Frame)
        );
        let audio = |body: &[u8]| tag(TagKind::Audio, body).role();
        assert_eq!(
            (audio(&[0xaf, 0, 0x12, 0x10]), audio(&[0xaf, 1, 9]), audio(&[0x2f, 0])),
            (Role::Header, Role::Frame, Role::Frame)
        );
        assert_eq!(tag(TagKind::Script, b"\x02").role(), Role::Other);
        assert!(tag(TagKind::Video, &[0x17, 1, 0, 0, 0]).is_avc() && !tag(TagKind::Video, b"\x97hvc1").is_avc());
        assert!(tag(TagKind::Audio, &[0xaf, 1]).is_aac() && !tag(TagKind::Audio, &[0x2f, 1]).is_aac());
    }

    #[test]
    fn a_tag_is_written_with_its_time_since_the_start() {
        let mut out = BytesMut::new();
        tag(TagKind::Video, &[0x17, 1]).write(4, &mut out);
        assert_eq!(&out[..], [9, 0, 0, 2, 2, 3, 0, 1, 0, 0, 0, 0x17, 1, 0, 0, 0, 13]);
        out.clear();
        tag(TagKind::Script, b"x").write(4, &mut out);
        assert_eq!(&out[..8], [18, 0, 0, 1, 0, 0, 0, 0], "a script has time 0");
        out.clear();
        Tag { time: 3, ..tag(TagKind::Audio, &[0xaf]) }.write(4, &mut out);
        assert_eq!(&out[4..8], [0; 4], "no time before the start");
    }

    #[test]
    fn the_metadata_of_a_recording_always_has_the_same_length() {
        let [empty, long] = [recording_metadata(0.0, 0), recording_metadata(7200.5, 1 << 40)];
        assert_eq!(empty.body.len(), long.body.len());
        assert!(long.body.ends_with(&[0, 0, 9]) && long.body.windows(8).any(|bytes| bytes == 7200.5f64.to_be_bytes()));
    }

    #[test]
    fn only_tracks_that_exist_are_announced() {
        assert_eq!(&file_header(true, true)[..5], b"FLV\x01\x05");
        assert_eq!((file_header(true, false)[4], file_header(false, true)[4]), (4, 1));
        assert_eq!(&file_header(false, false)[5..], [0, 0, 0, 9, 0, 0, 0, 0]);
    }
}
