//! Records one push in files: FLV, and HLS in segments, each split at the interval that the push URL requests.
//!
//! A file is written in the folder `partial` and moved when it is complete. What an earlier process left in `partial` is
//! deleted at the start: the push of such a file ended with that process, and nobody was told of the file.

mod files;
mod request;
mod time;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use protocol::types::UnixSeconds;

pub use self::{
    files::{FLV_NAME, PLAYLIST_NAME},
    request::{Format, Request},
};
use self::{
    files::{FlvFile, HlsFiles},
    time::StreamTime,
};
use crate::{
    bounds::{MAX_PART_BYTES, MAX_PART_SEGMENTS},
    flv::{Role, Tag, TagKind},
    hls::{Entry, Segmenter, recorded_playlist},
};

/// The folder of files that are being written.
pub const PARTIAL: &str = "partial";
/// How much memory a recorder keeps for the packets of the next tag.
const MAX_SPARE_BYTES: usize = 256 << 10;
/// After how much sound without video a push counts as sound only.
const SOUND_ONLY_MILLISECONDS: u64 = 2000;
/// A complete file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The name of its folder.
    pub id: String,
    /// The format.
    pub format: Format,
    /// The second of the first picture.
    pub start: UnixSeconds,
    /// The second of the last picture.
    pub end: UnixSeconds,
    /// The size.
    pub bytes: u64,
}

/// What happened while a tag was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A segment is complete, for the playlist of the running stream.
    Segment(Entry),
    /// A file is complete.
    Recorded(Recorded),
}

/// Records one push.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    request: Request,
    clock: fn() -> UnixSeconds,
    time: StreamTime,
    segmenter: Segmenter,
    /// The packets of a tag.
    packets: Vec<u8>,
    /// The last headers of video and audio, with which every file begins.
    headers: [Option<Tag>; 2],
    has_video: bool,
    part: Option<Part>,
    /// How many files of each format there were.
    parts: usize,
    /// The segments of the interval before, which are not kept: players of the running stream may still read them.
    outdated: Option<PathBuf>,
}

/// The files of one interval.
#[derive(Debug)]
struct Part {
    /// The time in the stream.
    start: u64,
    last: u64,
    started_at: UnixSeconds,
    flv: Option<FlvFile>,
    hls: HlsFiles,
}

impl Part {
    /// Whether the files have so many times the bytes or segments after which new ones begin.
    fn is_full(&self, times: u8) -> bool {
        let bytes = self.hls.bytes + self.flv.as_ref().map_or(0, |flv| flv.bytes);
        bytes >= MAX_PART_BYTES * u64::from(times) || self.hls.count >= MAX_PART_SEGMENTS * usize::from(times)
    }
}

impl Recorder {
    /// A recorder of a push. It writes nothing before the first picture.
    pub fn new(folder: &Path, request: Request, clock: fn() -> UnixSeconds) -> Self {
        Self {
            folder: folder.to_owned(),
            request,
            clock,
            time: StreamTime::default(),
            segmenter: Segmenter::default(),
            packets: Vec::new(),
            headers: [None, None],
            has_video: false,
            part: None,
            parts: 0,
            outdated: None,
        }
    }

    /// Records a tag.
    pub fn add(&mut self, tag: &Tag) -> io::Result<Vec<Event>> {
        let (time, role, mut events) = (self.time.of(tag.time), tag.role(), Vec::new());
        self.has_video |= tag.kind == TagKind::Video && role != Role::Other;
        let is_frame = matches!(role, Role::KeyFrame | Role::Frame) && tag.kind != TagKind::Script;
        let is_entry = role == Role::KeyFrame || (is_frame && !self.has_video && time >= SOUND_ONLY_MILLISECONDS);
        if is_entry {
            let interval = self.request.interval_seconds.saturating_mul(1000);
            if self.part.as_ref().is_some_and(|part| time.saturating_sub(part.start) >= interval || part.is_full(1)) {
                events = self.finish()?;
            }
            if self.part.is_none() {
                // What came before the files is not in them: their first segment begins here.
                self.segmenter.end();
                self.part = Some(self.begin(time)?);
            }
        }
        self.packets.clear();
        self.packets.shrink_to(MAX_SPARE_BYTES);
        let segment = self.segmenter.add(tag, time, &mut self.packets);
        if role == Role::Header {
            self.headers[usize::from(tag.kind == TagKind::Audio)] = Some(tag.clone());
        }
        let Some(part) = &mut self.part else { return Ok(events) };
        if part.is_full(2) {
            return Err(io::Error::other("a file is too large, and there is no key frame with which a new one begins"));
        }
        if let Some(segment) = segment {
            events.push(Event::Segment(part.hls.end_segment(&segment)?));
        }
        part.hls.write(&self.packets)?;
        if is_frame || role == Role::Header {
            part.last = part.last.max(time);
            if let Some(flv) = &mut part.flv {
                flv.write(tag, time.saturating_sub(part.start))?;
            }
        }
        Ok(events)
    }

