//! The formulas against vectors that were made with the originals, the vendor's samples and its documents.
//!
//! `VECTORS_DIR` names another folder of vectors; of its files those are read whose names are known here.

use std::{fs, io::Read, path::PathBuf};

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use flate2::read::ZlibDecoder;
use ring::{
    digest::{SHA256, digest},
    hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY},
};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::support::harness::{Program, action, post, program_with, tests_folder, variable};
use app::config::Config;
use protocol::{
    sign::{
        callback, constant_time_eq, cos, hex,
        push_url::{self, Domains, Recording, Scheme},
        session, tc3, user_sig, vod,
    },
    types::{Password, Secret, UnixSeconds, UserId},
    wire::{FromParam, NonEmpty},
};

/// Every file that a test here reads.
const FORMULAS: [&str; 19] = [
    "cam_tc3",
    "cos_v4_sign",
    "cos_v5_authorization",
    "cos_v5_post_policy",
    "cos_v5_signkey",
    "event_callback_sign",
    "event_callback_verify",
    "im_usersig_v2",
    "im_usersig_v2_userbuf",
    "im_usersig_v2_verify",
    "liteav_sig",
    "liteav_sig_verify",
    "lvb_gen1_play_url_with_sign",
    "lvb_gen1_request_lvb_addr",
    "lvb_gen1_request_lvb_addr_linkmic",
    "lvb_txsecret",
    "password_hash",
    "vod_upload_sign",
    "vod_upload_sign_legacy_short",
];

/// How long the original's URLs were good for, and its recording interval.
const ORIGINAL_SECONDS: u64 = 10_800;

/// What became of a vector.
enum Verdict {
    /// It was compared.
    Compared,
    /// It is about something that the code does not do; what.
    NotOurs(&'static str),
}

/// One line of a file: what goes in and what comes out.
struct Vector(Value);

impl Vector {
    fn name(&self) -> &str {
        self.0["name"].as_str().unwrap()
    }

    /// An input as text: a number by its digits.
    fn text(&self, name: &str) -> String {
        match &self.0["inputs"][name] {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            other @ (Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                panic!("{}: {name} is {other}", self.name())
            }
        }
    }

    fn number(&self, name: &str) -> u64 {
        self.0["inputs"][name].as_u64().unwrap_or_else(|| panic!("{}: {name}", self.name()))
    }

    fn moment(&self, name: &str) -> UnixSeconds {
        UnixSeconds(self.number(name))
    }

    fn secret(&self, name: &str) -> Secret {
        Secret::new(self.text(name))
    }

    fn expected(&self, name: &str) -> &Value {
        &self.0["expected"][name]
    }

    #[track_caller]
    fn compare(&self, what: &str, ours: impl Into<Value>) {
        assert_eq!(&ours.into(), self.expected(what), "{}: {what}", self.name());
    }
}

fn default_folder() -> PathBuf {
    tests_folder().join("vectors")
}

/// The vectors of a formula; none if the folder is another than ours and has no such file.
fn vectors(formula: &str) -> Vec<Vector> {
    assert!(FORMULAS.contains(&formula), "{formula} is missing in the list of files");
    let (folder, ours) = match variable("VECTORS_DIR") {
        Some(folder) => (PathBuf::from(folder), false),
        None => (default_folder(), true),
    };
    let file = folder.join(format!("{formula}.json"));
    if !ours && !file.exists() {
        let known = |name: &&str| folder.join(format!("{name}.json")).exists();
        assert!(FORMULAS.iter().any(known), "{} has no vectors that are known", folder.display());
        return Vec::new();
    }
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let vectors: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(!vectors.is_empty(), "{} is empty", file.display());
    vectors.into_iter().map(Vector).collect()
}

/// Runs the test on every vector of a formula, and makes sure that it does not pass for want of any.
#[track_caller]
fn check(formula: &str, test: impl Fn(&Vector) -> Verdict) {
    let vectors = vectors(formula);
    let verdicts: Vec<Verdict> = vectors.iter().map(test).collect();
    let compared = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Compared)).count();
    for (vector, verdict) in vectors.iter().zip(&verdicts) {
        if let Verdict::NotOurs(reason) = verdict {
            println!("{formula}: {}: {reason}", vector.name());
        }
    }
    println!("{formula}: {compared} of {} compared", vectors.len());
    assert!(compared > 0 || vectors.is_empty(), "{formula}: no vector was compared");
}

