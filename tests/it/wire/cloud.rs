//! What the cloud is asked by its newer interface, and what becomes of its answers.

use std::{error::Error as _, future::Future};

use ring::{digest, hmac};

use crate::support::{
    harness::{KEY, START},
    stand_in::{
        Arrived, Headers,
        Manner::{self, Answers, HangsUp},
        StandIn, program_with_cloud_api,
    },
    steps::without_cloud,
};
use app::cloud::{Channel, Cloud, Error, StreamState};
use protocol::{
    error::Chain,
    sign::hex,
    types::{StreamId, UnixSeconds},
};

/// Now, for the calls.
const NOW: UnixSeconds = UnixSeconds(START);
/// The day of that.
const TODAY: &str = "2020-09-13";
const DAY: u64 = 24 * 3600;
/// What the cloud says when it did it.
const DONE: Manner = Answers(200, br#"{"Response":{"RequestId":"8e50cdb5-56dc-408b-89b0-31818958d424"}}"#);

fn stream() -> StreamId {
    StreamId::parse("8888_张三").unwrap()
}

/// Refuses with a code, and quotes what it should not.
fn refuses(code: &str) -> Manner {
    let message = format!("TC3{KEY} AKIDtest push.example.com");
    let answer = format!(r#"{{"Response":{{"Error":{{"Code":"{code}","Message":"{message}"}},"RequestId":"r"}}}}"#);
    Answers(200, answer.leak().as_bytes())
}

/// Has a cloud of this manner asked; the outcome, and what it saw.
async fn ask<T, F: Future<Output = T>>(manner: Manner, what: impl FnOnce(Cloud) -> F) -> (T, StandIn) {
    let (program, cloud) = program_with_cloud_api(manner).await;
    assert!(program.app.cloud.can_ask());
    (what(program.app.cloud.clone()).await, cloud)
}

async fn state(cloud: Cloud) -> Result<StreamState, Error> {
    cloud.stream_state(&stream(), NOW).await
}

async fn drop_stream(cloud: Cloud) -> Result<(), Error> {
    cloud.drop_stream(&stream(), NOW).await
}

async fn forbid(cloud: Cloud) -> Result<(), Error> {
    cloud.forbid_stream(&stream(), None, "reported", NOW).await
}

async fn resume(cloud: Cloud) -> Result<(), Error> {
    cloud.resume_stream(&stream(), NOW).await
}

async fn delete(cloud: Cloud) -> Result<(), Error> {
    cloud.delete_file("7447398156998994860", NOW).await
}

/// The signature of a call, reckoned anew from what arrived.
fn authorization(service: &str, Arrived { method, target, body, .. }: &Arrived, headers: &Headers) -> String {
    let sha256 = |text: &str| hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    let mac = |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let canonical = [
        method,
        path,
        query,
        &format!("content-type:{}", headers["content-type"]),
        &format!("host:{}", headers["host"]),
        "",
        "content-type;host",
        &sha256(body),
    ]
    .join("\n");
    let text = format!("TC3-HMAC-SHA256\n{START}\n{TODAY}/{service}/tc3_request\n{}", sha256(&canonical));
    let by_day = mac(format!("TC3{KEY}").as_bytes(), TODAY);
    let by_service = mac(by_day.as_ref(), service);
    let key = mac(by_service.as_ref(), "tc3_request");
    format!(
        "TC3-HMAC-SHA256 Credential=AKIDtest/{TODAY}/{service}/tc3_request, SignedHeaders=content-type;host, \
         Signature={}",
        hex(mac(key.as_ref(), &text).as_ref())
    )
}

/// Compares the one call that the cloud saw.
#[track_caller]
fn assert_asked(cloud: &StandIn, service: &str, version: &str, action: &str, body: &str) {
    let (arrived, headers) = (cloud.arrived(), cloud.headers());
    let expected = Arrived {
        method: "POST".to_owned(),
        target: "/".to_owned(),
        content_type: "application/json".to_owned(),
        body: body.to_owned(),
    };
    assert_eq!(arrived, [expected]);
    let headers = &headers[0];
    let sent = |name: &str| headers.get(name).map(String::as_str);
    assert_eq!(sent("x-tc-action"), Some(action));
    assert_eq!(sent("x-tc-version"), Some(version));
    assert_eq!(sent("x-tc-timestamp"), Some("1600000000"));
    assert_eq!(sent("x-tc-region"), None, "it is of no region");
    assert!(headers["host"].starts_with("127.0.0.1:"), "what is signed is what is sent");
    assert_eq!(headers["authorization"], authorization(service, &arrived[0], headers));
}

#[track_caller]
fn assert_asked_live(cloud: &StandIn, action: &str, more: &str) {
    let body =
        format!(r#"{{"AppName":"live","DomainName":"8888.livepush.myqcloud.com",{more}"StreamName":"8888_张三"}}"#);
    assert_asked(cloud, "live", "2018-08-01", action, &body);
}

#[tokio::test]
async fn the_cloud_says_what_a_stream_does() {
    for (word, expected) in
        [("active", StreamState::Active), ("inactive", StreamState::Inactive), ("forbid", StreamState::Forbidden)]
    {
        let answer = format!(r#"{{"Response":{{"StreamState":"{word}","RequestId":"r"}}}}"#);
        let (outcome, cloud) = ask(Answers(200, answer.leak().as_bytes()), state).await;
        assert_eq!(outcome.unwrap(), expected);
        assert_asked_live(&cloud, "DescribeLiveStreamState", "");
    }
}

#[tokio::test]
async fn a_stream_is_cut() {
    let (outcome, cloud) = ask(DONE, drop_stream).await;
    outcome.unwrap();
    assert_asked_live(&cloud, "DropLiveStream", "");
}

#[tokio::test]
async fn a_stream_is_let_be_pushed_again() {
    let (outcome, cloud) = ask(DONE, resume).await;
    outcome.unwrap();
    assert_asked_live(&cloud, "ResumeLiveStream", "");
}

#[tokio::test]
async fn a_stream_is_forbidden_for_as_long_as_the_cloud_can() {
    // 90 days, but for five minutes.
    let longest = NOW.plus(90 * DAY - 300);
    for (until, expected) in [
        (Some(NOW.plus(DAY)), "2020-09-14T12:26:40Z"),
        (Some(longest), "2020-12-12T12:21:40Z"),
        (Some(longest.plus(1)), "2020-12-12T12:21:40Z"),
        (Some(UnixSeconds(u64::MAX)), "2020-12-12T12:21:40Z"),
        (None, "2020-12-12T12:21:40Z"),
    ] {
        let (outcome, cloud) =
            ask(DONE, async |cloud: Cloud| cloud.forbid_stream(&stream(), until, "a \"reason\"", NOW).await).await;
        outcome.unwrap();
        let more = format!(r#""Reason":"a \"reason\"","ResumeTime":"{expected}","#);
        assert_asked_live(&cloud, "ForbidLiveStream", &more);
    }
}

#[tokio::test]
async fn a_file_is_deleted() {
    let (outcome, cloud) = ask(DONE, delete).await;
    outcome.unwrap();
    assert_asked(&cloud, "vod", "2018-07-17", "DeleteMedia", r#"{"FileId":"7447398156998994860"}"#);
}

#[tokio::test]
async fn what_is_not_there_is_as_good_as_cut_or_deleted() {
    for code in [
        "FailedOperation.StreamNotExist",
        "ResourceNotFound.ChannelNotExist",
        "ResourceNotFound.StreamNotAlive",
        "ResourceUnavailable.StreamNotExist",
    ] {
        ask(refuses(code), drop_stream).await.0.unwrap();
        ask(refuses(code), resume).await.0.unwrap();
        assert_denied(code, ask(refuses(code), state).await.0);
        assert_denied(code, ask(refuses(code), forbid).await.0);
        assert_denied(code, ask(refuses(code), delete).await.0);
    }
    for code in ["InvalidParameterValue.FileId", "ResourceNotFound"] {
        ask(refuses(code), delete).await.0.unwrap();
        assert_denied(code, ask(refuses(code), drop_stream).await.0);
    }
}

/// It was refused with this code, which is all that is said of it.
#[track_caller]
fn assert_denied<T: std::fmt::Debug>(expected: &str, outcome: Result<T, Error>) {
    let error = outcome.unwrap_err();
    assert!(matches!(&error, Error::Refused(code) if code == expected), "{error:?}");
    assert_eq!(Chain(&error).to_string(), format!("refused with code {expected}"));
    assert_tells_no_secret(&error);
}

/// Neither the log nor anybody who prints the error learns of keys and signatures.
#[track_caller]
fn assert_tells_no_secret(error: &Error) {
    let told = format!("{} {error:?} {:?}", Chain(error), error.source());
    for secret in [KEY, "AKID", "TC3", "Signature="] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
}

#[tokio::test]
async fn a_refusal_is_reported_with_its_code_and_nothing_else() {
    for code in [
        "AuthFailure.SignatureFailure",
        "UnauthorizedOperation",
        "ResourceNotFound.UserNotExist",
        "ResourceNotFound.DomainNotExist",
        "FailedOperation.InvalidVodUser",
        "InternalError",
        "RequestLimitExceeded",
    ] {
        assert_denied(code, ask(refuses(code), state).await.0);
        assert_denied(code, ask(refuses(code), drop_stream).await.0);
        assert_denied(code, ask(refuses(code), forbid).await.0);
        assert_denied(code, ask(refuses(code), resume).await.0);
        assert_denied(code, ask(refuses(code), delete).await.0);
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_a_failure() {
    for answer in [
        "<html>",
        "{}",
        "null",
        r#"{"RequestId":"r"}"#,
        r#"{"Response":{}}"#,
        r#"{"Response":{"RequestId":1}}"#,
        r#"{"Response":{"StreamState":"active"}}"#,
        r#"{"Response":{"Error":{"Code":"InternalError"}}}"#,
        r#"{"Response":{"Error":{"Message":"m"},"RequestId":"r"}}"#,
        r#"{"Response":{"Error":{"Code":"a code\nthat is none"},"RequestId":"r"}}"#,
    ] {
        let manner = Answers(200, answer.as_bytes());
        assert!(matches!(ask(manner, state).await.0, Err(Error::Answer)), "{answer}");
        for outcome in [ask(manner, drop_stream).await.0, ask(manner, forbid).await.0, ask(manner, delete).await.0] {
            assert!(matches!(outcome, Err(Error::Answer)), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_state_that_nobody_knows_is_a_failure() {
    for answer in
        [&br#"{"Response":{"StreamState":"asleep","RequestId":"r"}}"#[..], br#"{"Response":{"RequestId":"r"}}"#]
    {
        assert!(matches!(ask(Answers(200, answer), state).await.0, Err(Error::Answer)));
    }
}

#[tokio::test]
async fn a_cloud_that_fails_is_reported_without_what_it_was_sent() {
    for manner in [HangsUp, Answers(500, b"{}"), Answers(302, b"{}")] {
        let error = ask(manner, drop_stream).await.0.unwrap_err();
        assert!(matches!(error, Error::Call(_)), "{error:?}");
        assert_tells_no_secret(&error);
    }
}

#[tokio::test]
async fn a_cloud_that_is_switched_off_is_not_asked() {
    let program = without_cloud().await;
    let cloud = program.app.cloud;
    assert!(!cloud.can_ask());
    assert!(matches!(state(cloud.clone()).await, Err(Error::SwitchedOff("CLOUD_API_URL"))));
    assert!(matches!(cloud.mix_streams("{}".to_owned(), NOW).await, Err(Error::SwitchedOff("API_URL"))));
    let set = cloud.set_channel(&stream(), Channel::Disabled, NOW).await;
    assert!(matches!(set, Err(Error::SwitchedOff("API_URL"))));
    let outcomes = [
        drop_stream(cloud.clone()).await,
        forbid(cloud.clone()).await,
        resume(cloud.clone()).await,
        delete(cloud).await,
    ];
    for outcome in outcomes {
        assert_eq!(outcome.unwrap_err().to_string(), "the setting CLOUD_API_URL is none");
    }
}
