//! HLS: cuts a stream into segments of about two seconds, and writes playlists of them.

use std::fmt::Write as _;

use crate::{
    bounds::MAX_SEGMENT_BYTES,
    flv::{Role, Tag, TagKind},
    mpeg_ts::Muxer,
};

/// The length of a segment, unless key frames are further apart.
const SEGMENT_MILLISECONDS: u64 = 2000;
/// The longest segment of a publisher who sends no key frame. Players give up on longer ones.
const MAX_SEGMENT_MILLISECONDS: u64 = 20_000;
/// How many segments a live playlist has.
pub const LIVE_SEGMENTS: usize = 6;
/// The longest target duration of a live playlist whose segments are all short.
const MIN_TARGET_SECONDS: u64 = 2;

/// A finished segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The length.
    pub milliseconds: u64,
    /// Whether the decoders begin anew: a header changed.
    pub is_discontinuous: bool,
}

/// A segment in a playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The address, relative to the playlist or absolute.
    pub url: String,
    /// The length.
    pub milliseconds: u64,
    /// Whether the decoders begin anew.
    pub is_discontinuous: bool,
}

/// Cuts a stream into segments.
#[derive(Debug, Default)]
pub struct Segmenter {
    muxer: Muxer,
    headers: [Option<Tag>; 2],
    /// The size of the segment, and the time at which it began.
    bytes: usize,
    began: Option<u64>,
    last: u64,
    is_discontinuous: bool,
}

impl Segmenter {
    /// Adds a tag, whose time is `time` milliseconds since the start of the stream. Returns the segment that ended before
    /// the tag, and appends the packets of the tag, which follow, to `out`: no segment is in memory as a whole.
    pub fn add(&mut self, tag: &Tag, time: u64, out: &mut Vec<u8>) -> Option<Segment> {
        let role = tag.role();
        if role == Role::Header {
            return self.set_header(tag);
        }
        if tag.kind == TagKind::Script || role == Role::Other || !self.muxer.has_track() {
            return None;
        }
        let is_entry = role == Role::KeyFrame || !self.muxer.has_video();
        let length = self.began.map_or(0, |began| time.saturating_sub(began));
        let is_long = length >= MAX_SEGMENT_MILLISECONDS || self.bytes >= MAX_SEGMENT_BYTES;
        let segment = if (is_entry && length >= SEGMENT_MILLISECONDS) || is_long { self.end_at(time) } else { None };
        let before = out.len();
        if self.began.is_none() && (is_entry || segment.is_some()) {
            self.began = Some(time);
            self.muxer.write_tables(out);
        }
        if self.began.is_some() {
            self.muxer.write(tag, time, out);
            self.bytes += out.len() - before;
            self.last = self.last.max(time);
        }
        segment
    }

    /// Ends the last segment.
    pub fn end(&mut self) -> Option<Segment> {
        self.end_at(self.last)
    }

    fn set_header(&mut self, tag: &Tag) -> Option<Segment> {
        let known = &mut self.headers[usize::from(tag.kind == TagKind::Audio)];
        if known.as_ref().is_some_and(|known| known.body == tag.body) {
            return None;
        }
        let is_change = known.replace(tag.clone()).is_some() || self.began.is_some();
        let segment = if is_change { self.end() } else { None };
        self.is_discontinuous |= is_change;
        self.muxer.configure(tag);
        segment
    }

    fn end_at(&mut self, time: u64) -> Option<Segment> {
        let began = self.began.take()?;
        self.bytes = 0;
        let is_discontinuous = std::mem::take(&mut self.is_discontinuous);
        Some(Segment { milliseconds: time.saturating_sub(began).max(1), is_discontinuous })
    }
}

/// The playlist of a running stream: its last segments. `first` is the number of the first of them since the start, and
/// `changes` how many discontinuities there were before it.
pub fn live_playlist(entries: &[Entry], first: usize, changes: usize) -> String {
    let mut text = head(entries);
    lines(&mut text, format_args!("#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-DISCONTINUITY-SEQUENCE:{changes}\n"));
    list(&mut text, entries);
    text
}

