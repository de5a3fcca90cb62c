//! HTTP requests to other servers: TLS by ring, a time limit, and a largest answer.

use std::{net::IpAddr, sync::Arc, time::Duration};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use http::{Request, Uri};
use thiserror::Error as ThisError;

/// How long a call may take: the most impatient app, that mixes streams, waits 5 seconds for our answer.
pub const TIMEOUT: Duration = Duration::from_secs(3);
/// The largest answer that is read: many times what a server that means well sends.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// A call that failed.
#[derive(Debug, ThisError)]
pub enum Error {
    /// No answer within the time that the call was given.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// No connection, or it broke.
    #[error("no connection")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An HTTP status other than 200.
    #[error("HTTP status {0}")]
    Status(u16),
    /// An answer that is too large, or no text.
    #[error("an answer that is too large, or no text")]
    Answer,
}

/// An address or a header that cannot be sent.
impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        Self::Connection(error.into())
    }
}

/// A client, which keeps its connections. It follows no redirection.
#[derive(Clone, Debug)]
pub struct Client(Arc<Connector>);

impl Client {
    /// A client that is not yet connected to anything.
    pub fn unconnected() -> Self {
        Self(Arc::new(Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).build()))
    }

    /// Sends a request and gives the text of the answer, which may take 3 seconds.
    pub async fn send(&self, request: Request<String>) -> Result<String, Error> {
        self.send_within(TIMEOUT, request).await
    }

    /// The same with a time limit of one's own.
    pub async fn send_within(&self, limit: Duration, request: Request<String>) -> Result<String, Error> {
        let exchange = self.wait(request, MAX_ANSWER_BYTES);
        tokio::time::timeout(limit, exchange).await.map_err(|_| Error::Timeout(limit))?
    }

    /// The same without a time limit, for an answer of at most so many bytes that comes when there is one.
    pub async fn wait(&self, request: Request<String>, max_bytes: usize) -> Result<String, Error> {
        let request = HttpRequest::try_from(request.map(SdkBody::from));
        let request = request.map_err(|error| Error::Connection(error.into()))?;
        let response = self.0.call(request).await.map_err(|error| Error::Connection(error.into()))?;
        if response.status().as_u16() != 200 {
            return Err(Error::Status(response.status().as_u16()));
        }
        let mut parts = ByteStream::new(response.into_body());
        let mut body = Vec::new();
        while let Some(part) = parts.next().await {
            body.extend(part.map_err(|error| Error::Connection(error.into()))?);
            if body.len() > max_bytes {
                return Err(Error::Answer);
            }
        }
        String::from_utf8(body).map_err(|_| Error::Answer)
    }
}

/// Whether this is the address of an HTTP server.
pub fn is_address(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    matches!((uri.scheme_str(), uri.host()), (Some("http" | "https"), Some(host)) if !host.is_empty())
}

/// Whether a host is this machine, and nobody else can be asked in its name.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

/// Whether nobody on the way can change what this address answers: it is one over TLS, or one on this machine.
///
/// ```
/// use http_client::is_secure;
/// assert!(is_secure("https://id.example.com/keys"));
/// assert!(is_secure("http://localhost:3000") && is_secure("http://127.0.0.1") && is_secure("http://[::1]/"));
/// assert!(is_secure("HTTP://LOCALHOST:3000") && is_secure("http://127.0.0.2"), "this machine, too");
/// assert!(!is_secure("http://id.example.com"));
/// assert!(!is_secure("http://localhost@id.example.com"), "what stands before @ is no host");
/// assert!(!is_secure("id.example.com"), "no address");
/// ```
pub fn is_secure(address: &str) -> bool {
    let Ok(uri) = address.parse::<Uri>() else { return false };
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(host)) => !host.is_empty(),
        (Some("http"), Some(host)) => is_loopback(host),
        _ => false,
    }
}
