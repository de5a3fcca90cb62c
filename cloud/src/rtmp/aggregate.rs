//! Aggregate messages: several tags in one message, each with the header and the trailer that it has in an FLV file.

use bytes::{Buf, Bytes};

use crate::flv::{Tag, TagKind};

/// The length of a tag's header and of the length behind its body.
const HEADER_BYTES: usize = 11;
const TRAILER_BYTES: usize = 4;

/// The types of tags.
const AUDIO: u8 = 8;
const VIDEO: u8 = 9;
const SCRIPT: u8 = 18;

/// The tags of an aggregate message that have not been read.
#[derive(Debug)]
pub(crate) struct Aggregate {
    time: u32,
    /// The timestamp of the first tag: the message's own timestamp replaces it, and later tags move with it.
    first: Option<u32>,
    rest: Bytes,
}

impl Aggregate {
    pub(crate) fn new(time: u32, body: Bytes) -> Self {
        Self { time, first: None, rest: body }
    }

    /// How many bytes have not been read.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }
}

impl Iterator for Aggregate {
    type Item = Tag;

    /// The next tag. A tag that is cut short is the end; empty tags and those of an unknown type are left out.
    fn next(&mut self) -> Option<Tag> {
        while self.rest.len() >= HEADER_BYTES {
            let mut header = self.rest.split_to(HEADER_BYTES);
            let kind = match header.get_u8() {
                AUDIO => Some(TagKind::Audio),
                VIDEO => Some(TagKind::Video),
                SCRIPT => Some(TagKind::Script),
                _ => None,
            };
            let length = usize::from(header.get_u8()) << 16 | usize::from(header.get_u16());
            let low = u32::from(header.get_u8()) << 16 | u32::from(header.get_u16());
            let time = u32::from(header.get_u8()) << 24 | low;
            if length > self.rest.len() {
                self.rest.clear();
                return None;
            }
            let body = self.rest.split_to(length);
            self.rest.advance(TRAILER_BYTES.min(self.rest.len()));
            let first = *self.first.get_or_insert(time);
            if let Some(kind) = kind.filter(|_| !body.is_empty()) {
                return Some(Tag { kind, time: self.time.wrapping_add(time.wrapping_sub(first)), body });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(kind: u8, time: u32, body: &[u8]) -> Vec<u8> {
        let [extension, time @ ..] = time.to_be_bytes();
        let [_, length @ ..] = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind][..], &length, &time, &[extension, 0, 0, 0], body, &[0; TRAILER_BYTES]].concat()
    }

    #[test]
    fn the_tags_of_an_aggregate_move_with_its_timestamp() {
        let late = 0x0100_0000;
        let parts = [tag(8, late, b"a"), tag(9, late + 40, b"v"), tag(9, late + 50, b""), tag(7, late, b"?")];
        let tags: Vec<Tag> = Aggregate::new(1000, parts.concat().into()).collect();
        let expected = |kind, time, body: &'static [u8]| Tag { kind, time, body: Bytes::from_static(body) };
        assert_eq!(tags, [expected(TagKind::Audio, 1000, b"a"), expected(TagKind::Video, 1040, b"v")]);
    }

    #[test]
    fn an_aggregate_may_be_cut_anywhere() {
        let whole = [tag(8, 0, b"abc"), tag(9, 10, b"def")].concat();
        for length in 0..whole.len() {
            let tags = Aggregate::new(0, whole[..length].to_vec().into()).count();
            let first_body = HEADER_BYTES + 3;
            let second_body = first_body + TRAILER_BYTES + HEADER_BYTES + 3;
            assert_eq!(tags, usize::from(length >= first_body) + usize::from(length >= second_body), "{length} bytes");
        }
    }
}
