//! The live cloud's answers to the calls of the business server.
//!
//! The cloud has two interfaces: the old one, `?cmd=..&interface=..&t=..&sign=..` at any path, and API 3.0, which has
//! the action in the header `X-TC-Action`.

use std::collections::BTreeMap;

use http::Request;
use protocol::{
    sign::{callback::sign, constant_time_eq, tc3},
    types::UnixSeconds,
};
use serde_json::{Value, json};

use crate::{
    account::{Account, FORBIDDEN_SECONDS, Settings, State},
    notices::Notice,
};

/// The old interface's code for a stream that was never pushed.
const NEVER_PUSHED: i64 = 20601;
/// Its codes for other refusals. Tencent does not document them, so nothing should depend on them.
const BAD_SIGNATURE: i64 = 1;
const BAD_PARAMETER: i64 = 2;
/// Its code for a mix of streams that are not pushed.
const NO_SUCH_INPUT: i64 = -505;

/// The maximum difference between the clocks of the cloud and of a caller of API 3.0.
const MAX_CLOCK_DIFFERENCE_SECONDS: u64 = 300;

/// Why API 3.0 refuses a call: the code and the message.
type Refusal = (&'static str, String);

impl Account {
    /// Answers a call: the JSON text, always with HTTP status 200, and the notices that follow.
    pub fn answer(&mut self, request: &Request<Vec<u8>>, now: UnixSeconds) -> (String, Vec<Notice>) {
        let query = request.uri().query().unwrap_or_default();
        let params: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut notices = Vec::new();
        let answer = match (params.get("interface"), header(request, "x-tc-action")) {
            (Some(interface), _) => {
                let outcome = self.answer_old(interface, &params, request.body(), now, &mut notices);
                outcome.unwrap_or_else(|(code, message)| json!({ "ret": code, "code": code, "message": message }))
            }
            (None, Some(action)) => {
                let outcome = if is_signed(request, &self.settings, now) {
                    self.answer_api3(action, request.body(), now, &mut notices)
                } else {
                    let message = "the call is not signed with the key of the account";
                    Err(("AuthFailure.SignatureFailure", message.to_owned()))
                };
                let mut response =
                    outcome.unwrap_or_else(|(code, message)| json!({ "Error": { "Code": code, "Message": message } }));
                self.answers += 1;
                response["RequestId"] = json!(format!("00000000-0000-4000-8000-{:012x}", self.answers));
                json!({ "Response": response })
            }
            (None, None) => json!({ "ret": BAD_PARAMETER, "message": "neither interface nor X-TC-Action" }),
        };
        (answer.to_string(), notices)
    }

    fn answer_old(
        &mut self,
        interface: &str,
        params: &BTreeMap<String, String>,
        body: &[u8],
        now: UnixSeconds,
        notices: &mut Vec<Notice>,
    ) -> Result<Value, (i64, String)> {
        let param = |name: &str| params.get(name).map(String::as_str).unwrap_or_default();
        let refuse = |code: i64, message: &str| Err((code, message.to_owned()));
        let t = param("t");
        if param("cmd") != self.settings.appid {
            return refuse(BAD_SIGNATURE, "cmd is not the appid");
        }
        if !constant_time_eq(&sign(&self.settings.api_key, t), param("sign")) {
            return refuse(BAD_SIGNATURE, "sign is wrong");
        }
        if t.parse().is_ok_and(|expiry| UnixSeconds(expiry) < now) {
            return refuse(BAD_SIGNATURE, "t is past");
        }
        match interface {
            "Live_Channel_SetStatus" => {
                let stream = param("Param.s.channel_id");
                if !self.was_pushed(stream) {
                    return refuse(NEVER_PUSHED, "the stream was never pushed");
                }
                match param("Param.n.status") {
                    "0" => notices.extend(self.forbid(stream, UnixSeconds(u64::MAX), now)),
                    "1" => self.resume(stream),
                    _ => return refuse(BAD_PARAMETER, "Param.n.status is 0 or 1"),
                }
                Ok(json!({ "ret": 0, "message": "" }))
            }
            "Mix_StreamV2" => {
                let mix: Value = serde_json::from_slice(body).unwrap_or_default();
                let inputs = mix["interface"]["para"]["input_stream_list"].as_array().filter(|list| !list.is_empty());
                let Some(inputs) = inputs else { return refuse(BAD_PARAMETER, "no input_stream_list") };
                // Apps write the names of streams in lower case.
                let is_pushed = |stream: &str| self.running().any(|running| running.eq_ignore_ascii_case(stream));
                if !inputs.iter().all(|input| input["input_stream_id"].as_str().is_some_and(is_pushed)) {
                    return refuse(NO_SUCH_INPUT, "input stream not found");
                }
                Ok(json!({ "code": 0, "message": "Success!", "timestamp": now.0 }))
            }
            other => refuse(BAD_PARAMETER, &format!("no interface {other}")),
        }
    }

    fn answer_api3(
        &mut self,
        action: &str,
        body: &[u8],
        now: UnixSeconds,
        notices: &mut Vec<Notice>,
    ) -> Result<Value, Refusal> {
        let params: Value = serde_json::from_slice(body)
            .map_err(|error| ("InvalidParameter", format!("the body is no JSON: {error}")))?;
        let param = |name: &'static str| {
            let text = params[name].as_str().filter(|text| !text.is_empty());
            text.ok_or_else(|| ("MissingParameter", format!("{name} is missing")))
        };
        // The actual cloud ignores the domain. A caller that writes another domain has a fault.
        let stream = |account: &Self| match (param("DomainName")?, param("AppName")?) {
            (domain, _) if domain != account.settings.domains.push => {
                Err(("InvalidParameter", format!("{domain} is not the push domain")))
            }
            (_, _) => param("StreamName"),
        };
        match action {
            "DescribeLiveStreamState" => {
                let state = match self.state(stream(self)?, now) {
                    State::Active => "active",
                    State::Inactive => "inactive",
                    State::Forbidden => "forbid",
                };
                return Ok(json!({ "StreamState": state }));
            }
            "DropLiveStream" => notices.extend(self.drop_stream(stream(self)?, now)),
            "ForbidLiveStream" => {
                let stream = stream(self)?;
                let until = match params["ResumeTime"].as_str() {
                    Some(text) => UnixSeconds::from_utc(text)
                        .ok_or(("InvalidParameter", format!("ResumeTime cannot be {text}")))?,
                    None => now.plus(FORBIDDEN_SECONDS),
                };
                notices.extend(self.forbid(stream, until, now));
            }
            "ResumeLiveStream" => self.resume(stream(self)?),
            "DeleteMedia" => {
                let file = param("FileId")?;
                if !self.delete_file(file) {
                    return Err(("InvalidParameterValue.FileId", format!("no file {file}")));
                }
            }
            other => return Err(("InvalidAction", format!("no action {other}"))),
        }
        Ok(json!({}))
    }
}