#[test]
fn our_folder_has_the_files_that_are_read_and_no_others() {
    let mut names: Vec<String> = fs::read_dir(default_folder())
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, FORMULAS);
}

#[test]
fn the_secret_of_a_url_is_that_of_the_documents() {
    check("lvb_txsecret", |vector| {
        // The documents write txTime in upper case, Gen 1 and we in lower; the digest covers what is written.
        let lower = push_url::tx_time(vector.moment("tx_time"));
        let tx_time = match vector.text("hex_case").as_str() {
            "upper" => lower.to_uppercase(),
            _ => lower,
        };
        vector.compare("txSecret", push_url::tx_secret(&vector.secret("key"), &vector.text("stream_name"), &tx_time));
        vector.compare("txTime", tx_time);
        Verdict::Compared
    });
}

/// The user of a vector, or why we do not take them.
fn user(vector: &Vector) -> Result<UserId, Verdict> {
    let (name, read) = (vector.text("userid"), UserId::from_param(&vector.0["inputs"]["userid"]));
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 128 || name.chars().any(char::is_control) {
        assert!(read.is_err(), "{}: {name:?} should be refused", vector.name());
        return Err(Verdict::NotOurs("a user id that is refused here"));
    }
    Ok(read.unwrap_or_else(|rule| panic!("{}: {name:?} {rule}", vector.name())))
}

/// The domains that the original made of its business id.
fn domains(vector: &Vector) -> Domains {
    let bizid = vector.text("bizid");
    Domains {
        push: format!("{bizid}.livepush.myqcloud.com"),
        play: format!("{bizid}.liveplay.myqcloud.com"),
        play_scheme: Scheme::Http,
        bizid,
    }
}

#[test]
fn a_push_url_is_the_originals() {
    check("lvb_gen1_request_lvb_addr", |vector| {
        let user = match user(vector) {
            Ok(user) => user,
            Err(verdict) => return verdict,
        };
        let (domains, now) = (domains(vector), vector.moment("now"));
        let (stream, expiry) = (domains.stream(&user), now.plus(ORIGINAL_SECONDS));
        let recording = Recording { formats: "flv|hls".to_owned(), interval_seconds: ORIGINAL_SECONDS };
        let key = vector.secret("push_url_key");
        vector.compare("pushurl", domains.push_url(&key, &stream, expiry, Some(&recording)));
        vector.compare("timestamp", now.0);
        vector.compare("stream_id", stream.as_str());
        vector.compare("play_url", domains.flv_url(stream.as_str()));
        vector.compare("hls_play_url", domains.hls_url(stream.as_str()));
        Verdict::Compared
    });
}

#[test]
fn the_urls_of_a_guest_are_the_originals() {
    check("lvb_gen1_request_lvb_addr_linkmic", |vector| {
        let user = match user(vector) {
            Ok(user) => user,
            Err(verdict) => return verdict,
        };
        let (domains, now) = (domains(vector), vector.moment("now"));
        let expiry = now.plus(ORIGINAL_SECONDS);
        let stream = domains.guest_stream(&domains.stream(&user), expiry);
        vector.compare("pushurl", domains.push_url(&vector.secret("push_url_key"), &stream, expiry, None));
        vector.compare("playurl", domains.rtmp_url(&stream));
        vector.compare("timestamp", now.0);
        Verdict::Compared
    });
}

