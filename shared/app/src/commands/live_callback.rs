//! `live_callback`: the live cloud says what happened to a stream.
//!
//! A notice goes into the ledger first, then what follows from it is written, then the ledger says so. Whatever fails in
//! between is answered with HTTP 500, so that the cloud calls again; and the sweep finishes what nobody calls for.

use serde_json::Value;

use super::{Command, Names, Nothing};
use crate::{App, auth::Notice as Signed, ban};
use protocol::{
    error::{BodyFault, Error},
    sign::md5_hex,
    types::{AccountName, Link, StreamId, Text, UnixSeconds, UserId},
    wire::Params,
};
use store::{BroadcasterState, Notice, NoticeRecord, NoticeStatus, Owner, PendingAction, rules::Moderation};
use timeline::{End, Evidence, Reason, Recording, UserStream, Version};

/// The longest recording that is believed: a file ends with its push, and no push lasts longer.
const LONGEST_RECORDING_SECONDS: u64 = 7 * 24 * 3600;
/// How far ahead of our clock a recording may end.
const AHEAD_SECONDS: u64 = 3600;
/// How many users are looked for in the name of a stream that we gave to nobody.
const MAX_NAMES: usize = 10;
/// The longest notice that is kept: many times what the cloud sends, and what an item of the table has room for.
const MAX_BYTES: usize = 128 * 1024;
/// How many characters are kept of what the cloud says of an interruption.
const LONGEST_MESSAGE: usize = 64;
/// Where a verdict says when its picture was taken, the best first: the versions of the notice, and when it was sent.
const PICTURE_TIMES: [&str; 8] = [
    "screenshotTime",
    "screenshot_time",
    "createTime",
    "create_time",
    "eventTime",
    "event_time",
    "sendTime",
    "send_time",
];
/// No second is so large a number, and every millisecond since 1973 is.
const FIRST_MILLISECONDS: u64 = 100_000_000_000;
/// How often it is written down that a stream is alive.
const SEEN_EVERY_SECONDS: u64 = 20;

/// See the module.
#[derive(Debug)]
pub struct LiveCallback {
    stream: String,
    id: String,
    body: String,
    reason: Option<Reason>,
    /// What happened, or the rule that the notice breaks.
    event: Result<Event, Error>,
}

#[derive(Debug)]
enum Event {
    /// Event 1: a push started.
    Started { push: String, at: Option<UnixSeconds> },
    /// Event 0: it ended. Very old notices do not name it.
    Ended { push: Option<String>, at: Option<UnixSeconds>, seconds: Option<u64>, reason: Option<Reason> },
    /// Event 100: a file was recorded.
    Recorded(Box<File>),
    /// Event 200: a picture of the stream was taken.
    Screenshot { picture: Option<Link<255>>, at: Option<UnixSeconds> },
    /// Event 317: a picture was judged.
    Judged { is_forbidden: bool, at: Option<UnixSeconds> },
    /// Anything else is kept, and that is all.
    Other,
}

#[derive(Debug)]
struct File {
    file: protocol::types::FileId,
    vod_file: Text<200>,
    url: Link<1024>,
    format: Text<16>,
    start: UnixSeconds,
    end: UnixSeconds,
    /// When the notice expires.
    expires_at: UnixSeconds,
}

impl Command for LiveCallback {
    const NAMES: Names = Names { name: "live_callback", path: None, action: None };
    type Caller = Signed;
    type Reply = Nothing;

    fn parse(params: &Params) -> Result<Self, Error> {
        let kind = params.number_or_text("event_type")?;
        // Moderation results (317) write streamId; every other event stream_id.
        let stream = match params.optional("stream_id")? {
            Some(stream) => stream,
            None => {
                params.optional("streamId")?.ok_or(Error::InvalidParam { name: "stream_id", reason: "is missing" })?
            }
        };
        // The console sends notices without these where it has no key: as with a wrong key, that must show.
        if params.optional::<String>("t")?.is_none() || params.number_or_text("sign").is_err() {
            return Err(Error::BadSignature("there is no sign, or no t".into()));
        }
        let body = params.body().trim_ascii();
        if body.len() > MAX_BYTES {
            return Err(Error::Body(BodyFault::TooLong));
        }
        Ok(Self {
            stream,
            id: id(params, &kind),
            body: String::from_utf8_lossy(body).into_owned(),
            reason: reason(params),
            event: event(params, &kind),
        })
    }

