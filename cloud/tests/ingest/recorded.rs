//! What ffmpeg 5.1 sent in a push of one second: 15 pictures of H.264, and AAC.
//!
//! The file has the bytes of the publisher only, as it sent them to a server that accepts everything:
//! `ffmpeg -f lavfi -i testsrc2=size=160x90:rate=15 -f lavfi -i sine=frequency=440 -t 1 -c:v libx264 -preset ultrafast
//! -b:v 150k -g 15 -c:a aac -b:a 32k -ac 1 -f flv "rtmp://127.0.0.1:19350/live/8888_x?txSecret=abc&txTime=65A0"`

use cloud::{
    flv::{Tag, TagKind},
    publish::{EndReason, Ended},
    rtmp::serve,
};
use tokio::{io::duplex, join};

use crate::support::{PIPE_BYTES, Publisher, Recorder, commands};

const RECORDED: &[u8] = include_bytes!("../data/ffmpeg.rtmp");

/// The counts of the tags and the bytes of their bodies, as another parser of chunks found them.
const METADATA_BYTES: usize = 268;
const VIDEO: (usize, usize) = (17, 24_544);
const AUDIO: (usize, usize) = (46, 4240);

#[tokio::test(start_paused = true)]
async fn a_push_of_ffmpeg_gives_its_tags() {
    let recorder = Recorder::new();
    let (client, server) = duplex(PIPE_BYTES);
    let mut publisher = Publisher(client);
    let publish = async {
        publisher.send(RECORDED).await;
        publisher.answers().await
    };
    let (answers, ended) = join!(publish, serve(server, None, &recorder));
    assert_eq!(ended, Ended::Push(EndReason::Closed));
    let told = commands(&answers);
    let expected = [
        "_result 1",
        "_result 2",
        "_result 3",
        "_result 4",
        "NetStream.Publish.Start: the push is accepted",
        "_result 6",
    ];
    assert_eq!(told, expected);

    let record = recorder.record();
    assert_eq!(record.opened, [("live".to_owned(), "8888_x?txSecret=abc&txTime=65A0".to_owned())]);
    let of_kind = |kind| record.tags.iter().filter(move |tag| tag.kind == kind).collect::<Vec<&Tag>>();
    let bytes = |tags: &[&Tag]| tags.iter().map(|tag| tag.body.len()).sum::<usize>();
    let times = |tags: &[&Tag]| tags.iter().map(|tag| tag.time).collect::<Vec<u32>>();

    // The metadata begin with their name: a player expects no @setDataFrame.
    let [metadata] = of_kind(TagKind::Script)[..] else { panic!("one script tag") };
    assert_eq!((metadata.time, metadata.body.len()), (0, METADATA_BYTES));
    assert!(metadata.body.starts_with(b"\x02\0\x0aonMetaData\x08"));

    // The configuration of the decoder, 15 pictures of which the first is a key frame, and the end of the sequence.
    let video = of_kind(TagKind::Video);
    assert_eq!((video.len(), bytes(&video)), VIDEO);
    assert!(video[0].body.starts_with(&[0x17, 0]) && video[1].body.starts_with(&[0x17, 1]));
    assert!(video[2..16].iter().all(|tag| tag.body.starts_with(&[0x27, 1])));
    assert_eq!(video[16].body[..], [0x17, 2, 0, 0, 0]);
    let pictures = [23, 90, 156, 223, 290, 356, 423, 490, 556, 623, 690, 756, 823, 890, 956];
    assert_eq!(times(&video[1..16]), pictures);

    // The configuration of the decoder, and 45 frames of 1024 samples at 44.1 kHz.
    let audio = of_kind(TagKind::Audio);
    assert_eq!((audio.len(), bytes(&audio)), AUDIO);
    assert!(audio[0].body.starts_with(&[0xaf, 0]) && audio[1..].iter().all(|tag| tag.body.starts_with(&[0xaf, 1])));
    assert!(times(&audio[1..]).windows(2).all(|pair| (22..=24).contains(&(pair[1] - pair[0]))));
}
