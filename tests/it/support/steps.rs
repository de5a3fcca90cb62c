//! What users, operators and the cloud do, as verbs: each hides the bytes that it takes.

use std::{future::Future, sync::Arc};

use http::{Request, Response};
use serde_json::Value;

use crate::support::harness::{KEY, Program, action, notice, post, program, program_with, rest, send};
use protocol::{
    sign::{
        callback,
        push_url::PushUrl,
        session::{body_digest, liteav_sig},
        user_sig,
    },
    types::{ClientAddress, Secret, UnixSeconds},
};

/// What operators of [`operated`] programs show.
pub(crate) const OPERATOR_KEY: &str = "an-operator-key-for-tests";

/// A program that knows operators.
pub(crate) async fn operated() -> Program {
    program_with(|name| (name == "OPERATOR_KEY").then_some(OPERATOR_KEY)).await
}

/// A program with an operator whose settings name no cloud, as a development configuration does.
pub(crate) async fn without_cloud() -> Program {
    let settings = |name: &str| match name {
        "OPERATOR_KEY" => Some(OPERATOR_KEY),
        "API_URL" | "CLOUD_API_URL" => Some("none"),
        _ => None,
    };
    program_with(settings).await
}

/// A program whose Gen-1 entrypoint requires a UserSig.
pub(crate) async fn guarded() -> Program {
    program_with(|name| (name == "ACTION_AUTH").then_some("user-sig")).await
}

/// The UserSig of a user, good for an hour.
pub(crate) fn user_sig_of(program: &Program, user: &str) -> String {
    user_sig::sign(user, 1_400_000_000, &Secret::new(KEY), UnixSeconds(program.now()), 3600)
}

/// Calls an Action, `fields` being JSON members, with a header.
pub(crate) async fn action_with(program: &Program, body: &str, header: &str, value: &str) -> String {
    let request = Request::post("/interface.php").header(header, value);
    send(program, request.body(body.into()).unwrap()).await.into_body()
}

/// Calls a command at its own address with a header.
pub(crate) async fn rest_with(program: &Program, command: &str, body: &str, header: &str, value: &str) -> String {
    let request = Request::post(format!("/{command}")).header(header, value);
    send(program, request.body(body.into()).unwrap()).await.into_body()
}

/// Calls a command at its own address as an operator; the body of the answer.
pub(crate) async fn by_operator(program: &Program, command: &str, fields: Value) -> String {
    rest_with(program, command, &fields.to_string(), "x-operator-key", OPERATOR_KEY).await
}

/// The code of a Gen-1 answer.
pub(crate) fn code(answer: &str) -> u64 {
    parse(answer)["returnValue"].as_u64().unwrap()
}

/// An answer, as JSON.
pub(crate) fn parse(answer: &str) -> Value {
    serde_json::from_str(answer).unwrap()
}

/// Calls an Action that must be done; what it answers.
pub(crate) async fn done(program: &Program, name: &str, mut fields: Value) -> Value {
    fields["Action"] = name.into();
    let mut answer = parse(&action(program, &fields.to_string()).await);
    assert_eq!(answer["returnValue"], 0, "{fields}: {answer}");
    answer["returnData"].take()
}

macro_rules! fields {
    ($($json:tt)*) => { serde_json::json!({ $($json)* }) };
}
pub(crate) use fields;

/// Opens a room with the group `@<user>`; the push URL.
pub(crate) async fn open_room(program: &Program, user: &str, title: &str) -> String {
    open_room_for(program, user, title, &format!("@{user}")).await
}

/// Opens a room with a group; the push URL.
pub(crate) async fn open_room_for(program: &Program, user: &str, title: &str, group: &str) -> String {
    let answer = done(program, "RequestLVBAddr", fields!("userid": user, "groupid": group, "title": title)).await;
    answer["pushurl"].as_str().unwrap().to_owned()
}

/// The stream that a push URL pushes, or an RTMP URL plays.
pub(crate) fn stream_of(url: &str) -> String {
    PushUrl::parse(url).unwrap().stream.to_owned()
}

/// The app says that its user's room is online.
pub(crate) async fn go_online(program: &Program, user: &str) {
    done(program, "ChangeStatus", fields!("userid": user, "status": 0)).await;
}

/// The app says that its user's room is offline.
pub(crate) async fn go_offline(program: &Program, user: &str) {
    done(program, "ChangeStatus", fields!("userid": user, "status": 1)).await;
}

/// A viewer comes to a live.
pub(crate) async fn enter(program: &Program, viewer: &str, host: &str, group: &str) {
    done(program, "EnterGroup", fields!("userid": viewer, "liveuserid": host, "groupid": group, "flag": 0)).await;
}

