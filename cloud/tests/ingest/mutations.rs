//! Broken connections: mutations of a publisher's bytes neither panic nor claim memory, and end every push that began.
//! Mutated tags are relayed and recorded.
//!
//! `MUTATIONS=1000000 cargo test -p cloud --test ingest mutated` tries more of them than a usual run.

use std::{env, sync::Arc};

use bytes::{Bytes, BytesMut};
use cloud::{
    bounds::MAX_PARTIAL_BYTES,
    channel::Channel,
    flv::{Tag, TagKind},
    hls::Segmenter,
    publish::Ended,
    rtmp::{
        serve,
        session::{Event, Session},
    },
};
use tokio::{
    io::{AsyncWriteExt, duplex, split},
    join,
};

use crate::support::{
    AUDIO, COMMAND_AMF3, DATA, HANDSHAKE_BYTES, PIPE_BYTES, Recorder, USER_CONTROL, VIDEO, closing, message, opening,
};

const CONNECTIONS: u64 = 2000;
/// The memory that the packets of one tag may take: what is sent has no more than 100 KB.
const MAX_PACKETS_BYTES: usize = 1 << 20;
/// The bound of answers to one read of 16 KiB: a `connect` of 30 bytes is answered by some 300.
const MAX_OUTPUT_BYTES: usize = 512 << 10;
const READ_BYTES: usize = 16 << 10;

/// Random numbers by xorshift, the same in every run.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        // Seeds that are near to each other begin far from each other.
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 32).unwrap() % bound
    }

    fn byte(&mut self) -> u8 {
        self.below(256).to_le_bytes()[0]
    }
}

/// How many mutations are tried.
#[expect(clippy::disallowed_methods, reason = "the one place of this crate's tests that reads the environment")]
fn connections() -> u64 {
    env::var("MUTATIONS").map_or(CONNECTIONS, |count| count.parse().unwrap())
}

/// A publisher that uses everything that the ingest reads.
fn good() -> Vec<u8> {
    let aggregate = [&[9, 0, 0, 3, 0, 0, 7, 0, 0, 0, 0][..], b"abc", &[0, 0, 0, 14]].concat();
    [
        opening(),
        message(USER_CONTROL, 0, 0, &[0, 6, 0, 0, 0, 1]),
        message(5, 0, 0, &[0, 0, 1, 0]),
        message(DATA, 0, 1, b"\x02\0\x0d@setDataFrame\x02\0\x0aonMetaData\x08\0\0\0\0\0\x01a\x05\0\0\x09"),
        message(1, 0, 0, &[0, 0, 2, 0]),
        message(VIDEO, 0x0100_0000, 1, &[1; 100]),
        message(AUDIO, 20, 1, b"sound"),
        message(22, 30, 1, &[&aggregate[..], &aggregate].concat()),
        message(COMMAND_AMF3, 0, 1, b"\0\x02\0\x04some\0\0\0\0\0\0\0\0\0"),
        message(2, 0, 0, &[0, 0, 0, 4]),
        closing(),
    ]
    .concat()
}

/// The bytes of a connection, and the sizes of the pieces in which they arrive.
fn mutated(seed: u64) -> (Vec<u8>, Vec<usize>) {
    let random = &mut Random::new(seed);
    let mut bytes = good();
    // The handshake has few bytes that matter, so most mutations are behind it.
    let from = if random.below(20) == 0 { 0 } else { HANDSHAKE_BYTES };
    match random.below(5) {
        0 => {
            let count = 1 + random.below(3000);
            bytes.truncate(from);
            bytes.extend((0..count).map(|_| random.byte()));
        }
        1 => {
            // A part again, or a part less.
            let (a, b) = (from + random.below(bytes.len() - from), from + random.below(bytes.len() - from));
            let part = bytes[a.min(b)..a.max(b)].to_vec();
            if random.below(2) == 0 {
                bytes.splice(a..a, part);
            } else {
                bytes.drain(a.min(b)..a.max(b));
            }
        }
        _ => {
            for _ in 0..[0, 1, 1, 2, 5, 20][random.below(6)] {
                let index = from + random.below(bytes.len() - from);
                bytes[index] = if random.below(4) == 0 { 0xff } else { random.byte() };
            }
        }
    }
    if random.below(3) == 0 {
        bytes.truncate(random.below(bytes.len() + 1));
    }
    if random.below(3) == 0 {
        // More of what came last, so that lengths that were mutated are filled.
        let filler = random.byte();
        bytes.resize(bytes.len() + random.below(100_000), filler);
    }
    let largest = [1, 10, 1000, READ_BYTES][random.below(4)].max(bytes.len() / 500);
    let mut pieces = Vec::new();
    let mut left = bytes.len();
    while left > 0 {
        let piece = (1 + random.below(largest)).min(left);
        pieces.push(piece);
        left -= piece;
    }
    (bytes, pieces)
}

#[tokio::test(start_paused = true)]
async fn mutated_connections_are_served_without_a_panic() {
    let (mut accepted, mut broken) = (0u64, 0u64);
    for seed in 0..connections() {
        let recorder = Recorder::new();
        let (bytes, pieces) = mutated(seed);
        let (client, server) = duplex(PIPE_BYTES);
        let (mut reader, mut writer) = split(client);
        let send = async {
            let mut rest = &bytes[..];
            for piece in pieces {
                let (now, later) = rest.split_at(piece);
                rest = later;
                if writer.write_all(now).await.is_err() {
                    return;
                }
            }
            // The ingest may have closed its side.
            drop(writer.shutdown().await);
        };
        let receive = async { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await };
        let (ended, (), received) = join!(serve(server, None, &recorder), send, receive);
        received.unwrap();
        let record = recorder.record();
        assert_eq!(record.opened.len(), record.ends.len(), "seed {seed}: every push ends once");
        accepted += record.ends.len() as u64;
        broken += u64::from(matches!(ended, Ended::BeforePush(_)));
    }
    // The mutations are neither all harmless nor all fatal.
    assert!(accepted > connections() / 4 && broken > connections() / 7, "{accepted} accepted, {broken} broken");
}

