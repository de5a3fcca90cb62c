//! The configurations of the decoders: the header of each track, and what a transport stream repeats of it.

use crate::bounds::MAX_PARAMETER_SET_BYTES;

/// Types of units of H.264: the delimiter of pictures.
const DELIMITER: u8 = 9;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// The configuration of the H.264 decoder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AvcConfig {
    /// The parameter sets, each after a start code.
    sets: Vec<u8>,
    /// The bytes of the length before each unit.
    length_bytes: usize,
}

/// The configuration of the AAC decoder: what the header of each frame repeats.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AacConfig {
    profile: u8,
    rate: u8,
    channels: u8,
}

impl AvcConfig {
    /// Reads an `AVCDecoderConfigurationRecord`; `None` if it is cut, or too long to be repeated before each key frame.
    pub(super) fn read(record: &[u8]) -> Option<Self> {
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
                if sets.len() > MAX_PARAMETER_SET_BYTES {
                    return None;
                }
                rest = after;
            }
        }
        Some(Self { sets, length_bytes })
    }

    /// The units of a picture, each after a start code instead of its length; `None` if a length is wrong.
    pub(super) fn annex_b(&self, mut units: &[u8], is_key: bool) -> Option<Vec<u8>> {
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
    pub(super) fn read(config: &[u8]) -> Option<Self> {
        let [first, second, ..] = *config else { return None };
        let (object, rate, channels) = (first >> 3, (first & 7) << 1 | second >> 7, second >> 3 & 15);
        // ADTS has the object types 1 to 4. Others, as those of HE-AAC, contain AAC-LC.
        let profile = if (1..=4).contains(&object) { object - 1 } else { 1 };
        (rate < 13 && channels < 8).then_some(Self { profile, rate, channels })
    }

    /// A frame with its header; `None` if the frame is too long for one.
    pub(super) fn adts(&self, frame: &[u8]) -> Option<Vec<u8>> {
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
