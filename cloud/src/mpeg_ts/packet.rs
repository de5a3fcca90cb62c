//! The packets of a transport stream: tables, and frames with their times.

/// The length of a packet, and of what follows its header.
pub const PACKET_BYTES: usize = 188;
const PAYLOAD_BYTES: usize = 184;
/// The stream ids in packets of the tracks.
pub(super) const VIDEO_ID: u8 = 0xe0;
pub(super) const AUDIO_ID: u8 = 0xc0;

/// Appends a table in a packet of its own.
pub(super) fn write_table(pid: u16, counter: &mut u8, id: u8, content: &[u8], out: &mut Vec<u8>) {
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
pub(super) fn crc32(data: &[u8]) -> u32 {
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
pub(super) fn pes(id: u8, shown: u64, decoded: u64, data: &[u8]) -> Vec<u8> {
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
pub(super) fn timestamp(mark: u8, time: u64) -> [u8; 5] {
    let [.., a, b, c, d, e] =
        (((time >> 30 & 7) << 33) | ((time >> 15 & 0x7fff) << 17) | ((time & 0x7fff) << 1)).to_be_bytes();
    [mark << 4 | a | 1, b, c | 1, d, e | 1]
}

/// What the first packet of a frame says about it.
#[derive(Clone, Copy)]
pub(super) struct Flags {
    /// The clock reference.
    pub(super) reference: Option<u64>,
    /// Whether a player can begin here.
    pub(super) is_entry: bool,
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
pub(super) fn write_packets(pid: u16, counter: &mut u8, mut rest: &[u8], flags: Flags, out: &mut Vec<u8>) {
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
    use super::*;

    #[test]
    fn a_checksum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0x0376_e6e7, "the check value of CRC-32/MPEG-2");
    }

    #[test]
    fn times_are_written_as_the_standard_has_them() {
        assert_eq!(timestamp(2, 0), [0x21, 0, 1, 0, 1]);
        assert_eq!(timestamp(2, (1 << 33) - 1), [0x2f, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(timestamp(3, 0x1_2345_6789), [0x39, 0x8d, 0x15, 0xcf, 0x13]);
    }
}
