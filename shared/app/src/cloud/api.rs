//! The cloud's API 3.0. A call is a POST of a JSON object to the address of a service, signed by
//! [`protocol::sign::tc3`]. The answer is one of:
//!
//! ```text
//! success   {"Response":{"RequestId":"...", ...}}
//! failure   {"Response":{"Error":{"Code":"...","Message":"..."},"RequestId":"..."}}
//! ```
//!
//! No call has a region.

use http::Request;
use serde_json::{Value, json};

use super::{Cloud, Error};
use protocol::{
    sign::tc3,
    types::{StreamId, UnixSeconds},
};

/// A service of the cloud.
struct Service {
    name: &'static str,
    version: &'static str,
    /// The service's error codes for a stream or file that does not exist.
    not_found_codes: &'static [&'static str],
}

/// The codes for a missing push domain or account are not in the list: they are failures.
const LIVE: Service = Service {
    name: "live",
    version: "2018-08-01",
    not_found_codes: &[
        "FailedOperation.StreamNotExist",
        "ResourceNotFound.ChannelNotExist",
        "ResourceNotFound.StreamNotAlive",
        "ResourceUnavailable.StreamNotExist",
    ],
};
const VOD: Service = Service {
    name: "vod",
    version: "2018-07-17",
    not_found_codes: &["InvalidParameterValue.FileId", "ResourceNotFound"],
};

/// The longest ban of a stream: 90 days less five minutes for the difference between the clocks. The cloud refuses
/// calls of a clock that differs by more.
const MAX_FORBIDDEN_SECONDS: u64 = 90 * 24 * 3600 - 300;
/// The longest reason of a ban that the cloud accepts.
const MAX_REASON_BYTES: usize = 2048;
/// No error code is longer.
const MAX_CODE_BYTES: usize = 128;

/// The state of a stream in the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamState {
    /// The stream is being pushed.
    Active,
    /// The stream is not being pushed.
    Inactive,
    /// The stream must not be pushed.
    Forbidden,
}

impl Cloud {
    /// Whether CLOUD_API_URL is set. If it is `none`, every call in this module fails with [`Error::SwitchedOff`].
    pub fn can_ask(&self) -> bool {
        self.api.is_some()
    }

    /// The state of a stream.
    pub async fn stream_state(&self, stream: &StreamId, now: UnixSeconds) -> Result<StreamState, Error> {
        let response = self.call(&LIVE, "DescribeLiveStreamState", self.stream(stream), now).await?;
        match response["StreamState"].as_str() {
            Some("active") => Ok(StreamState::Active),
            Some("inactive") => Ok(StreamState::Inactive),
            Some("forbid") => Ok(StreamState::Forbidden),
            Some(_) | None => Err(Error::Answer),
        }
    }

    /// Cuts a stream. The stream may be pushed again at once. Succeeds if the stream is not being pushed.
    pub async fn drop_stream(&self, stream: &StreamId, now: UnixSeconds) -> Result<(), Error> {
        ignore_missing(&LIVE, self.call(&LIVE, "DropLiveStream", self.stream(stream), now).await)
    }

    /// Cuts a stream and forbids its push until the given time, for at most 90 days. A longer ban needs another call
    /// before that. The cloud's console shows the reason.
    pub async fn forbid_stream(
        &self,
        stream: &StreamId,
        until: Option<UnixSeconds>,
        reason: &str,
        now: UnixSeconds,
    ) -> Result<(), Error> {
        let longest = now.plus(MAX_FORBIDDEN_SECONDS);
        let mut params = self.stream(stream);
        // Without ResumeTime the cloud forbids the stream for seven days only.
        params["ResumeTime"] = until.map_or(longest, |until| until.min(longest)).in_utc().into();
        params["Reason"] = truncated(reason).into();
        self.call(&LIVE, "ForbidLiveStream", params, now).await.map(|_| ())
    }