    async fn run(self, signed: Signed, app: &App) -> Result<Nothing, Error> {
        // A name that no stream can have: to be told of it again would not make it one.
        let Some(stream) = StreamId::parse(&self.stream) else { return Ok(Nothing {}) };
        let reason = self.reason;
        let notice = Notice { stream, id: self.id, body: self.body, is_late: signed.is_late(), reason };
        let mut record = app.table.record_notice(&notice, app.now(), app.config.rules.ledger_seconds).await?;
        if let Ok(Event::Recorded(file)) = &self.event
            && address_in(&record.notice.body).is_some_and(|known| known != file.url)
        {
            // Each address has an entry of its own, so none that was replaced comes back when its notice comes again.
            let id = id_of_address(&notice.id, &file.url);
            record =
                app.table.record_notice(&Notice { id, ..notice }, app.now(), app.config.rules.ledger_seconds).await?;
        }
        // One that came late once and comes again in time counts, and so does one that came in time before.
        record.notice.is_late &= signed.is_late();
        match record.status {
            NoticeStatus::Applied(_) => Ok(Nothing {}),
            NoticeStatus::Open | NoticeStatus::Parked | NoticeStatus::Dropped(_) => {
                settle(app, &record, self.event).await.map(|_| Nothing {})
            }
        }
    }
}

/// The address of the file that a notice tells of.
fn address_in(body: &str) -> Option<Link<1024>> {
    Params::of_notice(body).ok()?.required("video_url").ok()
}

/// The name of a notice about a file of which another address was told before.
fn id_of_address(id: &str, url: &Link<1024>) -> String {
    format!("{id} {}", md5_hex(&[url.as_str()]))
}

/// Does again what follows from a notice of the ledger, and says what became of it.
pub async fn apply(app: &App, record: &NoticeRecord) -> Result<NoticeStatus, Error> {
    let params = Params::of_notice(&record.notice.body)?;
    let kind = params.number_or_text("event_type")?;
    match settle(app, record, event(&params, &kind)).await {
        Err(error) if !error.is_internal() => Ok(NoticeStatus::Dropped(error.to_string())),
        outcome => outcome,
    }
}

/// Does what follows from a notice, and writes what became of it.
async fn settle(app: &App, record: &NoticeRecord, event: Result<Event, Error>) -> Result<NoticeStatus, Error> {
    let outcome = match event {
        Ok(event) => follow(app, record, event).await,
        Err(error) => Err(error),
    };
    let status = match &outcome {
        Ok(status) => status.clone(),
        // It stays open: the cloud calls again, or the sweep comes by.
        Err(error) if error.is_internal() => return outcome,
        Err(error) => NoticeStatus::Dropped(error.to_string()),
    };
    app.table.set_notice_status(record, &status, app.now()).await?;
    outcome
}

/// What tells a notice from others about its stream.
fn id(params: &Params, kind: &str) -> String {
    let field = |name| params.number_or_text(name).ok().filter(|text| !text.is_empty());
    let name = match kind {
        "0" | "1" => field("sequence").or_else(|| field("event_time").map(|at| format!("@{at}"))),
        "100" => field("video_id"),
        "200" => field("pic_url").or_else(|| field("pic_full_url")),
        _ => None,
    };
    // Whatever else it is, it is the same if all of it is but for the signature, which is made anew for each try.
    let name = name.filter(|name| name.len() <= 512).unwrap_or_else(|| {
        let mut body: Value = serde_json::from_slice(params.body()).unwrap_or_default();
        if let Some(fields) = body.as_object_mut() {
            fields.remove("t");
            fields.remove("sign");
        }
        md5_hex(&[&body.to_string()])
    });
    let kind: String = kind.chars().filter(|c| !c.is_control()).take(16).collect();
    // Without a word in front the name would begin with a blank, which no command line keeps.
    let kind = if kind.trim().is_empty() { "none" } else { kind.trim() };
    format!("{kind} {name}")
}