#[test]
fn a_signed_play_url_is_the_originals_where_that_made_sense() {
    check("lvb_gen1_play_url_with_sign", |vector| {
        let Ok(NonEmpty(url)) = NonEmpty::<1024>::from_param(&vector.0["inputs"]["originStreamUrl"]) else {
            return Verdict::NotOurs("a URL that is refused here: empty, too long, or with control characters");
        };
        let (bizid, key) = (vector.text("bizid"), vector.secret("push_url_key"));
        let expiry = vector.moment("now").plus(ORIGINAL_SECONDS);
        if vector.name() == "dot_in_stream_id_quirk" {
            return Verdict::NotOurs(
                "the original signs a stream's name up to its first dot: no player could use that",
            );
        }
        let base = url.as_str().split(['?', '#']).next().unwrap();
        let [read, of_base] = [url.as_str(), base].map(|url| push_url::PlayUrl::parse(url).unwrap());
        let signed = read.signed(&bizid, &key, expiry);
        if base.ends_with('/') {
            // The original signed the empty stream; nothing can be played with that.
            assert_eq!(read.stream(), None, "{}", vector.name());
        } else if base != url.as_str() {
            // The original put a second `?` behind the first, and a digest over parts of the query into it.
            assert_eq!(signed, of_base.signed(&bizid, &key, expiry), "{}", vector.name());
        } else {
            vector.compare("streamUrlWithSignature", signed);
            vector.compare("timestamp", vector.number("now"));
        }
        Verdict::Compared
    });
}

#[test]
fn a_v4_signature_of_the_object_storage_is_the_originals() {
    check("cos_v4_sign", |vector| {
        if vector.text("param_order") != "abketrf" {
            // The cloud reads the parameters by their names, so every SDK has an order of its own; ours is Gen 1's.
            return Verdict::NotOurs("another order of the parameters than Gen 1's");
        }
        let Ok(random) = u32::try_from(vector.number("random")) else {
            return Verdict::NotOurs("a random number of more than 32 bits");
        };
        let appid = vector.text("appid").parse().expect("a number");
        let (bucket, secret_id) = (vector.text("bucket"), vector.text("secret_id"));
        let file = vector.text("fileid");
        let what = cos::V4 { appid, bucket: &bucket, secret_id: &secret_id, file: &file };
        let (now, expiry) = (vector.moment("now"), vector.moment("expired"));
        vector.compare("sign", cos::sign_v4(what, &vector.secret("secret_key"), now, expiry, random));
        Verdict::Compared
    });
}

#[test]
fn a_v5_key_of_the_object_storage_is_that_of_the_documents() {
    check("cos_v5_signkey", |vector| {
        vector.compare("sign_key", sign_key(vector).sign_key);
        Verdict::Compared
    });
}

/// The derived key of a vector of the object storage.
fn sign_key(vector: &Vector) -> cos::SignKey {
    let key_time = vector.text("key_time");
    let (start, end) = key_time.split_once(';').unwrap();
    let [start, end] = [start, end].map(|second| UnixSeconds(second.parse().unwrap()));
    let key = cos::derive(&vector.secret("secret_key"), start, end);
    assert_eq!(key.key_time, key_time, "{}", vector.name());
    key
}

#[test]
fn a_v5_signature_of_a_request_is_that_of_the_documents_and_the_vendors_sdks() {
    check("cos_v5_authorization", |vector| {
        let pairs = |name: &str| -> Vec<(String, String)> {
            let pairs = vector.0["inputs"][name].as_object().unwrap();
            pairs.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
        };
        let (method, path) = (vector.text("method"), vector.text("path"));
        let [parameters, headers] = [pairs("params"), pairs("headers")];
        let [parameters, headers] = [&parameters, &headers]
            .map(|pairs| pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>());
        let request = cos::Request { method: &method, path: &path, parameters: &parameters, headers: &headers };
        let key = sign_key(vector);
        let (ours, text) = (key.authorization(&vector.text("secret_id"), request), request.text());
        vector.compare("sign_key", key.sign_key);
        let digest = |text: &str| hex(Sha1::digest(text));
        if vector.0["inputs"]["percent_case"] == "lower" {
            // The first edition of the document digests %3d where every SDK digests %3D; all else is the same.
            vector.compare("http_string_sha1", digest(&text.replace("%3D", "%3d")));
            let unsigned = |header: &str| header.split("&q-signature=").next().unwrap().to_owned();
            assert_eq!(unsigned(&ours), unsigned(vector.expected("authorization").as_str().unwrap()));
            return Verdict::Compared;
        }
        if !vector.expected("http_string_sha1").is_null() {
            vector.compare("http_string_sha1", digest(&text));
        }
        vector.compare("authorization", ours);
        Verdict::Compared
    });
}

