//! Connections by RTMP: a push, its end in each way, and what the publisher is told.

use std::time::Duration;

use cloud::{
    bounds::MAX_COMMAND_BYTES,
    flv::TagKind,
    publish::{EndReason, Ended, Refused},
    rtmp::{COMMAND_TIMEOUT, LINGER, SILENCE_TIMEOUT, WRITE_TIMEOUT, amf::Value, serve, session::PLAY_REFUSED},
};
use tokio::{
    io::{AsyncWriteExt, duplex},
    join,
    time::{Instant, sleep},
};

use crate::support::{
    AUDIO, COMMAND_AMF3, DATA, PIPE_BYTES, Publisher, Recorder, USER_CONTROL, VIDEO, closing, command, commands,
    connect, handshake, message, opening, publish, tag, values,
};

/// Serves a publisher that sends these bytes and reads until the connection is closed. What the publisher is told in
/// commands, and how the connection ended.
async fn push(recorder: &Recorder, bytes: &[u8]) -> (Vec<String>, Ended) {
    let (client, server) = duplex(PIPE_BYTES);
    let mut publisher = Publisher(client);
    let publish = async {
        publisher.send(bytes).await;
        publisher.answers().await
    };
    let (answers, ended) = join!(publish, serve(server, None, recorder));
    (commands(&answers), ended)
}

/// What a publisher is told before its first tag.
const ACCEPTED: [&str; 5] =
    ["_result 1", "_result 2", "_result 3", "_result 4", "NetStream.Publish.Start: the push is accepted"];

#[tokio::test(start_paused = true)]
async fn a_push_is_accepted_and_its_tags_arrive() {
    let recorder = Recorder::new();
    let metadata = values(&[Value::from("onMetaData"), Value::texts(&[("encoder", "x")])]);
    let kept = [values(&[Value::from("@setDataFrame")]), metadata.clone()].concat();
    let sent = [
        opening(),
        message(DATA, 0, 1, &kept),
        message(15, 1, 1, &[&[0][..], &kept].concat()),
        message(DATA, 2, 1, &values(&[Value::from("@clearDataFrame"), Value::from("onMetaData")])),
        message(VIDEO, 10, 1, &[1; 5000]),
        message(AUDIO, 20, 1, b"sound"),
        message(AUDIO, 21, 1, b""),
        // An aggregate of one tag, of 3 bytes at 7 ms.
        message(22, 30, 1, &[&[9, 0, 0, 3, 0, 0, 7, 0, 0, 0, 0][..], b"abc", &[0, 0, 0, 14]].concat()),
        closing(),
    ]
    .concat();
    let (told, ended) = push(&recorder, &sent).await;
    assert_eq!(ended, Ended::Push(EndReason::Closed));
    assert_eq!(told, [&ACCEPTED[..], &["_result 6"]].concat());
    let record = recorder.record();
    assert_eq!(record.opened, [("live".to_owned(), "8888_x?txSecret=abc&txTime=65A0".to_owned())]);
    assert_eq!(record.ends, [EndReason::Closed]);
    let expected = [
        tag(TagKind::Script, 0, &metadata),
        tag(TagKind::Script, 1, &metadata),
        tag(TagKind::Video, 10, &[1; 5000]),
        tag(TagKind::Audio, 20, b"sound"),
        tag(TagKind::Video, 30, b"abc"),
    ];
    assert_eq!(record.tags, expected);
}

#[tokio::test(start_paused = true)]
async fn a_push_ends_at_delete_stream_and_not_at_fc_unpublish() {
    let recorder = Recorder::new();
    let unpublish = command("FCUnpublish", 6.0, 0, &[Value::Null, Value::from("8888_x")]);
    let sent = [opening(), unpublish, message(AUDIO, 1, 1, b"a"), closing(), message(AUDIO, 2, 1, b"b")].concat();
    let (_, ended) = push(&recorder, &sent).await;
    assert_eq!(ended, Ended::Push(EndReason::Closed));
    assert_eq!(recorder.record().tags, [tag(TagKind::Audio, 1, b"a")]);
}

