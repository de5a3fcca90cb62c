//! What the cloud knows, and what it makes of what happens: no sockets, no clock.

use std::collections::BTreeMap;

use app::config::{Config, Live, Vod};
use protocol::{
    sign::push_url::{self, PushUrl},
    types::{Secret, UnixSeconds},
};
use serde_json::{Value, json};

use super::notices::Notice;

/// How long a stream is forbidden if nobody says.
pub(super) const FORBIDDEN_SECONDS: u64 = 7 * 24 * 3600;
/// The `errcode` of a push that ends without a reason given: the app closed it.
pub const CLOSED: u64 = 1;
/// The `errcode` of a push that the cloud refused.
const REFUSED: u64 = 18;
/// The `errcode` of a push that the cloud was told to cut.
const CUT: u64 = 21;
/// An address of the documents, for whom nobody is to be found by.
const NOBODYS_ADDRESS: &str = "203.0.113.7";
/// The application of a push whose URL nobody knows.
const APP: &str = "live";
/// How many bytes a second of video has, about.
const BYTES_PER_SECOND: u64 = 100_000;

/// The live cloud of one account.
#[derive(Clone, Debug)]
pub struct Cloud {
    pub(super) live: Live,
    pub(super) vod: Vod,
    run: String,
    pushes: BTreeMap<String, Push>,
    /// Until when each is.
    pub(super) forbidden: BTreeMap<String, UnixSeconds>,
    files: BTreeMap<String, String>,
    pub(super) answers: u64,
}

#[derive(Clone, Debug)]
struct Push {
    app: String,
    stream: String,
    query: String,
    start: UnixSeconds,
    end: Option<UnixSeconds>,
}

/// Why the cloud does not take a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The URL is wrong.
    #[error("the push URL is wrong: {0}{hint}", hint = settings_hint(.0))]
    Url(push_url::Fault),
    /// The stream is forbidden.
    #[error("the stream is forbidden")]
    Forbidden,
    /// There is, or was, a push of this name.
    #[error("there is a push of this name")]
    Taken,
}

/// The advice for a wrong signature: the simulator has probably read other settings than the server.
fn settings_hint(fault: &push_url::Fault) -> &'static str {
    match fault {
        push_url::Fault::Secret => "; are these the settings of the server that gave it (--data, --config)?",
        push_url::Fault::Shape
        | push_url::Fault::Host
        | push_url::Fault::Stream
        | push_url::Fault::Time
        | push_url::Fault::Expired(_) => "",
    }
}

/// Which part of a push a file is, as seconds, and where it plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part<'a> {
    /// When it begins; without it when the push did.
    pub from: Option<UnixSeconds>,
    /// When it ends; without it when the push did, or now.
    pub to: Option<UnixSeconds>,
    /// Its address; without it one of the cloud.
    pub url: Option<&'a str>,
}

/// Where the file of an account plays.
pub fn file_url(appid: &str, id: &str, format: &str) -> String {
    let name = if format == "hls" { "playlist.m3u8".to_owned() } else { format!("f0.{format}") };
    format!("http://{appid}.vod2.myqcloud.com/{id}/{name}")
}

/// What the cloud says of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is pushed.
    Active,
    /// It is not.
    Inactive,
    /// It must not be.
    Forbidden,
}

impl Cloud {
    /// The cloud of these settings, in which nothing has happened yet.
    ///
    /// What it names begins with `run`, so that two runs do not use the same names before one server.
    pub fn new(config: &Config, run: &str) -> Self {
        Self {
            live: config.live.clone(),
            vod: config.vod.clone(),
            run: run.to_owned(),
            pushes: BTreeMap::new(),
            forbidden: BTreeMap::new(),
            files: BTreeMap::new(),
            answers: 0,
        }
    }

    /// The key that it signs its notices with.
    pub fn key(&self) -> Secret {
        self.live.callback_keys.first().unwrap_or(&self.live.api_key).clone()
    }