/// A phone signs the policy of its form with the key that it got.
#[test]
fn a_v5_signature_of_a_form_is_that_of_the_documents() {
    check("cos_v5_post_policy", |vector| {
        let policy = String::from_utf8(STANDARD.decode(vector.text("policy_b64")).unwrap()).unwrap();
        let key = sign_key(vector);
        let digest = hex(Sha1::digest(&policy));
        let phones_key = hmac::Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.sign_key.as_bytes());
        vector.compare("signature", hex(hmac::sign(&phones_key, digest.as_bytes()).as_ref()));
        vector.compare("string_to_sign", digest);
        vector.compare("sign_key", key.sign_key);
        Verdict::Compared
    });
}

#[test]
fn the_signature_of_a_call_of_the_api_3_is_that_of_the_documents_and_the_vendors_sdks() {
    check("cam_tc3", |vector| {
        let [method, query, content_type, host, body] =
            ["method", "query", "content_type", "host", "payload"].map(|name| vector.text(name));
        let request =
            tc3::Request { method: &method, query: &query, content_type: &content_type, host: &host, body: &body };
        for (what, text) in [("payload_sha256", &body), ("canonical_request_sha256", &request.text())] {
            if !vector.expected(what).is_null() {
                vector.compare(what, hex(digest(&SHA256, text.as_bytes()).as_ref()));
            }
        }
        let (service, secret_id, key) = (vector.text("service"), vector.text("secret_id"), vector.secret("secret_key"));
        let now = vector.moment("timestamp");
        vector.compare("authorization", tc3::authorization(request, &service, &secret_id, &key, now));
        Verdict::Compared
    });
}

fn check_vod(formula: &str) {
    check(formula, |vector| {
        let parameters: Vec<(String, String)> = serde_json::from_value(vector.0["inputs"]["params"].clone()).unwrap();
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // What is signed travels with the signature, so the cloud takes every way to encode it. Ours is PHP's;
        // Node writes a blank as %20, and the others leave some marks as they are.
        let original = vector.expected("original").as_str().unwrap();
        if original.contains("%20") || original.contains(['~', '*', '!', '(', ')']) {
            return Verdict::NotOurs("encoded otherwise than by PHP");
        }
        vector.compare("original", vod::query(&parameters));
        vector.compare("signature", vod::sign(&parameters, &vector.secret("secret_key")));
        Verdict::Compared
    });
}

#[test]
fn an_upload_signature_of_videos_is_the_originals() {
    check_vod("vod_upload_sign");
}

#[test]
fn an_upload_signature_with_the_old_short_names_is_the_originals() {
    check_vod("vod_upload_sign_legacy_short");
}

#[test]
fn the_signature_of_a_notice_is_that_of_the_documents() {
    check("event_callback_sign", |vector| {
        vector.compare("sign", callback::sign(&vector.secret("key"), &vector.text("t")));
        Verdict::Compared
    });
}