#[tokio::test(start_paused = true)]
async fn commands_in_the_form_for_amf3_are_understood() {
    let recorder = Recorder::new();
    let wrap = |values: &[u8]| message(COMMAND_AMF3, 0, 0, &[&[0][..], values].concat());
    let object = Value::texts(&[("app", "live/?vhost=a")]);
    let sent = [
        handshake(),
        wrap(&values(&[Value::from("connect"), Value::Number(1.0), object])),
        wrap(&values(&[Value::from("publish"), Value::Number(2.0), Value::Null, Value::from("s")])),
        message(AUDIO, 0, 1, b"a"),
    ]
    .concat();
    let (client, server) = duplex(PIPE_BYTES);
    let mut publisher = Publisher(client);
    publisher.send(&sent).await;
    publisher.0.shutdown().await.unwrap();
    assert_eq!(serve(server, None, &recorder).await, Ended::Push(EndReason::Left));
    let record = recorder.record();
    assert_eq!(record.opened, [("live".to_owned(), "s?vhost=a".to_owned())]);
    assert_eq!((record.tags.len(), record.ends), (1, vec![EndReason::Left]));
}

#[tokio::test(start_paused = true)]
async fn a_refused_publisher_is_told_why_and_the_connection_is_closed() {
    let recorder = Recorder::refusing("the signature of the push URL is wrong");
    let (told, ended) = push(&recorder, &opening()).await;
    assert_eq!(ended, Ended::Refused(Refused("the signature of the push URL is wrong".into())));
    let refusal = "NetStream.Publish.BadName: the signature of the push URL is wrong";
    assert_eq!(told.last().map(String::as_str), Some(refusal));
    assert_eq!(recorder.record().ends, []);
}

#[tokio::test(start_paused = true)]
async fn play_is_refused_with_a_reason() {
    let play = command("play", 5.0, 1, &[Value::Null, Value::from("8888_x")]);
    let (told, ended) = push(&Recorder::new(), &[handshake(), connect("live"), play].concat()).await;
    assert_eq!(told, ["_result 1".to_owned(), format!("NetStream.Play.Failed: {PLAY_REFUSED}")]);
    assert_eq!(ended, Ended::Refused(Refused(PLAY_REFUSED.into())));
}

#[tokio::test(start_paused = true)]
async fn a_very_long_name_is_refused() {
    let sent = [handshake(), connect("live"), publish(&"x".repeat(3000))].concat();
    let (told, ended) = push(&Recorder::new(), &sent).await;
    assert_eq!(told[1], "NetStream.Publish.BadName: the push URL is too long");
    assert!(matches!(ended, Ended::Refused(_)));
}

#[tokio::test(start_paused = true)]
async fn a_cut_ends_the_push_at_once_and_the_publisher_is_told_why() {
    let recorder = Recorder::new();
    let (client, server) = duplex(PIPE_BYTES);
    let mut publisher = Publisher(client);
    let begun = Instant::now();
    let publish = async {
        publisher.send(&[opening(), message(AUDIO, 1, 1, b"a")].concat()).await;
        sleep(Duration::from_secs(5)).await;
        recorder.cut("the stream is forbidden");
        // Tags that are on their way are thrown away, and do not hide the reason.
        publisher.send(&message(AUDIO, 2, 1, b"b")).await;
        publisher.answers().await
    };
    let (answers, ended) = join!(publish, serve(server, None, &recorder));
    assert_eq!(ended, Ended::Push(EndReason::Cut));
    assert_eq!(begun.elapsed(), Duration::from_secs(5) + LINGER);
    let told = commands(&answers);
    assert_eq!(told.last().unwrap(), "NetStream.Publish.Rejected: the stream is forbidden");
    assert_eq!((recorder.record().tags.len(), recorder.record().ends), (1, vec![EndReason::Cut]));
}

#[tokio::test(start_paused = true)]
async fn a_push_that_was_cut_before_it_began_ends_at_once() {
    let recorder = Recorder::new();
    recorder.cut("forbidden");
    let (_, ended) = push(&recorder, &opening()).await;
    assert_eq!(ended, Ended::Push(EndReason::Cut));
    assert_eq!(recorder.record().ends, [EndReason::Cut]);
}

