//! The cloud's old interface, "common access".
//!
//! ```text
//! <API_URL>?cmd=<appid>&interface=<name>&t=<expiry>&sign=md5(API_KEY + t)
//! ```

use http::Request;
use serde::{Deserialize, de::IgnoredAny};

use super::{Cloud, Error};
use crate::config::Live;
use protocol::{
    sign::callback::sign,
    types::{StreamId, UnixSeconds},
};

/// How long the signature of a call is valid, as the cloud's documents advise.
const SIGNED_SECONDS: u64 = 60;
/// The cloud's code for a stream that was never pushed.
const NEVER_PUSHED: i64 = 20601;

/// The status of a channel: whether its stream may be pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The stream may be pushed.
    Enabled,
    /// The stream may not be pushed; a running push is cut.
    Disabled,
}

impl Cloud {
    /// Asks the cloud to mix streams. `params` and the returned answer are JSON texts, which are passed on unchanged.
    pub async fn mix_streams(&self, params: String, now: UnixSeconds) -> Result<String, Error> {
        let uri = self.uri("Mix_StreamV2", "", now)?;
        let request = Request::post(uri).header("content-type", "application/json").body(params)?;
        let answer = self.http.send(request).await?;
        // The app parses the answer. An answer that is not JSON, such as a proxy's error page, is an error.
        serde_json::from_str::<IgnoredAny>(&answer).map_err(|_| Error::Answer)?;
        Ok(answer)
    }

    /// Allows or forbids the push of a stream.
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
        let uri = self.uri("Live_Channel_SetStatus", &params, now)?;
        let answer = self.http.send(Request::get(uri).body(String::new())?).await?;
        match serde_json::from_str::<Answer>(&answer).map_err(|_| Error::Answer)?.ret {
            0 | NEVER_PUSHED => Ok(()),
            code => Err(Error::Refused(code.to_string())),
        }
    }

    fn uri(&self, interface: &str, params: &str, now: UnixSeconds) -> Result<String, Error> {
        let Live { api_url, appid, api_key, .. } = &self.live;
        let url = api_url.as_ref().ok_or(Error::SwitchedOff("API_URL"))?;
        let t = now.plus(SIGNED_SECONDS).to_string();
        Ok(format!("{url}?cmd={appid}&interface={interface}{params}&t={t}&sign={}", sign(api_key, &t)))
    }
}