fn event(params: &Params, kind: &str) -> Result<Event, Error> {
    match kind {
        "0" => {
            let seconds = params.optional::<UnixSeconds>("push_duration").ok().flatten();
            Ok(Event::Ended {
                push: push(params)?,
                at: params.optional("event_time")?,
                seconds: seconds.map(|ms| ms.0 / 1000),
                reason: reason(params),
            })
        }
        "1" => {
            let at: Option<UnixSeconds> = params.optional("event_time")?;
            let by_time = || format!("@{}", at.unwrap_or(UnixSeconds(0)));
            Ok(Event::Started { push: push(params)?.unwrap_or_else(by_time), at })
        }
        "100" => Ok(Event::Recorded(Box::new(recorded(params)?))),
        "200" => {
            let picture = params.optional::<Link<255>>("pic_full_url").ok().flatten();
            let at = params.optional("create_time").ok().flatten();
            Ok(Event::Screenshot { picture: picture.filter(|link| !link.as_str().is_empty()), at })
        }
        "317" => {
            let suggestion = params.optional::<String>("suggestion").ok().flatten();
            let is_forbidden = suggestion.is_some_and(|word| word.eq_ignore_ascii_case("block"));
            Ok(Event::Judged { is_forbidden, at: PICTURE_TIMES.iter().find_map(|name| moment(params, name)) })
        }
        _ => Ok(Event::Other),
    }
}

/// A moment, in seconds or in milliseconds.
fn moment(params: &Params, name: &'static str) -> Option<UnixSeconds> {
    let UnixSeconds(number) = params.optional(name).ok().flatten()?;
    let seconds = if number >= FIRST_MILLISECONDS { number / 1000 } else { number };
    Some(UnixSeconds(seconds)).filter(|at| at.0 > 0)
}

/// The name of the push, if the notice tells it.
fn push(params: &Params) -> Result<Option<String>, Error> {
    let sequence = params.optional::<Text<128>>("sequence")?.unwrap_or_default();
    Ok(Some(sequence.as_str().to_owned()).filter(|sequence| !sequence.is_empty()))
}

/// Why the push ended, if the notice tells it.
fn reason(params: &Params) -> Option<Reason> {
    let number = |name| params.number_or_text(name).ok().and_then(|text| text.parse::<u64>().ok());
    let message = params.optional::<String>("errmsg").ok().flatten().unwrap_or_default();
    let message: String = message.chars().filter(|c| !c.is_control()).take(LONGEST_MESSAGE).collect();
    Some(Reason { code: number("errcode")?, detail: number("sub_errcode").unwrap_or(0), message })
}

fn recorded(params: &Params) -> Result<File, Error> {
    let format: Text<16> = params.nullable("file_format")?.unwrap_or_default();
    Ok(File {
        file: params.required("video_id")?,
        vod_file: params.optional("file_id").ok().flatten().unwrap_or_default(),
        url: params.required("video_url")?,
        format: Text::parse(&format.as_str().to_ascii_lowercase()).unwrap_or_default(),
        start: params.required("start_time")?,
        end: params.required("end_time")?,
        expires_at: params.optional("t").ok().flatten().unwrap_or_default(),
    })
}

/// Whom a stream is about.
pub(super) enum Subject {
    /// A user who has a room, and which of their streams it is.
    User(UserId, UserStream),
    /// A guest of a joint broadcast, whose pushes are nobody's lives.
    Guest,
    /// Nobody, yet.
    Nobody,
}

/// Whom a stream is about.
pub(super) async fn subject(app: &App, stream: &StreamId) -> Result<Subject, Error> {
    match app.table.stream_owner(stream).await? {
        Owner::User(user) => Ok(Subject::User(user, UserStream::Own)),
        Owner::Guest(..) => Ok(Subject::Guest),
        Owner::Nobody => {
            let room = app.table.first_room(&named_in(stream)).await?;
            Ok(room.map_or(Subject::Nobody, |room| Subject::User(room.user, UserStream::of(stream))))
        }
    }
}