/// Whether a call of API 3.0 is signed with the key of the account, at about `now`.
fn is_signed(request: &Request<Vec<u8>>, account: &Settings, now: UnixSeconds) -> bool {
    let [received, signed_at, content_type, host] = ["authorization", "x-tc-timestamp", "content-type", "host"]
        .map(|name| header(request, name).unwrap_or_default());
    let (Ok(signed_at), Ok(body)) = (signed_at.parse().map(UnixSeconds), std::str::from_utf8(request.body())) else {
        return false;
    };
    let service = received.split('/').nth(2).unwrap_or_default();
    let query = request.uri().query().unwrap_or_default();
    let call = tc3::Request { method: request.method().as_str(), query, content_type, host, body };
    let expected = tc3::authorization(call, service, &account.secret_id, &account.secret_key, signed_at);
    constant_time_eq(&expected, received) && signed_at.0.abs_diff(now.0) <= MAX_CLOCK_DIFFERENCE_SECONDS
}

fn header<'a>(request: &'a Request<Vec<u8>>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{settings, url_of_alice};

    const NOW: UnixSeconds = UnixSeconds(1_600_000_000);

    /// A cloud in which `8888_alice` is pushed as `p1`, and recorded as `f1`.
    fn cloud() -> Account {
        let mut cloud = Account::new(settings(), "");
        cloud.push(&url_of_alice(NOW), "p1", NOW).unwrap();
        cloud.record("p1", "flv", "f1", Default::default(), NOW).unwrap();
        cloud
    }

    /// Calls the old interface with this query, and with `t` and `sign`.
    fn old(cloud: &mut Account, query: &str, body: &str) -> (Value, usize) {
        let t = NOW.to_string();
        let sign = sign(&cloud.settings.api_key, &t);
        let uri = format!("/common_access?cmd=1250000000&interface={query}&t={t}&sign={sign}");
        let (answer, notices) = cloud.answer(&Request::post(uri).body(body.into()).unwrap(), NOW);
        (serde_json::from_str(&answer).unwrap(), notices.len())
    }

    fn signed(action: &str, params: Value) -> Request<Vec<u8>> {
        let (account, body) = (settings(), params.to_string());
        let (content_type, host) = ("application/json", "127.0.0.1:9100");
        let call = tc3::Request { method: "POST", query: "", content_type, host, body: &body };
        let authorization = tc3::authorization(call, "live", &account.secret_id, &account.secret_key, NOW);
        let request = Request::post("/").header("x-tc-action", action).header("x-tc-timestamp", NOW.to_string());
        let request = request.header("content-type", content_type).header("host", host);
        request.header("authorization", authorization).body(body.into_bytes()).unwrap()
    }

    fn new(cloud: &mut Account, action: &str, params: Value) -> (Value, usize) {
        let (answer, notices) = cloud.answer(&signed(action, params), NOW);
        let mut answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(answer["Response"].as_object_mut().unwrap().remove("RequestId").is_some());
        (answer["Response"].take(), notices.len())
    }

    fn alice() -> Value {
        json!({ "DomainName": "8888.livepush.myqcloud.com", "AppName": "live", "StreamName": "8888_alice" })
    }

    #[test]
    fn the_old_interface_forbids_cuts_and_allows() {
        let mut cloud = cloud();
        let set = |status| format!("Live_Channel_SetStatus&Param.s.channel_id=8888_alice&Param.n.status={status}");
        assert_eq!(old(&mut cloud, &set(0), ""), (json!({ "ret": 0, "message": "" }), 1));
        assert_eq!(cloud.state("8888_alice", NOW), State::Forbidden);
        assert_eq!(old(&mut cloud, &set(1), ""), (json!({ "ret": 0, "message": "" }), 0));
        assert_eq!(cloud.state("8888_alice", NOW), State::Inactive);
        assert_eq!(old(&mut cloud, &set(0).replace("alice", "bob"), "").0["ret"], NEVER_PUSHED);
        assert_eq!(old(&mut cloud, &set(2), "").0["ret"], BAD_PARAMETER);
        assert_eq!(old(&mut cloud, "Live_Channel_Unknown", "").0["ret"], BAD_PARAMETER);
    }

    #[test]
    fn the_old_interface_wants_its_sign() {
        let mut cloud = cloud();
        let t = NOW.to_string();
        let sign = sign(&cloud.settings.api_key, &t);
        let mut message = |query: &str, now| {
            let uri = format!("/?interface=Live_Channel_SetStatus&{query}");
            let answer = cloud.answer(&Request::get(uri).body(vec![]).unwrap(), now).0;
            serde_json::from_str::<Value>(&answer).unwrap()["message"].as_str().unwrap().to_owned()
        };
        assert_eq!(message(&format!("cmd=125&t={t}&sign={sign}"), NOW), "cmd is not the appid");
        assert_eq!(message(&format!("cmd=1250000000&t={t}1&sign={sign}"), NOW), "sign is wrong");
        assert_eq!(message(&format!("cmd=1250000000&t={t}&sign={sign}"), NOW.plus(1)), "t is past");
        assert_eq!(message(&format!("cmd=1250000000&t={t}&sign={sign}"), NOW), "the stream was never pushed");
    }

    #[test]
    fn streams_are_mixed_that_are_there() {
        let mut cloud = cloud();
        let mut mix = |stream: &str| {
            let body = json!({ "interface": { "para": { "input_stream_list": [{ "input_stream_id": stream }] } } });
            old(&mut cloud, "Mix_StreamV2", &body.to_string()).0["code"].as_i64()
        };
        assert_eq!((mix("8888_alice"), mix("8888_ALICE"), mix("8888_bob")), (Some(0), Some(0), Some(NO_SUCH_INPUT)));
    }

    #[test]
    fn a_stream_is_described_dropped_forbidden_and_resumed() {
        let mut cloud = cloud();
        let state = |cloud: &mut Account| new(cloud, "DescribeLiveStreamState", alice()).0["StreamState"].take();
        assert_eq!(state(&mut cloud), "active");
        assert_eq!(new(&mut cloud, "DropLiveStream", alice()), (json!({}), 1));
        assert_eq!(state(&mut cloud), "inactive");
        assert_eq!(new(&mut cloud, "DropLiveStream", alice()), (json!({}), 0), "what does not run is dropped too");
        assert_eq!(new(&mut cloud, "ForbidLiveStream", alice()), (json!({}), 0));
        assert_eq!(state(&mut cloud), "forbid");
        assert_eq!(cloud.state("8888_alice", NOW.plus(FORBIDDEN_SECONDS)), State::Inactive);
        assert_eq!(new(&mut cloud, "ResumeLiveStream", alice()), (json!({}), 0));
        assert_eq!(state(&mut cloud), "inactive");
        let mut until = alice();
        until["ResumeTime"] = json!("2020-09-13T12:26:45Z");
        new(&mut cloud, "ForbidLiveStream", until);
        assert_eq!(cloud.state("8888_alice", NOW.plus(4)), State::Forbidden);
        assert_eq!(cloud.state("8888_alice", NOW.plus(5)), State::Inactive);
    }

    #[test]
    fn what_is_missing_or_wrong_is_refused_by_its_code() {
        let mut cloud = cloud();
        let mut code = |action, params| new(&mut cloud, action, params).0["Error"]["Code"].take();
        let mut of_the_player = alice();
        of_the_player["DomainName"] = json!("8888.liveplay.myqcloud.com");
        assert_eq!(code("DescribeLiveStreamState", of_the_player), "InvalidParameter");
        assert_eq!(code("DescribeLiveStreamState", json!({ "StreamName": "8888_alice" })), "MissingParameter");
        let mut never = alice();
        never["ResumeTime"] = json!("never");
        assert_eq!(code("ForbidLiveStream", never), "InvalidParameter");
        assert_eq!(code("DescribeEverything", json!({})), "InvalidAction");
        assert_eq!(code("DeleteMedia", json!({ "FileId": "f1" })), Value::Null, "it is deleted");
        assert_eq!(code("DeleteMedia", json!({ "FileId": "f1" })), "InvalidParameterValue.FileId");
    }

    #[test]
    fn what_is_not_signed_by_the_account_and_now_is_refused() {
        let good = signed("DeleteMedia", json!({ "FileId": "f1" }));
        let with = |name: &'static str, value: &str| {
            let mut request = good.clone();
            request.headers_mut().insert(name, value.parse().unwrap());
            request
        };
        let text = header(&good, "authorization").unwrap();
        let mut other_body = good.clone();
        other_body.body_mut().push(b' ');
        let mut account = settings();
        for bad in [
            with("authorization", &text.replacen("TC3-", "TC2-", 1)),
            with("authorization", &text.replacen("/live/", "/vod/", 1)),
            with("host", "127.0.0.1:9101"),
            with("x-tc-timestamp", ""),
            other_body,
        ] {
            assert!(!is_signed(&bad, &account, NOW), "{bad:?}");
            assert!(cloud().answer(&bad, NOW).0.contains("AuthFailure.SignatureFailure"), "{bad:?}");
        }
        assert!(is_signed(&good, &account, NOW.plus(300)) && is_signed(&good, &account, NOW.minus(300)));
        assert!(!is_signed(&good, &account, NOW.plus(301)));
        account.secret_id = "AKIDother".to_owned();
        assert!(!is_signed(&good, &account, NOW));
    }
}
