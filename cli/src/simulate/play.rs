//! Plays a script: does what each statement says, and checks the answers and expectations.

use std::{collections::BTreeMap, sync::Mutex};

use app::{
    answer::INTERFACE,
    config::{ActionAuth, Config},
};
use cloud::{
    account::{Account, CLOSED, FilePart, Refusal, lock},
    notices::{LIFETIME_SECONDS, Notice, Retries},
};
use futures_util::future::join_all;
use protocol::{
    sign::{push_url, user_sig},
    types::{Secret, UnixSeconds},
};
use serde_json::{Value, json};

use super::{
    backend::{Answer, Backend, deliver},
    script::{Action, Error, Expectation, Modifiers, RoomStatus, Statement, Step},
};

/// A key that is not the key of the cloud.
const WRONG_KEY: &str = "a key that nobody was told";
/// The advice for a wrong signature of a push URL: the simulator has probably read other settings than the server.
const SETTINGS_HINT: &str = "; are these the settings of the server that gave it (--data, --config)?";
/// The number of rows of a page.
const PAGE_SIZE: u64 = 100;
/// The lifetime of a UserSig.
const USER_SIG_SECONDS: u64 = 3600;
/// The code of the server for a room that does not exist.
const NO_SUCH_ROOM: u64 = 2003;

/// Plays scripts against one server.
#[derive(Debug)]
pub struct Player<'a, B> {
    backend: &'a B,
    cloud: &'a Mutex<Account>,
    config: &'a Config,
    retries: Retries,
    /// The push URL of each user.
    urls: BTreeMap<String, String>,
    /// The group of the room of each user.
    groups: BTreeMap<String, String>,
    /// The named notices, and when they were made.
    notices: BTreeMap<String, (Notice, UnixSeconds)>,
}

/// A request to the server.
#[derive(Clone, Debug)]
struct Request {
    kind: Kind,
    body: String,
    /// The text that the reason of the expected refusal contains.
    refused: Option<String>,
}

#[derive(Clone, Debug)]
enum Kind {
    Notice,
    Call,
    OperatorCall,
    /// The call that gives this user a push URL.
    Open(String),
}

impl<'a, B: Backend> Player<'a, B> {
    /// A player against a server that has these settings.
    pub fn new(backend: &'a B, cloud: &'a Mutex<Account>, config: &'a Config, retries: Retries) -> Self {
        let (urls, groups, notices) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { backend, cloud, config, retries, urls, groups, notices }
    }

    /// Plays a script. `print` gets each line, and what follows from it.
    pub async fn play(&mut self, steps: &[Step], mut print: impl FnMut(&str)) -> Result<(), Error> {
        let mut steps = steps.iter();
        while let Some(step) = steps.next() {
            let error = |line| move |reason| Error { line, reason };
            print(&format!("{:>4}  {}", step.line, step.statement));
            if step.statement.action != Action::Together {
                self.play_alone(&step.statement, &mut print).await.map_err(error(step.line))?;
                continue;
            }
            let mut requests = Vec::new();
            for Step { line, statement } in steps.by_ref().take_while(|step| step.statement.action != Action::End) {
                print(&format!("{line:>4}    {statement}"));
                let prepared = self.prepare(statement, &mut print).map_err(error(*line))?;
                requests.extend(prepared.into_iter().map(|request| (*line, request)));
            }
            let answers = join_all(requests.iter().map(|(_, request)| self.send(request))).await;
            for ((line, request), answer) in requests.iter().zip(answers) {
                answer.and_then(|answer| self.check(request, &answer, &mut print)).map_err(error(*line))?;
            }
        }
        Ok(())
    }

    async fn play_alone(&mut self, statement: &Statement, print: &mut impl FnMut(&str)) -> Result<(), String> {
        if let Action::Wait { seconds } = statement.action {
            self.backend.wait(seconds).await;
        }
        if let Action::Expect { expectation } = &statement.action {
            self.expect(expectation).await?;
        }
        for request in self.prepare(statement, print)? {
            let answer = self.send(&request).await?;
            self.check(&request, &answer, print)?;
        }
        Ok(())
    }