/// The playlist of a recording.
pub fn recorded_playlist(entries: &[Entry]) -> String {
    let mut text = head(entries);
    text.push_str("#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n");
    list(&mut text, entries);
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

fn head(entries: &[Entry]) -> String {
    let longest = entries.iter().map(|entry| entry.milliseconds).max().unwrap_or(0);
    let target = longest.div_ceil(1000).max(MIN_TARGET_SECONDS);
    format!("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{target}\n")
}

fn list(text: &mut String, entries: &[Entry]) {
    for Entry { url, milliseconds, is_discontinuous } in entries {
        if *is_discontinuous {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        lines(text, format_args!("#EXTINF:{}.{:03},\n{url}\n", milliseconds / 1000, milliseconds % 1000));
    }
}

fn lines(text: &mut String, lines: std::fmt::Arguments<'_>) {
    text.write_fmt(lines).expect("a text can be written to");
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::mpeg_ts::PACKET_BYTES;

    fn tag(kind: TagKind, body: &[u8]) -> Tag {
        Tag { kind, time: 0, body: Bytes::copy_from_slice(body) }
    }

    fn header(profile: u8) -> Tag {
        tag(TagKind::Video, &[0x17, 0, 0, 0, 0, 1, profile, 0, 0x1f, 0xff, 0xe1, 0, 1, 0x67, 1, 0, 1, 0x68])
    }

    fn frame(is_key: bool) -> Tag {
        tag(TagKind::Video, &[if is_key { 0x17 } else { 0x27 }, 1, 0, 0, 0, 0, 0, 0, 1, 0x65])
    }

    #[test]
    fn a_segment_ends_at_the_first_key_frame_after_two_seconds() {
        let (mut segmenter, mut out) = (Segmenter::default(), Vec::new());
        assert_eq!(segmenter.add(&frame(true), 0, &mut out), None, "nothing without a header");
        segmenter.add(&header(1), 0, &mut out);
        assert_eq!(segmenter.add(&frame(false), 100, &mut out), None);
        for (time, is_key) in [(200, true), (1200, true), (2190, false)] {
            assert_eq!(segmenter.add(&frame(is_key), time, &mut out), None);
        }
        assert_eq!(out.len(), 5 * PACKET_BYTES, "two tables and three pictures");
        out.clear();
        let segment = segmenter.add(&frame(true), 2200, &mut out).unwrap();
        assert_eq!((segment.milliseconds, segment.is_discontinuous), (2000, false));
        assert_eq!(out.len(), 3 * PACKET_BYTES, "the next segment begins with its tables");
        segmenter.add(&frame(false), 2700, &mut out);
        assert_eq!(segmenter.end().unwrap().milliseconds, 500);
        assert_eq!(segmenter.end(), None);
    }

    #[test]
    fn a_publisher_without_key_frames_has_long_segments_and_no_longer_ones() {
        let (mut segmenter, mut out) = (Segmenter::default(), Vec::new());
        segmenter.add(&header(1), 0, &mut out);
        segmenter.add(&frame(true), 0, &mut out);
        assert_eq!(segmenter.add(&frame(false), 19_999, &mut out), None);
        assert_eq!(segmenter.add(&frame(false), 20_000, &mut out).unwrap().milliseconds, 20_000);
    }

    #[test]
    fn a_segment_with_too_many_bytes_ends_at_the_next_frame() {
        let (mut segmenter, mut out) = (Segmenter::default(), Vec::new());
        segmenter.add(&header(1), 0, &mut out);
        segmenter.add(&frame(true), 0, &mut out);
        let length = u32::try_from(MAX_SEGMENT_BYTES / 4).unwrap().to_be_bytes();
        let body = [&[0x27, 1, 0, 0, 0][..], &length, &vec![0x61; MAX_SEGMENT_BYTES / 4]].concat();
        let ends = |time| segmenter.add(&tag(TagKind::Video, &body), time, &mut out).is_some();
        assert_eq!([1, 2, 3, 4, 5].map(ends), [false, false, false, false, true]);
        assert!(out.len() < 2 * MAX_SEGMENT_BYTES);
    }

    #[test]
    fn a_header_that_changes_begins_a_segment_and_one_that_comes_again_does_not() {
        let (mut segmenter, mut out) = (Segmenter::default(), Vec::new());
        segmenter.add(&header(1), 0, &mut out);
        segmenter.add(&frame(true), 0, &mut out);
        assert_eq!(segmenter.add(&header(1), 500, &mut out), None);
        segmenter.add(&frame(false), 900, &mut out);
        assert_eq!(segmenter.add(&header(2), 1000, &mut out).unwrap().milliseconds, 900);
        segmenter.add(&frame(true), 1000, &mut out);
        assert!(segmenter.end().unwrap().is_discontinuous);
    }

    #[test]
    fn sound_alone_is_cut_by_time() {
        let (mut segmenter, mut out) = (Segmenter::default(), Vec::new());
        segmenter.add(&tag(TagKind::Audio, &[0xaf, 0, 0x12, 0x10]), 0, &mut out);
        let sound = tag(TagKind::Audio, &[0xaf, 1, 1]);
        for time in [0, 1000, 1999] {
            assert_eq!(segmenter.add(&sound, time, &mut out), None);
        }
        assert_eq!(segmenter.add(&sound, 2010, &mut out).unwrap().milliseconds, 2010);
    }

    #[test]
    fn a_playlist_lists_its_segments() {
        let entry = |number: u64, is_discontinuous| Entry {
            url: format!("{number}.ts"),
            milliseconds: 2000 + number,
            is_discontinuous,
        };
        let entries = [entry(7, false), entry(8, true)];
        let live = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:3\n#EXT-X-MEDIA-SEQUENCE:7\n\
                    #EXT-X-DISCONTINUITY-SEQUENCE:1\n#EXTINF:2.007,\n7.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:2.008,\n8.ts\n";
        assert_eq!(live_playlist(&entries, 7, 1), live);
        let recorded = recorded_playlist(&entries);
        assert!(recorded.contains("#EXT-X-PLAYLIST-TYPE:VOD\n") && recorded.ends_with("8.ts\n#EXT-X-ENDLIST\n"));
    }
}
