//! HTTP: a remote business server, and the port at which the simulated cloud answers its calls.

use std::{
    convert::Infallible,
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use app::process;
use cloud::{
    account::{Account, Settings, lock},
    notices::Retries,
};
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

use super::backend::{Answer, Backend, deliver};
use crate::operate::{HEADER, is_private, key_header};

/// The maximum length of the body of a call to the cloud.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// How long the port pauses after a connection could not be accepted.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// A remote business server, and the clock of this machine.
#[derive(Clone, Debug)]
pub struct Remote {
    client: Client,
    address: String,
}

impl Remote {
    /// The server at an address, not connected yet.
    pub fn new(address: &str) -> Self {
        Self { client: Client::unconnected(), address: address.trim_end_matches('/').to_owned() }
    }
}

impl Backend for Remote {
    fn now(&self) -> UnixSeconds {
        process::now()
    }

    async fn wait(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    fn report(&self, line: &str) {
        // Nobody reads a closed stderr.
        drop(writeln!(io::stderr(), "        {line}"));
    }

    async fn post(&self, path: &str, key: Option<&Secret>, body: String) -> Result<Answer, String> {
        let address = &self.address;
        let mut request = Request::post(format!("{address}{path}")).header(CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            is_private(address)?;
            request = request.header(HEADER, key_header(key)?);
        }
        let request = request.body(body).map_err(|error| format!("{address}: {error}"))?;
        match self.client.send(request).await {
            Ok(body) => Ok(Answer { status: 200, body }),
            Err(Error::Status(status)) => Ok(Answer { status, body: String::new() }),
            Err(error @ (Error::Timeout(_) | Error::Connection(_) | Error::Answer)) => {
                Err(format!("{address}: {}", Chain(&error)))
            }
        }
    }
}

/// Answers the calls of the business server at a port, forever. The notices that follow are sent to `server`.
pub async fn serve(listener: TcpListener, cloud: Arc<Mutex<Account>>, server: Remote, retries: Retries) -> Infallible {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
                continue;
            }
        };
        let (cloud, server) = (Arc::clone(&cloud), server.clone());
        tokio::spawn(async move {
            let (cloud, server) = (&cloud, &server);
            let service = service_fn(move |request| async move {
                Ok::<_, Infallible>(respond(cloud, server, retries, request).await)
            });
            if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
}

async fn respond(
    cloud: &Mutex<Account>,
    server: &Remote,
    retries: Retries,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    // A body that cannot be read counts as an empty one: the answer says which parameter is missing.
    let body = Limited::new(body, MAX_BODY_BYTES).collect().await.map(|body| body.to_bytes().to_vec());
    let request = Request::from_parts(head, body.unwrap_or_default());
    let now = process::now();
    let mut cloud = lock(cloud);
    let (answer, notices) = cloud.answer(&request, now);
    let Settings { callback_path, callback_key, .. } = cloud.settings();
    for notice in notices {
        let (server, path, body) = (server.clone(), callback_path.clone(), notice.body(now, callback_key));
        tokio::spawn(async move {
            match deliver(&server, &path, body, retries).await {
                Ok(answer) if answer.status == 200 => {}
                Ok(answer) => tracing::warn!(answer.status, "a notice was not accepted"),
                Err(error) => tracing::warn!(error, "a notice was not accepted"),
            }
        });
    }
    let mut response = Response::new(Full::new(Bytes::from(answer)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