    /// The requests of a statement: none, one, or the same one twice.
    fn prepare(&mut self, statement: &Statement, print: &mut impl FnMut(&str)) -> Result<Vec<Request>, String> {
        let Statement { action, modifiers } = statement;
        if let Some((kind, body)) = self.call(action) {
            return Ok(requests(kind, body, modifiers));
        }
        let made_at = UnixSeconds(self.backend.now().0.saturating_add_signed(modifiers.skew));
        let now = UnixSeconds(made_at.0.saturating_add_signed(modifiers.at));
        let known = |push: &str, notice: Option<Notice>| notice.ok_or_else(|| format!("there is no push {push}"));
        let mut cloud = lock(self.cloud);
        let key = if modifiers.wrong_key { Secret::new(WRONG_KEY) } else { cloud.settings().callback_key.clone() };
        let mut name = None;
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other actions are not about notices")]
        let mut notice = match action {
            Action::Push { user, push, url, stream } => {
                let started = match (stream, url.as_ref().or(self.urls.get(user))) {
                    (Some(stream), _) => cloud.push_stream(stream, push, now),
                    (None, Some(url)) => cloud.push(url, push, now),
                    (None, None) => return Err(format!("the server gave {user} no push URL")),
                };
                name = Some(push.clone());
                match started {
                    Ok(notice) => notice,
                    Err(refusal) => {
                        let is_wrong_key = refusal == Refusal::Url(push_url::Fault::Secret);
                        let hint = if is_wrong_key { SETTINGS_HINT } else { "" };
                        let reason = format!("the cloud: {refusal}{hint}");
                        return check_refusal(Some(reason), modifiers.refused.as_deref(), print).map(|()| vec![]);
                    }
                }
            }
            Action::Stop { push, errcode } => {
                name = Some(format!("{push}.stop"));
                let end = cloud.stop(push, errcode.unwrap_or(CLOSED), now);
                end.ok_or_else(|| format!("no push {push} is running"))?
            }
            Action::Record { push, format, file, from, to, url } => {
                name = Some(file.clone());
                let second = |offset| UnixSeconds(now.0.saturating_add_signed(offset));
                let part = FilePart { from: from.map(second), to: to.map(second), url: url.as_deref(), bytes: None };
                known(push, cloud.record(push, format, file, part, now))?
            }
            Action::Shot { push } => known(push, cloud.shot(push, None, now))?,
            Action::Verdict { push, verdict } => known(push, cloud.verdict(push, verdict, now))?,
            Action::Event { push, number } => known(push, cloud.event(push, *number, now))?,
            Action::Send { notice } => {
                let (notice, made_at) =
                    self.notices.get(notice).ok_or_else(|| format!("there is no notice {notice}"))?;
                return Ok(self.sign(notice, *made_at, &key, modifiers));
            }
            _ => return Ok(vec![]),
        };
        if let Some(field) = &modifiers.without {
            let removed = notice.fields.as_object_mut().and_then(|fields| fields.remove(field));
            removed.ok_or_else(|| format!("the notice has no {field}"))?;
        }
        let requests = self.sign(&notice, made_at, &key, modifiers);
        if let Some(name) = name {
            self.notices.insert(name, (notice, made_at));
        }
        Ok(requests)
    }

    /// The requests with a notice that was made at `made_at`.
    fn sign(&self, notice: &Notice, made_at: UnixSeconds, key: &Secret, modifiers: &Modifiers) -> Vec<Request> {
        if modifiers.lost {
            return vec![];
        }
        let signed_at = match modifiers.late {
            Some(seconds) => self.backend.now().minus(LIFETIME_SECONDS.saturating_add(seconds)),
            None if modifiers.anew => self.backend.now(),
            None => made_at,
        };
        requests(Kind::Notice, notice.body(signed_at, key), modifiers)
    }

