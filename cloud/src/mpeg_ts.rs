//! MPEG transport streams of H.264 and AAC, for HLS: the packets of one segment after another.

use crate::flv::{Role, Tag};

/// The length of a packet, and of what follows its header.
pub const PACKET_BYTES: usize = 188;
const PAYLOAD_BYTES: usize = 184;
/// The packet identifiers of the tables and of the tracks.
const PAT: u16 = 0;
const PMT: u16 = 0x1000;
const VIDEO: u16 = 0x100;
const AUDIO: u16 = 0x101;
/// The stream ids in packets of the tracks.
const VIDEO_ID: u8 = 0xe0;
const AUDIO_ID: u8 = 0xc0;
/// The types of the tracks in the table.
const H264: u8 = 0x1b;
const AAC: u8 = 0x0f;
/// Ticks of the clock per millisecond, and where it begins: pictures may be shown before they are decoded by up to a
/// second, and no time may be negative.
const TICKS: u64 = 90;
const START: u64 = 90_000;
/// How far the clock reference is behind the time of decoding.
const REFERENCE_LEAD: u64 = 9_000;
/// Types of units of H.264: the delimiter of pictures.
const DELIMITER: u8 = 9;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Writes packets, and remembers what each later packet depends on.
#[derive(Debug, Default)]
pub struct Muxer {
    counters: Counters,
    video: Option<AvcConfig>,
    audio: Option<AacConfig>,
}

/// The number of the last packet of each identifier.
#[derive(Debug, Default)]
struct Counters {
    pat: u8,
    pmt: u8,
    video: u8,
    audio: u8,
}

/// The configuration of the H.264 decoder.
#[derive(Debug, PartialEq, Eq)]
struct AvcConfig {
    /// The parameter sets, each after a start code.
    sets: Vec<u8>,
    /// The bytes of the length before each unit.
    length_bytes: usize,
}

/// The configuration of the AAC decoder: what the header of each frame repeats.
#[derive(Debug, PartialEq, Eq)]
struct AacConfig {
    profile: u8,
    rate: u8,
    channels: u8,
}

impl Muxer {
    /// Reads the header of a track; `false` if HLS cannot carry the track.
    pub fn configure(&mut self, header: &Tag) -> bool {
        if header.is_avc() {
            self.video = AvcConfig::read(header.body.get(5..).unwrap_or_default());
            return self.video.is_some();
        }
        if header.is_aac() {
            self.audio = AacConfig::read(header.body.get(2..).unwrap_or_default());
            return self.audio.is_some();
        }
        false
    }

    /// Whether a segment begins with a picture.
    pub fn has_video(&self) -> bool {
        self.video.is_some()
    }

    /// Whether there is a track.
    pub fn has_track(&self) -> bool {
        self.video.is_some() || self.audio.is_some()
    }

    /// Appends the tables, with which every segment begins.
    pub fn write_tables(&mut self, out: &mut Vec<u8>) {
        let program = [0, 1, PMT.to_be_bytes()[0] | 0xe0, PMT.to_be_bytes()[1]];
        write_table(PAT, &mut self.counters.pat, 0, &program, out);
        let clock = if self.video.is_some() { VIDEO } else { AUDIO };
        let mut tracks = vec![clock.to_be_bytes()[0] | 0xe0, clock.to_be_bytes()[1], 0xf0, 0];
        for (is_there, kind, pid) in [(self.video.is_some(), H264, VIDEO), (self.audio.is_some(), AAC, AUDIO)] {
            if is_there {
                tracks.extend([kind, pid.to_be_bytes()[0] | 0xe0, pid.to_be_bytes()[1], 0xf0, 0]);
            }
        }
        write_table(PMT, &mut self.counters.pmt, 2, &tracks, out);
    }

