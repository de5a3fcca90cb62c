//! Chunks and messages: every format of headers, extended timestamps as encoders write them, and the bounds.

use bytes::{Bytes, BytesMut};
use cloud::{
    bounds::{MAX_CHUNK_STREAMS, MAX_MESSAGE_BYTES, MAX_PARTIAL_BYTES},
    rtmp::{
        Error,
        chunk::{ChunkReader, ChunkWriter, Message},
    },
};

use crate::support::{AUDIO, VIDEO};

/// The messages in these bytes, read at once.
fn read(bytes: &[u8]) -> Result<Vec<Message>, Error> {
    let (mut reader, mut input, mut messages) = (ChunkReader::default(), BytesMut::from(bytes), Vec::new());
    while let Some(message) = reader.read(&mut input)? {
        messages.push(message);
    }
    Ok(messages)
}

/// The times of the messages in these bytes.
fn times(bytes: &[u8]) -> Vec<u32> {
    read(bytes).unwrap().iter().map(|message| message.time).collect()
}

fn u24(number: usize) -> [u8; 3] {
    let [_, bytes @ ..] = u32::try_from(number).unwrap().to_be_bytes();
    bytes
}

/// The header of a chunk of format 0 on a chunk stream, for message stream 1.
fn full(id: u8, field: usize, length: usize, kind: u8) -> Vec<u8> {
    [&[id][..], &u24(field), &u24(length), &[kind, 1, 0, 0, 0]].concat()
}

/// The header of a chunk of format 1.
fn same_stream(id: u8, delta: usize, length: usize, kind: u8) -> Vec<u8> {
    [&[0x40 | id][..], &u24(delta), &u24(length), &[kind]].concat()
}

#[test]
fn headers_of_each_format_take_what_they_lack_from_the_chunk_before() {
    let bytes = [
        &full(4, 1000, 2, AUDIO)[..],
        b"ab",
        &same_stream(4, 20, 3, VIDEO),
        b"cde",
        &[0x84, 0, 0, 30],
        b"fgh",
        &[0xc4],
        b"ijk",
    ]
    .concat();
    let message = |kind, time, body: &'static [u8]| Message { kind, time, stream: 1, body: Bytes::from_static(body) };
    let expected = [
        message(AUDIO, 1000, b"ab"),
        message(VIDEO, 1020, b"cde"),
        message(VIDEO, 1050, b"fgh"),
        message(VIDEO, 1080, b"ijk"),
    ];
    assert_eq!(read(&bytes).unwrap(), expected);
}

#[test]
fn format_3_after_format_0_takes_the_timestamp_as_delta() {
    let bytes = [&full(4, 40, 1, AUDIO)[..], b"a", &[0xc4], b"b", &[0xc4], b"c"].concat();
    assert_eq!(times(&bytes), [40, 80, 120]);
}

#[test]
fn a_chunk_stream_may_begin_with_format_1_but_not_with_less() {
    assert_eq!(times(&[&same_stream(4, 7, 1, AUDIO)[..], b"a"].concat()), [7]);
    assert_eq!(read(&[0x84, 0, 0, 1, 0]), Err(Error::NoEarlierChunk(4)));
    assert_eq!(read(&[0xc4, 0]), Err(Error::NoEarlierChunk(4)));
}

#[test]
fn chunks_of_several_messages_interleave() {
    let (long, other) = ([1; 200], [2; 130]);
    let bytes = [
        &full(4, 0, 200, VIDEO)[..],
        &long[..128],
        &full(5, 0, 130, AUDIO),
        &other[..128],
        &[0xc4],
        &long[128..],
        &[0xc5],
        &other[128..],
    ]
    .concat();
    let bodies: Vec<Bytes> = read(&bytes).unwrap().into_iter().map(|message| message.body).collect();
    assert_eq!(bodies, [Bytes::copy_from_slice(&long), Bytes::copy_from_slice(&other)]);
}

#[test]
fn chunk_stream_ids_have_one_two_or_three_bytes() {
    let rest = &full(0, 0, 1, AUDIO)[1..];
    let bytes = [&[0, 200][..], rest, b"a", &[1, 2, 1], rest, b"b", &[0xc0, 200], b"c", &[0xc1, 2, 1], b"d"].concat();
    assert_eq!(read(&bytes).unwrap().len(), 4);
}

#[test]
fn extended_timestamps_are_read_as_each_encoder_writes_them() {
    let late: u32 = 0x0123_4567;
    let (body, next) = ([9; 200], [8; 1]);
    let repeated = late.to_be_bytes();
    // Most encoders repeat the extended timestamp in every chunk of the message, old ones do not.
    for repeat in [&repeated[..], &[]] {
        let bytes = [
            &full(4, 0xff_ffff, 200, VIDEO)[..],
            &late.to_be_bytes(),
            &body[..128],
            &[0xc4],
            repeat,
            &body[128..],
            &same_stream(4, 40, 1, VIDEO),
            &next,
        ]
        .concat();
        let messages = read(&bytes).unwrap();
        assert_eq!(messages[0].body, body[..]);
        assert_eq!((messages[0].time, messages[1].time), (late, late + 40));
    }
    // A delta may be extended too; some encoders then repeat the timestamp in place of the delta.
    let delta: u32 = 0x0100_0000;
    for repeat in [delta, 1000 + delta] {
        let bytes = [
            &full(4, 1000, 1, VIDEO)[..],
            b"a",
            &same_stream(4, 0xff_ffff, 200, VIDEO),
            &delta.to_be_bytes(),
            &body[..128],
            &[0xc4],
            &repeat.to_be_bytes(),
            &body[128..],
        ]
        .concat();
        let messages = read(&bytes).unwrap();
        assert_eq!((messages[1].time, &messages[1].body[..]), (1000 + delta, &body[..]));
    }
    // A format 3 chunk that begins a message repeats the extended timestamp as a timestamp, or as a delta.
    let (first, second) = (0x0200_0000_u32, 0x0200_0028_u32);
    let head = full(4, 0xff_ffff, 1, VIDEO);
    assert_eq!(
        times(&[&head[..], &first.to_be_bytes(), b"a", &[0xc4], &second.to_be_bytes(), b"b"].concat()),
        [first, second]
    );
    let head = [&full(4, 0, 1, VIDEO)[..], b"a", &same_stream(4, 0xff_ffff, 1, VIDEO)].concat();
    assert_eq!(
        times(&[&head[..], &delta.to_be_bytes(), b"b", &[0xc4], &delta.to_be_bytes(), b"c"].concat()),
        [0, delta, 2 * delta]
    );
}

