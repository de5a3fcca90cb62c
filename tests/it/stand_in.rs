//! A stand-in for the live cloud at a loopback port: it answers as it is told and keeps what arrived.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::{
    harness::{Program, program_with},
    steps::OPERATOR_KEY,
};

/// What it does with a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Answers with this HTTP status and body.
    Answers(u16, &'static [u8]),
    /// Reads the call and says nothing.
    IsSilent,
    /// Reads the call and hangs up.
    HangsUp,
}

/// A call that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

/// The stand-in; it lives as long as its program.
pub(crate) struct StandIn {
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl StandIn {
    /// The calls so far.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }
}

/// A program whose cloud is a stand-in.
pub(crate) async fn program_with_cloud(manner: Manner) -> (Program, StandIn) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: &'static str = format!("http://{}/common_access", listener.local_addr().unwrap()).leak();
    let program = program_with(|name| match name {
        "API_URL" => Some(url),
        "OPERATOR_KEY" => Some(OPERATOR_KEY),
        _ => None,
    });
    let arrived = Arc::new(Mutex::new(Vec::new()));
    tokio::spawn({
        let arrived = Arc::clone(&arrived);
        async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(take(stream, manner, Arc::clone(&arrived)));
            }
        }
    });
    (program.await, StandIn { arrived })
}

async fn take(stream: TcpStream, manner: Manner, arrived: Arc<Mutex<Vec<Arrived>>>) {
    let mut stream = BufReader::new(stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
    };
    let mut body = vec![0; header("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    let mut words = head.split(' ').map(str::to_owned);
    arrived.lock().unwrap().push(Arrived {
        method: words.next().unwrap(),
        target: words.next().unwrap(),
        content_type: header("content-type").unwrap_or_default(),
        body: String::from_utf8(body).unwrap(),
    });
    match manner {
        Manner::Answers(status, body) => {
            let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        }
        Manner::IsSilent => std::future::pending().await,
        Manner::HangsUp => {}
    }
}
