//! Plays a script: does one act after the other, and looks whether all is as it should be.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use app::{
    answer::INTERFACE,
    config::{ActionAuth, Config},
};
use futures_util::future::join_all;
use protocol::{
    sign::user_sig,
    types::{Secret, UnixSeconds},
};
use serde_json::{Value, json};

use super::{
    cloud::{CLOSED, Cloud, Part},
    notices::{self, LIFE_SECONDS, Notice, Retries},
    script::{Act, Deed, How, Key, Step, To, What, Word},
    stage::{Answer, Stage, deliver},
};

/// A key that is not the cloud's.
const WRONG_KEY: &str = "a key that nobody was told";
/// How many rows a page of a list has.
const PAGE: u64 = 100;
/// How long a UserSig is good for.
const USER_SIG_SECONDS: u64 = 3600;
/// The code of the server for a room that is not there.
const NO_SUCH_ROOM: u64 = 2003;

/// What was not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Failure {
    /// The line of the script.
    pub line: usize,
    /// What.
    pub what: String,
}

/// Plays scripts before one server.
#[derive(Debug)]
pub struct Player<S> {
    stage: S,
    cloud: Arc<Mutex<Cloud>>,
    config: Config,
    retries: Retries,
    urls: BTreeMap<String, String>,
    groups: BTreeMap<String, String>,
    made: BTreeMap<String, Made>,
}

/// A notice, and when it was made.
#[derive(Clone, Debug)]
struct Made {
    notice: Notice,
    at: UnixSeconds,
}

/// What is to be posted, and what is expected of it.
#[derive(Debug)]
struct Sending {
    line: usize,
    what: Sent,
    body: Vec<u8>,
    refused: Option<String>,
}

#[derive(Clone, Debug)]
enum Sent {
    Notice,
    Call,
    /// The call of an operator.
    Order,
    /// The call that gives the user a push URL.
    Open(String),
}

/// An answer of an app's interface: code, text and data.
struct Reply {
    code: u64,
    text: String,
    data: Value,
}

impl<S: Stage> Player<S> {
    /// A player before this server, which has these settings.
    pub fn new(stage: S, cloud: Arc<Mutex<Cloud>>, config: &Config, retries: Retries) -> Self {
        let (urls, groups, made) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { stage, cloud, config: config.clone(), retries, urls, groups, made }
    }

    /// Where it plays.
    pub fn stage(&self) -> &S {
        &self.stage
    }