/// Writes what follows from an event.
async fn follow(app: &App, record: &NoticeRecord, event: Event) -> Result<NoticeStatus, Error> {
    let dropped = |reason: &str| Ok(NoticeStatus::Dropped(reason.to_owned()));
    let (rules, received) = (&app.config.rules, record.received_at);
    if matches!(event, Event::Other) {
        return dropped("nothing follows from such an event");
    }
    if record.notice.is_late && matches!(event, Event::Started { .. } | Event::Screenshot { .. }) {
        return dropped("it came too late to start anything");
    }
    let (user, user_stream) = match subject(app, &record.notice.stream).await? {
        Subject::User(user, user_stream) => (user, user_stream),
        Subject::Guest => return dropped("it is about a guest of a joint broadcast"),
        Subject::Nobody => {
            let stream = app.config.log_names.of(record.notice.stream.as_str());
            tracing::info!(stream, "a notice about a stream that nobody owns");
            return Ok(NoticeStatus::Parked);
        }
    };
    match event {
        Event::Screenshot { picture, at } if user_stream == UserStream::Own => {
            saw(app, &user, picture.as_ref(), believed(at, received)).await?;
        }
        Event::Judged { is_forbidden: true, at } if user_stream == UserStream::Own => {
            apply_verdict(app, &user, believed(at, received)).await?
        }
        event @ (Event::Started { .. }
        | Event::Ended { .. }
        | Event::Recorded(_)
        | Event::Screenshot { .. }
        | Event::Judged { .. }
        | Event::Other) => match evidence(event, user_stream, record) {
            Ok(Evidence::Recorded(recording)) => app.table.record(&user, recording, rules, app.now()).await?,
            Ok(evidence) => {
                // A live may turn out to be one that a verdict has ended before its start was told.
                let state = app.table.apply(&user, evidence, rules, app.now()).await?;
                cut(app, &user, &state).await;
            }
            Err(reason) => return dropped(reason),
        },
    }
    Ok(NoticeStatus::Applied(user))
}

/// What an event of a user's stream is evidence of, or why it is of nothing.
fn evidence(event: Event, user_stream: UserStream, record: &NoticeRecord) -> Result<Evidence, &'static str> {
    let believed = |at| believed(at, record.received_at);
    match event {
        Event::Started { push, at } => Ok(Evidence::Started { user_stream, push, at: believed(at) }),
        Event::Ended { push: Some(push), at, seconds, reason } => {
            Ok(Evidence::Ended { user_stream, push, at: believed(at), seconds, reason })
        }
        Event::Ended { push: None, at, .. } if user_stream == UserStream::Own => {
            Ok(Evidence::Off(believed(at), End::Stopped))
        }
        Event::Recorded(file) => recording(*file, user_stream, record).map(Evidence::Recorded),
        Event::Ended { .. } | Event::Screenshot { .. } | Event::Judged { .. } | Event::Other => {
            Err("nothing follows from it for such a stream")
        }
    }
}

/// What a notice of the ledger is evidence of, in the timeline of its subject; `None` if it is of nothing.
pub(super) fn evidence_in(subject: &Subject, record: &NoticeRecord) -> Result<Option<Evidence>, Error> {
    let params = Params::of_notice(&record.notice.body)?;
    let Ok(event) = params.number_or_text("event_type").and_then(|kind| event(&params, &kind)) else { return Ok(None) };
    if record.notice.is_late && matches!(event, Event::Started { .. }) {
        return Ok(None);
    }
    let Subject::User(_, user_stream) = subject else { return Ok(None) };
    Ok(evidence(event, user_stream.clone(), record).ok())
}

/// When an event happened: as told, or when its notice was received. An event of a time to come would make every later
/// notice an old one.
fn believed(at: Option<UnixSeconds>, received: UnixSeconds) -> UnixSeconds {
    at.unwrap_or(received).or_now_if_ahead(received)
}

/// The users who may be meant by a stream that the cloud's room service named: `<prefix>_<user>`, or with a suffix
/// `<prefix>_<user>_<suffix>`. A user's name may hold `_` too, so there are several; the longest comes first.
fn named_in(stream: &StreamId) -> Vec<UserId> {
    let mut rest = stream.as_str().split_once('_').map(|(_, rest)| rest);
    let names = std::iter::from_fn(|| {
        let name = rest?;
        rest = name.rsplit_once('_').map(|(shorter, _)| shorter);
        Some(name)
    });
    names.filter_map(AccountName::parse).map(|name| name.user().clone()).take(MAX_NAMES).collect()
}