#[test]
fn a_message_that_is_written_is_read_back_in_pieces_of_any_size() {
    let (mut writer, mut out) = (ChunkWriter::default(), BytesMut::new());
    let message = |time, length| Message { kind: VIDEO, time, stream: 1, body: vec![5; length].into() };
    let sent = [message(0, 0), message(40, 128), message(80, 129), message(0xff_ffff, 1000), message(u32::MAX, 300)];
    for message in &sent[..2] {
        writer.write(6, message, &mut out);
    }
    writer.set_chunk_bytes(64, &mut out);
    for message in &sent[2..] {
        writer.write(6, message, &mut out);
    }
    for size in [1, 2, 3, 7, 100, 5000] {
        let (mut reader, mut input, mut messages) = (ChunkReader::default(), BytesMut::new(), Vec::new());
        for piece in out.chunks(size) {
            input.extend_from_slice(piece);
            while let Some(message) = reader.read(&mut input).unwrap() {
                messages.push(message);
            }
        }
        assert_eq!(messages, sent, "in pieces of {size} bytes");
        assert_eq!((input.len(), reader.buffered_bytes()), (0, 0));
    }
}

#[test]
fn abort_drops_the_incomplete_message_of_its_chunk_stream() {
    let abort = |id: u8| [&full(2, 0, 4, 2)[..], &[0, 0, 0, id]].concat();
    let bytes = [&full(4, 0, 200, VIDEO)[..], &[1; 128], &abort(4), &abort(9), &full(4, 10, 1, AUDIO), b"a"].concat();
    let messages = read(&bytes).unwrap();
    assert_eq!(messages, [Message { kind: AUDIO, time: 10, stream: 1, body: Bytes::from_static(b"a") }]);
}

#[test]
fn a_message_that_begins_within_another_is_refused() {
    let bytes = [&full(4, 0, 200, VIDEO)[..], &[1; 128], &full(4, 10, 1, AUDIO), b"a"].concat();
    assert_eq!(read(&bytes), Err(Error::MessageWithinMessage(4)));
}

#[test]
fn chunk_sizes_have_bounds() {
    let set = |size: u32| [&full(2, 0, 4, 1)[..], &size.to_be_bytes()].concat();
    assert_eq!(read(&set(0)), Err(Error::ChunkSize(0)));
    assert_eq!(read(&set(0x8000_0000)), Err(Error::ChunkSize(0x8000_0000)));
    assert_eq!(read(&[&full(2, 0, 3, 1)[..], &[0, 0, 1]].concat()), Err(Error::ShortMessage(1)));
    // A very large size is the same as one of the longest message.
    let bytes = [&set(0x7fff_ffff)[..], &full(4, 0, 100_000, VIDEO), &[1; 100_000]].concat();
    assert_eq!(read(&bytes).unwrap()[0].body.len(), 100_000);
}

#[test]
fn messages_chunk_streams_and_incomplete_messages_have_bounds() {
    assert_eq!(read(&full(4, 0, MAX_MESSAGE_BYTES, VIDEO)), Ok(vec![]));
    let error = read(&full(4, 0, MAX_MESSAGE_BYTES + 1, VIDEO));
    assert_eq!(error, Err(Error::MessageTooLong(MAX_MESSAGE_BYTES + 1, MAX_MESSAGE_BYTES)));

    let streams = |count: usize| {
        let one = |id| [&full(u8::try_from(id).unwrap(), 0, 1, AUDIO)[..], b"a"].concat();
        (3..3 + count).flat_map(one).collect::<Vec<u8>>()
    };
    assert_eq!(read(&streams(MAX_CHUNK_STREAMS)).unwrap().len(), MAX_CHUNK_STREAMS);
    assert_eq!(read(&streams(MAX_CHUNK_STREAMS + 1)), Err(Error::TooManyChunkStreams));

    // Two messages that are each within their bound, but not together.
    let mut bytes = [&full(2, 0, 4, 1)[..], &0x10_0000_u32.to_be_bytes()].concat();
    let part = vec![1; 0x10_0000];
    let parts = MAX_PARTIAL_BYTES / part.len();
    for index in 0..parts {
        let id = 4 + u8::try_from(index % 2).unwrap();
        let header = if index < 2 { full(id, 0, MAX_MESSAGE_BYTES, VIDEO) } else { vec![0xc0 | id] };
        bytes.extend([&header[..], &part].concat());
    }
    assert_eq!(read(&bytes), Ok(vec![]));
    bytes.extend([&full(6, 0, 1, AUDIO)[..], b"a"].concat());
    assert_eq!(read(&bytes), Err(Error::TooManyPartialBytes(MAX_PARTIAL_BYTES)));
}
