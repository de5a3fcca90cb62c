//! A running stream: relays the tags of one push to its viewers. A viewer begins with the last key frame, so that there is
//! a picture at once. A viewer that is too slow misses pictures, and holds nobody up.
//!
//! The stream keeps its last tags, once for all viewers. A viewer is a position among them, so a viewer that does not read
//! costs no memory. A viewer receives tags in batches: most of the time that a viewer costs is for the system's calls.

mod backlog;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::{
    sync::watch,
    time::{Duration, Instant, sleep_until},
};

use self::backlog::{Backlog, Packet};
use crate::flv::{Role, Tag, TagKind, file_header};

/// After how much sound without a header of video a stream counts as sound only.
const SOUND_ONLY_MILLISECONDS: u32 = 2000;
/// How far apart the batches of tags are that a viewer receives: some three tags. It is the delay that a viewer may have.
/// All viewers of a stream receive their batches at the same time, so that the process wakes up once for them.
const BATCH_INTERVAL: Duration = Duration::from_millis(50);

/// A running stream.
#[derive(Debug)]
pub struct Channel {
    state: Mutex<State>,
    /// Tells viewers that there is something new.
    news: watch::Sender<()>,
    began: Instant,
}

#[derive(Debug, Default)]
struct State {
    is_over: bool,
    /// The time of the first tag.
    start: Option<u32>,
    metadata: Option<Packet>,
    video: Option<Packet>,
    audio: Option<Packet>,
    backlog: Backlog,
    is_ready: bool,
}

/// A viewer of a stream.
#[derive(Debug)]
pub struct Viewer {
    channel: Arc<Channel>,
    news: watch::Receiver<()>,
    /// The number of the next tag, if the viewer has begun.
    next: Option<u64>,
    /// Whether tags are skipped until a key frame.
    skips: bool,
    /// When the next batch is due.
    due: Instant,
}

/// What a viewer has to do.
enum Step {
    Send(Bytes),
    Wait,
    Leave,
}

impl Default for Channel {
    fn default() -> Self {
        Self { state: Mutex::default(), news: watch::Sender::new(()), began: Instant::now() }
    }
}

impl Channel {
    /// Relays a tag. Returns the same tag, whose body shares its memory with the tag that viewers receive.
    pub fn push(&self, tag: &Tag) -> Tag {
        let mut state = self.state();
        let start = *state.start.get_or_insert(tag.time);
        let mut bytes = BytesMut::new();
        let body = tag.write(start, &mut bytes);
        let packet = Packet { bytes: bytes.freeze(), kind: tag.kind, role: tag.role() };
        let shared = Tag { body: packet.bytes.slice(body), ..tag.clone() };
        let is_sound_only = state.video.is_none() && tag.time.wrapping_sub(start) >= SOUND_ONLY_MILLISECONDS;
        state.is_ready |= packet.role == Role::KeyFrame || packet.role == Role::Frame && is_sound_only;
        state.keep(packet);
        drop(state);
        self.news.send_replace(());
        shared
    }

    /// Ends the stream for its viewers.
    pub fn end(&self) {
        self.state().is_over = true;
        self.news.send_replace(());
    }

    /// A viewer from now on; `None` if the stream has ended.
    pub fn view(self: &Arc<Self>) -> Option<Viewer> {
        if self.state().is_over {
            return None;
        }
        let (channel, news) = (Arc::clone(self), self.news.subscribe());
        Some(Viewer { channel, news, next: None, skips: false, due: Instant::now() })
    }

