//! Records one push in files: FLV, and HLS in segments, each split at the interval that the push URL requests.
//!
//! A file is written in the folder `partial` and moved when it is complete. What an earlier process left in `partial` is
//! deleted at the start: the push of such a file ended with that process, and nobody was told of the file.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use bytes::BytesMut;
use protocol::types::UnixSeconds;

use crate::{
    flv::{Role, Tag, TagKind, file_header, recording_metadata},
    hls::{Entry, LIVE_SEGMENTS, Segment, Segmenter, recorded_playlist},
};

/// The name of the file of a recording in FLV.
pub const FLV_NAME: &str = "f0.flv";
/// The name of the playlist of a recording in HLS.
pub const PLAYLIST_NAME: &str = "playlist.m3u8";
/// The folder of files that are being written.
pub const PARTIAL: &str = "partial";
/// The longest file if the push URL does not say.
const DEFAULT_INTERVAL_SECONDS: u64 = 7200;
/// After how much sound without video a push counts as sound only.
const SOUND_ONLY_MILLISECONDS: u64 = 2000;
/// How far the publisher's clock may go forward and back between two tags; any other step is a jump of the clock, and
/// counts as one picture.
const MAX_STEP: i32 = 60_000;
const MAX_STEP_BACK: i32 = 5_000;
const STEP_AT_JUMP: u64 = 40;

/// A format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One file with everything.
    Flv,
    /// A playlist and its segments.
    Hls,
}

impl Format {
    /// The name in push URLs and in notices.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flv => "flv",
            Self::Hls => "hls",
        }
    }

    /// The file that a player opens.
    pub fn entry(self) -> &'static str {
        match self {
            Self::Flv => FLV_NAME,
            Self::Hls => PLAYLIST_NAME,
        }
    }
}

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

/// What is recorded of a push.
#[derive(Clone, Debug)]
pub struct Request {
    /// The prefix of the names of the files.
    pub name: String,
    /// The formats of files that are kept.
    pub formats: Vec<Format>,
    /// The longest file, in seconds.
    pub interval_seconds: u64,
}

impl Request {
    /// What a push URL requests: `record=flv|hls&record_interval=7200`. Other formats are not recorded.
    pub fn of_query(name: &str, query: &str) -> Self {
        let params: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let param = |name: &str| params.iter().find(|(key, _)| key == name).map(|(_, value)| &**value);
        let formats = param("record").unwrap_or_default().split('|');
        let known = |word: &str| [Format::Flv, Format::Hls].into_iter().find(|format| format.name() == word);
        let interval = param("record_interval").and_then(|seconds| seconds.parse().ok()).filter(|seconds| *seconds > 0);
        Self {
            name: name.to_owned(),
            formats: formats.filter_map(known).collect(),
            interval_seconds: interval.unwrap_or(DEFAULT_INTERVAL_SECONDS),
        }
    }
}

/// Records one push.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    request: Request,
    clock: fn() -> UnixSeconds,
    time: StreamTime,
    segmenter: Segmenter,
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

#[derive(Debug)]
struct FlvFile {
    id: String,
    file: BufWriter<File>,
    bytes: u64,
}

#[derive(Debug)]
struct HlsFiles {
    id: String,
    folder: PathBuf,
    entries: Vec<Entry>,
    bytes: u64,
    /// Whether the segments stay when the stream is over.
    is_kept: bool,
}

/// The time since the start of a stream: the publisher's clock may wrap, and jump.
#[derive(Debug, Default)]
struct StreamTime {
    last: Option<u32>,
    elapsed: u64,
}