#[test]
fn mutated_connections_claim_no_more_memory_than_the_bounds() {
    for seed in 0..connections() {
        let (bytes, pieces) = mutated(seed);
        let (mut session, mut input, mut rest) = (Session::default(), BytesMut::new(), &bytes[..]);
        'connection: for piece in pieces {
            let (now, later) = rest.split_at(piece);
            rest = later;
            input.extend_from_slice(now);
            loop {
                let event = session.read(&mut input);
                assert!(session.buffered_bytes() <= MAX_PARTIAL_BYTES, "seed {seed}");
                assert!(session.output().len() <= MAX_OUTPUT_BYTES, "seed {seed}");
                match event {
                    Ok(Some(Event::Publish { .. })) => session.accept(),
                    Ok(Some(Event::Tag(tag))) => assert!(!tag.body.is_empty(), "seed {seed}"),
                    Ok(Some(Event::Close | Event::Refused(_))) | Err(_) => break 'connection,
                    Ok(None) => break,
                }
            }
            session.output().clear();
            // Behind the handshake, only an incomplete header is left.
            assert!(input.len() < 1537, "seed {seed}: {} bytes are left", input.len());
        }
    }
}

#[test]
fn a_flood_of_commands_has_bounded_answers() {
    let long = message(20, 0, 0, b"\x02\0\x0fgetStreamLength\0\x3f\xf0\0\0\0\0\0\0");
    let short = message(20, 0, 0, b"\x02\0\x08_checkbw\0\x3f\xf0\0\0\0\0\0\0");
    for flood in [long, short, message(USER_CONTROL, 0, 0, &[0, 6, 0, 0, 0, 1])] {
        let mut session = Session::default();
        let mut input = BytesMut::from(&opening()[..]);
        while let Some(event) = session.read(&mut input).unwrap() {
            assert!(matches!(event, Event::Publish { .. }));
            session.accept();
        }
        session.output().clear();
        input.extend_from_slice(&flood.repeat(READ_BYTES / flood.len()));
        assert_eq!(session.read(&mut input), Ok(None));
        let answered = session.output().len();
        assert!(answered <= MAX_OUTPUT_BYTES, "{answered} bytes of answers");
    }
}

/// The tags of a few pictures and sounds, with the headers of both tracks.
fn good_tags() -> Vec<Tag> {
    let video = |time, body: &[u8]| Tag { kind: TagKind::Video, time, body: Bytes::copy_from_slice(body) };
    let audio = |time, body: &[u8]| Tag { kind: TagKind::Audio, time, body: Bytes::copy_from_slice(body) };
    let avc = &[0x17, 0, 0, 0, 0, 1, 0x42, 0, 0x1f, 0xff, 0xe1, 0, 3, 0x67, 0x42, 0x1f, 1, 0, 2, 0x68, 0xce];
    let mut tags = vec![video(0, avc), audio(0, &[0xaf, 0, 0x12, 0x10])];
    for time in (0..6000).step_by(500) {
        let first = if time % 2000 == 0 { 0x17 } else { 0x27 };
        tags.push(video(time, &[&[first, 1, 0, 0, 40, 0, 0, 0, 200], &[0x65; 200][..], &[0, 0, 0, 1, 0x06]].concat()));
        tags.push(audio(time + 20, &[&[0xaf, 1], &[7; 90][..]].concat()));
    }
    tags
}

/// The tags with some of them changed, left out, or sent again.
fn mutated_tags(random: &mut Random) -> Vec<Tag> {
    let mut tags = good_tags();
    for _ in 0..1 + random.below(20) {
        let index = random.below(tags.len());
        let mut body = tags[index].body.to_vec();
        match random.below(8) {
            0 => tags[index].time = [0, u32::MAX, 1 << 31, 100_000][random.below(4)],
            1 => tags[index].kind = [TagKind::Audio, TagKind::Video, TagKind::Script][random.below(3)],
            2 => tags.push(tags[index].clone()),
            3 => body.truncate(random.below(body.len() + 1)),
            4 => body.resize(random.below(100_000), 0xff),
            // What matters is at the beginning: types, counts and lengths.
            _ if !body.is_empty() => {
                let at = random.below(body.len().min(24));
                body[at] = if random.below(2) == 0 { 0xff } else { random.byte() };
            }
            _ => {}
        }
        tags[index].body = body.into();
    }
    tags
}

#[tokio::test(start_paused = true)]
async fn mutated_tags_are_relayed_and_cut_into_segments_without_a_panic() {
    let mut segments = 0;
    for seed in 0..connections() {
        let (channel, mut segmenter, mut packets) = (Arc::new(Channel::default()), Segmenter::default(), Vec::new());
        let mut viewer = channel.view().unwrap();
        let tags = mutated_tags(&mut Random::new(seed));
        let mut time = 0;
        for tag in &tags {
            assert_eq!(channel.push(tag), *tag, "seed {seed}");
            time = if tag.time < 1 << 30 { u64::from(tag.time) } else { time };
            packets.clear();
            segments += usize::from(segmenter.add(tag, time, &mut packets).is_some());
            assert!(packets.len() < MAX_PACKETS_BYTES && packets.len() % 188 == 0, "seed {seed}");
        }
        channel.end();
        while viewer.next().await.is_some() {}
    }
    assert!(u64::try_from(segments).unwrap() > connections(), "{segments} segments");
}
