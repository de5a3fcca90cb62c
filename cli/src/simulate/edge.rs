//! The sockets: a business server somewhere, and the port at which the cloud answers it.

use std::{
    convert::Infallible,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use app::process;
use http_body_util::{BodyExt, Full, Limited};
use http_client::{Client, Error};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use protocol::{
    error::Chain,
    types::{Secret, UnixSeconds},
};
use tokio::net::TcpListener;

use super::{
    cloud::Cloud,
    notices::{self, Retries},
    stage::{Answer, Stage, deliver},
};
use crate::operate::{HEADER, is_private, key_header};

/// The longest call to the cloud that is read.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// How long the port pauses when the operating system gives it no connection.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// A business server somewhere, and the clock of this machine.
#[derive(Clone, Debug)]
pub struct Remote {
    client: Client,
    base: String,
}

impl Remote {
    /// The server at this address. Nothing is connected yet.
    pub fn new(address: &str) -> Self {
        Self { client: Client::unconnected(), base: address.trim_end_matches('/').to_owned() }
    }
}

impl Stage for Remote {
    fn now(&self) -> UnixSeconds {
        process::now()
    }

    async fn wait(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    fn tell(&self, line: &str) {
        // Where nobody takes it, nobody waits.
        drop(writeln!(io::stderr(), "        {line}"));
    }

    async fn post(&self, path: &str, key: Option<&Secret>, body: Vec<u8>) -> Result<Answer, String> {
        let mut request = Request::post(format!("{}{path}", self.base)).header(CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            is_private(&self.base)?;
            request = request.header(HEADER, key_header(key)?);
        }
        // Bodies are JSON.
        let body = String::from_utf8(body).map_err(|error| error.to_string())?;
        let request = request.body(body).map_err(|error| format!("{}: {error}", self.base))?;
        match self.client.send(request).await {
            Ok(body) => Ok(Answer { status: 200, body }),
            Err(Error::Status(status)) => Ok(Answer { status, body: String::new() }),
            Err(error @ (Error::Timeout(_) | Error::Connection(_) | Error::Answer)) => {
                Err(format!("{}: {}", self.base, Chain(&error)))
            }
        }
    }
}

/// Answers the calls of the business server at a port, for ever. The notices that follow from them go to `server`.
pub async fn serve(listener: TcpListener, cloud: Arc<Mutex<Cloud>>, server: Remote, retries: Retries) -> Infallible {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
                continue;
            }
        };
        let (cloud, server) = (Arc::clone(&cloud), server.clone());
        let service = service_fn(move |request| {
            let (cloud, server) = (Arc::clone(&cloud), server.clone());
            async move { Ok::<_, Infallible>(respond(&cloud, &server, retries, request).await) }
        });
        tokio::spawn(async move {
            if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
}

async fn respond(
    cloud: &Mutex<Cloud>,
    server: &Remote,
    retries: Retries,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    // What cannot be read counts as no body: the cloud says what it misses in it.
    let body = Limited::new(body, MAX_BODY_BYTES).collect().await.map(|body| body.to_bytes().to_vec());
    let request = Request::from_parts(head, body.unwrap_or_default());
    let now = process::now();
    let (answer, bodies, path) = {
        let mut cloud = cloud.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, notices) = cloud.answer(&request, now);
        let key = cloud.key();
        let bodies: Vec<_> = notices.iter().map(|notice| notice.body(now, &key)).collect();
        (answer, bodies, notices::path(&cloud.live))
    };
    for body in bodies {
        let (server, path) = (server.clone(), path.clone());
        tokio::spawn(async move {
            match deliver(&server, &path, body, retries).await {
                Ok(answer) if answer.status == 200 => {}
                Ok(answer) => tracing::warn!(answer.status, "a notice was not taken"),
                Err(error) => tracing::warn!(error, "a notice was not taken"),
            }
        });
    }
    let mut response = Response::new(Full::new(Bytes::from(answer)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
