//! The calls that we make to the live cloud: its old interface, "common access".
//!
//! ```text
//! <API_URL>?cmd=<appid>&interface=<name>&t=<expiry>&sign=md5(API_KEY + t)
//! ```

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    config::Live,
    http,
    sign::callback::sign,
    types::{Secret, StreamId, UnixSeconds},
};

/// How long the signature of a call is good for, as the documents advise.
const SIGNED_SECONDS: u64 = 60;
/// The cloud's code for a stream that was never pushed.
const NEVER_PUSHED: i64 = 20601;

/// A call that failed.
#[derive(Debug)]
pub enum Error {
    /// It got no answer.
    Call(http::Error),
    /// An answer that is not what the documents say.
    Answer,
    /// The cloud's own code for why it did not do it.
    Refused(i64),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => error.fmt(f),
            Self::Answer => f.write_str("an answer that cannot be understood"),
            Self::Refused(code) => write!(f, "refused with code {code}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Call(error) => error.source(),
            Self::Answer | Self::Refused(_) => None,
        }
    }
}

impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        Self::Call(error)
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
    http: http::Client,
    appid: String,
    key: Secret,
    url: String,
}

impl Cloud {
    /// The cloud of these settings. Nothing is connected yet.
    pub fn new(live: &Live) -> Self {
        Self {
            http: http::Client::unconnected(),
            appid: live.appid.clone(),
            key: live.api_key.clone(),
            url: live.api_url.clone(),
        }
    }

    /// Asks the cloud to mix streams as `params` says, and gives its answer, both JSON texts as they are.
    pub async fn mix_streams(&self, params: String, now: UnixSeconds) -> Result<String, Error> {
        let uri = self.uri("Mix_StreamV2", "", now);
        let mut request = HttpRequest::new(SdkBody::from(params));
        request.set_method("POST").map_err(|error| http::Error::Connection(error.into()))?;
        request.headers_mut().insert("content-type", "application/json");
        let answer = self.http.send(request, uri).await?;
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
        let uri = self.uri("Live_Channel_SetStatus", &params, now);
        let answer = self.http.send(HttpRequest::empty(), uri).await?;
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
}