    /// Completes the files of the interval, if one has begun.
    pub fn finish(&mut self) -> io::Result<Vec<Event>> {
        let (last, part) = (self.segmenter.end(), self.part.take());
        let Some(mut part) = part else { return Ok(Vec::new()) };
        let mut events = Vec::new();
        if let Some(segment) = last {
            events.push(Event::Segment(part.hls.end_segment(&segment)?));
        }
        let milliseconds = part.last.saturating_sub(part.start);
        let (start, end) = (part.started_at, part.started_at.plus(milliseconds.div_ceil(1000)));
        let recorded = |id, format, bytes| Event::Recorded(Recorded { id, format, start, end, bytes });
        if let Some(flv) = part.flv {
            let (id, bytes) = flv.finish(milliseconds)?;
            self.keep(&id)?;
            events.push(recorded(id, Format::Flv, bytes));
        }
        let HlsFiles { id, folder, entries, bytes, is_kept, .. } = part.hls;
        if is_kept && !entries.is_empty() {
            fs::write(folder.join(PLAYLIST_NAME), recorded_playlist(&entries))?;
            self.keep(&id)?;
            events.push(recorded(id, Format::Hls, bytes));
        } else if let Some(outdated) = self.outdated.replace(folder) {
            fs::remove_dir_all(outdated)?;
        }
        Ok(events)
    }

    /// Moves a complete file to its place.
    fn keep(&self, id: &str) -> io::Result<()> {
        fs::rename(self.folder.join(PARTIAL).join(id), self.folder.join(id))
    }

    fn begin(&mut self, time: u64) -> io::Result<Part> {
        let Self { folder, request, parts, .. } = self;
        let id = |format: Format| format!("{}-{}-{parts}", request.name, format.name());
        let created = |id: &str| {
            let folder = folder.join(PARTIAL).join(id);
            fs::create_dir_all(&folder).map(|()| folder)
        };
        let is_kept = |format| request.formats.contains(&format);
        let hls_id = id(Format::Hls);
        let hls = HlsFiles {
            folder: created(&hls_id)?,
            id: hls_id,
            segment: None,
            entries: Vec::new(),
            count: 0,
            bytes: 0,
            is_kept: is_kept(Format::Hls),
        };
        let flv = if is_kept(Format::Flv) {
            let id = id(Format::Flv);
            Some(FlvFile::create(created(&id)?.join(FLV_NAME), id, &self.headers)?)
        } else {
            None
        };
        self.parts += 1;
        Ok(Part { start: time, last: time, started_at: (self.clock)(), flv, hls })
    }
}

