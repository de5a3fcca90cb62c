//! What nobody should send: thousands of generated bodies, each answered in the right envelope, none with a panic.
//!
//! Everything is drawn from one seed, so a failure comes again; `HOSTILE_SEED` draws others.

use std::cell::Cell;

use http::{Method, Request, Response};
use serde_json::{Map, Value, json};

use crate::support::{
    harness::{KEY, Program, START, action, program, program_with, send, variable},
    requests::{action_body, fields, going_online, notices, opening, signed},
    steps::{Phone, registered},
};
use app::{
    answer::{CALLBACKS, INTERFACE},
    commands::{self, CommandEntry},
};
use protocol::{
    sign::{
        callback::sign,
        session::{body_digest, liteav_sig},
    },
    types::Secret,
    wire::MAX_BODY_BYTES,
};

const OPERATOR_KEY: &str = "an-operator-of-the-tests";

/// Numbers that look random and are the same in every run (xorshift).
struct Rng(u64);

impl Rng {
    fn new() -> Self {
        Self(variable("HOSTILE_SEED").map_or(0x9e37_79b9_7f4a_7c15, |seed| seed.parse().unwrap()))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A program to be treated badly, and how many requests it has had.
struct Target {
    program: Program,
    /// Those who sign the calls that name them.
    phones: Vec<Phone>,
    requests: Cell<usize>,
}

/// What a request is part of, and its body, said when the test fails inside of it.
struct Case<'a>(&'a str, &'a Request<Vec<u8>>);

impl Drop for Case<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (head, body) = (self.1.uri(), self.1.body());
            let shown = body[..body.len().min(2000)].escape_ascii();
            eprintln!("{}: {} {head}, {} bytes: {shown}", self.0, self.1.method(), body.len());
        }
    }
}