    /// Plays, and tells each line and what comes of it.
    pub async fn play(&mut self, steps: &[Step], mut tell: impl FnMut(&str)) -> Result<(), Failure> {
        let mut steps = steps.iter();
        while let Some(step) = steps.next() {
            tell(&format!("{:>4}  {}", step.line, step.act));
            match &step.act.deed {
                Deed::Wait { seconds } => self.stage.wait(*seconds).await,
                Deed::Expect { user, what } => {
                    self.expect(user, *what).await.map_err(|what| Failure { line: step.line, what })?;
                }
                Deed::Together => {
                    let mut sendings = Vec::new();
                    for step in steps.by_ref().take_while(|step| step.act.deed != Deed::End) {
                        tell(&format!("{:>4}    {}", step.line, step.act));
                        sendings.extend(self.prepare(step, &mut tell)?);
                    }
                    let answers = join_all(sendings.iter().map(|sending| self.send(sending))).await;
                    for (sending, answer) in sendings.iter().zip(answers) {
                        self.settle(sending, answer, &mut tell)?;
                    }
                }
                Deed::End => {}
                Deed::Open { .. }
                | Deed::Push { .. }
                | Deed::Stop { .. }
                | Deed::Record { .. }
                | Deed::Shot { .. }
                | Deed::Verdict { .. }
                | Deed::Event { .. }
                | Deed::Send { .. }
                | Deed::Say { .. }
                | Deed::Enter { .. }
                | Deed::Quit { .. }
                | Deed::Like { .. }
                | Deed::Ban { .. }
                | Deed::Unban { .. } => {
                    for sending in self.prepare(step, &mut tell)? {
                        let answer = self.send(&sending).await;
                        self.settle(&sending, answer, &mut tell)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What the cloud and the apps make of an act: nothing, something to send, or that twice.
    fn prepare(&mut self, step: &Step, tell: &mut impl FnMut(&str)) -> Result<Vec<Sending>, Failure> {
        let Step { line, act: Act { deed, how } } = step;
        let fault = |what: String| Failure { line: *line, what };
        let made = UnixSeconds(self.stage.now().0.saturating_add_signed(how.skew));
        let now = UnixSeconds(made.0.saturating_add_signed(how.at));
        let no_push = |push: &str| fault(format!("there is no push {push}"));
        let mut name = None;
        let mut notice = match deed {
            Deed::Push { user, push, to } => {
                let given = || self.urls.get(user).ok_or_else(|| fault(format!("the server gave {user} no push URL")));
                let begun = match to {
                    To::Given => self.cloud().push(given()?, push, now),
                    To::Url(url) => self.cloud().push(url, push, now),
                    To::Stream(stream) => self.cloud().push_stream(stream, push, now),
                };
                match begun {
                    Ok(notice) => {
                        name = Some(push.clone());
                        notice
                    }
                    Err(refused) => {
                        judge(*line, Some(format!("the cloud: {refused}")), how.refused.as_deref(), tell)?;
                        return Ok(vec![]);
                    }
                }
            }
            Deed::Stop { push, errcode } => {
                name = Some(format!("{push}.stop"));
                let ended = self.cloud().stop_for(push, errcode.unwrap_or(CLOSED), now);
                ended.ok_or_else(|| fault(format!("no push {push} is running")))?
            }
            Deed::Record { push, format, file, from, to, url } => {
                name = Some(file.clone());
                let second =
                    |offset: Option<i64>| offset.map(|offset| UnixSeconds(now.0.saturating_add_signed(offset)));
                let part = Part { from: second(*from), to: second(*to), url: url.as_deref() };
                let recorded = self.cloud().record(push, format, file, part, now);
                recorded.ok_or_else(|| no_push(push))?
            }
            Deed::Shot { push } => self.cloud().shot(push, now).ok_or_else(|| no_push(push))?,
            Deed::Verdict { push, word } => self.cloud().verdict(push, word, now).ok_or_else(|| no_push(push))?,
            Deed::Event { push, number } => self.cloud().event(push, *number, now).ok_or_else(|| no_push(push))?,
            Deed::Send { notice } => {
                let made = self.made.get(notice).ok_or_else(|| fault(format!("there is no notice {notice}")))?;
                return Ok(self.sendings(*line, &made.notice, made.at, how));
            }
            Deed::Open { .. }
            | Deed::Say { .. }
            | Deed::Enter { .. }
            | Deed::Quit { .. }
            | Deed::Like { .. }
            | Deed::Ban { .. }
            | Deed::Unban { .. } => return Ok(self.calls(*line, deed, how)),
            Deed::Wait { .. } | Deed::Expect { .. } | Deed::Together | Deed::End => return Ok(vec![]),
        };
        if let Some(field) = &how.without {
            notice.remove(field).ok_or_else(|| fault(format!("the notice has no {field}")))?;
        }
        let sendings = if how.lost { vec![] } else { self.sendings(*line, &notice, made, how) };
        if let Some(name) = name {
            self.made.insert(name, Made { notice, at: made });
        }
        Ok(sendings)
    }

    fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A notice that was made at `made`, as often as it is to be sent.
    fn sendings(&self, line: usize, notice: &Notice, made: UnixSeconds, how: &How) -> Vec<Sending> {
        let key = match how.key {
            Key::Right => self.cloud().key(),
            Key::Wrong => Secret::new(WRONG_KEY),
        };
        let made = match how.late {
            Some(late) => self.stage.now().minus(LIFE_SECONDS.saturating_add(late)),
            None if how.anew => self.stage.now(),
            None => made,
        };
        copies(line, Sent::Notice, notice.body(made, &key), how)
    }

    /// A call of an app or of an operator, as often as it is to be made.
    fn calls(&mut self, line: usize, deed: &Deed, how: &How) -> Vec<Sending> {
        let mut sent = Sent::Call;
        let (caller, fields) = match deed {
            Deed::Open { user, title, group } => {
                let group = group.clone().unwrap_or_else(|| format!("@{user}"));
                sent = Sent::Open(user.clone());
                self.groups.insert(user.clone(), group.clone());
                (user, json!({ "Action": "RequestLVBAddr", "userid": user, "groupid": group, "title": title }))
            }
            Deed::Say { user, word } => {
                let status = match word {
                    Word::Online => 0,
                    Word::Offline => 1,
                };
                (user, json!({ "Action": "ChangeStatus", "userid": user, "status": status }))
            }
            Deed::Enter { viewer, user, group } => (viewer, self.visit("EnterGroup", viewer, user, group.as_ref())),
            Deed::Quit { viewer, user, group } => (viewer, self.visit("QuitGroup", viewer, user, group.as_ref())),
            Deed::Like { viewer, user } => {
                (viewer, json!({ "Action": "ChangeCount", "userid": user, "type": 1, "optype": 0, "flag": 0 }))
            }
            Deed::Ban { user } => return copies(line, Sent::Order, order(user, 1), how),
            Deed::Unban { user } => return copies(line, Sent::Order, order(user, 0), how),
            Deed::Push { .. }
            | Deed::Stop { .. }
            | Deed::Record { .. }
            | Deed::Shot { .. }
            | Deed::Verdict { .. }
            | Deed::Event { .. }
            | Deed::Send { .. }
            | Deed::Wait { .. }
            | Deed::Expect { .. }
            | Deed::Together
            | Deed::End => return vec![],
        };
        copies(line, sent, self.call_body(caller, fields), how)
    }

    fn visit(&self, action: &str, viewer: &str, user: &str, group: Option<&String>) -> Value {
        let group = group.or_else(|| self.groups.get(user)).cloned().unwrap_or_else(|| format!("@{user}"));
        json!({ "Action": action, "userid": viewer, "liveuserid": user, "groupid": group, "flag": 0 })
    }

    /// The body of a call, with what proves the caller where the server wants that.
    fn call_body(&self, caller: &str, mut fields: Value) -> Vec<u8> {
        match self.config.action_auth {
            ActionAuth::Open => {}
            ActionAuth::UserSig => {
                let (im, now) = (&self.config.im, self.stage.now());
                let sig = user_sig::sign(caller, im.sdk_app_id, &im.secret_key, now, USER_SIG_SECONDS, None);
                fields["usersig"] = json!(sig);
            }
        }
        fields.to_string().into_bytes()
    }

    async fn send(&self, sending: &Sending) -> Result<Answer, String> {
        let body = sending.body.clone();
        match sending.what {
            Sent::Notice => {
                let retries = if sending.refused.is_none() { self.retries } else { Retries::NONE };
                deliver(&self.stage, &notices::path(&self.config.live), body, retries).await
            }
            Sent::Call | Sent::Open(_) => self.stage.post(INTERFACE, None, body).await,
            Sent::Order => self.stage.post(INTERFACE, self.config.operator_key.as_ref(), body).await,
        }
    }

    /// Looks at what came of something that was sent.
    fn settle(
        &mut self,
        sending: &Sending,
        answer: Result<Answer, String>,
        tell: &mut impl FnMut(&str),
    ) -> Result<(), Failure> {
        let line = sending.line;
        let answer = answer.map_err(|what| Failure { line, what })?;
        let reason = match &sending.what {
            Sent::Notice => why_not_taken(&answer),
            Sent::Call | Sent::Open(_) | Sent::Order => {
                let reply = Reply::read(&answer).map_err(|what| Failure { line, what })?;
                if let (Sent::Open(user), Some(url)) = (&sending.what, reply.data["pushurl"].as_str()) {
                    self.urls.insert(user.clone(), url.to_owned());
                    tell(&format!("        {url}"));
                }
                (reply.code != 0).then(|| format!("{} {}", reply.code, reply.text))
            }
        };
        judge(line, reason, sending.refused.as_deref(), tell)
    }

    async fn call(&self, caller: &str, fields: Value) -> Result<Reply, String> {
        Reply::read(&self.stage.post(INTERFACE, None, self.call_body(caller, fields)).await?)
    }

    async fn expect(&self, user: &str, what: What) -> Result<(), String> {
        match what {
            What::Live => self.expect_status(user, "live").await,
            What::Offline => self.expect_status(user, "offline").await,
            What::Replays(expected) => {
                let number = self.rows(user, 2).await?;
                same(&format!("replays of {user}"), expected, number)
            }
            What::Viewers(expected) => self.expect_count(user, "viewercount", expected).await,
            What::Likes(expected) => self.expect_count(user, "likecount", expected).await,
        }
    }

    /// The room's row and the list of lives must both say so.
    async fn expect_status(&self, user: &str, expected: &str) -> Result<(), String> {
        let word = |is_live| if is_live { "live" } else { "offline" };
        let room = self.room(user).await?;
        let in_row = word(room["status"] == "1");
        let in_list = word(self.rows(user, 1).await? > 0);
        if (in_row, in_list) == (expected, expected) {
            return Ok(());
        }
        Err(format!("{user} should be {expected}, but is {in_row} in the room's row and {in_list} in the list"))
    }

    async fn expect_count(&self, user: &str, field: &str, expected: u64) -> Result<(), String> {
        let room = self.room(user).await?;
        same(&format!("{field} of {user}"), expected, room[field].as_u64().unwrap_or_default())
    }

    /// The row of a room, null if there is none.
    async fn room(&self, user: &str) -> Result<Value, String> {
        let reply = self.call(user, json!({ "Action": "GetUserInfo", "userid": user, "type": 0 })).await?;
        match reply.code {
            0 => Ok(reply.data),
            NO_SUCH_ROOM => Ok(Value::Null),
            code => Err(format!("the room of {user}: {code} {}", reply.text)),
        }
    }

    /// How many rows of a user a list has.
    async fn rows(&self, user: &str, flag: u64) -> Result<u64, String> {
        let mut found = 0;
        for page in 1.. {
            let fields = json!({ "Action": "FetchList", "flag": flag, "pageno": page, "pagesize": PAGE });
            let reply = self.call(user, fields).await?;
            let rows = reply.data["pusherlist"].as_array().ok_or_else(|| format!("no list: {}", reply.text))?;
            found += rows.iter().map(|row| u64::from(row["userid"] == user)).sum::<u64>();
            if rows.is_empty() || reply.data["totalcount"].as_u64().is_none_or(|total| total <= page * PAGE) {
                break;
            }
        }
        Ok(found)
    }
}

fn same(what: &str, expected: u64, number: u64) -> Result<(), String> {
    if number == expected { Ok(()) } else { Err(format!("{what}: expected {expected}, found {number}")) }
}

fn copies(line: usize, what: Sent, body: Vec<u8>, how: &How) -> Vec<Sending> {
    let copy = || Sending { line, what: what.clone(), body: body.clone(), refused: how.refused.clone() };
    (0..=u8::from(how.again)).map(|_| copy()).collect()
}

/// The body of an operator's call that bans a user, or lifts the ban.
fn order(user: &str, flag: u8) -> Vec<u8> {
    json!({ "Action": "ForbidLive", "userid": user, "forbidflag": flag }).to_string().into_bytes()
}

/// Why a notice was not taken; `None` if it was.
fn why_not_taken(Answer { status, body }: &Answer) -> Option<String> {
    let code = serde_json::from_str::<Value>(body).ok().and_then(|body| body["code"].as_i64());
    (*status != 200 || code != Some(0)).then(|| format!("HTTP status {status} {body}"))
}

impl Reply {
    fn read(Answer { status, body }: &Answer) -> Result<Self, String> {
        let mut reply: Value = serde_json::from_str(body).map_err(|_| format!("HTTP status {status} {body}"))?;
        let code = reply["returnValue"].as_u64().ok_or_else(|| format!("no answer to a call: {body}"))?;
        let text = reply["returnMsg"].as_str().unwrap_or_default().to_owned();
        Ok(Self { code, text, data: reply["returnData"].take() })
    }
}

/// Holds what happened against what was expected: a reason is that of a refusal.
fn judge(
    line: usize,
    reason: Option<String>,
    expected: Option<&str>,
    tell: &mut impl FnMut(&str),
) -> Result<(), Failure> {
    let what = match (reason, expected) {
        (None, None) => return Ok(()),
        (Some(reason), Some(text)) if reason.contains(text) => {
            tell(&format!("        refused, as it should be: {reason}"));
            return Ok(());
        }
        (None, Some(_)) => "it was accepted, but should be refused".to_owned(),
        (Some(reason), Some(text)) => format!("it was refused, but not for {text}: {reason}"),
        (Some(reason), None) => format!("it was refused: {reason}"),
    };
    Err(Failure { line, what })
}