    /// The body of a call; `None` if the action is not a call.
    fn call(&mut self, action: &Action) -> Option<(Kind, String)> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the other actions are not calls")]
        let (kind, caller, fields) = match action {
            Action::Open { user, title, group } => {
                let group = group.clone().unwrap_or_else(|| format!("@{user}"));
                let fields = json!({ "Action": "RequestLVBAddr", "userid": user, "groupid": group, "title": title });
                self.groups.insert(user.clone(), group);
                (Kind::Open(user.clone()), user, fields)
            }
            Action::Say { user, status } => {
                let status = u8::from(*status == RoomStatus::Offline);
                (Kind::Call, user, json!({ "Action": "ChangeStatus", "userid": user, "status": status }))
            }
            Action::Enter { viewer, user, group } | Action::Quit { viewer, user, group } => {
                let name = if matches!(action, Action::Enter { .. }) { "EnterGroup" } else { "QuitGroup" };
                let group = group.as_ref().or(self.groups.get(user)).cloned().unwrap_or_else(|| format!("@{user}"));
                let fields =
                    json!({ "Action": name, "userid": viewer, "liveuserid": user, "groupid": group, "flag": 0 });
                (Kind::Call, viewer, fields)
            }
            Action::Like { viewer, user } => {
                let fields = json!({ "Action": "ChangeCount", "userid": user, "type": 1, "optype": 0, "flag": 0 });
                (Kind::Call, viewer, fields)
            }
            Action::Ban { user } | Action::Unban { user } => {
                let flag = u8::from(matches!(action, Action::Ban { .. }));
                (Kind::OperatorCall, user, json!({ "Action": "ForbidLive", "userid": user, "forbidflag": flag }))
            }
            _ => return None,
        };
        // Operators have a key instead of a UserSig.
        let is_signed = !matches!(kind, Kind::OperatorCall);
        let body = if is_signed { self.call_body(caller, fields) } else { fields.to_string() };
        Some((kind, body))
    }

    /// The body of a call, with the authentication that the server requires.
    fn call_body(&self, caller: &str, mut fields: Value) -> String {
        if self.config.action_auth == ActionAuth::UserSig {
            let (im, now) = (&self.config.im, self.backend.now());
            let sig = user_sig::sign(caller, im.sdk_app_id, &im.secret_key, now, USER_SIG_SECONDS);
            fields["usersig"] = json!(sig);
        }
        fields.to_string()
    }

    async fn send(&self, request: &Request) -> Result<Answer, String> {
        let body = request.body.clone();
        match request.kind {
            Kind::Notice => {
                let retries = if request.refused.is_none() { self.retries } else { Retries::NONE };
                let path = lock(self.cloud).settings().callback_path.clone();
                deliver(self.backend, &path, body, retries).await
            }
            Kind::Call | Kind::Open(_) => self.backend.post(INTERFACE, None, body).await,
            Kind::OperatorCall => self.backend.post(INTERFACE, self.config.operator_key.as_ref(), body).await,
        }
    }

    /// Checks the answer to a request.
    fn check(&mut self, request: &Request, answer: &Answer, print: &mut impl FnMut(&str)) -> Result<(), String> {
        let Answer { status, body } = answer;
        let reason = if matches!(request.kind, Kind::Notice) {
            let code = serde_json::from_str::<Value>(body).ok().and_then(|body| body["code"].as_i64());
            (*status != 200 || code != Some(0)).then(|| format!("HTTP status {status} {body}"))
        } else {
            let reply = parse_reply(answer)?;
            if let (Kind::Open(user), Some(url)) = (&request.kind, reply["returnData"]["pushurl"].as_str()) {
                self.urls.insert(user.clone(), url.to_owned());
                print(&format!("        {url}"));
            }
            (reply["returnValue"] != 0).then(|| code_and_text(&reply))
        };
        check_refusal(reason, request.refused.as_deref(), print)
    }

    async fn expect(&self, expectation: &Expectation) -> Result<(), String> {
        let (what, user, expected, found) = match expectation {
            Expectation::Live { user } => ("status", user, "live".to_owned(), self.status(user).await?),
            Expectation::Offline { user } => ("status", user, "offline".to_owned(), self.status(user).await?),
            Expectation::Replays { user, number } => {
                ("replays", user, number.to_string(), self.count_rows(user, 2).await?.to_string())
            }
            Expectation::Viewers { user, number } => {
                ("viewers", user, number.to_string(), self.count(user, "viewercount").await?)
            }
            Expectation::Likes { user, number } => {
                ("likes", user, number.to_string(), self.count(user, "likecount").await?)
            }
        };
        if found == expected { Ok(()) } else { Err(format!("{what} of {user}: expected {expected}, found {found}")) }
    }

    /// The status of a user in the room's row and in the list of lives.
    async fn status(&self, user: &str) -> Result<String, String> {
        let status = |is_live| if is_live { "live" } else { "offline" };
        let in_row = status(self.room(user).await?["status"] == "1");
        let in_list = status(self.count_rows(user, 1).await? > 0);
        if in_row == in_list {
            return Ok(in_row.to_owned());
        }
        Ok(format!("{in_row} in the room's row and {in_list} in the list"))
    }

    async fn count(&self, user: &str, field: &str) -> Result<String, String> {
        Ok(self.room(user).await?[field].as_u64().unwrap_or_default().to_string())
    }

    /// The row of a room; null if there is none.
    async fn room(&self, user: &str) -> Result<Value, String> {
        let mut reply = self.read(user, json!({ "Action": "GetUserInfo", "userid": user, "type": 0 })).await?;
        match reply["returnValue"].as_u64() {
            Some(0) => Ok(reply["returnData"].take()),
            Some(NO_SUCH_ROOM) => Ok(Value::Null),
            _ => Err(format!("the room of {user}: {}", code_and_text(&reply))),
        }
    }

    /// The number of rows of a user in a list.
    async fn count_rows(&self, user: &str, flag: u64) -> Result<u64, String> {
        let mut found = 0;
        for page in 1.. {
            let fields = json!({ "Action": "FetchList", "flag": flag, "pageno": page, "pagesize": PAGE_SIZE });
            let reply = self.read(user, fields).await?;
            let list = &reply["returnData"];
            let rows = list["pusherlist"].as_array().ok_or_else(|| format!("no list: {}", code_and_text(&reply)))?;
            found += rows.iter().map(|row| u64::from(row["userid"] == user)).sum::<u64>();
            if rows.is_empty() || list["totalcount"].as_u64().is_none_or(|total| total <= page * PAGE_SIZE) {
                break;
            }
        }
        Ok(found)
    }

    async fn read(&self, caller: &str, fields: Value) -> Result<Value, String> {
        parse_reply(&self.backend.post(INTERFACE, None, self.call_body(caller, fields)).await?)
    }
}

