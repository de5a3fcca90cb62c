//! A running stream: relays the tags of one push to its viewers. A viewer begins with the last key frame, so that there is
//! a picture at once. A viewer who is too slow misses pictures, and holds nobody up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::broadcast::{self, Receiver, error::RecvError};

use crate::flv::{Role, Tag, TagKind, file_header};

/// How many tags a viewer may be behind: some seconds of audio and video.
const BACKLOG: usize = 256;
/// The most bytes that are kept for the start of viewers. A publisher who sends no key frame for so long has viewers who
/// wait for one.
const MAX_GROUP_BYTES: usize = 16 << 20;
/// After how much sound without a header of video a stream counts as sound only.
const SOUND_ONLY_MILLISECONDS: u32 = 2000;

/// A tag as viewers receive it.
#[derive(Clone, Debug)]
struct Packet {
    /// The tag in FLV.
    bytes: Bytes,
    kind: TagKind,
    role: Role,
}

/// A running stream.
#[derive(Debug)]
pub struct Channel {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` when the push is over.
    sender: Option<broadcast::Sender<Packet>>,
    /// The time of the first tag.
    start: Option<u32>,
    metadata: Option<Packet>,
    video: Option<Packet>,
    audio: Option<Packet>,
    /// The last key frame and what followed.
    group: Vec<Packet>,
    group_bytes: usize,
    is_ready: bool,
}

/// A viewer of a stream.
#[derive(Debug)]
pub struct Viewer {
    channel: Arc<Channel>,
    receiver: Receiver<Packet>,
    /// Whether the start was read.
    has_begun: bool,
    /// Whether tags are skipped until a key frame.
    skips: bool,
}

impl Default for Channel {
    fn default() -> Self {
        let state = State {
            sender: Some(broadcast::channel(BACKLOG).0),
            start: None,
            metadata: None,
            video: None,
            audio: None,
            group: Vec::new(),
            group_bytes: 0,
            is_ready: false,
        };
        Self { state: Mutex::new(state) }
    }
}

impl Channel {
    /// Relays a tag.
    pub fn push(&self, tag: &Tag) {
        let mut state = self.state();
        let start = *state.start.get_or_insert(tag.time);
        let mut bytes = BytesMut::new();
        tag.write(start, &mut bytes);
        let packet = Packet { bytes: bytes.freeze(), kind: tag.kind, role: tag.role() };
        state.keep(&packet);
        let is_sound_only = state.video.is_none() && tag.time.wrapping_sub(start) >= SOUND_ONLY_MILLISECONDS;
        state.is_ready |= packet.role == Role::KeyFrame || packet.role == Role::Frame && is_sound_only;
        if let Some(sender) = &state.sender {
            // An error means that there is no viewer.
            drop(sender.send(packet));
        }
    }

    /// Ends the stream for its viewers.
    pub fn end(&self) {
        self.state().sender = None;
    }

    /// A viewer from now on; `None` if the stream has ended.
    pub fn view(self: &Arc<Self>) -> Option<Viewer> {
        let receiver = self.state().sender.as_ref()?.subscribe();
        Some(Viewer { channel: Arc::clone(self), receiver, has_begun: false, skips: false })
    }

    /// The beginning of the stream for somebody who starts now: the header of FLV, the headers of the tracks, and the last
    /// key frame with what followed. `None` if there is no frame yet.
    pub fn beginning(&self) -> Option<Bytes> {
        self.state().beginning()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Keeps what a new viewer needs of a tag.
    fn keep(&mut self, packet: &Packet) {
        match (packet.kind, packet.role) {
            (TagKind::Script, _) => self.metadata = Some(packet.clone()),
            (TagKind::Video, Role::Header) => self.video = Some(packet.clone()),
            (TagKind::Audio, Role::Header) => self.audio = Some(packet.clone()),
            (_, Role::KeyFrame) => {
                self.group_bytes = packet.bytes.len();
                self.group = vec![packet.clone()];
            }
            (_, Role::Frame) if !self.group.is_empty() => {
                self.group_bytes += packet.bytes.len();
                self.group.push(packet.clone());
                if self.group_bytes > MAX_GROUP_BYTES {
                    self.group = Vec::new();
                }
            }
            (_, Role::Frame | Role::Other) => {}
        }
    }

    fn beginning(&self) -> Option<Bytes> {
        if !self.is_ready {
            return None;
        }
        let has_kind = |kind| self.group.iter().any(|packet| packet.kind == kind);
        let has_audio = self.audio.is_some() || has_kind(TagKind::Audio);
        let has_video = self.video.is_some() || has_kind(TagKind::Video);
        let mut bytes = BytesMut::from(&file_header(has_audio || !has_video, has_video)[..]);
        let headers = [&self.metadata, &self.video, &self.audio];
        for packet in headers.into_iter().flatten().chain(&self.group) {
            bytes.extend_from_slice(&packet.bytes);
        }
        Some(bytes.freeze())
    }
}

impl Viewer {
    /// The next bytes of the stream; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if !self.has_begun {
                let state = self.channel.state();
                if let Some(beginning) = state.beginning() {
                    // What was relayed until now is in the beginning.
                    self.receiver = self.receiver.resubscribe();
                    self.has_begun = true;
                    return Some(beginning);
                }
            }
            match self.receiver.recv().await {
                Ok(_) if !self.has_begun => {}
                Ok(packet) => {
                    self.skips &= packet.role != Role::KeyFrame;
                    if !self.skips || packet.role == Role::Header {
                        return Some(packet.bytes);
                    }
                }
                Err(RecvError::Lagged(_)) => self.skips = self.channel.state().video.is_some(),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(kind: TagKind, time: u32, body: &[u8]) -> Tag {
        Tag { kind, time, body: Bytes::copy_from_slice(body) }
    }

    fn key(time: u32) -> Tag {
        tag(TagKind::Video, time, &[0x17, 1, 0, 0, 0])
    }

    fn frame(time: u32) -> Tag {
        tag(TagKind::Video, time, &[0x27, 1, 0, 0, 0])
    }

    fn header() -> Tag {
        tag(TagKind::Video, 0, &[0x17, 0, 0, 0, 0])
    }

    /// The first byte of the body and the time of each tag in FLV.
    fn tags(mut flv: &[u8]) -> Vec<(u8, u32)> {
        let mut found = Vec::new();
        if flv.starts_with(b"FLV") {
            flv = &flv[13..];
        }
        while !flv.is_empty() {
            let length = u32::from_be_bytes([0, flv[1], flv[2], flv[3]]);
            found.push((flv[11], u32::from_be_bytes([flv[7], flv[4], flv[5], flv[6]])));
            flv = &flv[usize::try_from(length).unwrap() + 15..];
        }
        found
    }

    #[tokio::test]
    async fn a_viewer_begins_with_the_headers_and_the_last_key_frame() {
        let channel = Arc::new(Channel::default());
        for tag in [header(), key(100), frame(140), key(180), frame(220)] {
            channel.push(&tag);
        }
        let mut viewer = channel.view().unwrap();
        let beginning = viewer.next().await.unwrap();
        assert_eq!(beginning[4], 1, "there is no sound");
        assert_eq!(tags(&beginning), [(0x17, 0), (0x17, 180), (0x27, 220)]);
        channel.push(&frame(260));
        assert_eq!(tags(&viewer.next().await.unwrap()), [(0x27, 260)]);
        channel.end();
        assert_eq!(viewer.next().await, None);
        assert!(channel.view().is_none());
    }

    #[tokio::test]
    async fn a_viewer_who_comes_before_the_first_picture_waits_for_it() {
        let channel = Arc::new(Channel::default());
        let mut viewer = channel.view().unwrap();
        let sound = tag(TagKind::Audio, 0, &[0xaf, 1, 0]);
        let feed = async {
            for tag in [sound, header(), frame(20), key(40)] {
                channel.push(&tag);
                tokio::task::yield_now().await;
            }
        };
        let (beginning, ()) = tokio::join!(viewer.next(), feed);
        assert_eq!(tags(&beginning.unwrap()), [(0x17, 0), (0x17, 40)]);
    }

    #[tokio::test]
    async fn sound_alone_is_heard_after_two_seconds() {
        let channel = Arc::new(Channel::default());
        let sound = |time| tag(TagKind::Audio, time, &[0xaf, 1, 0]);
        channel.push(&tag(TagKind::Audio, 0, &[0xaf, 0, 0x12, 0x10]));
        channel.push(&sound(1999));
        assert_eq!(channel.beginning(), None);
        channel.push(&sound(2000));
        let beginning = channel.beginning().unwrap();
        assert_eq!((beginning[4], tags(&beginning)), (4, vec![(0xaf, 0)]));
    }

    #[tokio::test]
    async fn a_viewer_who_is_too_slow_goes_on_with_a_key_frame() {
        let channel = Arc::new(Channel::default());
        channel.push(&header());
        channel.push(&key(0));
        let mut viewer = channel.view().unwrap();
        viewer.next().await.unwrap();
        for time in 1..=300 {
            channel.push(&if time == 290 { key(time) } else { frame(time) });
        }
        assert_eq!(tags(&viewer.next().await.unwrap()), [(0x17, 290)]);
        assert_eq!(tags(&viewer.next().await.unwrap()), [(0x27, 291)]);
    }

    #[test]
    fn a_publisher_without_key_frames_fills_no_memory() {
        let channel = Channel::default();
        channel.push(&header());
        channel.push(&key(0));
        let large = vec![0x27; 1 << 20];
        for time in 1..100 {
            channel.push(&tag(TagKind::Video, time, &large));
            assert!(channel.state().group.iter().map(|packet| packet.bytes.len()).sum::<usize>() <= MAX_GROUP_BYTES);
        }
    }
}