    /// Allows the push of a stream again. Succeeds if the stream does not exist.
    pub async fn resume_stream(&self, stream: &StreamId, now: UnixSeconds) -> Result<(), Error> {
        ignore_missing(&LIVE, self.call(&LIVE, "ResumeLiveStream", self.stream(stream), now).await)
    }

    /// Deletes a file of the video-on-demand service with everything made of it. Succeeds if the file does not exist.
    pub async fn delete_file(&self, file_id: &str, now: UnixSeconds) -> Result<(), Error> {
        ignore_missing(&VOD, self.call(&VOD, "DeleteMedia", json!({ "FileId": file_id }), now).await)
    }

    /// The parameters that name a stream.
    fn stream(&self, stream: &StreamId) -> Value {
        json!({ "AppName": "live", "DomainName": self.live.domains.push, "StreamName": stream.as_str() })
    }

    async fn call(
        &self,
        service: &Service,
        action: &'static str,
        params: Value,
        now: UnixSeconds,
    ) -> Result<Value, Error> {
        const CONTENT_TYPE: &str = "application/json";
        let api = self.api.as_ref().ok_or(Error::SwitchedOff("CLOUD_API_URL"))?;
        let (body, host) = (params.to_string(), api.url.host(service.name));
        let signed = tc3::Request { method: "POST", query: "", content_type: CONTENT_TYPE, host: &host, body: &body };
        let authorization = tc3::authorization(signed, service.name, &api.secret_id, &api.secret_key, now);
        let request = Request::post(api.url.of(service.name))
            .header("authorization", authorization)
            .header("content-type", CONTENT_TYPE)
            .header("x-tc-action", action)
            .header("x-tc-timestamp", now.to_string())
            .header("x-tc-version", service.version);
        read(&self.http.send(request.body(body)?).await?)
    }
}

/// Reads an answer. An answer without a request id does not come from the cloud.
fn read(answer: &str) -> Result<Value, Error> {
    let mut answer: Value = serde_json::from_str(answer).map_err(|_| Error::Answer)?;
    let response = answer.get_mut("Response").map(Value::take).unwrap_or_default();
    if !response["RequestId"].is_string() {
        return Err(Error::Answer);
    }
    if response["Error"].is_null() {
        return Ok(response);
    }
    // The message of an error is not read: it may quote the request.
    let code = response["Error"]["Code"].as_str().filter(|code| is_error_code(code));
    Err(code.map_or(Error::Answer, |code| Error::Refused(code.to_owned())))
}

/// Whether a text has the form of an error code and may be logged.
fn is_error_code(text: &str) -> bool {
    (1..=MAX_CODE_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

/// Treats the error "does not exist" as success.
fn ignore_missing(service: &Service, outcome: Result<Value, Error>) -> Result<(), Error> {
    match outcome {
        Err(Error::Refused(code)) if service.not_found_codes.contains(&code.as_str()) => Ok(()),
        outcome => outcome.map(|_| ()),
    }
}

/// A reason, cut to the length that the cloud accepts.
fn truncated(reason: &str) -> &str {
    reason.get(..reason.floor_char_boundary(MAX_REASON_BYTES)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_where_a_character_ends() {
        assert_eq!(truncated("why"), "why");
        assert_eq!(truncated(&"x".repeat(2048)), "x".repeat(2048));
        assert_eq!(truncated(&"x".repeat(2049)), "x".repeat(2048));
        assert_eq!(truncated(&"中".repeat(2048)), "中".repeat(682));
    }

    #[test]
    fn an_error_code_is_short_and_alphanumeric() {
        assert!(is_error_code("InvalidParameterValue.FileId") && is_error_code(&"x".repeat(128)));
        assert!(
            !is_error_code("")
                && !is_error_code(&"x".repeat(129))
                && !is_error_code("a b")
                && !is_error_code("a\nb")
                && !is_error_code("中")
        );
    }
}
