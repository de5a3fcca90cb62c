//! A stand-in for the live cloud at a loopback port: it answers as it is told and keeps what arrived.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::support::{
    harness::{Program, program_with},
    steps::OPERATOR_KEY,
};

/// What it does with a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Answers with this HTTP status and body.
    Answers(u16, &'static [u8]),
    /// Answers so many calls with HTTP status 500, and the others with this body.
    FailsFirst(usize, &'static [u8]),
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

/// The headers of a call that arrived, their names in lower case.
pub(crate) type Headers = BTreeMap<String, String>;

/// The stand-in; it lives as long as its program.
pub(crate) struct StandIn {
    arrived: Arc<Mutex<Vec<(Arrived, Headers)>>>,
    manner: Arc<Mutex<Manner>>,
}

impl StandIn {
    /// Begins to answer, at the address that is given with it, which has no path.
    pub(crate) async fn listen(manner: Manner) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (arrived, manner) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(manner)));
        tokio::spawn({
            let (arrived, manner) = (Arc::clone(&arrived), Arc::clone(&manner));
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let manner = *manner.lock().unwrap();
                    tokio::spawn(take(stream, manner, Arc::clone(&arrived)));
                }
            }
        });
        (Self { arrived, manner }, address)
    }

    /// Takes calls in another manner from now on.
    pub(crate) fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// The calls so far.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().iter().map(|(arrived, _)| arrived.clone()).collect()
    }

    /// The headers of the calls so far.
    pub(crate) fn headers(&self) -> Vec<Headers> {
        self.arrived.lock().unwrap().iter().map(|(_, headers)| headers.clone()).collect()
    }
}

/// A program whose cloud is a stand-in for the newer interface.
pub(crate) async fn program_with_cloud_api(manner: Manner) -> (Program, StandIn) {
    program_with_cloud_api_and(manner, &[]).await
}

/// The same, with these settings besides.
pub(crate) async fn program_with_cloud_api_and(
    manner: Manner,
    settings: &'static [(&'static str, &'static str)],
) -> (Program, StandIn) {
    let (cloud, address) = StandIn::listen(manner).await;
    let url: &'static str = address.leak();
    let program = program_with(|name| match name {
        "CLOUD_API_URL" => Some(url),
        "OPERATOR_KEY" => Some(OPERATOR_KEY),
        name => settings.iter().find(|(known, _)| *known == name).map(|(_, value)| *value),
    });
    (program.await, cloud)
}

/// A program whose cloud is a stand-in for the old interface.
pub(crate) async fn program_with_cloud(manner: Manner) -> (Program, StandIn) {
    let (cloud, address) = StandIn::listen(manner).await;
    let url: &'static str = format!("{address}/common_access").leak();
    let program = program_with(|name| match name {
        "API_URL" => Some(url),
        "OPERATOR_KEY" => Some(OPERATOR_KEY),
        _ => None,
    });
    (program.await, cloud)
}

async fn take(stream: TcpStream, manner: Manner, arrived: Arc<Mutex<Vec<(Arrived, Headers)>>>) {
    let mut stream = BufReader::new(stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let headers: Headers = lines.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let mut body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    let mut words = head.split(' ').map(str::to_owned);
    let call = Arrived {
        method: words.next().unwrap(),
        target: words.next().unwrap(),
        content_type: headers.get("content-type").cloned().unwrap_or_default(),
        body: String::from_utf8(body).unwrap(),
    };
    let calls = {
        let mut arrived = arrived.lock().unwrap();
        arrived.push((call, headers));
        arrived.len()
    };
    let manner = match manner {
        Manner::FailsFirst(failures, _) if calls <= failures => Manner::Answers(500, b""),
        Manner::FailsFirst(_, body) => Manner::Answers(200, body),
        manner @ (Manner::Answers(..) | Manner::IsSilent | Manner::HangsUp) => manner,
    };
    match manner {
        Manner::FailsFirst(..) => {}
        Manner::Answers(status, body) => {
            let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        }
        Manner::IsSilent => std::future::pending().await,
        Manner::HangsUp => {}
    }
}