#[tokio::test(start_paused = true)]
async fn a_publisher_may_stall_for_6_seconds_but_not_for_20() {
    let recorder = Recorder::new();
    let (client, server) = duplex(PIPE_BYTES);
    let mut publisher = Publisher(client);
    let begun = Instant::now();
    let publish = async {
        publisher.send(&opening()).await;
        sleep(Duration::from_secs(6)).await;
        publisher.send(&message(AUDIO, 1, 1, b"a")).await;
        publisher.answers().await
    };
    let (_, ended) = join!(publish, serve(server, None, &recorder));
    assert_eq!(ended, Ended::Push(EndReason::Silent));
    assert_eq!(begun.elapsed(), Duration::from_secs(6) + SILENCE_TIMEOUT);
    assert_eq!((recorder.record().tags.len(), recorder.record().ends), (1, vec![EndReason::Silent]));
}

#[tokio::test(start_paused = true)]
async fn a_publisher_whose_process_is_gone_is_noticed_at_once() {
    // Between two messages, and within one.
    for length in [0, 1000] {
        let recorder = Recorder::new();
        let (client, server) = duplex(PIPE_BYTES);
        let mut publisher = Publisher(client);
        let begun = Instant::now();
        let publish = async {
            publisher.send(&opening()).await;
            publisher.send(&message(VIDEO, 0, 1, &[1; 5000])[..length]).await;
            sleep(Duration::from_secs(3)).await;
            // The kernel closes the connection.
            drop(publisher);
        };
        let ((), ended) = join!(publish, serve(server, None, &recorder));
        assert_eq!((ended, begun.elapsed()), (Ended::Push(EndReason::Left), Duration::from_secs(3)));
        assert_eq!(recorder.record().ends, [EndReason::Left]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_no_push_sends_no_message_that_is_longer_than_a_command() {
    let header = |length: usize| {
        let [.., a, b, c] = length.to_be_bytes();
        [&handshake()[..], &[3, 0, 0, 0, a, b, c, 20, 0, 0, 0, 0]].concat()
    };
    let (client, server) = duplex(PIPE_BYTES);
    let mut publisher = Publisher(client);
    publisher.send(&header(MAX_COMMAND_BYTES + 1)).await;
    let ended = serve(server, None, &Recorder::new()).await;
    let error = "a message of 65537 bytes; at most 65536 are accepted";
    assert_eq!(ended, Ended::BeforePush(EndReason::Broken(error.to_owned())));
    // Several messages at the same time have the same bound together.
    let part = |id: u8| [&[id][..], &[0, 0, 0, 0, 0xff, 0xff, 20, 0, 0, 0, 0], &[1; 128]].concat();
    let parts: Vec<u8> = (3..3 + 16).flat_map(part).collect();
    let more: Vec<u8> =
        (0..16).cycle().flat_map(|n: u8| [&[0xc3 + n][..], &[1; 128]].concat()).take(129 * 600).collect();
    let sent = [handshake(), parts, more].concat();
    let (client, server) = duplex(sent.len());
    let mut publisher = Publisher(client);
    publisher.send(&sent).await;
    let ended = serve(server, None, &Recorder::new()).await;
    let error = "more than 65536 bytes of incomplete messages";
    assert_eq!(ended, Ended::BeforePush(EndReason::Broken(error.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_push_ends_after_10_seconds_however_it_dawdles() {
    for stop in [0, 1, 2000, 3073, 3100] {
        let (recorder, begun) = (Recorder::new(), Instant::now());
        let (client, server) = duplex(PIPE_BYTES);
        let mut publisher = Publisher(client);
        let dawdle = async {
            let bytes = opening();
            publisher.send(&bytes[..stop]).await;
            // One byte at a time does not extend the limit.
            for byte in &bytes[stop..stop + 20] {
                sleep(Duration::from_secs(1)).await;
                if publisher.0.write_all(&[*byte]).await.is_err() {
                    break;
                }
            }
            begun.elapsed()
        };
        let (elapsed, ended) = join!(dawdle, serve(server, None, &recorder));
        assert_eq!(ended, Ended::BeforePush(EndReason::Silent));
        assert!(elapsed <= COMMAND_TIMEOUT + Duration::from_secs(1), "{elapsed:?} after {stop} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_does_not_read_the_answers_is_ended() {
    let recorder = Recorder::new();
    // Answers of 8 KiB fit into the pipe; the push takes 3.5 KiB of it.
    let (client, server) = duplex(8 << 10);
    let mut publisher = Publisher(client);
    let begun = Instant::now();
    let flood = async {
        publisher.send(&opening()).await;
        let ping = message(USER_CONTROL, 0, 0, &[0, 6, 0, 0, 0, 1]);
        while publisher.0.write_all(&ping).await.is_ok() {}
    };
    let ((), ended) = join!(flood, serve(server, None, &recorder));
    assert_eq!(ended, Ended::Push(EndReason::Silent));
    assert_eq!(begun.elapsed(), WRITE_TIMEOUT);
    assert_eq!(recorder.record().ends, [EndReason::Silent]);
}

#[tokio::test(start_paused = true)]
async fn a_push_ends_when_its_task_is_aborted() {
    let recorder = Recorder::new();
    let (client, server) = duplex(PIPE_BYTES);
    let mut publisher = Publisher(client);
    let task = tokio::spawn({
        let recorder = recorder.clone();
        async move { serve(server, None, &recorder).await }
    });
    publisher.send(&opening()).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!((recorder.record().opened.len(), recorder.record().ends), (1, vec![]));
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(recorder.record().ends, [EndReason::Left]);
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_and_received_bytes_acknowledged() {
    let recorder = Recorder::new();
    let window = message(5, 0, 0, &20_000_u32.to_be_bytes());
    let ping = message(USER_CONTROL, 0, 0, &[0, 6, 1, 2, 3, 4]);
    let tags = message(VIDEO, 0, 1, &[1; 30_000]);
    let sent = [opening(), window, ping, tags, closing()].concat();
    let (client, server) = duplex(PIPE_BYTES);
    let mut publisher = Publisher(client);
    publisher.send(&sent).await;
    let (answers, ended) = join!(publisher.answers(), serve(server, None, &recorder));
    assert_eq!(ended, Ended::Push(EndReason::Closed));
    let of_kind = |kind| answers.iter().filter(move |answer| answer.kind == kind).collect::<Vec<_>>();
    assert_eq!(of_kind(USER_CONTROL).iter().map(|pong| &pong.body[..]).collect::<Vec<_>>(), [[0, 7, 1, 2, 3, 4]]);
    let counts: Vec<u32> = of_kind(3).iter().map(|count| count.word().unwrap()).collect();
    assert!(!counts.is_empty() && counts.is_sorted(), "{counts:?}");
    assert!(counts.iter().all(|count| *count as usize <= sent.len()), "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_broken_push_ends_with_what_was_wrong() {
    let recorder = Recorder::new();
    let broken = [&[4][..], &[0, 0, 0], &[0xff; 3], &[VIDEO, 1, 0, 0, 0]].concat();
    let (_, ended) = push(&recorder, &[opening(), broken].concat()).await;
    let error = "a message of 16777215 bytes; at most 4194304 are accepted";
    assert_eq!(ended, Ended::Push(EndReason::Broken(error.to_owned())));
    let (_, ended) = push(&recorder, &[opening(), publish("other")].concat()).await;
    let error = "the command publish is not expected here";
    assert_eq!(ended, Ended::Push(EndReason::Broken(error.to_owned())));
    assert_eq!(recorder.record().ends.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn another_protocol_is_refused_at_once() {
    let (client, server) = duplex(PIPE_BYTES);
    let mut publisher = Publisher(client);
    publisher.send(b"GET / HTTP/1.1\r\n").await;
    let ended = serve(server, None, &Recorder::new()).await;
    let error = "the connection begins with byte 71, not with version 3 of RTMP";
    assert_eq!(ended, Ended::BeforePush(EndReason::Broken(error.to_owned())));
}
