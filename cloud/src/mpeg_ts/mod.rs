//! MPEG transport streams of H.264 and AAC, for HLS: the packets of one segment after another.

mod config;
mod packet;

pub use self::packet::PACKET_BYTES;
use self::{
    config::{AacConfig, AvcConfig},
    packet::{AUDIO_ID, Flags, VIDEO_ID, pes, write_packets, write_table},
};
use crate::flv::{Role, Tag};

/// The packet identifiers of the tables and of the tracks.
const PAT: u16 = 0;
const PMT: u16 = 0x1000;
const VIDEO: u16 = 0x100;
const AUDIO: u16 = 0x101;
/// The types of the tracks in the table.
const H264: u8 = 0x1b;
const AAC: u8 = 0x0f;
/// Ticks of the clock per millisecond, and where it begins: pictures may be shown before they are decoded by up to a
/// second, and no time may be negative.
const TICKS: u64 = 90;
const START: u64 = 90_000;
/// How far the clock reference is behind the time of decoding.
const REFERENCE_LEAD: u64 = 9_000;
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::packet::{crc32, timestamp};
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
    fn parameter_sets_that_are_too_long_to_be_repeated_are_left_out() {
        let header = |bytes: u16| {
            let head = [0x17, 0, 0, 0, 0, 1, 0x42, 0, 0x1f, 0xff, 0xe1];
            let set = vec![0x67; usize::from(bytes)];
            tag(TagKind::Video, &[&head[..], &bytes.to_be_bytes(), &set, &[0]].concat())
        };
        let longest = u16::try_from(crate::bounds::MAX_PARAMETER_SET_BYTES).unwrap() - 4;
        assert!(Muxer::default().configure(&header(longest)));
        assert!(!Muxer::default().configure(&header(longest + 1)));
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
