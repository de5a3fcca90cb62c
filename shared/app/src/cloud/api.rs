//! The cloud's API 3.0: a call is a JSON object posted to the address of a service, signed as [`protocol::sign::tc3`] says.
//!
//! ```text
//! {"Response":{"RequestId":"..."}}                                  it is done; what was asked is beside
//! {"Response":{"Error":{"Code":"...","Message":"..."},"RequestId":"..."}}     it is not
//! ```
//!
//! No call is tied to a region.

use http::Request;
use serde::Deserialize;
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
    /// Its codes for what is not there.
    missing: &'static [&'static str],
}

/// Of what else could be missing, a push domain or the account, there are codes too: they are failures.
const LIVE: Service = Service {
    name: "live",
    version: "2018-08-01",
    missing: &[
        "FailedOperation.StreamNotExist",
        "ResourceNotFound.ChannelNotExist",
        "ResourceNotFound.StreamNotAlive",
        "ResourceUnavailable.StreamNotExist",
    ],
};
const VOD: Service =
    Service { name: "vod", version: "2018-07-17", missing: &["InvalidParameterValue.FileId", "ResourceNotFound"] };

/// The longest ban of a stream, 90 days, less five minutes: if the clocks differ by more, the cloud refuses every call.
const MAX_FORBIDDEN_SECONDS: u64 = 90 * 24 * 3600 - 300;
/// The longest reason of a ban.
const MAX_REASON_BYTES: usize = 2048;
/// More than the longest code.
const MAX_CODE_BYTES: usize = 128;

/// What a stream does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamState {
    /// It is pushed.
    Active,
    /// It is not.
    Inactive,
    /// It must not be.
    Forbidden,
}

impl Cloud {
    /// Whether the settings name this interface. If not, every call here fails with [`Error::SwitchedOff`].
    pub fn can_ask(&self) -> bool {
        self.api.is_some()
    }

    /// Whether a stream is being pushed.
    pub async fn stream_state(&self, stream: &StreamId, now: UnixSeconds) -> Result<StreamState, Error> {
        let response = self.call(&LIVE, "DescribeLiveStreamState", self.stream(stream), now).await?;
        match response.stream_state.as_deref() {
            Some("active") => Ok(StreamState::Active),
            Some("inactive") => Ok(StreamState::Inactive),
            Some("forbid") => Ok(StreamState::Forbidden),
            Some(_) | None => Err(Error::Answer),
        }
    }

    /// Cuts a stream, which may be pushed again at once. One that is not pushed is none the worse.
    pub async fn drop_stream(&self, stream: &StreamId, now: UnixSeconds) -> Result<(), Error> {
        or_missing(&LIVE, self.call(&LIVE, "DropLiveStream", self.stream(stream), now).await)
    }

    /// Cuts a stream and keeps it from being pushed until then; without an end, or with one far away, for as long as the
    /// cloud can: 90 days. Whoever means longer calls again. The reason is for the cloud's console.
    pub async fn forbid_stream(
        &self,
        stream: &StreamId,
        until: Option<UnixSeconds>,
        reason: &str,
        now: UnixSeconds,
    ) -> Result<(), Error> {
        let longest = now.plus(MAX_FORBIDDEN_SECONDS);
        let mut params = self.stream(stream);
        // Without an end the cloud would forget after seven days.
        params["ResumeTime"] = until.map_or(longest, |until| until.min(longest)).in_utc().into();
        params["Reason"] = shortened(reason).into();
        self.call(&LIVE, "ForbidLiveStream", params, now).await.map(|_| ())
    }

    /// Lets a stream be pushed again.
    pub async fn resume_stream(&self, stream: &StreamId, now: UnixSeconds) -> Result<(), Error> {
        or_missing(&LIVE, self.call(&LIVE, "ResumeLiveStream", self.stream(stream), now).await)
    }

    /// Deletes a file of the video-on-demand service, with all that was made of it.
    pub async fn delete_file(&self, file_id: &str, now: UnixSeconds) -> Result<(), Error> {
        or_missing(&VOD, self.call(&VOD, "DeleteMedia", json!({ "FileId": file_id }), now).await)
    }

    /// A stream, as every call names it.
    fn stream(&self, stream: &StreamId) -> Value {
        json!({ "AppName": "live", "DomainName": self.push_domain, "StreamName": stream.as_str() })
    }

    async fn call(
        &self,
        service: &Service,
        action: &'static str,
        params: Value,
        now: UnixSeconds,
    ) -> Result<Response, Error> {
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

/// An answer, as much of it as we look at.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    request_id: Option<String>,
    error: Option<Fault>,
    stream_state: Option<String>,
}

/// Why something was not done. The text beside the code may quote what we sent, so it is not read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Fault {
    code: String,
}

/// Reads an answer. What has no id is none of the cloud's.
fn read(answer: &str) -> Result<Response, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        response: Response,
    }
    let Answer { response } = serde_json::from_str(answer).map_err(|_| Error::Answer)?;
    match response {
        Response { request_id: None, .. } => Err(Error::Answer),
        Response { error: Some(Fault { code }), .. } => {
            Err(if is_code(&code) { Error::Denied(code) } else { Error::Answer })
        }
        Response { error: None, .. } => Ok(response),
    }
}

/// Whether it can be a code, and so stand in the log.
fn is_code(text: &str) -> bool {
    (1..=MAX_CODE_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

/// Takes that there is nothing to do it to for done.
fn or_missing(service: &Service, outcome: Result<Response, Error>) -> Result<(), Error> {
    match outcome {
        Err(Error::Denied(code)) if service.missing.contains(&code.as_str()) => Ok(()),
        outcome => outcome.map(|_| ()),
    }
}

/// As much of a reason as the cloud takes.
fn shortened(reason: &str) -> &str {
    reason.get(..reason.floor_char_boundary(MAX_REASON_BYTES)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_where_a_character_ends() {
        assert_eq!(shortened("why"), "why");
        assert_eq!(shortened(&"x".repeat(2048)), "x".repeat(2048));
        assert_eq!(shortened(&"x".repeat(2049)), "x".repeat(2048));
        assert_eq!(shortened(&"中".repeat(2048)), "中".repeat(682));
    }

    #[test]
    fn a_code_is_a_short_word() {
        assert!(is_code("InvalidParameterValue.FileId") && is_code(&"x".repeat(128)));
        assert!(!is_code("") && !is_code(&"x".repeat(129)) && !is_code("a b") && !is_code("a\nb") && !is_code("中"));
    }
}