impl Target {
    /// With the room open that the well-formed requests are about.
    async fn new() -> Self {
        let program = program_with(|name| (name == "OPERATOR_KEY").then_some(OPERATOR_KEY)).await;
        for body in [opening(), going_online()] {
            let opened = action(&program, &body).await;
            assert!(opened.starts_with(r#"{"returnValue":0,"#), "{opened}");
        }
        let mut phones = Vec::new();
        for user in ["alice", "vera", "carol"] {
            phones.push(registered(&program, user).await);
        }
        Self { program, phones, requests: Cell::new(0) }
    }

    async fn post(&self, what: &str, path: &str, body: impl Into<Vec<u8>>) -> Response<String> {
        self.request(what, Method::POST, path, body.into()).await
    }

    /// Sends a request and judges the answer.
    async fn request(&self, what: &str, method: Method, path: &str, body: Vec<u8>) -> Response<String> {
        let mut request = Request::builder().method(method).uri(path).header("X-Operator-Key", OPERATOR_KEY);
        let digest = body_digest(&body);
        // The user stands near the beginning, if anywhere.
        let start = String::from_utf8_lossy(&body[..body.len().min(200)]);
        let named = |phone: &&Phone| start.contains(&phone.user);
        if let Some(phone) = self.phones.iter().find(named) {
            request = request.header("Liteav-Sig", liteav_sig(&phone.token, &digest));
        }
        let request = request.body(body).unwrap();
        let case = Case(what, &request);
        let answer = send(&self.program, request.clone()).await;
        judge(path, &answer);
        drop(case);
        self.requests.set(self.requests.get() + 1);
        answer
    }

    /// After all that, a life cycle goes on as if nothing had been.
    async fn still_works(self, at_least: usize) {
        println!("{} requests", self.requests.get());
        assert!(self.requests.get() >= at_least, "only {} requests", self.requests.get());
        let open = r#"{"Action":"RequestLVBAddr","userid":"zoe","groupid":"gz","title":"still here"}"#;
        let opened = action(&self.program, open).await;
        assert!(opened.contains(r#""pushurl":"rtmp://8888.livepush.myqcloud.com/live/8888_zoe?"#), "{opened}");
        let online = r#"{"Action":"ChangeStatus","userid":"zoe","status":0}"#;
        assert!(action(&self.program, online).await.starts_with(r#"{"returnValue":0,"#));
        for flag in 1..=5 {
            let list = format!(r#"{{"Action":"FetchList","userid":"v","flag":{flag},"pageno":1,"pagesize":100}}"#);
            let list = action(&self.program, &list).await;
            let list: Value = serde_json::from_str(&list).unwrap();
            assert_eq!(list["returnValue"], 0, "{list}");
            let rows = list["returnData"]["pusherlist"].as_array().unwrap();
            assert!(rows.iter().all(|row| row["userid"].is_string() && row["timestamp"].is_u64()), "{list}");
            if flag == 1 {
                assert!(rows.iter().any(|row| row["title"] == "still here"), "{list}");
            }
        }
    }
}

/// Whether an answer is one that a caller of this address can read and that tells nothing of our inside.
fn judge(path: &str, answer: &Response<String>) {
    let body = answer.body();
    let value: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    assert_eq!(answer.headers()["content-type"], "application/json", "{body}");
    // The keys in the order in which they are written: some apps take the answer apart by hand.
    let (keys, failed) = if CALLBACKS.contains(&path) {
        assert!(matches!(answer.status().as_u16(), 200 | 400 | 403 | 413), "{}: {body}", answer.status());
        assert!(value["code"].is_u64(), "{body}");
        (format!(r#"{{"code":{}}}"#, value["code"]), false)
    } else {
        assert_eq!(answer.status(), 200, "{body}");
        let [code, message, data] = match path {
            INTERFACE => ["returnValue", "returnMsg", "returnData"],
            _ => ["code", "message", "data"],
        };
        let (good, table_failed) = if path == INTERFACE { (0, "db operator error") } else { (200, "db operate error") };
        let (number, text, payload) = (&value[code], value[message].as_str().unwrap(), &value[data]);
        assert!(number.is_u64(), "{body}");
        if *number == good {
            assert!(payload.is_object(), "{body}");
        } else {
            // PHP's empty array; Gen 2 has an empty object where the command itself refused.
            let nothing = *payload == json!([]) || (path != INTERFACE && *payload == json!({}));
            assert!(nothing, "{body}");
            assert!(!text.is_empty() && text.len() < 300, "{body}");
        }
        let start = format!(r#"{{"{code}":{number},"{message}":{},"{data}":"#, value[message]);
        assert!(body.starts_with(&start), "{body}");
        (start, text == table_failed || text.contains("Internal Server Error"))
    };
    assert!(!failed, "the table refused what the parameters let through: {body}");
    assert!(body.starts_with(&keys) && value.as_object().unwrap().len() == keys.matches("\":").count(), "{body}");
    let lower = body.to_lowercase();
    for inside in ["dynamo", "panicked", "src/", ".rs:", "error {", "error(", "exception", "attribute", "serde"] {
        assert!(!lower.contains(inside), "{inside:?} in {body}");
    }
}

/// What a field may hold, a value a line: other types, numbers beyond every range, text beyond every rule, no JSON.
const NASTY: &str = r####"null
true
false
[]
[1]
[[]]
[null]
{}
{"a":1}
{"":{"":{}}}
0
1
2
-1
-0
-0.0
0.5
1.5
1e0
1e3
1e19
1e308
1e309
-1e309
1e-400
2147483648
4294967296
9007199254740993
9223372036854775807
9223372036854775808
18446744073709551615
18446744073709551616
-9223372036854775808
-9223372036854775809
123456789012345678901234567890123456789012345678901234567890
01
+1
0x10
NaN
Infinity
""
" "
"\t\n\r "
"\u3000"
"\u0000"
"a\u0000b"
"\u0001\u001f\u007f"
"\u0085\u009f"
"\u200b\u202e\ufeff"
"\ud800"
"\udc00\ud800"
"\ud83d\ude00"
"\uffff\ufffe"
"0"
"1"
"05"
"-1"
"1.0"
"1e3"
"null"
"99999999999999999999999999"
"9223372036854775807"
"\"\\\/\b\f"
"' OR '1'='1' --"
"#a = :b"
"{}[],:"
"<script>alert(1)</script>"
"../../../etc/passwd"
"%00%0a%s%n"
"://"
"http://h/live/8888_alice?x=/y.z"
"#"
"?"
"a/b/"
"alice"
"g1"
"\x"
"
'alice'
alice"####;

/// [`NASTY`], and values that are too long or too deep to be written down.
fn nasty() -> Vec<String> {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let mut values: Vec<String> = NASTY.lines().map(str::to_owned).collect();
    for length in [128, 129, 200, 201, 255, 256, 1024, 1025, 10_000] {
        values.extend(["x", "用"].map(|letter| format!("\"{}\"", letter.repeat(length))));
    }
    // Control characters as they are, which JSON does not allow, and no value at all.
    values.extend(["\"a\nb\"", "\"\0\"", ""].map(str::to_owned));
    values.extend([nested(100), nested(126), nested(200), format!("[{}0]", "0,".repeat(5000))]);
    values
}

/// A JSON object of members whose values are JSON texts, or something else.
fn object(members: &[(String, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    format!("{{{}}}", members.join(","))
}

fn members(fields: &Map<String, Value>) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| (name.clone(), value.to_string())).collect()
}

/// The object with one of its members, or of those of an object inside, replaced by each of the values in turn, and
/// taken out.
fn spoiled(fields: &Value, values: &[String]) -> Vec<String> {
    let mut bodies = Vec::new();
    let all = members(fields.as_object().unwrap());
    for (at, (name, _)) in all.iter().enumerate() {
        let mut without = all.clone();
        without.remove(at);
        bodies.push(object(&without));
        let inside = fields[name].as_object().map(|_| spoiled(&fields[name], values)).unwrap_or_default();
        for value in values.iter().chain(&inside) {
            let mut with = all.clone();
            with[at].1.clone_from(value);
            bodies.push(object(&with));
        }
    }
    bodies
}

/// The addresses of a command, with the body that means it there.
fn entrypoints(entry: &CommandEntry, fields: &Value) -> Vec<(String, Value)> {
    let own = entry.names.path.map(|path| {
        let mut stamped = fields.clone();
        stamped["timestamp"] = json!(START);
        stamped["expires"] = json!(10);
        (format!("/{path}"), stamped)
    });
    let named = entry.names.action.map(|action| {
        let mut named = fields.clone();
        named["Action"] = json!(action);
        (INTERFACE.to_owned(), named)
    });
    own.into_iter().chain(named).collect()
}

#[tokio::test]
async fn any_value_in_any_field_of_any_command_is_answered() {
    let (target, values, mut rng) = (Target::new().await, nasty(), Rng::new());
    for entry in commands::all() {
        for (at, (path, body)) in entrypoints(&entry, &fields(&entry)).into_iter().enumerate() {
            // The second address of a command leads to the same rules: there a fourth of the values will do.
            for body in spoiled(&body, &values).into_iter().filter(|_| at == 0 || rng.below(4) == 0) {
                target.post("a spoiled field", &path, body).await;
            }
        }
    }
    target.still_works(10_000).await;
}

#[tokio::test]
async fn several_spoiled_fields_at_a_time_are_answered() {
    let (target, values, mut rng) = (Target::new().await, nasty(), Rng::new());
    for entry in commands::all() {
        for (path, body) in entrypoints(&entry, &fields(&entry)) {
            for _ in 0..40 {
                let mut members = members(body.as_object().unwrap());
                for _ in 0..=rng.below(3) {
                    let at = rng.below(members.len());
                    members[at].1.clone_from(rng.pick(&values));
                    // A name that is there twice, too: the last one counts.
                    let twice = members[rng.below(members.len())].0.clone();
                    members.push((twice, rng.pick(&values).clone()));
                }
                target.post("spoiled fields", &path, object(&members)).await;
            }
        }
    }
    target.still_works(1000).await;
}

#[tokio::test]
async fn requests_that_are_cut_off_or_damaged_are_answered() {
    let (target, mut rng) = (Target::new().await, Rng::new());
    let now = target.program.now();
    let mut requests: Vec<(String, String)> = commands::all()
        .iter()
        .flat_map(|entry| entrypoints(entry, &fields(entry)))
        .map(|(path, body)| (path, body.to_string()))
        .collect();
    requests.extend(notices(now).map(|notice| (CALLBACKS[0].to_owned(), signed(notice, now))));
    for (path, body) in requests {
        for length in 0..body.len() {
            target.post("cut off", &path, &body.as_bytes()[..length]).await;
        }
        for _ in 0..60 {
            let mut bytes = body.clone().into_bytes();
            for _ in 0..=rng.below(4) {
                let at = rng.below(bytes.len());
                match rng.below(4) {
                    0 => bytes[at] = rng.byte(),
                    1 => bytes[at] ^= 1 << rng.below(8),
                    2 => bytes.insert(at, *rng.pick(br#"{}[]",:\0-e."#)),
                    _ => drop(bytes.remove(at)),
                }
            }
            target.post("damaged", &path, bytes).await;
        }
    }
    target.still_works(5000).await;
}

#[tokio::test]
async fn bytes_without_any_meaning_are_answered() {
    let (target, mut rng) = (Target::new().await, Rng::new());
    let paths: Vec<String> = commands::all()
        .iter()
        .filter_map(|entry| entry.names.path.map(|path| format!("/{path}")))
        .chain([INTERFACE.to_owned()])
        .chain(CALLBACKS.map(str::to_owned))
        .collect();
    for path in &paths {
        for _ in 0..60 {
            let length = rng.below(300);
            let bytes: Vec<u8> = (0..length).map(|_| rng.byte()).collect();
            target.post("random bytes", path, bytes).await;
            // Mostly JSON, hardly ever a document.
            let marks: Vec<u8> = (0..length).map(|_| *rng.pick(br#"{}[]",:\u0018dtrue nl-e."#)).collect();
            target.post("random marks", path, marks).await;
        }
    }
    target.still_works(2000).await;
}

#[tokio::test]
async fn huge_and_deep_bodies_are_answered() {
    let target = Target::new().await;
    for entry in commands::all() {
        for (path, body) in entrypoints(&entry, &fields(&entry)) {
            let body = body.to_string();
            for length in [MAX_BODY_BYTES, MAX_BODY_BYTES + 1] {
                let (start, blanks) = (&body[..body.len() - 1], length - body.len());
                // Some things are done once, and are there already the second time.
                target.post("the first time", &path, body.clone()).await;
                let blank = format!("{start}{}}}", " ".repeat(blanks));
                let answer = target.post("huge, by blanks", &path, blank.clone()).await;
                let small = target.post("the same without blanks", &path, body.clone()).await;
                // Blanks mean nothing, so up to the limit the answer is that of the request without them.
                if length <= MAX_BODY_BYTES && !answer.body().contains("sign") {
                    assert_eq!(answer.body(), small.body(), "{path}");
                } else if length > MAX_BODY_BYTES {
                    assert!(answer.body().contains("the body is longer than 1 MiB"), "{path}: {}", answer.body());
                }
                let filler = "x".repeat(length - body.len().min(length) - r#","x":"""#.len());
                target.post("huge, by a field", &path, format!(r#"{start},"x":"{filler}"}}"#)).await;
            }
            for depth in [100, 126, 127, 128, 129, 10_000] {
                for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
                    let (open, close) = (open.repeat(depth), close.repeat(depth));
                    let nested = format!("{}{open}1{close}}}", &body[..body.len() - 1]);
                    target.post("deep, not closed well", &path, nested).await;
                    target.post("deep", &path, format!("{open}1{close}")).await;
                    target.post("deep, open", &path, open.clone()).await;
                    for name in ["x", "userid", "userinfo", "mergeparams", "Action"] {
                        let start = &body[..body.len() - 1];
                        target.post("a deep field", &path, format!(r#"{start},"{name}":{open}1{close}}}"#)).await;
                    }
                }
            }
        }
    }
    let now = target.program.now();
    for notice in notices(now) {
        let body = signed(notice, now);
        for (length, code) in [(MAX_BODY_BYTES, 0), (MAX_BODY_BYTES + 1, 4001), (4 * MAX_BODY_BYTES, 4001)] {
            let huge = format!("{}{}", " ".repeat(length - body.len()), body);
            let answer = target.post("a huge notice", CALLBACKS[0], huge).await;
            assert_eq!(*answer.body(), format!(r#"{{"code":{code}}}"#));
        }
    }
    target.still_works(3000).await;
}

#[tokio::test]
async fn a_method_other_than_post_carries_no_call() {
    let target = Target::new().await;
    let others = ["GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "post", "BREW"];
    for method in others.map(|method| Method::from_bytes(method.as_bytes()).unwrap()) {
        for entry in commands::all() {
            for (path, body) in entrypoints(&entry, &fields(&entry)) {
                let answer = target.request("a method", method.clone(), &path, body.to_string().into_bytes()).await;
                let nothing = target.request("no body", method.clone(), &path, Vec::new()).await;
                assert_eq!(answer.body(), nothing.body(), "{method} {path}");
            }
        }
        for path in CALLBACKS {
            let now = target.program.now();
            for notice in notices(now) {
                let body = signed(notice, now).into_bytes();
                let answer = target.request("a method", method.clone(), path, body).await;
                assert_eq!(*answer.body(), r#"{"code":4001}"#, "{method} {path}");
            }
        }
    }
    target.still_works(500).await;
}

#[tokio::test]
async fn any_value_in_any_field_of_a_signed_notice_is_answered() {
    let (target, values) = (Target::new().await, nasty());
    let now = target.program.now();
    for notice in notices(now) {
        let whole: Value = serde_json::from_str(&signed(notice, now)).unwrap();
        for body in spoiled(&whole, &values) {
            target.post("a spoiled notice", CALLBACKS[0], body).await;
        }
    }
    // Fields that our own list of notices does not have.
    for name in ["event_time", "sequence", "stream_id", "streamId", "video_id", "file_format", "event_type"] {
        for value in &values {
            let push = signed(json!({"event_type": 1, "stream_id": "8888_alice"}), now);
            let body = format!(r#"{},"{name}":{value}}}"#, &push[..push.len() - 1]);
            target.post("a notice with one field more", CALLBACKS[1], body).await;
        }
    }
    target.still_works(3000).await;
}

#[tokio::test]
async fn a_strange_expiry_is_refused_however_well_it_is_signed() {
    let target = Target::new().await;
    let strange = [
        "",
        "0",
        "1",
        "-1",
        "05",
        "1e9",
        "1600000600.5",
        "0x5f5e3a30",
        "abc",
        "18446744073709551615",
        "١٦٠٠٠٠٠٦٠٠",
        "18446744073709551616",
        "99999999999999999999999",
        "9223372036854775807",
        "1600000600\u{0}",
        "NaN",
    ];
    for t in strange {
        let sign = sign(&Secret::new(KEY), t);
        for t in [json!(t).to_string(), t.to_owned()] {
            let body = format!(r#"{{"t":{t},"sign":"{sign}","event_type":0,"stream_id":"8888_alice"}}"#);
            let answer = target.post("a strange expiry", CALLBACKS[2], body).await;
            assert_ne!(*answer.body(), r#"{"code":0}"#, "{t}");
        }
    }
    target.still_works(30).await;
}

#[tokio::test]
async fn nothing_that_stands_in_for_a_user_sig_gets_past_it() {
    let program = program_with(|name| (name == "ACTION_AUTH").then_some("user-sig")).await;
    let target = Target { program, phones: Vec::new(), requests: Cell::new(0) };
    let values = nasty();
    for entry in commands::all().iter().filter(|entry| entry.names.action.is_some_and(|action| action != "ForbidLive"))
    {
        let body = action_body(entry);
        for value in &values {
            let body = format!(r#"{},"usersig":{value}}}"#, &body[..body.len() - 1]);
            let answer = target.post("no user sig", INTERFACE, body).await;
            assert!(!answer.body().starts_with(r#"{"returnValue":0,"#), "{}", answer.body());
        }
    }
    assert!(target.requests.get() > 1000);
}

#[tokio::test]
async fn a_notice_that_is_not_signed_changes_nothing() {
    let program = program().await;
    action(&program, &opening()).await;
    let before = action(&program, r#"{"Action":"GetUserInfo","userid":"alice","type":0}"#).await;
    let target = Target { program, phones: Vec::new(), requests: Cell::new(0) };
    let now = target.program.now();
    for notice in notices(now) {
        let mut body: Value = serde_json::from_str(&signed(notice, now)).unwrap();
        let good = body["sign"].as_str().unwrap().to_owned();
        let wrong = [json!(true), json!(0), json!([good]), json!({"a": good}), json!(""), json!(good.to_uppercase())];
        for sign in wrong {
            body["sign"] = sign;
            let answer = target.post("a wrong signature", CALLBACKS[0], body.to_string()).await;
            assert_ne!(*answer.body(), r#"{"code":0}"#, "{body}");
        }
    }
    let after = action(&target.program, r#"{"Action":"GetUserInfo","userid":"alice","type":0}"#).await;
    assert_eq!(before, after);
}