    /// Appends a frame. `time` is its time in milliseconds since the start of the stream. A frame of a track without
    /// header, or one that cannot be read, is left out.
    pub fn write(&mut self, tag: &Tag, time: u64, out: &mut Vec<u8>) {
        let decoded = time * TICKS + START;
        let role = tag.role();
        if !matches!(role, Role::KeyFrame | Role::Frame) {
            return;
        }
        match (&self.video, &self.audio) {
            (Some(config), _) if tag.is_avc() => {
                let [_, _, offset @ ..] = &tag.body[..5] else { return };
                let offset = i64::from(i32::from_be_bytes([offset[0], offset[1], offset[2], 0]) >> 8);
                let is_key = role == Role::KeyFrame;
                let Some(units) = config.annex_b(&tag.body[5..], is_key) else { return };
                let shown = decoded.saturating_add_signed(offset * TICKS.cast_signed());
                let packet = pes(VIDEO_ID, shown, decoded, &units);
                let flags = Flags { reference: Some(decoded.saturating_sub(REFERENCE_LEAD)), is_entry: is_key };
                write_packets(VIDEO, &mut self.counters.video, &packet, flags, out);
            }
            (video, Some(config)) if tag.is_aac() => {
                let Some(frame) = config.adts(tag.body.get(2..).unwrap_or_default()) else { return };
                let packet = pes(AUDIO_ID, decoded, decoded, &frame);
                // Sound alone has the clock reference, and may be entered at every frame.
                let is_alone = video.is_none();
                let reference = is_alone.then(|| decoded.saturating_sub(REFERENCE_LEAD));
                let flags = Flags { reference, is_entry: is_alone };
                write_packets(AUDIO, &mut self.counters.audio, &packet, flags, out);
            }
            _ => {}
        }
    }
}

impl AvcConfig {
    /// Reads an `AVCDecoderConfigurationRecord`; `None` if it is cut.
    fn read(record: &[u8]) -> Option<Self> {
        let length_bytes = usize::from(record.get(4)? & 3) + 1;
        let (mut rest, mut sets) = (record.get(5..)?, Vec::new());
        // First the sequence parameter sets, whose number has five bits, then the picture parameter sets.
        for mask in [0x1f, 0xff] {
            let (count, after) = rest.split_first()?;
            rest = after;
            for _ in 0..count & mask {
                let (length, after) = rest.split_first_chunk::<2>()?;
                let (set, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
                sets.extend(START_CODE);
                sets.extend(set);
                rest = after;
            }
        }
        Some(Self { sets, length_bytes })
    }

    /// The units of a picture, each after a start code instead of its length; `None` if a length is wrong.
    fn annex_b(&self, mut units: &[u8], is_key: bool) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(units.len() + self.sets.len() + 32);
        out.extend(START_CODE);
        out.extend([DELIMITER, 0xf0]);
        if is_key {
            out.extend(&self.sets);
        }
        while !units.is_empty() {
            let (length, rest) = units.split_at_checked(self.length_bytes)?;
            let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            let (unit, rest) = rest.split_at_checked(length)?;
            if unit.first().is_some_and(|first| first & 0x1f != DELIMITER) {
                out.extend(START_CODE);
                out.extend(unit);
            }
            units = rest;
        }
        Some(out)
    }
}

impl AacConfig {
    /// Reads an `AudioSpecificConfig`; `None` if ADTS cannot express it.
    fn read(config: &[u8]) -> Option<Self> {
        let [first, second, ..] = *config else { return None };
        let (object, rate, channels) = (first >> 3, (first & 7) << 1 | second >> 7, second >> 3 & 15);
        // ADTS has the object types 1 to 4. Others, as those of HE-AAC, contain AAC-LC.
        let profile = if (1..=4).contains(&object) { object - 1 } else { 1 };
        (rate < 13 && channels < 8).then_some(Self { profile, rate, channels })
    }