    /// Somebody begins to push to `url`. The push is told from others by `name`.
    pub fn push(&mut self, url: &str, name: &str, now: UnixSeconds) -> Result<Notice, Refused> {
        let PushUrl { app, stream, query, .. } =
            self.live.domains.read_push_url(url, &self.live.push_key, now).map_err(Refused::Url)?;
        let [app, stream, query] = [app, stream, query].map(str::to_owned);
        self.begin(Push { app, stream, query, start: now, end: None }, name)
    }

    /// Somebody begins to push a stream to a URL that the server did not give, and that is not judged.
    pub fn push_stream(&mut self, stream: &str, name: &str, now: UnixSeconds) -> Result<Notice, Refused> {
        let (app, stream, query) = (APP.to_owned(), stream.to_owned(), String::new());
        self.begin(Push { app, stream, query, start: now, end: None }, name)
    }

    fn begin(&mut self, push: Push, name: &str) -> Result<Notice, Refused> {
        let now = push.start;
        if self.state(&push.stream, now) == State::Forbidden {
            return Err(Refused::Forbidden);
        }
        if self.pushes.contains_key(name) {
            return Err(Refused::Taken);
        }
        let fields = json!({
            "event_type": 1, "event_time": now.0, "errcode": 0, "errmsg": "ok", "width": 0, "height": 0,
        });
        let notice = self.notice(name, &push, fields);
        self.pushes.insert(name.to_owned(), push);
        Ok(notice)
    }

    /// Who pushes stops; `None` if there is no such push, or not any more.
    pub fn stop(&mut self, name: &str, now: UnixSeconds) -> Option<Notice> {
        self.stop_for(name, CLOSED, now)
    }

    /// A push ends for a reason of the cloud's table of interruptions; `None` if there is no such push, or not any more.
    pub fn stop_for(&mut self, name: &str, code: u64, now: UnixSeconds) -> Option<Notice> {
        let message = match code {
            CLOSED => "recv rtmp deleteStream",
            REFUSED => "push is not allowed",
            CUT => "the stream was dropped",
            _ => "",
        };
        let push = self.pushes.get_mut(name).filter(|push| push.end.is_none())?;
        push.end = Some(now);
        let push = self.pushes.get(name)?;
        let milliseconds = now.0.saturating_sub(push.start.0) * 1000;
        let fields = json!({
            "event_type": 0, "event_time": now.0, "errcode": code, "errmsg": message,
            "push_duration": milliseconds.to_string(), "width": 960, "height": 540,
        });
        Some(self.notice(name, push, fields))
    }

    /// The cloud ends every push of a stream.
    pub fn cut(&mut self, stream: &str, now: UnixSeconds) -> Vec<Notice> {
        let runs = |push: &Push| push.stream == stream && push.end.is_none();
        let names: Vec<_> = self.pushes.iter().filter(|(_, push)| runs(push)).map(|(name, _)| name.clone()).collect();
        names.iter().filter_map(|name| self.stop_for(name, CUT, now)).collect()
    }

    /// The stream must not be pushed until a second; what runs is cut.
    pub fn forbid(&mut self, stream: &str, until: UnixSeconds, now: UnixSeconds) -> Vec<Notice> {
        self.forbidden.insert(stream.to_owned(), until);
        self.cut(stream, now)
    }

    /// The stream may be pushed again.
    pub fn resume(&mut self, stream: &str) {
        self.forbidden.remove(stream);
    }

    /// What it says of a stream.
    pub fn state(&self, stream: &str, now: UnixSeconds) -> State {
        if self.forbidden.get(stream).is_some_and(|until| now < *until) {
            return State::Forbidden;
        }
        if self.running().any(|running| running == stream) { State::Active } else { State::Inactive }
    }

    /// The streams that are pushed.
    pub fn running(&self) -> impl Iterator<Item = &str> {
        self.pushes.values().filter(|push| push.end.is_none()).map(|push| push.stream.as_str())
    }

    /// Whether a stream was ever pushed.
    pub fn knows(&self, stream: &str) -> bool {
        self.pushes.values().any(|push| push.stream == stream)
    }

