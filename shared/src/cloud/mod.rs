//! The calls that we make to the live cloud.

mod api;
mod common_access;

use std::fmt;

pub use self::{api::StreamState, common_access::Channel};
use crate::{
    config::{CloudApi, Config},
    http,
    types::Secret,
};

/// A call that failed.
#[derive(Debug)]
pub enum Error {
    /// It got no answer.
    Call(http::Error),
    /// An answer that is not what the documents say.
    Answer,
    /// The old interface's own code for why it did not do it.
    Refused(i64),
    /// The API 3.0's.
    Denied(String),
    /// The setting of this name is `none`, so the call is not made.
    SwitchedOff(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => error.fmt(f),
            Self::Answer => f.write_str("an answer that cannot be understood"),
            Self::Refused(code) => write!(f, "refused with code {code}"),
            Self::Denied(code) => write!(f, "refused with code {code}"),
            Self::SwitchedOff(setting) => write!(f, "{setting} is none"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Call(error) => error.source(),
            Self::Answer | Self::Refused(_) | Self::Denied(_) | Self::SwitchedOff(_) => None,
        }
    }
}

impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        Self::Call(error)
    }
}

/// The live cloud.
#[derive(Clone, Debug)]
pub struct Cloud {
    http: http::Client,
    appid: String,
    key: Secret,
    url: Option<String>,
    push_domain: String,
    api: Option<CloudApi>,
}

impl Cloud {
    /// The cloud of these settings. Nothing is connected yet.
    pub fn new(config: &Config) -> Self {
        let live = &config.live;
        Self {
            http: http::Client::unconnected(),
            appid: live.appid.clone(),
            key: live.api_key.clone(),
            url: live.api_url.clone(),
            push_domain: live.domains.push.clone(),
            api: config.cloud_api.clone(),
        }
    }
}