    /// A frame with its header; `None` if the frame is too long for one.
    fn adts(&self, frame: &[u8]) -> Option<Vec<u8>> {
        const HEADER_BYTES: usize = 7;
        let Self { profile, rate, channels } = *self;
        let length = u16::try_from(frame.len() + HEADER_BYTES).ok().filter(|length| *length < 1 << 13)?;
        // 13 bits between two others of the same bytes.
        let [high, middle, low] =
            [length >> 11, length >> 3 & 0xff, length << 5 & 0xe0].map(|bits| bits.to_be_bytes()[1]);
        let mut out = Vec::with_capacity(usize::from(length));
        out.extend([
            0xff,
            0xf1,
            profile << 6 | rate << 2 | channels >> 2,
            (channels & 3) << 6 | high,
            middle,
            low | 0x1f,
            0xfc,
        ]);
        out.extend(frame);
        Some(out)
    }
}

/// Appends a table in a packet of its own.
fn write_table(pid: u16, counter: &mut u8, id: u8, content: &[u8], out: &mut Vec<u8>) {
    const CHECKSUM_BYTES: usize = 4;
    // Behind the length: the program or transport stream 1, version 0, and that there is one section.
    let mut section = vec![id, 0xb0, 0, 0, 1, 0xc1, 0, 0];
    section.extend(content);
    section[2] = u8::try_from(section.len() - 3 + CHECKSUM_BYTES).expect("a table of two tracks is short");
    let checksum = crc32(&section);
    let end = out.len() + PACKET_BYTES;
    out.extend(header(pid, true, 0x10, counter));
    // The table begins behind this many bytes.
    out.push(0);
    out.extend(section);
    out.extend(checksum.to_be_bytes());
    out.resize(end, 0xff);
}

/// The checksum of tables: CRC-32/MPEG-2.
fn crc32(data: &[u8]) -> u32 {
    data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 })
    })
}

/// The header of a packet.
fn header(pid: u16, is_first: bool, control: u8, counter: &mut u8) -> [u8; 4] {
    let [high, low] = pid.to_be_bytes();
    let bytes = [0x47, high | if is_first { 0x40 } else { 0 }, low, control | *counter];
    *counter = (*counter + 1) & 15;
    bytes
}

/// A frame with its times.
fn pes(id: u8, shown: u64, decoded: u64, data: &[u8]) -> Vec<u8> {
    let times =
        if shown == decoded { vec![timestamp(2, shown)] } else { vec![timestamp(3, shown), timestamp(1, decoded)] };
    let times = times.concat();
    let flags = if times.len() > 5 { 0xc0 } else { 0x80 };
    let time_bytes = u8::try_from(times.len()).unwrap_or(u8::MAX);
    // Video may be longer than the field can say; then it is 0.
    let length = if id == VIDEO_ID { 0 } else { u16::try_from(data.len() + times.len() + 3).unwrap_or(0) };
    let mut out = Vec::with_capacity(data.len() + 19);
    out.extend([0, 0, 1, id]);
    out.extend(length.to_be_bytes());
    out.extend([0x80, flags, time_bytes]);
    out.extend(times);
    out.extend(data);
    out
}

/// A time of 33 bits: after a mark, in groups of 3, 15 and 15 bits that each end with a 1.
fn timestamp(mark: u8, time: u64) -> [u8; 5] {
    let [.., a, b, c, d, e] =
        (((time >> 30 & 7) << 33) | ((time >> 15 & 0x7fff) << 17) | ((time & 0x7fff) << 1)).to_be_bytes();
    [mark << 4 | a | 1, b, c | 1, d, e | 1]
}

/// What the first packet of a frame says about it.
#[derive(Clone, Copy)]
struct Flags {
    /// The clock reference.
    reference: Option<u64>,
    /// Whether a player can begin here.
    is_entry: bool,
}

impl Flags {
    /// The adaptation field, without its length; empty if there is nothing to say.
    fn field(self) -> Vec<u8> {
        let entry = if self.is_entry { 0x40 } else { 0 };
        let Some(reference) = self.reference else { return if self.is_entry { vec![entry] } else { Vec::new() } };
        // 33 bits, then six that are reserved, then an extension that is 0.
        let [_, _, bytes @ ..] = ((reference & ((1 << 33) - 1)) << 15 | 0x7e00).to_be_bytes();
        [&[entry | 0x10], &bytes[..]].concat()
    }
}