/// A recording, if it is one that can be played and is of a time that can be; else why it is not.
fn recording(file: File, user_stream: UserStream, record: &NoticeRecord) -> Result<Recording, &'static str> {
    let File { file, vod_file, url, format, start, end, expires_at } = file;
    let length = end.0.saturating_sub(start.0);
    if end > record.received_at.plus(AHEAD_SECONDS) || length > LONGEST_RECORDING_SECONDS {
        Err("it is a recording of a time that cannot be")
    } else if length == 0 {
        Err("it is a recording of nothing")
    } else if url.as_str().is_empty() {
        Err("it is a recording that plays nowhere")
    } else {
        let version = Version(expires_at.0, record.notice.id.ends_with(&md5_hex(&[url.as_str()])));
        Ok(Recording { user_stream, file, vod_file, url: url.into(), format, start, end, version })
    }
}

/// A picture of the stream: a sign of life, and the cover of a live that has none.
async fn saw(app: &App, user: &UserId, picture: Option<&Link<255>>, at: UnixSeconds) -> Result<(), Error> {
    let rules = &app.config.rules;
    let note = |state: &mut BroadcasterState| {
        if state.timeline.is_on() {
            let is_news = state.misses > 0 || at >= state.seen_at.plus(SEEN_EVERY_SECONDS);
            (state.misses, state.seen_at) = (0, state.seen_at.max(at));
            return is_news;
        }
        // What ended it may have been another push than the one that ran.
        if let Some(end) = state.timeline.unconfirmed_end().filter(|end| *end < at) {
            return state.timeline.add(Evidence::On(end));
        }
        // We thought that it was over because we heard nothing; here is something.
        let last = state.timeline.last_live(rules.grace_seconds).and_then(|live| live.end);
        let was_guessed = last.is_some_and(|(end, why)| end < at && matches!(why, End::Vanished | End::Silent));
        was_guessed && state.timeline.add(Evidence::On(at))
    };
    let state = app.table.change(user, rules, app.now(), note).await?;
    match (picture, state.timeline.live_at(at, rules.grace_seconds)) {
        (Some(picture), Some(live)) => {
            Ok(app.table.set_cover_picture(user, &live, (picture, at), rules, app.now()).await?)
        }
        (None, _) | (_, None) => Ok(()),
    }
}

/// A picture showed what is forbidden: as the settings say, the live is hidden or ended.
async fn apply_verdict(app: &App, user: &UserId, at: UnixSeconds) -> Result<(), Error> {
    let rules = &app.config.rules;
    if rules.moderation == Moderation::Record {
        return Ok(());
    }
    // Before a live that ends takes its cover along.
    if let Some(broadcast) = app.table.state(user).await?.timeline.broadcast_of(at) {
        app.table.remove_cover_picture(user, broadcast, at).await?;
    }
    let state = app.table.change(user, rules, app.now(), |state| state.apply_verdict(at, rules)).await?;
    cut(app, user, &state).await;
    Ok(())
}

/// Has the cloud cut a live that is over here, if that is left to do. What fails, the sweep tries again.
async fn cut(app: &App, user: &UserId, state: &BroadcasterState) {
    if state.pending_actions.contains(&PendingAction::CutStream) && ban::cut(app, user).await.is_err() {
        let user = app.config.log_names.of(user.as_str());
        tracing::warn!(user, "a live that is over here goes on in the cloud until the sweep has cut it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(stream: &str) -> Vec<String> {
        named_in(&StreamId::parse(stream).unwrap()).iter().map(UserId::to_string).collect()
    }

    #[test]
    fn a_stream_of_the_room_service_names_users_the_longest_first() {
        assert_eq!(named("1400_alice"), ["alice"]);
        assert_eq!(named("1400_bob_the_2nd"), ["bob_the_2nd", "bob_the"]);
        assert_eq!(named("1400_alice_main"), ["alice_main", "alice"]);
        assert_eq!(named("_alice"), ["alice"]);
    }

    #[test]
    fn what_is_no_name_of_an_account_is_not_looked_for() {
        for stream in ["alice", "1400_", "1400_bob", "1400_2bob_x", "1400_用户用户"] {
            assert!(named(stream).is_empty(), "{stream}");
        }
        let stream = format!("1400_alice_{}", "x".repeat(240));
        assert_eq!(named(&stream), ["alice"]);
    }

    #[test]
    fn a_stream_names_only_so_many_users() {
        assert_eq!(named(&format!("1400_alice{}", "_".repeat(19))).len(), MAX_NAMES);
        assert_eq!(named(&format!("1400_alice{}", "_".repeat(240))).len(), MAX_NAMES);
    }
}
