//! The client for HTTP requests to other servers: TLS by ring, with limits on time and on the size of an answer.

use std::{net::IpAddr, sync::Arc, time::Duration};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use http::{Request, Uri};
use thiserror::Error as ThisError;

/// The default time limit. The app that mixes streams waits 5 seconds for the answer of this server.
pub const TIMEOUT: Duration = Duration::from_secs(3);
/// The largest answer that is read, many times larger than the answers of the cloud and of identity providers.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Why a request failed.
#[derive(Debug, ThisError)]
pub enum Error {
    /// There was no answer within the time limit.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The connection could not be made or was broken.
    #[error("no connection")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The HTTP status was not 200.
    #[error("HTTP status {0}")]
    Status(u16),
    /// The answer is too large or is not UTF-8 text.
    #[error("the answer is too large or is not UTF-8 text")]
    Answer,
}

/// An invalid address or header.
impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        Self::Connection(error.into())
    }
}

/// A client that reuses its connections. Redirects are not followed.
#[derive(Clone, Debug)]
pub struct Client(Arc<Connector>);

impl Client {
    /// A client without connections.
    pub fn unconnected() -> Self {
        Self(Arc::new(Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).build()))
    }

    /// Sends a request and returns the text of the answer, within [`TIMEOUT`].
    pub async fn send(&self, request: Request<String>) -> Result<String, Error> {
        self.send_within(TIMEOUT, request).await
    }

    /// Sends a request with another time limit.
    pub async fn send_within(&self, limit: Duration, request: Request<String>) -> Result<String, Error> {
        let exchange = self.wait(request, MAX_ANSWER_BYTES);
        tokio::time::timeout(limit, exchange).await.map_err(|_| Error::Timeout(limit))?
    }

    /// Sends a request without a time limit, and reads an answer of at most `max_bytes`.
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

/// Whether a text is an http or https address.
pub fn is_address(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    matches!((uri.scheme_str(), uri.host()), (Some("http" | "https"), Some(host)) if !host.is_empty())
}

/// Whether a host is this machine.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

/// Whether nobody on the network can change the answers of an address: the scheme is https, or the host is this
/// machine.
///
/// ```
/// use http_client::is_secure;
/// assert!(is_secure("https://id.example.com/keys"));
/// assert!(is_secure("http://localhost:3000") && is_secure("http://127.0.0.1") && is_secure("http://[::1]/"));
/// assert!(is_secure("HTTP://LOCALHOST:3000") && is_secure("http://127.0.0.2"), "this machine");
/// assert!(!is_secure("http://id.example.com"));
/// assert!(!is_secure("http://localhost@id.example.com"), "the part before @ is not the host");
/// assert!(!is_secure("id.example.com"), "not an address");
/// ```
pub fn is_secure(address: &str) -> bool {
    let Ok(uri) = address.parse::<Uri>() else { return false };
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(host)) => !host.is_empty(),
        (Some("http"), Some(host)) => is_loopback(host),
        _ => false,
    }
}