/// Unpacks a UserSig. Every implementation of zlib packs the same text to other bytes, and every language writes the
/// same JSON in other letters, so only what is inside can be compared.
fn inside(user_sig: &str) -> Value {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let packed = LENIENT.decode(user_sig.replace('*', "+").replace('-', "/").replace('_', "=")).unwrap();
    let mut json = String::new();
    ZlibDecoder::new(packed.as_slice()).read_to_string(&mut json).unwrap();
    serde_json::from_str(&json).unwrap()
}

/// The user of a vector's UserSig, if we accept it.
fn verified(user_sig: &str, vector: &Vector) -> Option<String> {
    user_sig::verify(user_sig, vector.number("sdkappid"), &vector.secret("key"), vector.moment("now"))
}

#[test]
fn a_user_sig_has_inside_what_the_vendors_samples_have() {
    check("im_usersig_v2", |vector| {
        let (user, app, key) = (vector.text("userid"), vector.number("sdkappid"), vector.secret("key"));
        let ours = inside(&user_sig::sign(&user, app, &key, vector.moment("now"), vector.number("expire")));
        let theirs = vector.expected("usersig").as_str().unwrap();
        assert_eq!(ours, inside(theirs), "{}", vector.name());
        vector.compare("fields", ours);
        assert_eq!(verified(theirs, vector), Some(user), "{}", vector.name());
        Verdict::Compared
    });
}

/// We make none with a userbuf. A customer's own server may.
#[test]
fn a_user_sig_with_a_userbuf_is_good_if_a_sample_of_the_vendor_made_it() {
    check("im_usersig_v2_userbuf", |vector| {
        let theirs = vector.expected("usersig").as_str().unwrap();
        assert_eq!(verified(theirs, vector), Some(vector.text("userid")), "{}", vector.name());
        Verdict::Compared
    });
}

#[test]
fn a_user_sig_is_good_where_the_original_says_so() {
    check("im_usersig_v2_verify", |vector| {
        vector.compare("valid", verified(&vector.text("usersig"), vector) == Some(vector.text("userid")));
        Verdict::Compared
    });
}

/// The expected answer of the callback: HTTP status and code.
///
/// It is what the original said, but for these, on purpose:
/// - A wrong signature is 403 and a number; the original wrote the name of a constant that it did not have.
/// - A `sign` of `true` is refused; the original compared with `==`, for which `true` is any text.
/// - A notice that expired more than an hour ago, or that expires more than an hour ahead, is refused; the original
///   never looked at the clock, so that a notice could be sent again for ever.
/// - A field that is null is missing; the original asked only whether its name was there.
/// - A notice without `t` or `sign` is one with a wrong signature, so that the cloud sends it again; the original answered
///   that with 4002, which ends the matter.
fn expected_of_callback(vector: &Vector, body: &Value) -> (u16, u16) {
    const READ_TIMEOUT: u64 = 3600;
    let code = &vector.expected("response")["code"];
    let (now, t) = (vector.number("now"), &body["t"]);
    let is_notice = !body["event_type"].is_null() && !body["stream_id"].is_null();
    let is_signed = !t.is_null() && !body["sign"].is_null();
    let t: Option<u64> = t.as_u64().or_else(|| t.as_str().and_then(|t| t.parse().ok()));
    match (code.as_u64(), t) {
        (Some(0), Some(t)) if body["sign"].is_string() => {
            if (now.saturating_sub(READ_TIMEOUT)..=now + READ_TIMEOUT).contains(&t) { (200, 0) } else { (403, 4004) }
        }
        (Some(0), _) => (403, 4003),
        (Some(_), _) if is_notice && !is_signed => (403, 4003),
        (Some(code), _) => (200, u16::try_from(code).unwrap()),
        (None, _) => (403, 4003),
    }
}

