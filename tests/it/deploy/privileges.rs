//! Functions may do to the table what they do, and nothing else: all of their policies is used by somebody who calls
//! everything. That nothing is done besides, the [guard](crate::support::guard) sees to, here and in every other test.

use std::{collections::BTreeSet, future::Future};

use http::Request;
use serde_json::Value;

use crate::{
    deploy::template,
    support::{
        harness::{Program, notice, program_on, send, swept},
        injector::{Fault, Injector, Lasts, Strike},
        policy::Policy,
        steps::{File, OPERATOR_KEY, Phone, acknowledged, is_recorded, push_starts, registered, user_sig_of},
    },
};
use app::commands::{self, Names};
use cli::engine::Engine;
use protocol::{
    sign::session::{body_digest, liteav_sig},
    types::UserId,
};
use store::PublicProfile;

/// Calls that take every way through the table, each command's in a row of its own: its Action, or its path if it has
/// none. By a path they are signed by whom they name, or by alice if they name nobody.
pub(crate) const CALLS: [(&str, &[&str]); 39] = [
    ("register", &[r#""userid":"frank","password":"abc""#]),
    ("login", &[r#""userid":"frank","password":"abc""#]),
    ("get_user_info", &[r#""userid":"alice""#]),
    ("upload_user_info", &[r#""userid":"alice","nickname":"Al","sex":1"#]),
    ("RequestLVBAddr", &[r#""userid":"bobby","groupid":"g","title":"t""#; 2]),
    ("ChangeStatus", &[r#""userid":"alice","status":1"#, r#""userid":"alice","status":0"#]),
    (
        "ChangeCount",
        &[
            r#""userid":"alice","type":1,"optype":0,"flag":0"#,
            r#""userid":"alice","type":1,"optype":0,"flag":1,"fileid":"f1""#,
        ],
    ),
    ("GetUserInfo", &[r#""userid":"alice","type":0"#, r#""userid":"alice","type":1,"fileid":"f1""#]),
    (
        "EnterGroup",
        &[
            r#""userid":"bobby","liveuserid":"alice","groupid":"g","flag":0"#,
            r#""userid":"bobby","liveuserid":"alice","groupid":"f1","flag":1"#,
        ],
    ),
    ("RequestPlayUrlWithSignForLinkMic", &[r#""userid":"bobby","originStreamUrl":"rtmp://h/live/8888_alice""#]),
    (
        "QuitGroup",
        &[
            r#""userid":"bobby","liveuserid":"alice","groupid":"g","flag":0"#,
            r#""userid":"bobby","liveuserid":"alice","groupid":"f1","flag":1"#,
        ],
    ),
    ("FetchGroupMemberList", &[r#""userid":"alice","liveuserid":"alice","groupid":"other","pageno":1,"pagesize":10"#]),
    ("GetCOSSignV2", &[r#""userid":"alice""#]),
    ("GetCOSSign", &[r#""userid":"alice""#]),
    ("get_cos_grant", &[r#""userid":"alice","size":1,"type":"image/png""#]),
    ("GetVodSignatureV2", &[r#""userid":"alice""#]),
    ("UploadUGCVideo", &[r#""userid":"alice","file_id":"v1","play_url":"http://v/1","title":"t""#; 2]),
    (
        "FetchList",
        &[
            r#""userid":"alice","flag":3,"pageno":1,"pagesize":10"#,
            r#""userid":"alice","flag":4,"pageno":3,"pagesize":10"#,
            r#""userid":"alice","flag":5,"pageno":1,"pagesize":10"#,
        ],
    ),
    ("RequestLVBAddrForLinkMic", &[r#""userid":"bobby","title":"t""#]),
    (
        "MergeVideoStream",
        &[r#""userid":"alice","mergeparams":
                {"interface":{"para":{"output_stream_id":"8888_alice","mix_stream_session_id":"rs_alice"}}}"#],
    ),
    ("ReportUser", &[r#""userid":"bobby","hostuserid":"alice""#]),
    ("ForbidLive", &[r#""userid":"grace","forbidflag":1,"hide_replays":1"#, r#""userid":"grace","forbidflag":0"#]),
    ("upload_room", &[r#""userid":"carol","title":"t""#; 2]),
    ("get_vod_list", &[r#""userid":"alice","index":0,"count":10"#]),
    ("get_ugc_list", &[r#""userid":"alice","index":0,"count":10"#]),
    ("get_roomservice_sign", &[r#""userid":"alice""#]),
    (
        "update_replay",
        &[r#""userid":"alice","file_id":"f1","hidden":1"#, r#""userid":"alice","file_id":"f1","hidden":0"#],
    ),
    ("delete_replay", &[r#""userid":"alice","file_id":"f1""#]),
    ("list_rooms", &["", r#""index":3,"count":10"#, r#""userid":"alice""#]),
    ("list_replays", &[r#""userid":"alice""#]),
    ("list_bans", &[""]),
    ("list_reports", &["", r#""hostuserid":"alice""#]),
    ("list_verdicts", &[""]),
    ("list_notices", &[r#""streamid":"8888_alice""#, r#""userid":"alice""#, ""]),
    ("show_notice", &[r#""streamid":"8888_alice","id":"100 f1""#]),
    ("replay_notices", &[r#""streamid":"rs_dave""#, r#""streamid":"rs_dave","id":"1 1""#]),
    ("rebuild_user", &[r#""userid":"erin""#]),
    ("refresh", &[r#""userid":"alice","refresh_token":"""#]),
    ("logout", &[r#""userid":"carol""#]),
];

/// Calls of a user whom somebody has left half-written. The user, and a file of theirs that is written, stand for `@`.
const FINISHING: [(&str, &str); 8] = [
    ("RequestLVBAddr", r#""userid":"@","groupid":"g","title":"t""#),
    ("ChangeStatus", r#""userid":"@","status":0"#),
    ("ForbidLive", r#""userid":"@","forbidflag":1"#),
    ("upload_room", r#""userid":"@","title":"t""#),
    ("update_replay", r#""userid":"@","file_id":"@","hidden":1"#),
    ("delete_replay", r#""userid":"@","file_id":"@""#),
    ("replay_notices", r#""streamid":"8888_@""#),
    ("rebuild_user", r#""userid":"@""#),
];

/// After so long a use of a session prolongs it: a thirtieth of its life, the `SESSION_SECONDS` of these worlds.
const PROLONGED_SECONDS: u64 = 10;

/// By which address a command is called that has an Action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Interface,
    ItsOwn,
}

/// A call, as it is sent.
pub(crate) struct Call {
    pub(crate) command: &'static str,
    pub(crate) path: String,
    pub(crate) body: String,
    pub(crate) signature: Option<String>,
    user_sig: String,
}

impl Call {
    /// It, by who has everybody's keys.
    pub(crate) fn request(self) -> Request<Vec<u8>> {
        let Self { path, body, signature, user_sig, .. } = self;
        let request = Request::post(path).header("x-operator-key", OPERATOR_KEY).header("x-user-sig", user_sig);
        let request = signature.into_iter().fold(request, |request, signature| request.header("liteav-sig", signature));
        request.body(body.into()).unwrap()
    }
}

/// A program, and who is logged in.
pub(crate) struct World {
    pub(crate) program: Program,
    injector: Injector,
    phones: Vec<Phone>,
}

impl World {
    pub(crate) async fn on(table: &Engine, way: Way) -> Self {
        Self::with(table, way, |_| None).await
    }

    /// With other settings than those of the tests.
    pub(crate) async fn with(table: &Engine, way: Way, settings: impl Fn(&str) -> Option<&'static str>) -> Self {
        let injector = Injector::default();
        let client = injector.client(table.http_client());
        let program = program_on(&client, "mini-lvb", |name| {
            settings(name).or_else(|| match name {
                "OPERATOR_KEY" => Some(OPERATOR_KEY),
                "ACTION_AUTH" => (way == Way::Interface).then_some("user-sig"),
                "MODERATION" => Some("end"),
                "SESSION_SECONDS" => Some("300"),
                _ => None,
            })
        });
        Self { program: program.await, injector, phones: Vec::new() }
    }

    pub(crate) async fn log_in(&mut self, user: &str) {
        self.phones.push(registered(&self.program, user).await);
    }

    /// Somebody with everybody's keys calls a command.
    async fn call(&self, way: Way, name: &str, fields: &str) {
        let answer = self.answer(way, name, fields).await;
        // No cloud can be asked here; all others are answered.
        let done = [r#""returnValue":0"#, r#""returnValue":3000"#, r#""code":200"#, r#""code":502"#];
        assert!(done.iter().any(|done| answer.contains(done)), "{way:?} {name} {fields}: {answer}");
    }

    async fn answer(&self, way: Way, name: &str, fields: &str) -> String {
        send(&self.program, self.written(way, name, fields).request()).await.into_body()
    }

    /// A call, signed.
    pub(crate) fn written(&self, way: Way, name: &str, fields: &str) -> Call {
        let mut all = commands::all().into_iter();
        let found = all.find(|entry| entry.names.action.unwrap_or(entry.names.name) == name).unwrap();
        let Names { name: command, action, .. } = found.names;
        let mut fields: Value = serde_json::from_str(&format!("{{{fields}}}")).unwrap();
        let user = fields["userid"].as_str().unwrap_or("alice").to_owned();
        let path = match action.filter(|_| way == Way::Interface) {
            Some(action) => {
                fields["Action"] = action.into();
                "/interface.php".to_owned()
            }
            None => {
                (fields["timestamp"], fields["expires"]) = (self.program.now().into(), 10.into());
                format!("/{command}")
            }
        };
        let phone = self.phones.iter().find(|phone| phone.user == user);
        if let Some(phone) = phone.filter(|_| command == "refresh") {
            fields["refresh_token"] = phone.refresh_token.clone().into();
        }
        let body = fields.to_string();
        let signature = phone.map(|phone| liteav_sig(&phone.token, &body_digest(body.as_bytes())));
        Call { command, path, body, signature, user_sig: user_sig_of(&self.program, &user) }
    }

    /// Opens a room.
    pub(crate) async fn open(&self, user: &str) {
        self.call(Way::Interface, "RequestLVBAddr", &format!(r#""userid":"{user}","groupid":"g","title":"t""#)).await;
    }

    /// A viewer comes into a group of alice.
    async fn enter(&self, viewer: &str, group: &str) {
        let fields = format!(r#""userid":"{viewer}","liveuserid":"alice","groupid":"{group}","flag":0"#);
        self.call(Way::Interface, "EnterGroup", &fields).await;
    }

    /// The cloud has recorded a file of a user, which ended so many seconds ago.
    async fn recorded(&self, user: &str, file: &str, ago: u64) {
        let (stream, to) = (format!("8888_{user}"), self.program.now() - ago);
        is_recorded(&self.program, File { stream: &stream, id: file, format: "flv", from: to - 100, to }).await;
    }

    /// Somebody does something, and dies when so many requests of theirs were done.
    async fn dies(&self, after: usize, doing: impl Future<Output = ()>) {
        self.injector.arm(vec![Strike { at: after + 1, fault: Fault::Reset, lasts: Lasts::ForTheCall }]);
        doing.await;
        self.injector.call_ended().await;
        assert_eq!(self.injector.struck().len(), 1);
    }

    /// A user with a written replay, and of whom it is known and not written that they are live and have another one.
    async fn half_written(&self, user: &str) {
        self.open(user).await;
        self.recorded(user, user, 5000).await;
        let now = self.program.now();
        let start = format!(r#""event_type":1,"stream_id":"8888_{user}","sequence":"1","event_time":{now}"#);
        let file = format!(
            r#""event_type":100,"stream_id":"8888_{user}","video_id":"{user}2","file_format":"flv","video_url":"u",
            "start_time":{},"end_time":{now}"#,
            now - 100
        );
        for told in [start, file] {
            // The notice is kept, its user is looked up, what is known of them is read, and written.
            self.dies(4, async { drop(notice(&self.program, &told).await) }).await;
        }
    }

    /// What has happened before anybody calls, so that no call finds nothing.
    pub(crate) async fn prepare(&mut self) {
        // So many rooms that a page of them has to be found.
        let others = (0..20).map(|n| format!("host{n}"));
        for user in others.chain(["alice", "grace"].map(str::to_owned)) {
            self.open(&user).await;
        }
        push_starts(&self.program, "8888_grace", "1").await;
        self.enter("carol", "other").await;
        let now = self.program.now();
        self.program.pass(100);
        // A verdict on no live: nothing follows but its place in the list.
        notice(&self.program, r#""event_type":317,"streamId":"8888_host0","suggestion":"Block""#).await;
        for user in ["alice", "bobby", "carol"] {
            self.log_in(user).await;
        }
        // The last of these joins two lives, so that one of them goes.
        let pushes = |stream: &str| {
            [(1, 1, 0), (0, 1, 10), (1, 2, 90), (1, 3, 50)].map(|(event, push, seconds)| {
                let fields = format!(r#""event_type":{event},"stream_id":"{stream}","sequence":"{push}""#);
                format!(r#"{fields},"event_time":{}"#, now + seconds)
            })
        };
        // What comes before it can be known whom it is about waits for the sweep, or an operator.
        for user in ["dave", "erin"] {
            let [first, second, third, last] = pushes(&format!("rs_{user}"));
            notice(&self.program, &last).await;
            self.open(user).await;
            for fields in [first, second, third] {
                notice(&self.program, &fields).await;
            }
        }
        for fields in pushes("8888_alice") {
            notice(&self.program, &fields).await;
        }
        self.recorded("alice", "f1", 0).await;
        self.recorded("grace", "f2", 0).await;
    }

    /// Takes every way through the table.
    async fn everything(&mut self, way: Way) {
        self.prepare().await;
        for (name, calls) in CALLS {
            self.program.pass(PROLONGED_SECONDS);
            for fields in calls {
                self.call(way, name, fields).await;
            }
        }
        // A login that is written, but is told otherwise, and looks again.
        for at in 1..=8 {
            self.injector.arm(vec![Strike { at, fault: Fault::BrokenLate, lasts: Lasts::Once }]);
            self.call(way, "login", r#""userid":"frank","password":"abc""#).await;
        }
        for (at, (name, fields)) in FINISHING.into_iter().enumerate() {
            let user = format!("user{at}");
            self.log_in(&user).await;
            self.half_written(&user).await;
            self.call(way, name, &fields.replace('@', &user)).await;
        }
        // For the sweep: a viewer who has been silent for long, a live, and somebody whose ban is written and no more.
        self.enter("dave", "g").await;
        self.half_written("kevin").await;
        let ban = r#""userid":"grace","forbidflag":1,"hide_replays":1"#;
        self.dies(2, async { drop(self.answer(way, "ForbidLive", ban).await) }).await;
        // Who takes notices leaves that ban alone.
        acknowledged(&notice(&self.program, r#""event_type":317,"streamId":"8888_grace","suggestion":"Block""#).await);
        for _ in 0..4 {
            self.program.pass(10_000);
            swept(&self.program).await;
        }
    }
}

#[tokio::test]
async fn all_that_a_function_is_allowed_it_does() {
    let mut used = BTreeSet::new();
    for way in [Way::Interface, Way::ItsOwn] {
        let mut world = World::on(&Engine::in_memory().unwrap(), way).await;
        world.everything(way).await;
        let Program { app, guard, .. } = &world.program;
        // What each does as it starts.
        for function in template::functions().keys() {
            guard.serve(function, app.table.version()).await.unwrap();
        }
        // A first login with an ID token makes the account: `oidc.rs` does it with a provider.
        let zoe = UserId::parse("zoe").unwrap();
        guard.serve("login", app.table.create_account(&zoe, None, &PublicProfile::default(), app.now())).await.unwrap();
        used.extend(guard.take_used());
    }
    let allowed = template::functions().keys().flat_map(|name| {
        let grants = Policy::of(name).grants();
        grants.into_iter().map(move |grant| (name.as_str(), grant))
    });
    let idle: Vec<_> = allowed.filter(|allowed| !used.contains(allowed)).collect();
    let idle: Vec<_> = idle.iter().map(|(function, grant)| format!("{function}: {grant}")).collect();
    assert!(idle.is_empty(), "template.yaml allows what nothing uses:\n{}", idle.join("\n"));
}

#[test]
fn every_command_is_among_the_calls() {
    let called: BTreeSet<_> = CALLS.iter().map(|(name, _)| *name).collect();
    let paths =
        template::functions().keys().filter(|name| !["interface", "live_callback", "sweep"].contains(&name.as_str()));
    for path in paths {
        let of_path = commands::all().into_iter().map(|entry| entry.names).filter(|names| names.name == path);
        let mut names = of_path.flat_map(|names| [Some(names.name), names.action].into_iter().flatten());
        assert!(names.any(|name| called.contains(name)), "{path} is not called");
    }
}
