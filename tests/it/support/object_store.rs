//! A stand-in for the object storage at a loopback port: it keeps what is signed well and refuses everything else.
//!
//! It judges by itself, from the formula in the documents of COS (436/7778), and shares no code with what it judges:
//!
//! ```text
//! text      = lower(method) \n path, decoded \n signed parameters \n signed headers \n
//! signKey   = hex(HMAC-SHA1(secret key, q-key-time))
//! signature = hex(HMAC-SHA1(signKey, "sha1" \n q-sign-time \n hex(SHA1(text)) \n))
//! ```

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Response,
    body::{Bytes, Incoming},
    http::request::Parts,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha1::{Digest, Sha1};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::support::harness::{KEY, Program};

/// A request to the storage, as it goes over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) host: String,
    /// The path and the query, percent-encoded.
    pub(crate) target: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Sent {
    /// What a phone sends that does just as a grant says.
    pub(crate) fn as_told(grant: &Value, body: &[u8]) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (_, address) = grant["url"].as_str().unwrap().split_once("https://").unwrap();
        let (host, target) = address.split_at(address.find('/').unwrap());
        let headers = grant["headers"].as_object().unwrap();
        Self {
            method: text(&grant["method"]),
            host: host.to_owned(),
            target: target.to_owned(),
            headers: headers.iter().map(|(name, value)| (name.to_lowercase(), text(value))).collect(),
            body: body.to_owned(),
        }
    }

    /// What a phone sends that signs by itself with an upload key, as the storage's own library for phones does.
    pub(crate) fn signed_by_phone(
        key: &Value,
        secret_id: &str,
        method: &str,
        (host, path): (&str, &str),
        body: &[u8],
    ) -> Self {
        let [sign_key, time] = ["signKey", "keyTime"].map(|name| key[name].as_str().unwrap());
        let length = body.len().to_string();
        let request = format!("{}\n{path}\n\ncontent-length={length}&host={host}\n", method.to_lowercase());
        let signature = hmac_sha1_hex(sign_key, &format!("sha1\n{time}\n{}\n", sha1_hex(&request)));
        let authorization = format!(
            "q-sign-algorithm=sha1&q-ak={secret_id}&q-sign-time={time}&q-key-time={time}\
             &q-header-list=content-length;host&q-url-param-list=&q-signature={signature}"
        );
        let headers = [("authorization", authorization), ("content-length", length)];
        Self {
            method: method.to_owned(),
            host: host.to_owned(),
            target: path.to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
            body: body.to_owned(),
        }
    }
}

/// The stand-in.
pub(crate) struct ObjectStore {
    address: SocketAddr,
    shelf: Arc<Shelf>,
}

impl ObjectStore {
    /// The storage of a program, with its key and its clock.
    pub(crate) async fn of(program: &Program) -> Self {
        Self::start("AKIDtest", KEY, program.clock()).await
    }

    /// The same storage, with a clock that is so many seconds behind the program's.
    pub(crate) async fn behind(program: &Program, seconds: u64) -> Self {
        let clock = program.clock();
        Self::start("AKIDtest", KEY, move || clock() - seconds).await
    }

    /// A storage that knows one key.
    pub(crate) async fn start(
        secret_id: &'static str,
        secret_key: &'static str,
        clock: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shelf = Arc::new(Shelf { secret_id, secret_key, clock: Box::new(clock), objects: Mutex::default() });
        tokio::spawn(serve(listener, Arc::clone(&shelf)));
        Self { address, shelf }
    }

