//! The calls that we make to the live cloud: its old interface, "common access".
//!
//! ```text
//! <API_URL>?cmd=<appid>&interface=<name>&t=<expiry>&sign=md5(API_KEY + t)
//! ```

use std::{fmt, sync::Arc, time::Duration};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::HttpConnector,
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    config::Live,
    sign::callback::sign,
    types::{Secret, StreamId, UnixSeconds},
};

/// How long a call may take: an app waits 5 seconds for our answer.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How long the signature of a call is good for, as the documents advise.
const SIGNED_SECONDS: u64 = 60;
/// The cloud's code for a stream that was never pushed.
const NEVER_PUSHED: i64 = 20601;

/// A call that failed.
#[derive(Debug)]
pub enum Error {
    /// No answer within the time that a call may take.
    Timeout,
    /// No connection, or it broke.
    Connection(Box<dyn std::error::Error + Send + Sync>),
    /// An HTTP status other than 200.
    Status(u16),
    /// An answer that is not what the documents say.
    Answer,
    /// The cloud's own code for why it did not do it.
    Refused(i64),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => write!(f, "no answer within {} s", TIMEOUT.as_secs()),
            Self::Connection(_) => f.write_str("no connection"),
            Self::Status(status) => write!(f, "HTTP status {status}"),
            Self::Answer => f.write_str("an answer that cannot be understood"),
            Self::Refused(code) => write!(f, "refused with code {code}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connection(error) => Some(error.as_ref()),
            Self::Timeout | Self::Status(_) | Self::Answer | Self::Refused(_) => None,
        }
    }
}

/// Whether a stream may be pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// It may.
    Enabled,
    /// It may not; one that runs is cut.
    Disabled,
}

/// The live cloud.
#[derive(Clone, Debug)]
pub struct Cloud {
    connector: Arc<Connector>,
    appid: String,
    key: Secret,
    url: String,
}

impl Cloud {
    /// The cloud of these settings. Nothing is connected yet.
    pub fn new(live: &Live) -> Self {
        let connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).build();
        Self {
            connector: Arc::new(connector),
            appid: live.appid.clone(),
            key: live.api_key.clone(),
            url: live.api_url.clone(),
        }
    }

    /// Asks the cloud to mix streams as `params` says, and gives its answer, both JSON texts as they are.
    pub async fn mix_streams(&self, params: String, now: UnixSeconds) -> Result<String, Error> {
        let uri = self.uri("Mix_StreamV2", "", now);
        let mut request = HttpRequest::new(SdkBody::from(params));
        request.set_method("POST").map_err(|error| Error::Connection(error.into()))?;
        request.headers_mut().insert("content-type", "application/json");
        let answer = self.call(request, uri).await?;
        // The app parses it: what is no JSON, a page of some proxy perhaps, is not handed on.
        serde_json::from_str::<IgnoredAny>(&answer).map_err(|_| Error::Answer)?;
        Ok(answer)
    }

    /// Allows or forbids that a stream is pushed.
    pub async fn set_channel(&self, stream: &StreamId, channel: Channel, now: UnixSeconds) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Answer {
            ret: i64,
        }
        let status = match channel {
            Channel::Enabled => 1,
            Channel::Disabled => 0,
        };
        let stream: String = form_urlencoded::byte_serialize(stream.as_str().as_bytes()).collect();
        let params = format!("&Param.s.channel_id={stream}&Param.n.status={status}");
        let answer = self.call(HttpRequest::empty(), self.uri("Live_Channel_SetStatus", &params, now)).await?;
        match serde_json::from_str::<Answer>(&answer).map_err(|_| Error::Answer)?.ret {
            0 | NEVER_PUSHED => Ok(()),
            code => Err(Error::Refused(code)),
        }
    }

    fn uri(&self, interface: &str, params: &str, now: UnixSeconds) -> String {
        let t = now.plus(SIGNED_SECONDS).to_string();
        let Self { url, appid, key, .. } = self;
        format!("{url}?cmd={appid}&interface={interface}{params}&t={t}&sign={}", sign(key, &t))
    }

    async fn call(&self, mut request: HttpRequest, uri: String) -> Result<String, Error> {
        request.set_uri(uri).map_err(|error| Error::Connection(error.into()))?;
        let exchange = async {
            let response: HttpResponse =
                self.connector.call(request).await.map_err(|error| Error::Connection(error.into()))?;
            if response.status().as_u16() != 200 {
                return Err(Error::Status(response.status().as_u16()));
            }
            let body = ByteStream::new(response.into_body()).collect().await;
            let body = body.map_err(|error| Error::Connection(error.into()))?.to_vec();
            String::from_utf8(body).map_err(|_| Error::Answer)
        };
        tokio::time::timeout(TIMEOUT, exchange).await.map_err(|_| Error::Timeout)?
    }
}