impl StreamTime {
    /// The time of a tag, in milliseconds since the first one.
    fn of(&mut self, time: u32) -> u64 {
        let Some(last) = self.last else {
            self.last = Some(time);
            return 0;
        };
        let step = time.wrapping_sub(last).cast_signed();
        if (-MAX_STEP_BACK..0).contains(&step) {
            // Audio and video are not exactly in order.
            return self.elapsed.saturating_sub(u64::from(step.unsigned_abs()));
        }
        let step = if (0..=MAX_STEP).contains(&step) { u64::from(step.unsigned_abs()) } else { STEP_AT_JUMP };
        self.last = Some(time);
        self.elapsed += step;
        self.elapsed
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
            if self.part.as_ref().is_some_and(|part| time.saturating_sub(part.start) >= interval) {
                events = self.finish()?;
            }
            if self.part.is_none() {
                self.part = Some(self.begin(time)?);
            }
        }
        let segment = self.segmenter.add(tag, time);
        if role == Role::Header {
            self.headers[usize::from(tag.kind == TagKind::Audio)] = Some(tag.clone());
        }
        let Some(part) = &mut self.part else { return Ok(events) };
        if let Some(segment) = segment {
            events.push(Event::Segment(part.hls.add(&segment)?));
        }
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
            events.push(Event::Segment(part.hls.add(&segment)?));
        }
        let milliseconds = part.last.saturating_sub(part.start);
        let (start, end) = (part.started_at, part.started_at.plus(milliseconds.div_ceil(1000)));
        let recorded = |id, format, bytes| Event::Recorded(Recorded { id, format, start, end, bytes });
        if let Some(flv) = part.flv {
            let (id, bytes) = flv.finish(milliseconds)?;
            self.keep(&id)?;
            events.push(recorded(id, Format::Flv, bytes));
        }
        let HlsFiles { id, folder, entries, bytes, is_kept } = part.hls;
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
            entries: Vec::new(),
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

impl FlvFile {
    fn create(path: PathBuf, id: String, headers: &[Option<Tag>; 2]) -> io::Result<Self> {
        let [video, audio] = headers;
        let mut flv = Self { id, file: BufWriter::new(File::create(path)?), bytes: 0 };
        let header = file_header(audio.is_some() || video.is_none(), video.is_some());
        flv.file.write_all(&header)?;
        flv.bytes += header.len() as u64;
        flv.write(&recording_metadata(0.0, 0), 0)?;
        for header in headers.iter().flatten() {
            flv.write(header, 0)?;
        }
        Ok(flv)
    }

    /// Appends a tag; `time` is since the start of the file.
    fn write(&mut self, tag: &Tag, time: u64) -> io::Result<()> {
        let mut bytes = BytesMut::new();
        let time = u32::try_from(time).unwrap_or(u32::MAX);
        Tag { time, ..tag.clone() }.write(0, &mut bytes);
        self.file.write_all(&bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Writes the length and the size into the metadata. Returns the id and the size.
    fn finish(mut self, milliseconds: u64) -> io::Result<(String, u64)> {
        let mut metadata = BytesMut::new();
        #[expect(clippy::cast_precision_loss, reason = "no push lasts 2^53 milliseconds")]
        recording_metadata(milliseconds as f64 / 1000.0, self.bytes).write(0, &mut metadata);
        self.file.seek(SeekFrom::Start(file_header(true, true).len() as u64))?;
        self.file.write_all(&metadata)?;
        self.file.flush()?;
        Ok((self.id, self.bytes))
    }
}

impl HlsFiles {
    /// Writes a segment. Returns its entry in the playlist of the running stream.
    fn add(&mut self, segment: &Segment) -> io::Result<Entry> {
        let number = self.entries.len();
        let Segment { bytes, milliseconds, is_discontinuous } = segment;
        fs::write(self.folder.join(segment_name(number)), bytes)?;
        self.bytes += bytes.len() as u64;
        let entry = |url| Entry { url, milliseconds: *milliseconds, is_discontinuous: *is_discontinuous };
        self.entries.push(entry(segment_name(number)));
        if !self.is_kept
            && let Some(old) = number.checked_sub(2 * LIVE_SEGMENTS)
        {
            fs::remove_file(self.folder.join(segment_name(old)))?;
        }
        Ok(entry(format!("/vod/{}/{}", self.id, segment_name(number))))
    }
}

fn segment_name(number: usize) -> String {
    format!("{number}.ts")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::tests::Folder;

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
    fn a_push_url_says_what_is_recorded() {
        let request = |query| Request::of_query("p", query);
        let both = request("bizid=8888&record_interval=60&record=flv|hls|mp4&txTime=0");
        assert_eq!((both.formats, both.interval_seconds), (vec![Format::Flv, Format::Hls], 60));
        let none = request("txTime=0&record_interval=0");
        assert_eq!((none.formats, none.interval_seconds), (vec![], 7200));
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
    fn a_clock_of_the_publisher_that_wraps_or_jumps_does_not_change_the_length() {
        let mut time = StreamTime::default();
        let times = [u32::MAX - 99, u32::MAX, 900, 880, 940, 3_000_000_000, 3_000_000_040, 5];
        assert_eq!(times.map(|at| time.of(at)), [0, 99, 1000, 980, 1040, 1080, 1120, 1160]);
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