/// Appends a frame in packets. The last one is filled up.
fn write_packets(pid: u16, counter: &mut u8, mut rest: &[u8], flags: Flags, out: &mut Vec<u8>) {
    let (mut field, mut is_first) = (flags.field(), true);
    while !rest.is_empty() {
        let mut has_field = !field.is_empty();
        let room = PAYLOAD_BYTES - if has_field { field.len() + 1 } else { 0 };
        let (payload, after) = rest.split_at(room.min(rest.len()));
        let missing = room - payload.len();
        if missing > 0 && has_field {
            field.resize(field.len() + missing, 0xff);
        } else if missing > 0 {
            // A field of one byte is its length, 0. A longer one begins with flags.
            has_field = true;
            field.extend((missing > 1).then_some(0));
            field.resize(missing - 1, 0xff);
        }
        out.extend(header(pid, is_first, if has_field { 0x30 } else { 0x10 }, counter));
        if has_field {
            out.push(u8::try_from(field.len()).unwrap_or(u8::MAX));
            out.append(&mut field);
        }
        out.extend(payload);
        (rest, is_first) = (after, false);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::flv::TagKind;

    /// The header of H.264 with one parameter set of each kind, `67 ..` and `68 ..`.
    const AVC_HEADER: &[u8] =
        &[0x17, 0, 0, 0, 0, 1, 0x42, 0, 0x1f, 0xff, 0xe1, 0, 3, 0x67, 0x42, 0x1f, 1, 0, 2, 0x68, 0xce];
    /// The header of AAC-LC with 44,100 Hz and two channels.
    const AAC_HEADER: &[u8] = &[0xaf, 0, 0x12, 0x10];

    fn tag(kind: TagKind, body: &[u8]) -> Tag {
        Tag { kind, time: 0, body: Bytes::copy_from_slice(body) }
    }

    fn muxer() -> Muxer {
        let mut muxer = Muxer::default();
        assert!(muxer.configure(&tag(TagKind::Video, AVC_HEADER)) && muxer.configure(&tag(TagKind::Audio, AAC_HEADER)));
        muxer
    }

    /// The payloads of the packets of an identifier, one after the other, and whether the counters go on.
    fn payload(packets: &[u8], pid: u16) -> Vec<u8> {
        let (mut all, mut counters) = (Vec::new(), Vec::new());
        for packet in packets.chunks(PACKET_BYTES) {
            assert_eq!((packet.len(), packet[0]), (PACKET_BYTES, 0x47));
            if u16::from_be_bytes([packet[1] & 0x1f, packet[2]]) == pid {
                let skipped = if packet[3] & 0x20 == 0 { 0 } else { usize::from(packet[4]) + 1 };
                all.extend(&packet[4 + skipped..]);
                counters.push(packet[3] & 15);
            }
        }
        assert!(counters.windows(2).all(|pair| pair[1] == (pair[0] + 1) & 15), "{counters:?}");
        all
    }

    #[test]
    fn a_checksum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0x0376_e6e7, "the check value of CRC-32/MPEG-2");
    }

    #[test]
    fn the_tables_name_the_tracks_that_exist() {
        let mut out = Vec::new();
        muxer().write_tables(&mut out);
        let section = payload(&out, PMT);
        assert_eq!(section[1..4], [2, 0xb0, 23]);
        assert_eq!(section[9..23], [0xe1, 0, 0xf0, 0, H264, 0xe1, 0, 0xf0, 0, AAC, 0xe1, 1, 0xf0, 0]);
        assert_eq!(crc32(&section[1..27]), 0, "a table with its checksum has the checksum 0");
        let mut sound = Muxer::default();
        sound.configure(&tag(TagKind::Audio, AAC_HEADER));
        out.clear();
        sound.write_tables(&mut out);
        assert_eq!(
            payload(&out, PMT)[9..18],
            [0xe1, 1, 0xf0, 0, AAC, 0xe1, 1, 0xf0, 0],
            "its clock is that of the sound"
        );
    }

    #[test]
    fn a_key_frame_has_its_times_and_the_parameter_sets() {
        let mut out = Vec::new();
        // Shown 40 ms after it is decoded.
        muxer().write(&tag(TagKind::Video, &[0x17, 1, 0, 0, 40, 0, 0, 0, 2, 0x65, 7]), 1000, &mut out);
        assert_eq!(out.len(), PACKET_BYTES);
        assert_eq!(out[5] & 0x50, 0x50, "a player can begin here, and there is a clock reference");
        let frame = payload(&out, VIDEO);
        assert_eq!(frame[..9], [0, 0, 1, VIDEO_ID, 0, 0, 0x80, 0xc0, 10]);
        assert_eq!(frame[9..14], timestamp(3, 90_000 + 1040 * 90));
        assert_eq!(frame[14..19], timestamp(1, 90_000 + 1000 * 90));
        let units = [0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x67, 0x42, 0x1f, 0, 0, 0, 1, 0x68, 0xce, 0, 0, 0, 1, 0x65, 7];
        assert_eq!(frame[19..], units);
    }

    #[test]
    fn times_are_written_as_the_standard_has_them() {
        assert_eq!(timestamp(2, 0), [0x21, 0, 1, 0, 1]);
        assert_eq!(timestamp(2, (1 << 33) - 1), [0x2f, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(timestamp(3, 0x1_2345_6789), [0x39, 0x8d, 0x15, 0xcf, 0x13]);
    }

    #[test]
    fn sound_has_a_header_for_each_frame() {
        let (mut muxer, mut out) = (muxer(), Vec::new());
        muxer.write(&tag(TagKind::Audio, &[0xaf, 1, 0xaa, 0xbb]), 0, &mut out);
        let frame = payload(&out, AUDIO);
        assert_eq!(frame[..6], [0, 0, 1, AUDIO_ID, 0, 17]);
        assert_eq!(frame[14..], [0xff, 0xf1, 0x50, 0x80, 1, 0x3f, 0xfc, 0xaa, 0xbb]);
    }

    #[test]
    fn frames_of_every_length_fill_whole_packets() {
        for length in 0..600u16 {
            let (mut muxer, mut out) = (muxer(), Vec::new());
            let unit = vec![0x61; usize::from(length)];
            let body = [&[0x27, 1, 0, 0, 0, 0, 0], &length.to_be_bytes()[..], &unit].concat();
            muxer.write(&tag(TagKind::Video, &body), 0, &mut out);
            muxer.write(&tag(TagKind::Audio, &[&[0xaf, 1], &unit[..]].concat()), 0, &mut out);
            assert!(payload(&out, VIDEO).ends_with(&unit) && payload(&out, AUDIO).ends_with(&unit));
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let mut muxer = muxer();
        let mut out = Vec::new();
        for body in [
            &[][..],
            &[0x17],
            &[0x17, 1, 0, 0, 0, 0, 0, 1],
            &[0x17, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1],
            &[0x17, 2, 0, 0, 0],
        ] {
            muxer.write(&tag(TagKind::Video, body), 0, &mut out);
        }
        muxer.write(&tag(TagKind::Audio, &[&[0xaf, 1], &[0; 8200][..]].concat()), 0, &mut out);
        muxer.write(&tag(TagKind::Script, b"\x02"), 0, &mut out);
        assert!(out.is_empty());
        for end in 0..AVC_HEADER.len() {
            assert!(!Muxer::default().configure(&tag(TagKind::Video, &AVC_HEADER[..end])), "{end}");
        }
        assert!(!Muxer::default().configure(&tag(TagKind::Audio, &AAC_HEADER[..3])));
        assert!(!Muxer::default().configure(&tag(TagKind::Video, b"\x90hvc1 of which HLS knows nothing here")));
    }
}