/// A viewer leaves a live.
pub(crate) async fn quit(program: &Program, viewer: &str, host: &str, group: &str) {
    done(program, "QuitGroup", fields!("userid": viewer, "liveuserid": host, "groupid": group, "flag": 0)).await;
}

/// A viewer likes a live.
pub(crate) async fn like(program: &Program, host: &str) {
    let fields = fields!("userid": host, "type": 1, "optype": 0, "flag": 0, "fileid": "");
    done(program, "ChangeCount", fields).await;
}

/// A short video is published.
pub(crate) async fn publish(program: &Program, user: &str, file: &str) {
    let fields = fields!("userid": user, "file_id": file, "play_url": "http://vod/v.mp4", "title": "t");
    done(program, "UploadUGCVideo", fields).await;
}

/// A page of a list.
pub(crate) async fn list(program: &Program, flag: u64, page: u64, size: u64) -> Value {
    done(program, "FetchList", fields!("flag": flag, "pageno": page, "pagesize": size)).await
}

/// A field of every row of a page.
pub(crate) fn column<'a>(page: &'a Value, field: &str) -> Vec<&'a str> {
    page["pusherlist"].as_array().unwrap().iter().map(|row| row[field].as_str().unwrap()).collect()
}

/// A field of every row of a page as Gen-2 apps read it.
pub(crate) fn listed<'a>(page: &'a Value, field: &str) -> Vec<&'a str> {
    page["list"].as_array().unwrap().iter().map(|row| row[field].as_str().unwrap()).collect()
}

/// A room, as its row in the lists.
pub(crate) async fn room(program: &Program, user: &str) -> Value {
    done(program, "GetUserInfo", fields!("userid": user, "type": 0)).await
}

/// A replay, as its row in the lists.
pub(crate) async fn replay(program: &Program, user: &str, file: &str) -> Value {
    done(program, "GetUserInfo", fields!("userid": user, "type": 1, "fileid": file)).await
}

/// A page of the members of a group.
pub(crate) async fn members(program: &Program, host: &str, group: &str) -> Value {
    let fields = fields!("liveuserid": host, "groupid": group, "pageno": 1, "pagesize": 100);
    done(program, "FetchGroupMemberList", fields).await
}

/// The cloud says that a push started.
pub(crate) async fn push_starts(program: &Program, stream: &str, sequence: &str) {
    push(program, stream, sequence, 1).await;
}

/// The cloud says that a push ended.
pub(crate) async fn push_ends(program: &Program, stream: &str, sequence: &str) {
    push(program, stream, sequence, 0).await;
}

