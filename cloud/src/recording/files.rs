//! The files of one interval of a recording: FLV, and the segments of HLS.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::PathBuf,
};

use bytes::BytesMut;

use crate::{
    flv::{Tag, file_header, recording_metadata},
    hls::{Entry, LIVE_SEGMENTS, Segment},
};

/// The name of the file of a recording in FLV.
pub const FLV_NAME: &str = "f0.flv";
/// The name of the playlist of a recording in HLS.
pub const PLAYLIST_NAME: &str = "playlist.m3u8";

/// How many bytes are written at a time.
const BUFFER_BYTES: usize = 32 << 10;

#[derive(Debug)]
pub(super) struct FlvFile {
    pub(super) id: String,
    file: BufWriter<File>,
    pub(super) bytes: u64,
}

#[derive(Debug)]
pub(super) struct HlsFiles {
    pub(super) id: String,
    pub(super) folder: PathBuf,
    /// The segment that is being written.
    pub(super) segment: Option<BufWriter<File>>,
    /// The segments, if they are kept, and how many there were.
    pub(super) entries: Vec<Entry>,
    pub(super) count: usize,
    pub(super) bytes: u64,
    /// Whether the segments stay when the stream is over.
    pub(super) is_kept: bool,
}

impl FlvFile {
    pub(super) fn create(path: PathBuf, id: String, headers: &[Option<Tag>; 2]) -> io::Result<Self> {
        let [video, audio] = headers;
        let mut flv = Self { id, file: BufWriter::with_capacity(BUFFER_BYTES, File::create(path)?), bytes: 0 };
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
    pub(super) fn write(&mut self, tag: &Tag, time: u64) -> io::Result<()> {
        let mut bytes = BytesMut::new();
        let time = u32::try_from(time).unwrap_or(u32::MAX);
        Tag { time, ..tag.clone() }.write(0, &mut bytes);
        self.file.write_all(&bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Writes the length and the size into the metadata. Returns the id and the size.
    pub(super) fn finish(mut self, milliseconds: u64) -> io::Result<(String, u64)> {
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
    /// Appends packets to the segment.
    pub(super) fn write(&mut self, packets: &[u8]) -> io::Result<()> {
        if packets.is_empty() {
            return Ok(());
        }
        if self.segment.is_none() {
            let file = File::create(self.folder.join(segment_name(self.count)))?;
            self.segment = Some(BufWriter::with_capacity(BUFFER_BYTES, file));
        }
        self.bytes += packets.len() as u64;
        self.segment.as_mut().map_or(Ok(()), |segment| segment.write_all(packets))
    }

    /// Completes a segment. Returns its entry in the playlist of the running stream.
    pub(super) fn end_segment(&mut self, segment: &Segment) -> io::Result<Entry> {
        let number = self.count;
        self.count += 1;
        let Segment { milliseconds, is_discontinuous } = segment;
        if let Some(mut file) = self.segment.take() {
            file.flush()?;
        }
        let entry = |url| Entry { url, milliseconds: *milliseconds, is_discontinuous: *is_discontinuous };
        if self.is_kept {
            self.entries.push(entry(segment_name(number)));
        } else if let Some(old) = number.checked_sub(2 * LIVE_SEGMENTS) {
            fs::remove_file(self.folder.join(segment_name(old)))?;
        }
        Ok(entry(format!("/vod/{}/{}", self.id, segment_name(number))))
    }
}

fn segment_name(number: usize) -> String {
    format!("{number}.ts")
}