impl Drop for Recorder {
    /// Deletes what is not complete.
    fn drop(&mut self) {
        let part = self.part.take();
        let flv = part.as_ref().and_then(|part| part.flv.as_ref()).map(|flv| self.folder.join(PARTIAL).join(&flv.id));
        let hls = part.as_ref().map(|part| part.hls.folder.clone());
        for folder in [self.outdated.take(), flv, hls].into_iter().flatten() {
            if let Err(error) = fs::remove_dir_all(&folder) {
                tracing::warn!(folder = %folder.display(), %error, "an incomplete recording could not be deleted");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::*;
    use crate::{flv::recording_metadata, tests::Folder};

    const START: UnixSeconds = UnixSeconds(1_600_000_000);

    fn tag(kind: TagKind, time: u32, body: &[u8]) -> Tag {
        Tag { kind, time, body: Bytes::copy_from_slice(body) }
    }

    fn header() -> Tag {
        tag(TagKind::Video, 0, &[0x17, 0, 0, 0, 0, 1, 1, 0, 0x1f, 0xff, 0xe1, 0, 1, 0x67, 1, 0, 1, 0x68])
    }

    fn picture(is_key: bool, time: u32) -> Tag {
        tag(TagKind::Video, time, &[if is_key { 0x17 } else { 0x27 }, 1, 0, 0, 0, 0, 0, 0, 1, 0x65])
    }

    fn recorder(folder: &Folder, query: &str) -> Recorder {
        Recorder::new(folder.path(), Request::of_query("p1", query), || START)
    }

    /// Records pictures, a key frame every second.
    fn record(recorder: &mut Recorder, seconds: std::ops::Range<u32>) -> Vec<Event> {
        let times = seconds.flat_map(|second| [(true, second * 1000), (false, second * 1000 + 500)]);
        times.flat_map(|(is_key, time)| recorder.add(&picture(is_key, time)).unwrap()).collect()
    }

    fn recorded(events: &[Event]) -> Vec<(&str, u64)> {
        let recorded = events.iter().filter_map(|event| match event {
            Event::Recorded(recorded) => Some((recorded.id.as_str(), recorded.end.0 - recorded.start.0)),
            Event::Segment(_) => None,
        });
        recorded.collect()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_push_is_recorded_in_both_formats() {
        let folder = Folder::new();
        let mut recorder = recorder(&folder, "record=flv|hls");
        recorder.add(&header()).unwrap();
        assert_eq!(recorder.add(&picture(false, 0)).unwrap(), [], "nothing before the first key frame");
        let events = record(&mut recorder, 1..6);
        let entry =
            |number| Entry { url: format!("/vod/p1-hls-0/{number}.ts"), milliseconds: 2000, is_discontinuous: false };
        assert_eq!(events, [Event::Segment(entry(0)), Event::Segment(entry(1))]);
        let events = recorder.finish().unwrap();
        assert_eq!(recorded(&events), [("p1-flv-0", 5), ("p1-hls-0", 5)]);
        assert_eq!(names(folder.path()), ["p1-flv-0", "p1-hls-0", PARTIAL]);
        assert_eq!(names(&folder.path().join("p1-hls-0")), ["0.ts", "1.ts", "2.ts", PLAYLIST_NAME]);
        let playlist = fs::read_to_string(folder.path().join("p1-hls-0").join(PLAYLIST_NAME)).unwrap();
        assert!(playlist.contains("#EXTINF:0.500,\n2.ts\n#EXT-X-ENDLIST"), "{playlist}");
        let flv = fs::read(folder.path().join("p1-flv-0").join(FLV_NAME)).unwrap();
        let mut metadata = BytesMut::new();
        recording_metadata(4.5, flv.len() as u64).write(0, &mut metadata);
        assert_eq!(&flv[13..13 + metadata.len()], &metadata[..], "the length and the size are in the file");
        assert_eq!(recorder.finish().unwrap(), [], "a second end records nothing");
    }

    #[test]
    fn a_file_ends_at_the_first_key_frame_after_the_interval_and_the_next_one_begins_with_the_headers() {
        let folder = Folder::new();
        let mut recorder = recorder(&folder, "record=flv&record_interval=3");
        recorder.add(&header()).unwrap();
        let events = record(&mut recorder, 0..4);
        assert_eq!(recorded(&events), [("p1-flv-0", 3)]);
        assert_eq!(recorded(&recorder.finish().unwrap()), [("p1-flv-1", 1)]);
        drop(recorder);
        assert_eq!(names(folder.path()), ["p1-flv-0", "p1-flv-1", PARTIAL]);
        assert_eq!(names(&folder.path().join(PARTIAL)), [""; 0], "the segments of the running stream are not kept");
        let flv = fs::read(folder.path().join("p1-flv-1").join(FLV_NAME)).unwrap();
        let mut headers = BytesMut::new();
        header().write(0, &mut headers);
        assert!(flv.windows(headers.len()).any(|bytes| bytes == headers));
    }

    #[test]
    fn files_with_too_many_segments_end_and_a_publisher_without_key_frames_is_not_recorded_on() {
        let folder = Folder::new();
        let mut recorder = recorder(&folder, "record=hls");
        recorder.add(&header()).unwrap();
        record(&mut recorder, 0..1);
        let count = |recorder: &mut Recorder, count| recorder.part.as_mut().unwrap().hls.count = count;
        count(&mut recorder, MAX_PART_SEGMENTS);
        assert_eq!(recorder.add(&picture(false, 1200)).unwrap(), []);
        assert_eq!(recorded(&recorder.add(&picture(true, 2000)).unwrap()), [("p1-hls-0", 2)]);
        count(&mut recorder, 2 * MAX_PART_SEGMENTS);
        let error = recorder.add(&picture(false, 2200)).unwrap_err();
        assert_eq!(error.to_string(), "a file is too large, and there is no key frame with which a new one begins");
    }

    #[test]
    fn a_recorder_that_fails_leaves_nothing_behind() {
        let folder = Folder::new();
        let mut recorder = recorder(&folder, "record=flv|hls");
        recorder.add(&header()).unwrap();
        record(&mut recorder, 0..3);
        assert_eq!(names(&folder.path().join(PARTIAL)), ["p1-flv-0", "p1-hls-0"]);
        drop(recorder);
        assert_eq!(names(&folder.path().join(PARTIAL)), [""; 0]);
    }
}