/// A program of the account that a notice is for, with the room of its stream open.
async fn program_of(vector: &Vector, body: &Value) -> Program {
    let (bizid, user) =
        body["stream_id"].as_str().and_then(|stream| stream.split_once('_')).unwrap_or(("8888", "alice"));
    let (key, now) = (vector.text("key"), vector.number("now"));
    // The harness hands settings on as constants; what a test process leaks goes with it.
    let (key, bizid): (&'static str, &'static str) = (key.leak(), bizid.to_owned().leak());
    let mut program = program_with(|name| match name {
        "API_KEY" => Some(key),
        "BIZID" => Some(bizid),
        _ => None,
    })
    .await;
    program.app.clock = Box::new(move || UnixSeconds(now));
    let open = json!({"Action": "RequestLVBAddr", "userid": user, "groupid": "g", "title": "t"});
    let opened = action(&program, &open.to_string()).await;
    assert!(opened.starts_with(r#"{"returnValue":0,"#), "{}: {opened}", vector.name());
    program
}

#[tokio::test]
async fn a_notice_is_taken_or_refused_as_the_original_did_or_better() {
    let vectors = vectors("event_callback_verify");
    let mut posted = 0;
    for vector in &vectors {
        if vector.text("key").chars().count() < 8 {
            // Who has no key, or one that can be guessed, would take notices from anybody: the server does not start.
            let key = vector.text("key");
            let config = Config::read(|name| (name == "API_KEY").then(|| key.clone()));
            assert!(config.unwrap_err().to_string().contains("API_KEY"), "{}", vector.name());
            continue;
        }
        let text = vector.text("body");
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        let program = program_of(vector, &body).await;
        let answer = post(&program, "/callback/tape_callback.php", text).await;
        let (status, code) = expected_of_callback(vector, &body);
        assert!(vector.0["recommended_strict_accept"] != json!(false) || status != 200, "{}", vector.name());
        assert_eq!(answer.status(), status, "{}", vector.name());
        assert_eq!(*answer.body(), json!({"code": code}).to_string(), "{}", vector.name());
        // What the original stored is a replay here, if the notice is taken at all.
        let stored = vector.expected("dao_calls").as_array().map_or(0, Vec::len);
        let replays =
            action(&program, r#"{"Action":"FetchList","userid":"v","flag":2,"pageno":1,"pagesize":10}"#).await;
        let replays: Value = serde_json::from_str(&replays).unwrap();
        let expected = if (status, code) == (200, 0) { stored } else { 0 };
        assert_eq!(replays["returnData"]["totalcount"], json!(expected), "{}", vector.name());
        posted += 1;
    }
    println!("event_callback_verify: {posted} of {} compared", vectors.len());
    assert!(posted > 0 || vectors.is_empty(), "no notice was posted");
}

#[test]
fn the_signature_of_a_call_is_that_of_the_apps() {
    check("liteav_sig", |vector| {
        let digest = session::body_digest(vector.text("body").as_bytes());
        vector.compare("sig", session::liteav_sig(&vector.text("token"), &digest));
        Verdict::Compared
    });
}

#[test]
fn the_signature_of_a_call_is_good_where_the_original_says_so() {
    check("liteav_sig_verify", |vector| {
        let inputs = &vector.0["inputs"];
        if !vector.text("body").contains(&format!("\"userid\":{}", inputs["session_userid"])) {
            return Verdict::NotOurs("whose session it is the table says");
        }
        if inputs["token"].as_str().is_none_or(str::is_empty) {
            return Verdict::NotOurs("no session is without a token");
        }
        let digest = session::body_digest(vector.text("body").as_bytes());
        vector.compare(
            "valid",
            constant_time_eq(&session::liteav_sig(&vector.text("token"), &digest), &vector.text("sig")),
        );
        Verdict::Compared
    });
}

/// The app computes it; that it can be what we take for the password is ours.
#[test]
fn what_the_apps_make_of_a_password_is_a_password_here() {
    check("password_hash", |vector| {
        let digest = |text: &str| session::body_digest(text.as_bytes());
        let sent = digest(&format!("{}{}", digest(&vector.text("password")), vector.text("userid")));
        assert!(Password::parse(&sent).is_some(), "{sent}");
        vector.compare("password_hash", sent);
        Verdict::Compared
    });
}