async fn push(program: &Program, stream: &str, sequence: &str, event: u8) {
    let at = program.now();
    let fields = format!(r#""event_type":{event},"stream_id":"{stream}","sequence":"{sequence}","event_time":{at}"#);
    acknowledged(&notice(program, &fields).await);
}

/// A file that the cloud recorded, from and to a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File<'a> {
    pub(crate) stream: &'a str,
    pub(crate) id: &'a str,
    pub(crate) format: &'a str,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl File<'_> {
    /// The members of the notice about it.
    pub(crate) fn fields(&self) -> String {
        let Self { stream, id, format, from, to } = self;
        format!(
            r#""event_type":100,"stream_id":"{stream}","video_id":"{id}","file_format":"{format}",
            "video_url":"http://vod/{id}.{format}","start_time":{from},"end_time":{to}"#
        )
    }
}

/// The cloud says that it recorded a file.
pub(crate) async fn is_recorded(program: &Program, file: File<'_>) {
    acknowledged(&notice(program, &file.fields()).await);
}

/// A program in which alice has a room, titled `the show`.
pub(crate) async fn with_room() -> Program {
    let program = program().await;
    open_room(&program, "alice", "the show").await;
    program
}

/// Whether a user is live.
pub(crate) async fn is_live(program: &Program, user: &str) -> bool {
    room(program, user).await["status"] == "1"
}

/// The replays that are listed, newest first, by their files.
pub(crate) async fn replays(program: &Program) -> Vec<String> {
    let page = list(program, 2, 1, 100).await;
    let files: Vec<String> = column(&page, "fileid").into_iter().map(str::to_owned).collect();
    assert_eq!(page["totalcount"], files.len());
    files
}

/// A file of alice's own stream.
pub(crate) fn file<'a>(id: &'a str, format: &'a str, from: u64, to: u64) -> File<'a> {
    File { stream: "8888_alice", id, format, from, to }
}

/// An operator bans a user (1), or lifts the ban (0), by an Action; the answer.
pub(crate) async fn forbid(program: &Program, user: &str, flag: u8) -> String {
    let body = format!(r#"{{"Action":"ForbidLive","userid":"{user}","forbidflag":{flag}}}"#);
    action_with(program, &body, "X-Operator-Key", OPERATOR_KEY).await
}

/// The members of the notice about a picture of a stream that was judged.
pub(crate) fn verdict(stream: &str, suggestion: &str) -> String {
    format!(r#""event_type":317,"streamId":"{stream}","suggestion":"{suggestion}","confidence":99"#)
}

/// That the cloud was told that its notice need not come again.
#[track_caller]
pub(crate) fn acknowledged(answer: &Response<String>) {
    assert_eq!((answer.status().as_u16(), answer.body().as_str()), (200, r#"{"code":0}"#));
}

/// Sends a notice with a `t` and a `sign` of one's own making; the HTTP status and the body.
pub(crate) async fn forged(program: &Program, t: &str, sign: &str, fields: &str) -> (u16, String) {
    let answer = post(program, "/callback/Live_callback.php", format!(r#"{{"t":{t},"sign":{sign},{fields}}}"#)).await;
    (answer.status().as_u16(), answer.into_body())
}

/// The sign of a notice that expires at `t`, a JSON text.
pub(crate) fn sign_of(t: u64) -> String {
    format!("\"{}\"", callback::sign(&Secret::new(KEY), &t.to_string()))
}

/// The password of every user here: what an app makes of one.
pub(crate) const PASSWORD: &str = "e352963bbbd32a45ce27c73b0666aabe";

/// A phone whose user is logged in.
pub(crate) struct Phone {
    pub(crate) user: String,
    pub(crate) token: String,
    pub(crate) refresh_token: String,
}

impl Phone {
    /// The phone of a user who was answered this when they logged in or refreshed; `None` if that was refused.
    pub(crate) fn with(user: &str, answer: &str) -> Option<Self> {
        let answer = parse(answer);
        let part = |name: &str| answer["data"][name].as_str().map(str::to_owned);
        Some(Self { user: user.to_owned(), token: part("token")?, refresh_token: part("refresh_token")? })
    }
}

/// A phone on which this user has made an account and logged in.
pub(crate) async fn registered(program: &Program, user: &str) -> Phone {
    let body = fields!("userid": user, "password": PASSWORD).to_string();
    assert_eq!(rest_code(&rest(program, "register", &body).await), 200, "{user}");
    logged_in(program, user).await
}

/// A phone on which this user, who has an account, has logged in.
pub(crate) async fn logged_in(program: &Program, user: &str) -> Phone {
    let body = fields!("userid": user, "password": PASSWORD).to_string();
    let answer = rest(program, "login", &body).await;
    Phone::with(user, &answer).unwrap_or_else(|| panic!("{user} is not logged in: {answer}"))
}

/// Calls a command at its own address as Android does: stamped and signed. The body of the answer.
pub(crate) async fn signed(program: &Program, phone: &Phone, command: &str, mut fields: Value) -> String {
    fields["userid"] = phone.user.as_str().into();
    fields["timestamp"] = program.now().into();
    fields["expires"] = 10.into();
    signed_as_it_is(program, phone, command, fields).await
}

/// Calls a command at its own address with just these fields, signed. The body of the answer.
pub(crate) async fn signed_as_it_is(program: &Program, phone: &Phone, command: &str, fields: Value) -> String {
    let body = fields.to_string();
    let signature = liteav_sig(&phone.token, &body_digest(body.as_bytes()));
    rest_with(program, command, &body, "liteav-sig", &signature).await
}

/// A signed call that must be done; what it answers.
pub(crate) async fn done_by(program: &Program, phone: &Phone, command: &str, fields: Value) -> Value {
    let mut answer = parse(&signed(program, phone, command, fields).await);
    assert_eq!(answer["code"], 200, "{command}: {answer}");
    answer["data"].take()
}

/// The code of a REST answer.
pub(crate) fn rest_code(answer: &str) -> u64 {
    parse(answer)["code"].as_u64().unwrap()
}

/// Posts a body from an address; the body of the answer.
pub(crate) async fn post_from(program: &Program, address: &str, path: &str, body: &str) -> String {
    let request = Request::post(path).extension(ClientAddress(address.parse().unwrap()));
    send(program, request.body(body.into()).unwrap()).await.into_body()
}

/// How many calls come at the same time.
pub(crate) const AT_ONCE: usize = 16;

/// Does something as often at the same time as [`AT_ONCE`] says, and gives what came of each.
pub(crate) async fn at_once<F, T>(program: &Arc<Program>, act: impl Fn(Arc<Program>, usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let tasks: Vec<_> = (0..AT_ONCE).map(|n| tokio::spawn(act(Arc::clone(program), n))).collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}
