//! Calls to the live cloud: its API 3.0 and its old interface "common access".

mod api;
mod common_access;

use thiserror::Error as ThisError;

pub use self::{api::StreamState, common_access::Channel};
use crate::config::{CloudApi, Config, Live};

/// Why a call to the cloud failed.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The call got no answer.
    #[error(transparent)]
    Call(#[from] http_client::Error),
    /// The answer does not have the documented form.
    #[error("the answer does not have the documented form")]
    Answer,
    /// The cloud refused the call with this code.
    #[error("refused with code {0}")]
    Refused(String),
    /// The setting of this name is `none`, so the call is not made.
    #[error("the setting {0} is none")]
    SwitchedOff(&'static str),
}

impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        Self::Call(error.into())
    }
}

impl From<Error> for protocol::error::Error {
    fn from(error: Error) -> Self {
        Self::Cloud(error.into())
    }
}

/// A client of the live cloud.
#[derive(Clone, Debug)]
pub struct Cloud {
    http: http_client::Client,
    live: Live,
    api: Option<CloudApi>,
}

impl Cloud {
    /// A client with these settings, not connected yet.
    pub fn new(config: &Config) -> Self {
        let http = http_client::Client::unconnected();
        Self { http, live: config.live.clone(), api: config.cloud_api.clone() }
    }
}
