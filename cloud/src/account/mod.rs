//! The live cloud's account of one customer: its pushes, bans and files, and the notices about them. It has no sockets,
//! no video and no clock.

mod events;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError},
};

use protocol::{
    sign::push_url::{self, Domains, PushUrl},
    types::{Secret, UnixSeconds},
};
use serde_json::json;

pub use self::events::{FilePart, file_url};
use crate::{bounds::MAX_PUSHED_STREAMS, notices::Notice};

/// How long a stream is forbidden by default.
pub(crate) const FORBIDDEN_SECONDS: u64 = 7 * 24 * 3600;
/// The `errcode` of a push that the app closed.
pub const CLOSED: u64 = 1;
/// The `errcode` of a push whose connection the publisher closed without a word.
pub const CLOSED_BY_PEER: u64 = 3;
/// The `errcode` of a push whose connection failed.
pub const FAILED: u64 = 4;
/// The `errcode` of a push that the cloud refused.
const REFUSED: u64 = 18;
/// The `errcode` of a push that the business server dropped.
const DROPPED: u64 = 21;
/// The `sub_errcode` of a push that was dropped because a newer push of the stream began.
const REPLACED: u64 = 102;
/// The application of a push without a URL.
const APP: &str = "live";
/// What the cloud and the business server have agreed on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The appid of the account.
    pub appid: String,
    /// The business id, and the push and play domains.
    pub domains: Domains,
    /// The key of the push domain's hotlink protection.
    pub push_key: Secret,
    /// The key that signs notices.
    pub callback_key: Secret,
    /// The path at which the business server takes notices.
    pub callback_path: String,
    /// The key that signs calls to the old interface.
    pub api_key: Secret,
    /// The id of the key that signs calls to API 3.0.
    pub secret_id: String,
    /// The key that signs calls to API 3.0.
    pub secret_key: Secret,
}

/// The account, and what the cloud has of it.
#[derive(Clone, Debug)]
pub struct Account {
    pub(crate) settings: Settings,
    run: String,
    pushes: BTreeMap<String, Push>,
    /// The streams of pushes that are forgotten.
    pushed: BTreeSet<String>,
    /// The end of each ban of a stream.
    forbidden: BTreeMap<String, UnixSeconds>,
    files: BTreeSet<String>,
    /// The files that were deleted since [`Account::take_deleted`] was called.
    deleted: Vec<String>,
    /// The number of answers of API 3.0.
    pub(crate) answers: u64,
}

#[derive(Clone, Debug)]
struct Push {
    app: String,
    stream: String,
    query: String,
    start: UnixSeconds,
    end: Option<UnixSeconds>,
    /// Whether the push is forgotten at its end.
    is_recorded: bool,
}

/// Why the cloud refuses a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The URL is wrong.
    #[error("the push URL is wrong: {0}")]
    Url(push_url::Fault),
    /// The stream is forbidden.
    #[error("the stream is forbidden")]
    Forbidden,
    /// There is, or was, a push of this name.
    #[error("there is a push of this name")]
    Taken,
}

/// The state of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The stream is pushed.
    Active,
    /// The stream is not pushed.
    Inactive,
    /// The stream must not be pushed.
    Forbidden,
}

/// Whether a host is an address, with a port or without.
fn is_address(host: &str) -> bool {
    host.parse::<SocketAddr>().is_ok() || host.parse::<IpAddr>().is_ok()
}