    /// The stream as a file that begins with the last key frame, and ends now. `None` if there is no frame yet.
    pub fn beginning(&self) -> Option<Bytes> {
        let state = self.state();
        let mut bytes = BytesMut::from(&state.head()?[..]);
        for number in state.backlog.entry()..state.backlog.end() {
            bytes.extend_from_slice(&state.backlog.get(number)?.bytes);
        }
        Some(bytes.freeze())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Keeps a tag for viewers.
    fn keep(&mut self, packet: Packet) {
        match (packet.kind, packet.role) {
            (TagKind::Script, _) => self.metadata = Some(packet.clone()),
            (TagKind::Video, Role::Header) => self.video = Some(packet.clone()),
            (TagKind::Audio, Role::Header) => self.audio = Some(packet.clone()),
            (_, Role::KeyFrame | Role::Frame | Role::Other) => {}
        }
        self.backlog.push(packet);
    }

    /// The header of FLV and those of the tracks, with which every viewer begins. `None` if there is no frame yet.
    fn head(&self) -> Option<Bytes> {
        if !self.is_ready {
            return None;
        }
        let mut group = self.backlog.entry()..self.backlog.end();
        let mut has_kind = |kind| group.any(|n| self.backlog.get(n).is_some_and(|packet| packet.kind == kind));
        let has_audio = self.audio.is_some() || has_kind(TagKind::Audio);
        let has_video = self.video.is_some() || has_kind(TagKind::Video);
        let mut bytes = BytesMut::from(&file_header(has_audio || !has_video, has_video)[..]);
        for packet in [&self.metadata, &self.video, &self.audio].into_iter().flatten() {
            bytes.extend_from_slice(&packet.bytes);
        }
        Some(bytes.freeze())
    }
}

impl Viewer {
    /// The next bytes of the stream; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            // What is relayed from here on wakes the viewer.
            self.news.mark_unchanged();
            match self.step() {
                Step::Send(bytes) => return Some(bytes),
                Step::Leave => return None,
                Step::Wait => {
                    sleep_until(self.due).await;
                    // The channel of this viewer has the sender.
                    self.news.changed().await.ok()?;
                    let milliseconds = self.channel.began.elapsed().as_millis();
                    let batches = u32::try_from(milliseconds / BATCH_INTERVAL.as_millis()).unwrap_or(u32::MAX - 1);
                    self.due = self.channel.began + BATCH_INTERVAL * (batches + 1);
                }
            }
        }
    }

    fn step(&mut self) -> Step {
        let state = self.channel.state();
        let backlog = &state.backlog;
        let idle = if state.is_over { Step::Leave } else { Step::Wait };
        let Some(mut next) = self.next else {
            let Some(head) = state.head() else { return idle };
            self.next = Some(backlog.entry());
            return Step::Send(head);
        };
        if next < backlog.first() {
            self.skips = state.video.is_some() && backlog.key().is_none();
            next = backlog.key().unwrap_or(backlog.first());
        }
        let found = (next..backlog.end()).find_map(|number| {
            let packet = backlog.get(number)?;
            self.skips &= packet.role != Role::KeyFrame;
            (!self.skips || packet.role == Role::Header).then(|| (number, packet.bytes.clone()))
        });
        match found {
            Some((number, bytes)) => {
                self.next = Some(number + 1);
                Step::Send(bytes)
            }
            None => {
                self.next = Some(backlog.end());
                idle
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::{BACKLOG_BYTES, BACKLOG_TAGS, MAX_BACKLOG_TAGS};

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

    /// The tags in the next parts that a viewer receives.
    async fn next(viewer: &mut Viewer, parts: usize) -> Vec<(u8, u32)> {
        let mut found = Vec::new();
        for _ in 0..parts {
            found.extend(tags(&viewer.next().await.unwrap()));
        }
        found
    }

    #[tokio::test(start_paused = true)]
    async fn a_viewer_begins_with_the_headers_and_the_last_key_frame() {
        let channel = Arc::new(Channel::default());
        for tag in [header(), key(100), frame(140), key(180), frame(220)] {
            channel.push(&tag);
        }
        let beginning = channel.beginning().unwrap();
        assert_eq!(beginning[4], 1, "there is no sound");
        assert_eq!(tags(&beginning), [(0x17, 0), (0x17, 180), (0x27, 220)]);
        let mut viewer = channel.view().unwrap();
        assert_eq!(next(&mut viewer, 3).await, tags(&beginning));
        channel.push(&frame(260));
        channel.end();
        assert_eq!(next(&mut viewer, 1).await, [(0x27, 260)], "also what was relayed before the end");
        assert_eq!(viewer.next().await, None);
        assert!(channel.view().is_none());
    }

    #[tokio::test(start_paused = true)]
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
        let (beginning, ()) = tokio::join!(next(&mut viewer, 2), feed);
        assert_eq!(beginning, [(0x17, 0), (0x17, 40)]);
    }

    #[tokio::test(start_paused = true)]
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

    #[tokio::test(start_paused = true)]
    async fn a_viewer_who_is_too_slow_goes_on_with_a_key_frame() {
        let channel = Arc::new(Channel::default());
        channel.push(&header());
        channel.push(&key(0));
        let mut viewer = channel.view().unwrap();
        assert_eq!(next(&mut viewer, 2).await, [(0x17, 0), (0x17, 0)]);
        for time in 1..=300 {
            channel.push(&if time == 290 { key(time) } else { frame(time) });
        }
        assert_eq!(next(&mut viewer, 2).await, [(0x17, 290), (0x27, 291)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_viewer_who_lost_the_last_key_frame_waits_for_the_next() {
        let channel = Arc::new(Channel::default());
        channel.push(&header());
        channel.push(&key(0));
        let mut viewer = channel.view().unwrap();
        assert_eq!(next(&mut viewer, 2).await, [(0x17, 0), (0x17, 0)]);
        let large = vec![0x27; BACKLOG_BYTES / 4];
        for time in 1..=6 {
            channel.push(&tag(TagKind::Video, time, &large));
        }
        channel.push(&key(7));
        assert_eq!(next(&mut viewer, 1).await, [(0x17, 7)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_within_an_interval_is_received_at_once() {
        let channel = Arc::new(Channel::default());
        channel.push(&key(0));
        let (mut viewer, begin) = (channel.view().unwrap(), Instant::now());
        next(&mut viewer, 2).await;
        let feed = async {
            for time in 1..=4 {
                sleep_until(begin + BATCH_INTERVAL / 8 * time).await;
                channel.push(&frame(time));
            }
        };
        let watch = async {
            let mut times = Vec::new();
            for _ in 1..=4 {
                viewer.next().await.unwrap();
                times.push(begin.elapsed());
            }
            times
        };
        let (times, ()) = tokio::join!(watch, feed);
        assert!(times[0] < BATCH_INTERVAL / 4, "the first one waits for nothing: {times:?}");
        assert_eq!(times[1..], [BATCH_INTERVAL; 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn viewers_share_one_copy_of_each_tag_with_the_recording() {
        let channel = Arc::new(Channel::default());
        let mut viewers = [channel.view().unwrap(), channel.view().unwrap()];
        let recorded = channel.push(&key(0));
        assert_eq!(recorded, key(0));
        for viewer in &mut viewers {
            viewer.next().await.unwrap();
            let bytes = viewer.next().await.unwrap();
            assert_eq!(bytes.slice_ref(&recorded.body), recorded.body, "it panics for another copy");
        }
    }

    #[test]
    fn a_publisher_without_key_frames_fills_no_memory() {
        // By few large tags, and by many small ones.
        for (size, count) in [(1 << 20, 50), (1, 3 * MAX_BACKLOG_TAGS)] {
            let channel = Channel::default();
            channel.push(&header());
            channel.push(&key(0));
            let body = vec![0x27; size];
            for time in (1..).take(count) {
                channel.push(&tag(TagKind::Video, time, &body));
                let State { backlog, .. } = &*channel.state();
                let kept = (0..backlog.end()).filter_map(|number| backlog.get(number));
                let lengths: Vec<usize> = kept.map(|packet| packet.bytes.len()).collect();
                assert!(lengths.iter().sum::<usize>() <= BACKLOG_BYTES && lengths.len() <= MAX_BACKLOG_TAGS);
            }
            assert_eq!(channel.state().backlog.key(), None, "new viewers wait for a key frame");
        }
    }

    #[test]
    fn what_was_before_the_last_key_frame_is_kept_for_two_seconds_only() {
        let channel = Channel::default();
        for time in 0..1000 {
            channel.push(&if time % 500 == 0 { key(time) } else { frame(time) });
            let most = u64::from(time % 500 + 1).max(BACKLOG_TAGS as u64);
            let backlog = &channel.state().backlog;
            assert!(backlog.end() - backlog.first() <= most, "{time}");
        }
    }
}
