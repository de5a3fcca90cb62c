//! The simple handshake of RTMP: the client sends C0, C1 and C2; the server sends S0, S1 and S2 in between.

use bytes::{Buf, BufMut, BytesMut};

use super::Error;

/// The version of RTMP without encryption.
const VERSION: u8 = 3;
/// The length of C1, C2, S1 and S2.
const PACKET_BYTES: usize = 1536;
/// The time and the zero at the head of S1. A zero instead of a version says that the server knows no digests.
const S1_HEAD: [u8; 8] = [0; 8];

/// The server's side of the handshake.
#[derive(Debug, Default)]
pub enum Handshake {
    /// Waits for C0 and C1.
    #[default]
    Hello,
    /// Waits for C2.
    Echo,
    /// The handshake is complete.
    Done,
}

impl Handshake {
    /// Reads from `input` and appends answers to `output`. Returns whether the handshake is complete. The content of C2
    /// is not checked, because some encoders send something else than the echo of S1.
    pub fn read(&mut self, input: &mut BytesMut, output: &mut BytesMut) -> Result<bool, Error> {
        loop {
            match self {
                Self::Hello => {
                    // The first byte is judged alone: a client of another protocol may never send 1537 bytes.
                    if let Some(&version) = input.first().filter(|version| **version != VERSION) {
                        return Err(Error::Version(version));
                    }
                    if input.len() < 1 + PACKET_BYTES {
                        return Ok(false);
                    }
                    output.put_u8(VERSION);
                    output.put_slice(&S1_HEAD);
                    // The rest of S1 may be anything: nothing depends on the bytes being random.
                    output.extend((S1_HEAD.len()..PACKET_BYTES).map(|index| index.to_le_bytes()[0]));
                    output.put_slice(&input[1..=PACKET_BYTES]);
                    input.advance(1 + PACKET_BYTES);
                    *self = Self::Echo;
                }
                Self::Echo => {
                    if input.len() < PACKET_BYTES {
                        return Ok(false);
                    }
                    input.advance(PACKET_BYTES);
                    *self = Self::Done;
                }
                Self::Done => return Ok(true),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handshake_echoes_c1_and_takes_any_c2() {
        let (mut handshake, mut output) = (Handshake::default(), BytesMut::new());
        let c1: Vec<u8> = (0..PACKET_BYTES).map(|index| (index / 7).to_le_bytes()[0]).collect();
        let mut input = BytesMut::from(&[&[VERSION][..], &c1[..1000]].concat()[..]);
        assert_eq!(handshake.read(&mut input, &mut output), Ok(false));
        assert!(output.is_empty());
        input.extend_from_slice(&c1[1000..]);
        assert_eq!(handshake.read(&mut input, &mut output), Ok(false));
        assert_eq!(output.len(), 1 + 2 * PACKET_BYTES);
        assert_eq!(output[0], VERSION);
        assert_eq!(output[1 + PACKET_BYTES..], c1[..]);
        input.extend_from_slice(&[9; PACKET_BYTES]);
        input.extend_from_slice(b"rest");
        assert_eq!(handshake.read(&mut input, &mut output), Ok(true));
        assert_eq!(&input[..], b"rest");
    }

    #[test]
    fn another_protocol_is_refused_at_its_first_byte() {
        let mut input = BytesMut::from(&b"GET / HTTP/1.1\r\n"[..]);
        let error = Handshake::default().read(&mut input, &mut BytesMut::new());
        assert_eq!(error, Err(Error::Version(b'G')));
    }
}
