//! The calls that we make to the live cloud.

mod common_access;

use std::fmt;

pub use self::common_access::Channel;
use crate::{config::Live, http, types::Secret};

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
}
