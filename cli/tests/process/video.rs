//! The live cloud of the local server: a push is shown, played, recorded, cut and refused.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{Folder, Server, open_room, serve_with_video};

/// A close frame of a client, with the code 1000.
const CLOSE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 3, 0xe8];
/// How long the server may take for what follows from a push. It takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server with a live cloud, and the address of that.
struct World {
    server: Server,
    cloud: String,
    _folder: Folder,
}

impl World {
    fn new() -> Self {
        let folder = Folder::new();
        let server = Server::run(&mut serve_with_video(&folder));
        let config = get(&server.address, "/app/config.json");
        let config: Value = serde_json::from_slice(&config.1).unwrap();
        let cloud = config["video"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        Self { server, cloud, _folder: folder }
    }

    /// Asks for a push URL, and pushes to it from a page: the connection after the answer to the handshake.
    fn push(&self, change: impl Fn(String) -> String) -> BufReader<TcpStream> {
        let answer: Value = serde_json::from_str(&self.server.call(&open_room("alice"))).unwrap();
        let url = change(answer["returnData"]["pushurl"].as_str().unwrap().to_owned());
        let path = url.strip_prefix("rtmp://").unwrap().split_once('/').unwrap().1;
        let mut connection = TcpStream::connect(&self.cloud).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        let handshake = format!(
            "GET /{path} HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.cloud
        );
        connection.write_all(handshake.as_bytes()).unwrap();
        let mut connection = BufReader::new(connection);
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line| line != "\r\n") {
            let mut line = String::new();
            connection.read_line(&mut line).unwrap();
            lines.push(line);
        }
        assert!(lines[0].contains("101") && lines.concat().contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{lines:?}");
        connection
    }

    /// The rows of a list: 1 lives, 2 replays.
    fn rows(&self, flag: u8) -> Vec<Value> {
        let call = format!(r#"{{"Action":"FetchList","userid":"bob1","flag":{flag},"pageno":1,"pagesize":10}}"#);
        let answer: Value = serde_json::from_str(&self.server.call(&call)).unwrap();
        answer["returnData"]["pusherlist"].as_array().unwrap().clone()
    }

    /// Waits until a list has this many rows, whose URLs are all known: the files of a replay are reported one by one.
    fn until(&self, flag: u8, count: usize) -> Vec<Value> {
        let began = Instant::now();
        let is_whole = |row: &Value| ["playurl", "hls_play_url"].iter().all(|name| row[name] != "");
        loop {
            let rows = self.rows(flag);
            if rows.len() == count && rows.iter().all(is_whole) {
                return rows;
            }
            assert!(began.elapsed() < PATIENCE, "{rows:?}");
            thread::yield_now();
        }
    }
}

/// A message of a page: a tag of video at a time.
fn frame(time: u8, body: &[u8]) -> Vec<u8> {
    let payload = [&[9, 0, 0, time, 0], body].concat();
    let length = u8::try_from(payload.len()).unwrap();
    // Binary, masked with zeros.
    [&[0x82, 0x80 | length, 0, 0, 0, 0], &payload[..]].concat()
}

/// A few seconds of video: the configuration of the decoder, and a key frame every 1,024 ms.
fn video() -> Vec<u8> {
    let header = [0x17, 0, 0, 0, 0, 1, 0x42, 0, 0x1f, 0xff, 0xe1, 0, 1, 0x67, 1, 0, 1, 0x68];
    let picture = |time| frame(time, &[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65]);
    [frame(0, &header)].into_iter().chain((0..20).step_by(4).map(picture)).collect::<Vec<_>>().concat()
}

/// The head and the first bytes of what is at a path, or all of it.
fn get(address: &str, path: &str) -> (String, Vec<u8>) {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(connection, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let (mut head, mut body, mut reader) = (String::new(), Vec::new(), BufReader::new(connection));
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    if head.contains("transfer-encoding: chunked") {
        body.resize(64, 0);
        reader.read_exact(&mut body).unwrap();
    } else {
        reader.read_to_end(&mut body).unwrap();
    }
    (head, body)
}

/// The path of a URL of the live cloud.
fn path<'a>(world: &World, url: &'a Value) -> &'a str {
    let (host, path) = url.as_str().unwrap().strip_prefix("http://").unwrap().split_once('/').unwrap();
    assert_eq!(host, world.cloud);
    &url.as_str().unwrap()[url.as_str().unwrap().len() - path.len() - 1..]
}

#[test]
fn a_push_from_a_page_is_listed_played_and_recorded() {
    let world = World::new();
    let mut push = world.push(|url| url);
    push.get_mut().write_all(&video()).unwrap();
    let live = &world.until(1, 1)[0];
    let (head, body) = get(&world.cloud, path(&world, &live["playurl"]));
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("video/x-flv"), "{head}");
    assert!(body.windows(4).any(|bytes| bytes == b"FLV\x01"), "{body:?}");
    push.get_mut().write_all(&CLOSE).unwrap();
    world.until(1, 0);
    let replay = &world.until(2, 1)[0];
    let (head, body) = get(&world.cloud, path(&world, &replay["hls_play_url"]));
    assert!(head.starts_with("HTTP/1.1 200") && body.ends_with(b"#EXT-X-ENDLIST\n"), "{head}");
    let (head, body) = get(&world.cloud, path(&world, &replay["playurl"]));
    assert!(head.starts_with("HTTP/1.1 200") && body.starts_with(b"FLV\x01\x01"), "{head}");
}

#[test]
fn a_push_with_a_wrong_signature_is_refused_and_told_why() {
    let world = World::new();
    let mut push = world.push(|url| url.replace("txSecret=", "txSecret=0"));
    let mut told = Vec::new();
    push.read_to_end(&mut told).unwrap();
    // A close frame with the code 4003.
    assert_eq!((told[0], &told[2..4]), (0x88, &4003u16.to_be_bytes()[..]));
    assert_eq!(String::from_utf8_lossy(&told[4..]), "the push URL is wrong: its txSecret is missing, or wrong");
    assert_eq!(world.rows(1), [] as [Value; 0]);
}

#[test]
fn a_stop_of_the_server_ends_its_pushes_and_keeps_their_recordings() {
    let world = World::new();
    let mut push = world.push(|url| url);
    push.get_mut().write_all(&video()).unwrap();
    world.until(1, 1);
    let World { server, _folder: folder, .. } = world;
    server.stop();
    let server = Server::run(&mut serve_with_video(&folder));
    let again = World { server, cloud: String::new(), _folder: folder };
    assert_eq!((again.rows(1).len(), again.rows(2).len()), (0, 1));
}
