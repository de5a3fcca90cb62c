//! What the cloud answers to the calls of the business server.
//!
//! Two interfaces: the old one, `?cmd=..&interface=..&t=..&sign=..` at any path, and API 3.0, which names the action in
//! the header `X-TC-Action`.

use std::collections::BTreeMap;

use app::config::Vod;
use http::Request;
use protocol::{
    sign::{callback::sign, constant_time_eq, tc3},
    types::UnixSeconds,
};
use serde_json::{Value, json};

use super::{
    cloud::{Cloud, FORBIDDEN_SECONDS, State},
    notices::Notice,
};

/// The number of the old interface for a stream that was never pushed.
const NEVER_PUSHED: i64 = 20601;
/// Its numbers for other refusals. The documents do not tell them; nobody should rely on them.
const UNSIGNED: i64 = 1;
const MEANINGLESS: i64 = 2;
/// What a mix is refused with whose streams are not there.
const NO_SUCH_INPUT: i64 = -505;

/// How far the clock of a caller of API 3.0 may be off.
const CLOCKS_DIFFER_SECONDS: u64 = 300;

/// Why API 3.0 does not do what it is asked: its code, and a text.
type Refusal = (&'static str, String);

impl Cloud {
    /// Answers a call: the JSON text, always with HTTP status 200, and the notices that follow from it.
    pub fn answer(&mut self, request: &Request<Vec<u8>>, now: UnixSeconds) -> (String, Vec<Notice>) {
        let query = request.uri().query().unwrap_or_default();
        let params: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut notices = Vec::new();
        let answer = match (params.get("interface"), header(request, "x-tc-action")) {
            (Some(interface), _) => self.answer_old(interface, &params, request.body(), now, &mut notices),
            (None, Some(action)) => {
                let mut outcome = if is_signed(request, &self.vod, now) {
                    self.act(action, request.body(), now, &mut notices)
                } else {
                    Err((
                        "AuthFailure.SignatureFailure",
                        "the call is not signed with the key of the account".to_owned(),
                    ))
                }
                .unwrap_or_else(|(code, message)| json!({ "Error": { "Code": code, "Message": message } }));
                self.answers += 1;
                outcome["RequestId"] = json!(format!("00000000-0000-4000-8000-{:012x}", self.answers));
                json!({ "Response": outcome })
            }
            (None, None) => json!({ "ret": MEANINGLESS, "message": "neither interface nor X-TC-Action" }),
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
    ) -> Value {
        let param = |name: &str| params.get(name).map(String::as_str).unwrap_or_default();
        let refused = |ret: i64, message: &str| json!({ "ret": ret, "code": ret, "message": message });
        let t = param("t");
        if param("cmd") != self.live.appid {
            return refused(UNSIGNED, "cmd is not the appid");
        }
        if !constant_time_eq(&sign(&self.live.api_key, t), param("sign")) {
            return refused(UNSIGNED, "sign is wrong");
        }
        if t.parse().is_ok_and(|expiry| UnixSeconds(expiry) < now) {
            return refused(UNSIGNED, "t is past");
        }
        match interface {
            "Live_Channel_SetStatus" => {
                let stream = param("Param.s.channel_id");
                if !self.knows(stream) {
                    return refused(NEVER_PUSHED, "the stream was never pushed");
                }
                match param("Param.n.status") {
                    "0" => notices.extend(self.forbid(stream, UnixSeconds(u64::MAX), now)),
                    "1" => self.resume(stream),
                    _ => return refused(MEANINGLESS, "Param.n.status is 0 or 1"),
                }
                json!({ "ret": 0, "message": "" })
            }
            "Mix_StreamV2" => {
                let asked: Value = serde_json::from_slice(body).unwrap_or_default();
                let inputs = &asked["interface"]["para"]["input_stream_list"];
                let streams = inputs.as_array().into_iter().flatten().map(|input| input["input_stream_id"].as_str());
                let mut missing = streams.map(|stream| stream.is_none_or(|stream| !self.is_pushed(stream)));
                let Some(first) = missing.next() else { return refused(MEANINGLESS, "no input_stream_list") };
                if first || missing.any(|is_missing| is_missing) {
                    return refused(NO_SUCH_INPUT, "input stream not found");
                }
                json!({ "code": 0, "message": "Success!", "timestamp": now.0 })
            }
            other => refused(MEANINGLESS, &format!("no interface {other}")),
        }
    }

    /// Does what a call of API 3.0 asks for.
    fn act(
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
        // The actual cloud looks at the stream alone; whoever writes another domain does not mean it.
        let stream = |cloud: &Self| match (param("DomainName")?, param("AppName")?) {
            (domain, _) if domain != cloud.live.domains.push => {
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
                Ok(json!({ "StreamState": state }))
            }
            "DropLiveStream" => {
                notices.extend(self.cut(stream(self)?, now));
                Ok(json!({}))
            }
            "ForbidLiveStream" => {
                let stream = stream(self)?;
                let until = match params["ResumeTime"].as_str() {
                    Some(text) => UnixSeconds::from_utc(text)
                        .ok_or(("InvalidParameter", format!("ResumeTime cannot be {text}")))?,
                    None => now.plus(FORBIDDEN_SECONDS),
                };
                notices.extend(self.forbid(stream, until, now));
                Ok(json!({}))
            }
            "ResumeLiveStream" => {
                self.resume(stream(self)?);
                Ok(json!({}))
            }
            "DeleteMedia" => {
                let file = param("FileId")?;
                let was_there = self.delete_file(file);
                was_there.then(|| json!({})).ok_or_else(|| ("InvalidParameterValue.FileId", format!("no file {file}")))
            }
            other => Err(("InvalidAction", format!("no action {other}"))),
        }
    }

    /// Whether a stream is pushed that an app names, which writes it in lower case.
    fn is_pushed(&self, stream: &str) -> bool {
        self.running().any(|running| running.eq_ignore_ascii_case(stream))
    }
}

/// Whether a call of API 3.0 is signed with the key of the account, and now.
fn is_signed(request: &Request<Vec<u8>>, account: &Vod, now: UnixSeconds) -> bool {
    let [received, made, content_type, host] = ["authorization", "x-tc-timestamp", "content-type", "host"]
        .map(|name| header(request, name).unwrap_or_default());
    let (Ok(made), Ok(body)) = (made.parse().map(UnixSeconds), std::str::from_utf8(request.body())) else {
        return false;
    };
    let service = received.split('/').nth(2).unwrap_or_default();
    let query = request.uri().query().unwrap_or_default();
    let call = tc3::Request { method: request.method().as_str(), query, content_type, host, body };
    let expected = tc3::authorization(call, service, &account.secret_id, &account.secret_key, made);
    constant_time_eq(&expected, received) && made.0.abs_diff(now.0) <= CLOCKS_DIFFER_SECONDS
}

fn header<'a>(request: &'a Request<Vec<u8>>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{invented, judge};

    const NOW: UnixSeconds = UnixSeconds(1_600_000_000);

    /// A cloud in which `8888_alice` is pushed as `p1`, and recorded as `f1`.
    fn cloud() -> Cloud {
        let key = |name: &str| (name == "CLOUD_API_SECRET_KEY").then(|| "the same in all of these tests".to_owned());
        let config = judge(&invented(), key).unwrap();
        let live = &config.live;
        let stream = protocol::types::StreamId::parse("8888_alice").unwrap();
        let url = live.domains.push_url(&live.push_key, &stream, NOW.plus(60), None);
        let mut cloud = Cloud::new(&config, "");
        cloud.push(&url, "p1", NOW).unwrap();
        cloud.record("p1", "flv", "f1", Default::default(), NOW).unwrap();
        cloud
    }

    fn old(cloud: &mut Cloud, params: &str) -> (Value, usize) {
        let t = NOW.plus(60).to_string();
        let sign = sign(&cloud.live.api_key, &t);
        let uri = format!("/common_access?cmd=1250000000&interface={params}&t={t}&sign={sign}");
        let (answer, notices) = cloud.answer(&Request::get(uri).body(vec![]).unwrap(), NOW);
        (serde_json::from_str(&answer).unwrap(), notices.len())
    }

    fn signed(action: &str, params: Value) -> Request<Vec<u8>> {
        let (account, body) = (cloud().vod, params.to_string());
        let (content_type, host) = ("application/json", "127.0.0.1:9100");
        let call = tc3::Request { method: "POST", query: "", content_type, host, body: &body };
        let authorization = tc3::authorization(call, "live", &account.secret_id, &account.secret_key, NOW);
        let request = Request::post("/").header("x-tc-action", action).header("x-tc-timestamp", NOW.to_string());
        let request = request.header("content-type", content_type).header("host", host);
        request.header("authorization", authorization).body(body.into_bytes()).unwrap()
    }

    fn new(cloud: &mut Cloud, action: &str, params: Value) -> (Value, usize) {
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
        assert_eq!(old(&mut cloud, &set(0)), (json!({ "ret": 0, "message": "" }), 1));
        assert_eq!(cloud.state("8888_alice", NOW), State::Forbidden);
        assert_eq!(old(&mut cloud, &set(1)), (json!({ "ret": 0, "message": "" }), 0));
        assert_eq!(cloud.state("8888_alice", NOW), State::Inactive);
        assert_eq!(old(&mut cloud, &set(0).replace("alice", "bob")).0["ret"], NEVER_PUSHED);
        assert_eq!(old(&mut cloud, &set(2)).0["ret"], MEANINGLESS);
        assert_eq!(old(&mut cloud, "Live_Channel_Unknown").0["ret"], MEANINGLESS);
    }

    #[test]
    fn the_old_interface_wants_its_sign() {
        let mut cloud = cloud();
        let t = NOW.to_string();
        let sign = sign(&cloud.live.api_key, &t);
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
            let t = NOW.to_string();
            let sign = sign(&cloud.live.api_key, &t);
            let uri = format!("/?cmd=1250000000&interface=Mix_StreamV2&t={t}&sign={sign}");
            let body = json!({ "interface": { "para": { "input_stream_list": [{ "input_stream_id": stream }] } } });
            let answer = cloud.answer(&Request::post(uri).body(body.to_string().into_bytes()).unwrap(), NOW).0;
            serde_json::from_str::<Value>(&answer).unwrap()["code"].as_i64()
        };
        assert_eq!((mix("8888_alice"), mix("8888_ALICE"), mix("8888_bob")), (Some(0), Some(0), Some(NO_SUCH_INPUT)));
    }

    #[test]
    fn a_stream_is_described_dropped_forbidden_and_resumed() {
        let mut cloud = cloud();
        let state = |cloud: &mut Cloud| new(cloud, "DescribeLiveStreamState", alice()).0["StreamState"].take();
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
    fn a_file_is_deleted_once() {
        let mut cloud = cloud();
        assert_eq!(new(&mut cloud, "DeleteMedia", json!({ "FileId": "f1" })).0, json!({}));
        let again = new(&mut cloud, "DeleteMedia", json!({ "FileId": "f1" })).0;
        assert_eq!(again["Error"]["Code"], "InvalidParameterValue.FileId");
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
    }

    #[test]
    fn what_is_not_signed_by_the_account_and_now_is_refused() {
        let good = signed("DeleteMedia", json!({}));
        let mut account = cloud().vod;
        let is_good = |request: &Request<Vec<u8>>| is_signed(request, &account, NOW);
        assert!(is_good(&good));
        let other_host = "127.0.0.1:9101".to_owned();
        let text = header(&good, "authorization").unwrap();
        let (other_scheme, other_scope) = (text.replacen("TC3-", "TC2-", 1), text.replacen("/live/", "/vod/", 1));
        for (name, value) in [("authorization", other_scheme), ("authorization", other_scope), ("host", other_host)] {
            let mut bad = good.clone();
            bad.headers_mut().insert(name, value.parse().unwrap());
            assert!(!is_good(&bad), "{name}: {value}");
        }
        let mut changed = good.clone();
        changed.body_mut().push(b' ');
        assert!(!is_good(&changed));
        let mut undated = good.clone();
        undated.headers_mut().remove("x-tc-timestamp");
        assert!(!is_good(&undated));
        assert!(is_signed(&good, &account, NOW.plus(300)) && is_signed(&good, &account, NOW.minus(300)));
        assert!(!is_signed(&good, &account, NOW.plus(301)));
        account.secret_id = "AKIDother".to_owned();
        assert!(!is_signed(&good, &account, NOW));
        let mut cloud = cloud();
        let (answer, _) = cloud.answer(&undated, NOW);
        assert!(answer.contains("AuthFailure.SignatureFailure") && cloud.has_file("f1"), "{answer}");
    }
}