    /// A file of a push was recorded; `None` if there is no such push.
    pub fn record(&mut self, name: &str, format: &str, file: &str, part: Part<'_>, now: UnixSeconds) -> Option<Notice> {
        let push = self.pushes.get(name)?;
        let id = format!("{}{file}", self.run);
        let (from, to) = (part.from.unwrap_or(push.start), part.to.or(push.end).unwrap_or(now));
        let seconds = to.0.saturating_sub(from.0);
        let url = part.url.map_or_else(|| file_url(&self.live.appid, &id, format), str::to_owned);
        self.files.insert(id.clone(), push.stream.clone());
        let fields = json!({
            "event_type": 100, "video_id": id, "file_id": id, "video_url": url, "file_format": format,
            "file_size": seconds * BYTES_PER_SECOND, "start_time": from.0, "end_time": to.0, "duration": seconds,
            "vod2Flag": 1,
        });
        Some(self.notice(name, push, fields))
    }

    /// Whether there is a file of this id.
    pub fn has_file(&self, id: &str) -> bool {
        self.files.contains_key(id)
    }

    /// Deletes a file; whether there was one.
    pub fn delete_file(&mut self, id: &str) -> bool {
        self.files.remove(id).is_some()
    }

    /// A picture of a push was taken; `None` if there is no such push.
    pub fn shot(&self, name: &str, now: UnixSeconds) -> Option<Notice> {
        let push = self.pushes.get(name)?;
        let path = format!("/screenshots/{}{name}-{now}.jpg", self.run);
        let fields = json!({
            "event_type": 200, "create_time": now.0, "pic_url": path,
            "pic_full_url": format!("http://screenshots-{}.file.myqcloud.com{path}", self.live.appid),
            "file_size": 20_000, "width": 960, "height": 540,
        });
        Some(self.notice(name, push, fields))
    }

    /// A picture of a push was judged; `None` if there is no such push.
    pub fn verdict(&self, name: &str, word: &str, now: UnixSeconds) -> Option<Notice> {
        let push = self.pushes.get(name)?;
        let img = format!("http://screenshots-{}.file.myqcloud.com/{name}-{now}.jpg", self.live.appid);
        // Spelled otherwise than in all other notices.
        let fields = json!({
            "event_type": 317, "streamId": push.stream, "channelId": push.stream, "img": img, "type": [1],
            "score": [95], "suggestion": word, "label": "Porn", "subLabel": "", "ocrMsg": "",
            "appid": self.appid(), "app": self.live.domains.push, "appname": push.app,
        });
        Some(Notice { stream: push.stream.clone(), fields })
    }

    /// Any other event of a push; `None` if there is no such push.
    pub fn event(&self, name: &str, number: u32, now: UnixSeconds) -> Option<Notice> {
        let push = self.pushes.get(name)?;
        let fields = json!({
            "event_type": number, "event_time": now.0, "data_time": now.0, "domain": self.live.domains.push,
            "path": push.app,
        });
        Some(self.notice(name, push, fields))
    }

    /// A notice about a push: what all have in common, and these fields.
    fn notice(&self, name: &str, push: &Push, mut fields: Value) -> Notice {
        let common = json!({
            "appid": self.appid(), "app": self.live.domains.push, "appname": push.app, "stream_id": push.stream,
            "channel_id": push.stream, "stream_param": push.query, "sequence": format!("{}{name}", self.run),
            "node": NOBODYS_ADDRESS, "user_ip": NOBODYS_ADDRESS, "set_id": 2,
        });
        if let (Value::Object(fields), Value::Object(common)) = (&mut fields, common) {
            fields.extend(common);
        }
        Notice { stream: push.stream.clone(), fields }
    }