/// Locks an account, also after a panic.
pub fn lock(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Account {
    /// An account with these settings, without pushes and files.
    ///
    /// `run` is a prefix of the names of pushes and files, so that two runs against one server use different names.
    pub fn new(settings: Settings, run: &str) -> Self {
        Self {
            settings,
            run: run.to_owned(),
            pushes: BTreeMap::new(),
            pushed: BTreeSet::new(),
            forbidden: BTreeMap::new(),
            files: BTreeSet::new(),
            deleted: Vec::new(),
            answers: 0,
        }
    }

    /// The settings of the account.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Starts the push `name` to a URL, which is checked.
    pub fn push(&mut self, url: &str, name: &str, now: UnixSeconds) -> Result<Notice, Refusal> {
        let mut domains = self.settings.domains.clone();
        // A business server with a live cloud in its own process gives the address of its machine, which no setting has.
        if let Some(host) = PushUrl::parse(url).map(|url| url.host).filter(|host| is_address(host)) {
            host.clone_into(&mut domains.push);
        }
        let PushUrl { app, stream, query, .. } =
            domains.read_push_url(url, &self.settings.push_key, now).map_err(Refusal::Url)?;
        let [app, stream, query] = [app, stream, query].map(str::to_owned);
        self.start(Push { app, stream, query, start: now, end: None, is_recorded: false }, name)
    }

    /// Starts the push `name` of a stream, without a URL.
    pub fn push_stream(&mut self, stream: &str, name: &str, now: UnixSeconds) -> Result<Notice, Refusal> {
        let (app, stream, query) = (APP.to_owned(), stream.to_owned(), String::new());
        self.start(Push { app, stream, query, start: now, end: None, is_recorded: false }, name)
    }

    fn start(&mut self, push: Push, name: &str) -> Result<Notice, Refusal> {
        if self.state(&push.stream, push.start) == State::Forbidden {
            return Err(Refusal::Forbidden);
        }
        if self.pushes.contains_key(name) {
            return Err(Refusal::Taken);
        }
        let fields = json!({
            "event_type": 1, "event_time": push.start.0, "errcode": 0, "errmsg": "ok", "width": 0, "height": 0,
        });
        let notice = self.notice(name, &push, fields);
        self.pushes.insert(name.to_owned(), push);
        Ok(notice)
    }

    /// Ends a push with an `errcode` of the cloud's table of interruptions; `None` if the push does not run.
    pub fn stop(&mut self, name: &str, errcode: u64, now: UnixSeconds) -> Option<Notice> {
        let message = match errcode {
            CLOSED => "recv rtmp deleteStream",
            CLOSED_BY_PEER => "the connection was closed by the peer",
            FAILED => "the connection failed",
            REFUSED => "push is not allowed",
            DROPPED => "the stream was dropped",
            _ => "",
        };
        let push = self.pushes.get_mut(name).filter(|push| push.end.is_none())?;
        push.end = Some(now);
        let push = push.clone();
        let milliseconds = now.0.saturating_sub(push.start.0) * 1000;
        let fields = json!({
            "event_type": 0, "event_time": now.0, "errcode": errcode, "errmsg": message,
            "push_duration": milliseconds.to_string(), "width": 960, "height": 540,
        });
        let notice = self.notice(name, &push, fields);
        if push.is_recorded {
            self.forget(name);
        }
        Some(notice)
    }

    /// Ends every push of a stream.
    pub fn drop_stream(&mut self, stream: &str, now: UnixSeconds) -> Vec<Notice> {
        let pushes = self.pushes.iter().filter(|(_, push)| push.stream == stream);
        let names: Vec<_> = pushes.map(|(name, _)| name.clone()).collect();
        names.iter().filter_map(|name| self.stop(name, DROPPED, now)).collect()
    }

    /// Starts the push `name` to a URL, which is checked, and ends every other push of the stream. A phone that lost its
    /// connection pushes again before the cloud has noticed.
    pub fn replace(&mut self, url: &str, name: &str, now: UnixSeconds) -> Result<Vec<Notice>, Refusal> {
        let start = self.push(url, name, now)?;
        let stream = self.pushes.get(name).map(|push| push.stream.clone()).unwrap_or_default();
        let others = self.pushes.iter().filter(|(other, push)| push.stream == stream && *other != name);
        let others: Vec<_> = others.map(|(other, _)| other.clone()).collect();
        let mut notices: Vec<_> = others.iter().filter_map(|other| self.stop(other, DROPPED, now)).collect();
        for notice in &mut notices {
            notice.fields["sub_errcode"] = json!(REPLACED);
        }
        notices.push(start);
        Ok(notices)
    }

    /// Whether a push runs.
    pub fn is_running(&self, name: &str) -> bool {
        self.pushes.get(name).is_some_and(|push| push.end.is_none())
    }

    /// Forgets a push, when its files are recorded. Its stream counts as pushed. A push that still runs, because its
    /// recording failed, is forgotten at its end.
    pub fn forget(&mut self, name: &str) {
        if let Some(push) = self.pushes.get_mut(name).filter(|push| push.end.is_none()) {
            push.is_recorded = true;
            return;
        }
        if let Some(push) = self.pushes.remove(name) {
            if self.pushed.len() >= MAX_PUSHED_STREAMS {
                self.pushed.pop_first();
            }
            self.pushed.insert(push.stream);
        }
    }

    /// Forbids a stream until a time, and ends its pushes.
    pub fn forbid(&mut self, stream: &str, until: UnixSeconds, now: UnixSeconds) -> Vec<Notice> {
        self.forbidden.insert(stream.to_owned(), until);
        self.drop_stream(stream, now)
    }

    /// Allows a stream again.
    pub fn resume(&mut self, stream: &str) {
        self.forbidden.remove(stream);
    }

    /// The state of a stream.
    pub fn state(&self, stream: &str, now: UnixSeconds) -> State {
        if self.forbidden.get(stream).is_some_and(|until| now < *until) {
            return State::Forbidden;
        }
        if self.running().any(|running| running == stream) { State::Active } else { State::Inactive }
    }

    /// The streams that are pushed.
    pub(crate) fn running(&self) -> impl Iterator<Item = &str> {
        self.pushes.values().filter(|push| push.end.is_none()).map(|push| push.stream.as_str())
    }

    /// Whether a stream was ever pushed.
    pub(crate) fn was_pushed(&self, stream: &str) -> bool {
        self.pushed.contains(stream) || self.pushes.values().any(|push| push.stream == stream)
    }

    /// The id of a file of this process.
    pub fn file_name(&self, file: &str) -> String {
        format!("{}{file}", self.run)
    }

    /// Adds a file that an earlier process recorded.
    pub fn add_file(&mut self, id: String) {
        self.files.insert(id);
    }

    /// Deletes a file; whether there was one.
    pub(crate) fn delete_file(&mut self, id: &str) -> bool {
        let was_there = self.files.remove(id);
        self.deleted.extend(was_there.then(|| id.to_owned()));
        was_there
    }

    /// Forgets a file that the cloud has deleted by itself.
    pub(crate) fn forget_file(&mut self, id: &str) {
        self.files.remove(id);
    }

    /// The files that were deleted since the last call.
    pub fn take_deleted(&mut self) -> Vec<String> {
        std::mem::take(&mut self.deleted)
    }

    /// How many pushes there are: running ones, and such whose files are being recorded.
    pub(crate) fn count(&self) -> usize {
        self.pushes.len()
    }

    /// Whether there are no pushes, neither running ones nor such whose files are being recorded.
    pub fn is_idle(&self) -> bool {
        self.pushes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{settings, url_of_alice};

    const NOW: UnixSeconds = UnixSeconds(1_600_000_000);

    fn cloud() -> (Account, String) {
        (Account::new(settings(), "run-"), url_of_alice(NOW))
    }

    #[test]
    fn a_push_is_active_until_it_stops_once() {
        let (mut cloud, url) = cloud();
        assert!(!cloud.was_pushed("8888_alice"));
        let start = cloud.push(&url, "p1", NOW).unwrap();
        assert_eq!(start.fields["sequence"], "run-p1");
        assert_eq!(start.fields["stream_param"].as_str(), url.split('?').nth(1));
        assert_eq!(cloud.state("8888_alice", NOW), State::Active);
        let end = cloud.stop("p1", CLOSED, NOW.plus(7)).unwrap();
        assert_eq!((&end.fields["event_type"], &end.fields["push_duration"]), (&json!(0), &json!("7000")));
        assert_eq!(cloud.state("8888_alice", NOW), State::Inactive);
        assert_eq!(cloud.stop("p1", CLOSED, NOW), None);
        assert!(cloud.was_pushed("8888_alice"));
        assert_eq!(cloud.push(&url, "p1", NOW), Err(Refusal::Taken));
    }

    #[test]
    fn a_forbidden_stream_is_cut_and_refused_until_its_time_is_over() {
        let (mut cloud, url) = cloud();
        cloud.push(&url, "p1", NOW).unwrap();
        cloud.push(&url, "p2", NOW).unwrap();
        let cut = cloud.forbid("8888_alice", NOW.plus(10), NOW.plus(1));
        let sequences: Vec<_> = cut.iter().map(|notice| &notice.fields["sequence"]).collect();
        assert_eq!(sequences, ["run-p1", "run-p2"]);
        assert_eq!(cut[0].fields["errcode"], 21);
        assert_eq!(cloud.push(&url, "p3", NOW.plus(9)), Err(Refusal::Forbidden));
        assert!(cloud.clone().push(&url, "p3", NOW.plus(10)).is_ok());
        cloud.resume("8888_alice");
        assert!(cloud.push(&url, "p3", NOW.plus(9)).is_ok());
    }

    #[test]
    fn a_push_whose_recording_fails_runs_until_it_stops() {
        let (mut cloud, url) = cloud();
        cloud.push(&url, "p1", NOW).unwrap();
        cloud.forget("p1");
        assert!(cloud.is_running("p1") && !cloud.is_idle());
        assert!(cloud.stop("p1", CLOSED, NOW.plus(1)).is_some());
        assert!(cloud.is_idle() && cloud.was_pushed("8888_alice"));
    }

    #[test]
    fn a_newer_push_of_a_stream_ends_the_older_one() {
        let (mut cloud, url) = cloud();
        cloud.push(&url, "p1", NOW).unwrap();
        let notices = cloud.replace(&url, "p2", NOW.plus(3)).unwrap();
        let shown: Vec<_> = notices.iter().map(|notice| notice.fields.clone()).collect();
        assert_eq!((&shown[0]["sequence"], &shown[0]["sub_errcode"]), (&json!("run-p1"), &json!(102)));
        assert_eq!((&shown[1]["sequence"], &shown[1]["event_type"]), (&json!("run-p2"), &json!(1)));
        assert!(!cloud.is_running("p1") && cloud.is_running("p2"));
        cloud.forget("p1");
        assert!(cloud.stop("p2", CLOSED, NOW.plus(4)).is_some() && cloud.was_pushed("8888_alice"));
        cloud.forget("p2");
        assert!(cloud.was_pushed("8888_alice"), "the old interface still knows the stream");
        let bad = url.replace("txSecret=", "txSecret=0");
        assert_eq!(cloud.replace(&bad, "p3", NOW), Err(Refusal::Url(push_url::Fault::Secret)));
    }
}
