//! Connections by WebSocket: a push, its end in each way, and an upgrade by hyper.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use cloud::{
    bounds::MAX_MESSAGE_BYTES,
    flv::TagKind,
    ingest_socket::{BROKEN, CUT, REFUSED, SILENCE_TIMEOUT, SILENT, serve},
    publish::{EndReason, Ended, Refused},
    websocket::{accept_key, close_frame},
};
use futures_util::{SinkExt, StreamExt};
use http_body_util::Empty;
use hyper::{Request, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    join,
    sync::oneshot,
    time::{Instant, sleep},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use crate::support::{PIPE_BYTES, Recorder, tag};

const APP: &str = "live";
const STREAM: &str = "8888_x?txSecret=abc&txTime=65A0";

/// The first message of each push, of 5 ms.
const FIRST: &[u8] = &[9, 0, 0, 0, 5, b'v'];

type Client = WebSocketStream<DuplexStream>;

/// A client's side of a socket, and the connection of the server's side.
async fn pair() -> (Client, DuplexStream) {
    let (client, server) = duplex(PIPE_BYTES);
    (WebSocketStream::from_raw_socket(client, Role::Client, None).await, server)
}

/// The code and the reason of the close frame that ends the socket, if one does.
async fn closed(client: &mut Client) -> Option<(u16, String)> {
    let mut closed = None;
    while let Some(Ok(message)) = client.next().await {
        if let Message::Close(Some(frame)) = message {
            closed = Some((u16::from(frame.code), frame.reason.to_string()));
        }
    }
    closed
}

/// Serves a publisher that sends these messages and then waits for the end of the socket.
async fn push(recorder: &Recorder, messages: Vec<Message>) -> (Option<(u16, String)>, Ended) {
    let (mut client, server) = pair().await;
    let publish = async {
        for message in messages {
            // The server may have closed the socket already.
            if client.send(message).await.is_err() {
                break;
            }
        }
        closed(&mut client).await
    };
    join!(publish, serve(server, None, APP, STREAM, recorder))
}

fn binary(bytes: &[u8]) -> Message {
    Message::Binary(Bytes::copy_from_slice(bytes))
}

#[tokio::test(start_paused = true)]
async fn each_message_is_a_tag() {
    let recorder = Recorder::new();
    let audio = [&[8, 1, 2, 3, 4][..], &[7; 100_000]].concat();
    let messages = vec![
        binary(&[18, 0, 0, 0, 0, 2]),
        Message::Ping(Bytes::from_static(b"?")),
        binary(FIRST),
        binary(&audio),
        Message::Close(None),
    ];
    let (_, ended) = push(&recorder, messages).await;
    assert_eq!(ended, Ended::Push(EndReason::Closed));
    let record = recorder.record();
    assert_eq!(record.opened, [(APP.to_owned(), STREAM.to_owned())]);
    let expected =
        [tag(TagKind::Script, 0, &[2]), tag(TagKind::Video, 5, b"v"), tag(TagKind::Audio, 0x0102_0304, &[7; 100_000])];
    assert_eq!((record.tags, record.ends), (expected.to_vec(), vec![EndReason::Closed]));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_left_did_not_end_the_push() {
    let recorder = Recorder::new();
    let (_, ended) = push(&recorder, vec![Message::Close(Some(close_frame(1001, "")))]).await;
    assert_eq!(ended, Ended::Push(EndReason::Left));
    let (client, server) = pair().await;
    drop(client);
    assert_eq!(serve(server, None, APP, STREAM, &recorder).await, Ended::Push(EndReason::Left));
    assert_eq!(recorder.record().ends, [EndReason::Left, EndReason::Left]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_publisher_is_told_why() {
    let recorder = Recorder::refusing("the stream is forbidden");
    let (told, ended) = push(&recorder, vec![]).await;
    assert_eq!(told, Some((REFUSED, "the stream is forbidden".to_owned())));
    assert_eq!(ended, Ended::Refused(Refused("the stream is forbidden".into())));
}

#[tokio::test(start_paused = true)]
async fn a_cut_ends_the_push_and_the_publisher_is_told_why() {
    // The reason is cut to what a close frame holds, between characters.
    const REASON: &str =
        "直播流已被禁播，因为违反了规定。直播流已被禁播，因为违反了规定。直播流已被禁播，因为违反了规定。";
    let recorder = Recorder::new();
    let (mut client, server) = pair().await;
    let publish = async {
        client.send(binary(FIRST)).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        recorder.cut(REASON);
        closed(&mut client).await
    };
    let (told, ended) = join!(publish, serve(server, None, APP, STREAM, &recorder));
    assert_eq!(told, Some((CUT, REASON.chars().take(41).collect())));
    assert_eq!(ended, Ended::Push(EndReason::Cut));
    assert_eq!((recorder.record().tags.len(), recorder.record().ends), (1, vec![EndReason::Cut]));
}

#[tokio::test(start_paused = true)]
async fn a_publisher_may_stall_for_6_seconds_but_not_for_20() {
    let recorder = Recorder::new();
    let (mut client, server) = pair().await;
    let begun = Instant::now();
    let publish = async {
        client.send(binary(FIRST)).await.unwrap();
        sleep(Duration::from_secs(6)).await;
        client.send(binary(FIRST)).await.unwrap();
        closed(&mut client).await
    };
    let (told, ended) = join!(publish, serve(server, None, APP, STREAM, &recorder));
    assert_eq!(told.unwrap().0, SILENT);
    assert_eq!(ended, Ended::Push(EndReason::Silent));
    assert_eq!(begun.elapsed(), Duration::from_secs(6) + SILENCE_TIMEOUT);
    assert_eq!(recorder.record().tags.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn messages_without_a_tag_are_refused() {
    let recorder = Recorder::new();
    for message in [
        Message::Text("hello".into()),
        binary(&[]),
        binary(&[9, 0, 0, 0]),
        binary(&[9, 0, 0, 0, 0]),
        binary(&[7, 0, 0, 0, 0, 1]),
    ] {
        let (told, ended) = push(&recorder, vec![message.clone(), binary(FIRST)]).await;
        assert_eq!(told.unwrap().0, BROKEN, "{message:?}");
        assert!(matches!(ended, Ended::Push(EndReason::Broken(_))), "{message:?}: {ended:?}");
    }
    assert_eq!((recorder.record().tags, recorder.record().ends.len()), (vec![], 5));
}

/// Serves a client that sends these bytes after its first message. How the connection ended.
async fn ended_by(bytes: &[u8]) -> Ended {
    let recorder = Recorder::new();
    let (mut client, server) = duplex(PIPE_BYTES);
    let send = async {
        client.write_all(bytes).await.unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
    };
    let ((), ended) = join!(send, serve(server, None, APP, STREAM, &recorder));
    assert_eq!(recorder.record().ends.len(), 1);
    ended
}

#[tokio::test(start_paused = true)]
async fn frames_against_the_protocol_and_long_messages_are_refused() {
    let long = u64::try_from(MAX_MESSAGE_BYTES + 1).unwrap().to_be_bytes();
    let unmasked = &[0x82, 6, 9, 0, 0, 0, 0, 1][..];
    let reserved = &[0xc2, 0x80, 0, 0, 0, 0];
    let long_ping = &[&[0x89, 0xfe, 0, 126][..], &[0; 4 + 126]].concat();
    let too_long = &[&[0x82, 0xff][..], &long, &[0; 4]].concat();
    for bytes in [unmasked, reserved, long_ping, too_long] {
        let ended = ended_by(bytes).await;
        assert!(matches!(ended, Ended::Push(EndReason::Broken(_))), "{bytes:?}: {ended:?}");
    }
    // A message in fragments is bounded as a whole: four of 1 MiB are within the bound, and one byte more is not.
    let fragment = |first: u8, length: u32| {
        let length = u64::from(length).to_be_bytes();
        [&[first, 0xff][..], &length, &[0; 4]].concat()
    };
    let mut bytes = Vec::new();
    for index in 0..4 {
        bytes.extend(fragment(if index == 0 { 0x02 } else { 0 }, 1 << 20));
        bytes.resize(bytes.len() + (1 << 20), 9);
    }
    bytes.extend(fragment(0x80, 1));
    bytes.push(9);
    assert!(matches!(ended_by(&bytes).await, Ended::Push(EndReason::Broken(_))));
}

#[tokio::test]
async fn a_connection_that_hyper_upgraded_is_served() {
    let recorder = Recorder::new();
    let (mut client, server) = duplex(PIPE_BYTES);
    let (done, ended) = oneshot::channel();
    let done = std::sync::Mutex::new(Some(done));
    let answer = |mut request: Request<Incoming>| {
        let key = request.headers()[header::SEC_WEBSOCKET_KEY].to_str().unwrap().to_owned();
        let upgrade = hyper::upgrade::on(&mut request);
        let (recorder, done) = (recorder.clone(), done.lock().unwrap().take().unwrap());
        tokio::spawn(async move {
            let connection = TokioIo::new(upgrade.await.unwrap());
            done.send(serve(connection, None, APP, STREAM, &recorder).await).unwrap();
        });
        let response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::UPGRADE, "websocket")
            .header(header::CONNECTION, "Upgrade")
            .header(header::SEC_WEBSOCKET_ACCEPT, accept_key(&key))
            .body(Empty::<Bytes>::new());
        async { Ok::<_, Infallible>(response.unwrap()) }
    };
    let http = http1::Builder::new().serve_connection(TokioIo::new(server), service_fn(answer)).with_upgrades();
    let publish = async {
        let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        client.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
        let mut socket = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        socket.send(binary(FIRST)).await.unwrap();
        socket.close(None).await.unwrap();
        closed(&mut socket).await
    };
    let (served, _) = join!(http, publish);
    served.unwrap();
    assert_eq!(ended.await, Ok(Ended::Push(EndReason::Closed)));
    assert_eq!(recorder.record().tags, [tag(TagKind::Video, 5, b"v")]);
}