fn parse_reply(Answer { status, body }: &Answer) -> Result<Value, String> {
    let reply: Value = serde_json::from_str(body).map_err(|_| format!("HTTP status {status} {body}"))?;
    if reply["returnValue"].is_u64() { Ok(reply) } else { Err(format!("no answer to a call: {body}")) }
}

fn code_and_text(reply: &Value) -> String {
    format!("{} {}", reply["returnValue"], reply["returnMsg"].as_str().unwrap_or_default())
}

fn requests(kind: Kind, body: String, modifiers: &Modifiers) -> Vec<Request> {
    let copies = if modifiers.again { 2 } else { 1 };
    vec![Request { kind, body, refused: modifiers.refused.clone() }; copies]
}

/// Compares the reason of a refusal with the expected text.
fn check_refusal(reason: Option<String>, expected: Option<&str>, print: &mut impl FnMut(&str)) -> Result<(), String> {
    match (reason, expected) {
        (None, None) => Ok(()),
        (Some(reason), Some(text)) if reason.contains(text) => {
            print(&format!("        refused, as expected: {reason}"));
            Ok(())
        }
        (None, Some(_)) => Err("it was accepted, but should be refused".to_owned()),
        (Some(reason), Some(text)) => Err(format!("it was refused, but not for {text}: {reason}")),
        (Some(reason), None) => Err(format!("it was refused: {reason}")),
    }
}