    /// Sends a request; the status, and why it was refused.
    pub(crate) async fn send(&self, sent: &Sent) -> (u16, String) {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", sent.method, sent.target, sent.host);
        for (name, value) in &sent.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("connection: close\r\n\r\n");
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(&[head.as_bytes(), &sent.body].concat()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// What is kept under a path, not encoded.
    pub(crate) fn object(&self, path: &str) -> Option<Vec<u8>> {
        self.shelf.objects.lock().unwrap().get(path).cloned()
    }

    /// How many objects it keeps.
    pub(crate) fn count(&self) -> usize {
        self.shelf.objects.lock().unwrap().len()
    }
}

struct Shelf {
    secret_id: &'static str,
    secret_key: &'static str,
    clock: Box<dyn Fn() -> u64 + Send + Sync>,
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
}

async fn serve(listener: TcpListener, shelf: Arc<Shelf>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let shelf = Arc::clone(&shelf);
        tokio::spawn(async move {
            let service = service_fn(|request: hyper::Request<Incoming>| async {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let (status, reason) = shelf.answer(&head, &body);
                let response = Response::builder().status(status).body(Full::new(Bytes::from(reason))).unwrap();
                Ok::<_, Infallible>(response)
            });
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
}

impl Shelf {
    fn answer(&self, head: &Parts, body: &[u8]) -> (u16, &'static str) {
        if let Err(reason) = self.judge(head) {
            return (403, reason);
        }
        let (path, mut objects) = (decoded(head.uri.path()), self.objects.lock().unwrap());
        match head.method {
            Method::PUT => drop(objects.insert(path, body.to_owned())),
            Method::DELETE => drop(objects.remove(&path)),
            _ => return (405, "method"),
        }
        (200, "")
    }

    /// Whether the request is signed for now with the key that is known, or why not.
    fn judge(&self, head: &Parts) -> Result<(), &'static str> {
        let authorization = header(head, "authorization").ok_or("no authorization")?;
        let fields: BTreeMap<_, _> = authorization.split('&').filter_map(|field| field.split_once('=')).collect();
        let field = |name| fields.get(name).copied().ok_or("no authorization");
        let (sign_time, key_time) = (field("q-sign-time")?, field("q-key-time")?);
        if (field("q-sign-algorithm")?, field("q-ak")?) != ("sha1", self.secret_id) {
            return Err("key");
        }
        for stretch in [sign_time, key_time] {
            let (start, end) = stretch.split_once(';').ok_or("time")?;
            let [start, end] = [start, end].map(|second| second.parse::<u64>().map_err(|_| "time"));
            if !(start?..=end?).contains(&(self.clock)()) {
                return Err("time");
            }
        }
        let headers = listed(field("q-header-list")?, |name| header(head, name))?;
        let query: BTreeMap<_, _> = head
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decoded(name).to_lowercase(), decoded(value)))
            .collect();
        let parameters = listed(field("q-url-param-list")?, |name| query.get(&decoded(name)).cloned())?;
        let (method, path) = (head.method.as_str().to_lowercase(), decoded(head.uri.path()));
        let text = format!("{method}\n{path}\n{parameters}\n{headers}\n");
        let sign_key = hmac_sha1_hex(self.secret_key, key_time);
        let signature = hmac_sha1_hex(&sign_key, &format!("sha1\n{sign_time}\n{}\n", sha1_hex(&text)));
        if field("q-signature")? == signature { Ok(()) } else { Err("signature") }
    }
}

fn header(head: &Parts, name: &str) -> Option<String> {
    head.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
}

/// The pairs that a list names, as they came, or why that cannot be.
fn listed(list: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, &'static str> {
    let names: Vec<&str> = list.split(';').filter(|name| !name.is_empty()).collect();
    if !names.is_sorted() || names.iter().any(|name| name.to_lowercase() != **name) {
        return Err("list");
    }
    let pairs: Option<Vec<String>> =
        names.into_iter().map(|name| Some(format!("{name}={}", encoded(&value(name)?)))).collect();
    pairs.map(|pairs| pairs.join("&")).ok_or("list")
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).unwrap());
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).unwrap()
}

fn encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha1_hex(text: &str) -> String {
    hex(&Sha1::digest(text))
}

fn hmac_sha1_hex(key: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// The storage itself is held to an example of the documents, which nobody here made up: COS 436/7778, with the date
/// that it signs.
#[tokio::test]
async fn the_documents_example_is_kept_and_nothing_else() {
    let store = ObjectStore::start("AKIDQjz3ltompVjBni5LitkWHFlFpwkn9U5q", "BQYIM75p8x0iWVFSIgqEKwFprpRSVHlz", || {
        1_557_990_000
    })
    .await;
    let authorization = "q-sign-algorithm=sha1&q-ak=AKIDQjz3ltompVjBni5LitkWHFlFpwkn9U5q\
        &q-sign-time=1557989151;1557996351&q-key-time=1557989151;1557996351\
        &q-header-list=content-length;content-md5;content-type;date;host;x-cos-acl;x-cos-grant-read\
        &q-url-param-list=&q-signature=3b8851a11a569213c17ba8fa7dcf2abec6935172";
    let headers = [
        ("content-length", "13"),
        ("content-md5", "mQ/fVh815F3k6TAUm8m0eg=="),
        ("content-type", "text/plain"),
        ("date", "Thu, 16 May 2019 06:45:51 GMT"),
        ("x-cos-acl", "private"),
        ("x-cos-grant-read", "uin=\"100000000011\""),
        ("authorization", authorization),
    ];
    let sent = Sent {
        method: "PUT".to_owned(),
        host: "examplebucket-1250000000.cos.ap-beijing.myqcloud.com".to_owned(),
        target: "/exampleobject(%E8%85%BE%E8%AE%AF%E4%BA%91)".to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        body: b"ObjectContent".to_vec(),
    };
    let with = |name: &str, value: &str| {
        let mut sent = sent.clone();
        sent.headers.insert(name.to_owned(), value.to_owned());
        sent
    };
    for (spoiled, reason) in [
        (with("authorization", ""), "no authorization"),
        (with("authorization", &authorization.replace("q-ak=A", "q-ak=B")), "key"),
        (with("authorization", &authorization.replace("q-sign-time=1557989151", "q-sign-time=1557990001")), "time"),
        (with("authorization", &authorization.replace("1557996351", "1557989999")), "time"),
        (with("authorization", &authorization.replace("date;host", "host;date")), "list"),
        (with("authorization", &authorization.replace("date;host", "dates;host")), "list"),
        (with("authorization", &authorization.replace("5172", "1234")), "signature"),
        (with("content-type", "text/html"), "signature"),
        (with("x-cos-acl", "public-read"), "signature"),
    ] {
        assert_eq!(store.send(&spoiled).await, (403, reason.to_owned()), "{spoiled:?}");
    }
    assert_eq!(store.count(), 0);
    assert_eq!(store.send(&sent).await.0, 200);
    assert_eq!(store.object("/exampleobject(腾讯云)").as_deref(), Some(b"ObjectContent".as_slice()));
}