    fn appid(&self) -> Option<u64> {
        self.live.appid.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{invented, judge};

    const NOW: UnixSeconds = UnixSeconds(1_600_000_000);

    fn cloud() -> (Cloud, String) {
        let config = judge(&invented(), |_| None).unwrap();
        let live = &config.live;
        let stream = protocol::types::StreamId::parse("8888_alice").unwrap();
        let url = live.domains.push_url(&live.push_key, &stream, NOW.plus(60), live.recording.as_ref());
        (Cloud::new(&config, "run-"), url)
    }

    #[test]
    fn a_push_is_active_until_it_stops_once() {
        let (mut cloud, url) = cloud();
        assert!(!cloud.knows("8888_alice"));
        let start = cloud.push(&url, "p1", NOW).unwrap();
        assert_eq!(start.fields["sequence"], "run-p1");
        assert_eq!(start.fields["stream_param"].as_str(), url.split('?').nth(1));
        assert_eq!(cloud.state("8888_alice", NOW), State::Active);
        let end = cloud.stop("p1", NOW.plus(7)).unwrap();
        assert_eq!((&end.fields["event_type"], &end.fields["push_duration"]), (&json!(0), &json!("7000")));
        assert_eq!(cloud.state("8888_alice", NOW), State::Inactive);
        assert_eq!(cloud.stop("p1", NOW), None);
        assert!(cloud.knows("8888_alice"));
        assert_eq!(cloud.push(&url, "p1", NOW), Err(Refused::Taken));
    }

    #[test]
    fn a_push_url_is_judged() {
        let (mut cloud, url) = cloud();
        assert_eq!(
            cloud.push(&url, "p1", NOW.plus(61)),
            Err(Refused::Url(push_url::Fault::Expired(NOW.plus(60)))),
            "by the cloud's clock"
        );
        let other = url.replace("8888_alice", "8888_bob");
        assert_eq!(cloud.push(&other, "p1", NOW), Err(Refused::Url(push_url::Fault::Secret)));
    }

    #[test]
    fn a_forbidden_stream_is_cut_and_refused_until_its_time_is_over() {
        let (mut cloud, url) = cloud();
        cloud.push(&url, "p1", NOW).unwrap();
        cloud.push(&url, "p2", NOW).unwrap();
        let cut = cloud.forbid("8888_alice", NOW.plus(10), NOW.plus(1));
        assert_eq!(
            cut.iter().map(|notice| notice.fields["sequence"].clone()).collect::<Vec<_>>(),
            ["run-p1", "run-p2"]
        );
        assert_eq!(cut[0].fields["errcode"], 21);
        assert_eq!(cloud.push(&url, "p3", NOW.plus(9)), Err(Refused::Forbidden));
        assert!(cloud.clone().push(&url, "p3", NOW.plus(10)).is_ok());
        cloud.resume("8888_alice");
        assert!(cloud.push(&url, "p3", NOW.plus(9)).is_ok());
    }

    #[test]
    fn a_file_is_as_long_as_its_push_unless_it_is_said() {
        let (mut cloud, url) = cloud();
        cloud.push(&url, "p1", NOW).unwrap();
        let times = |notice: Notice| [&notice.fields["start_time"], &notice.fields["end_time"]].map(|t| t.as_u64());
        let until_now = cloud.record("p1", "flv", "f1", Part::default(), NOW.plus(5)).unwrap();
        assert_eq!(times(until_now), [Some(NOW.0), Some(NOW.0 + 5)]);
        cloud.stop("p1", NOW.plus(9)).unwrap();
        let whole = cloud.record("p1", "hls", "f2", Part::default(), NOW.plus(50)).unwrap();
        assert_eq!(times(whole), [Some(NOW.0), Some(NOW.0 + 9)]);
        let part = Part { from: Some(NOW.plus(1)), to: Some(NOW.plus(2)), url: None };
        let part = cloud.record("p1", "hls", "f3", part, NOW.plus(50)).unwrap();
        assert_eq!(times(part), [Some(NOW.0 + 1), Some(NOW.0 + 2)]);
        assert!(cloud.has_file("run-f3") && cloud.delete_file("run-f3") && !cloud.delete_file("run-f3"));
        assert_eq!(cloud.record("p2", "flv", "f4", Part::default(), NOW), None);
    }

    #[test]
    fn a_verdict_spells_the_stream_in_its_own_way() {
        let (mut cloud, url) = cloud();
        cloud.push(&url, "p1", NOW).unwrap();
        let verdict = cloud.verdict("p1", "Block", NOW).unwrap();
        assert_eq!((&verdict.fields["streamId"], verdict.fields.get("stream_id")), (&json!("8888_alice"), None));
    }
}
