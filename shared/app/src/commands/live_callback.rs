//! `live_callback`: the live cloud reports what happened to a stream.
//!
//! A notice goes through these functions, which this file has in the same order:
//!
//! 1. `parse`: the body becomes an event (`Event`).
//! 2. `run`: the notice is written to the ledger.
//! 3. `apply_and_set_status` calls `apply_event`, then writes the status of the notice.
//! 4. `apply_event`: the owner of the stream is found; the event becomes evidence in the owner's timeline, a sign of
//!    life, or a verdict.
//!
//! If the table fails before the timeline is written, or when the status is written, the answer is 500, and the cloud
//! sends the notice again. The sweep applies notices that the cloud does not send again. Rows that could not be written
//! after the timeline are left to the next change, or the sweep.

use super::notice_event::{Event, File, notice_id, notice_id_of_url, push_end_reason, url_in};
use super::prelude::*;
use crate::{auth::LiveCloud, ban};
use protocol::{error::BodyFault, sign::md5_hex};
use store::{BroadcasterState, Notice, NoticeRecord, NoticeStatus, Owner, PendingAction, rules::Moderation};
use timeline::{End, Evidence, Reason, Recording, ReplayPart, UserStream, Version};

/// The longest recording that is accepted: a file ends with its push, and no push lasts longer.
const MAX_RECORDING_SECONDS: u64 = 7 * 24 * 3600;
/// How far ahead of the server's clock a recording may end.
const MAX_END_AHEAD_SECONDS: u64 = 3600;
/// How many user ids are tried in the name of a stream that the table does not have.
const MAX_NAMES: usize = 10;
/// The longest notice that is kept: many times what the cloud sends, and little enough for an item of the table.
const MAX_BYTES: usize = 128 * 1024;
/// How often at most a sign of life of a stream is written.
const SEEN_EVERY_SECONDS: u64 = 20;

pub struct LiveCallback {
    stream: String,
    id: String,
    body: String,
    reason: Option<Reason>,
    /// What the notice reports, or which rule the notice breaks.
    event: Result<Event, Error>,
}

impl Command for LiveCallback {
    const NAMES: Names = Names { name: "live_callback", path: None, action: None };
    type Caller = LiveCloud;
    type Reply = EmptyReply;

    fn parse(params: &Params) -> Result<Self, Error> {
        let kind = params.number_or_text("event_type")?;
        // Moderation results (event 317) have the field streamId; all other events have stream_id.
        let stream = match params.optional("stream_id")? {
            Some(stream) => stream,
            None => {
                params.optional("streamId")?.ok_or(Error::InvalidParam { name: "stream_id", reason: "is missing" })?
            }
        };
        // A callback template without a key sends neither field. The refusal is the same as for a wrong key.
        if params.optional::<String>("t")?.is_none() || params.number_or_text("sign").is_err() {
            return Err(Error::BadSignature("sign or t is missing".into()));
        }
        let body = params.body().trim_ascii();
        if body.len() > MAX_BYTES {
            return Err(Error::Body(BodyFault::TooLong));
        }
        Ok(Self {
            stream,
            id: notice_id(params, &kind),
            body: String::from_utf8_lossy(body).into_owned(),
            reason: push_end_reason(params),
            event: Event::parse(params, &kind),
        })
    }

    async fn run(self, signed: LiveCloud, app: &App) -> Result<EmptyReply, Error> {
        // No stream can have such a name. The notice is accepted, since sending it again would not help.
        let Some(stream) = StreamId::parse(&self.stream) else { return Ok(EmptyReply {}) };
        let reason = self.reason;
        let notice = Notice { stream, id: self.id, body: self.body, is_late: signed.is_late(), reason };
        let mut record = app.table.record_notice(&notice, app.now(), app.config.rules.ledger_seconds).await?;
        if let Ok(Event::Recorded(file)) = &self.event
            && url_in(&record.notice.body).is_some_and(|known| known != file.url)
        {
            // The notice reports a new URL of a known file. It gets a record of its own, so that a repetition of the first
            // notice is still recognized, and does not restore the old URL.
            let id = notice_id_of_url(&notice.id, &file.url);
            record =
                app.table.record_notice(&Notice { id, ..notice }, app.now(), app.config.rules.ledger_seconds).await?;
        }
        match record.status {
            NoticeStatus::Applied(_) => Ok(EmptyReply {}),
            NoticeStatus::Open | NoticeStatus::Parked | NoticeStatus::Dropped(_) => {
                apply_and_set_status(app, &record, self.event).await.map(|_| EmptyReply {})
            }
        }
    }
}

/// Applies the event of a notice, and writes the resulting status of the notice.
async fn apply_and_set_status(
    app: &App,
    record: &NoticeRecord,
    event: Result<Event, Error>,
) -> Result<NoticeStatus, Error> {
    let outcome = match event {
        Ok(event) => apply_event(app, record, event).await,
        Err(error) => Err(error),
    };
    let status = match &outcome {
        Ok(status) => status.clone(),
        // The notice stays open: the cloud sends it again, or the sweep applies it.
        Err(error) if error.is_internal() => return outcome,
        Err(error) => NoticeStatus::Dropped(error.to_string()),
    };
    app.table.set_notice_status(record, &status, app.now()).await?;
    outcome
}

/// Applies a notice of the ledger again, and returns its new status.
pub async fn apply_again(app: &App, record: &NoticeRecord) -> Result<NoticeStatus, Error> {
    let params = Params::of_notice(&record.notice.body)?;
    let kind = params.number_or_text("event_type")?;
    match apply_and_set_status(app, record, Event::parse(&params, &kind)).await {
        Err(error) if !error.is_internal() => Ok(NoticeStatus::Dropped(error.to_string())),
        outcome => outcome,
    }
}

/// Writes the effects of an event.
async fn apply_event(app: &App, record: &NoticeRecord, event: Event) -> Result<NoticeStatus, Error> {
    let dropped = |reason: &str| Ok(NoticeStatus::Dropped(reason.to_owned()));
    let received = record.received_at;
    if matches!(event, Event::Other) {
        return dropped("nothing follows from such an event");
    }
    if record.notice.is_late && matches!(event, Event::Started { .. } | Event::Screenshot { .. }) {
        return dropped("it came too late to start anything");
    }
    let (user, user_stream) = match owner_of(app, &record.notice.stream).await? {
        StreamOwner::User(user, user_stream) => (user, user_stream),
        StreamOwner::Guest => return dropped("it is about a guest of a joint broadcast"),
        StreamOwner::Unknown => {
            let stream = app.config.log_names.of(record.notice.stream.as_str());
            tracing::info!(stream, "a notice is kept until its stream has an owner");
            return Ok(NoticeStatus::Parked);
        }
    };
    match event {
        Event::Screenshot { picture, at } if user_stream == UserStream::Own => {
            apply_screenshot(app, &user, picture.as_ref(), event_time(at, received)).await?;
        }
        Event::Moderated { is_forbidden: true, at } if user_stream == UserStream::Own => {
            apply_verdict(app, &user, event_time(at, received)).await?
        }
        event @ (Event::Started { .. }
        | Event::Ended { .. }
        | Event::Recorded(_)
        | Event::Screenshot { .. }
        | Event::Moderated { .. }
        | Event::Other) => match evidence(event, user_stream, record) {
            Ok(Evidence::Recorded(recording)) => app.broadcaster(&user).record(recording).await?,
            Ok(evidence) => {
                let state = app.broadcaster(&user).add_evidence(evidence).await?;
                // A verdict may have ended this live before its start was reported: then the stream must be cut now.
                cut_if_pending(app, &user, &state).await;
            }
            Err(reason) => return dropped(reason),
        },
    }
    Ok(NoticeStatus::Applied(user))
}

/// The owner of a stream.
pub(super) enum StreamOwner {
    /// The user to whom the stream was assigned, or whose room its name names; and which of the user's streams it is.
    User(UserId, UserStream),
    /// A guest of a joint broadcast. The pushes of a guest are no lives.
    Guest,
    /// No user is known yet.
    Unknown,
}

/// The owner of a stream, by the table or else by the name that the cloud's room service gave the stream.
pub(super) async fn owner_of(app: &App, stream: &StreamId) -> Result<StreamOwner, Error> {
    match app.table.stream_owner(stream).await? {
        Owner::User(user) => Ok(StreamOwner::User(user, UserStream::Own)),
        Owner::Guest(..) => Ok(StreamOwner::Guest),
        Owner::Nobody => {
            let room = app.table.first_room(&users_named_in(stream)).await?;
            Ok(room
                .map_or(StreamOwner::Unknown, |room| StreamOwner::User(room.user, UserStream::of_room_service(stream))))
        }
    }
}

/// The users that the name of a room service's stream may mean: `<prefix>_<user>`, or `<prefix>_<user>_<suffix>`. A
/// user id may contain `_`, so there may be several; the longest comes first.
fn users_named_in(stream: &StreamId) -> Vec<UserId> {
    let mut rest = stream.as_str().split_once('_').map(|(_, rest)| rest);
    let names = std::iter::from_fn(|| {
        let name = rest?;
        rest = name.rsplit_once('_').map(|(shorter, _)| shorter);
        Some(name)
    });
    names.filter_map(AccountName::parse).map(|name| name.user().clone()).take(MAX_NAMES).collect()
}

/// When an event happened: the reported time, but no later than the receipt of the notice. An event with a future time
/// would make every later notice look old.
fn event_time(at: Option<UnixSeconds>, received: UnixSeconds) -> UnixSeconds {
    at.unwrap_or(received).or_now_if_ahead(received)
}

/// The evidence that an event adds to the timeline of the stream's owner, or the reason why it adds none.
fn evidence(event: Event, user_stream: UserStream, record: &NoticeRecord) -> Result<Evidence, &'static str> {
    let event_time = |at| event_time(at, record.received_at);
    match event {
        Event::Started { push, at } => Ok(Evidence::Started { user_stream, push, at: event_time(at) }),
        Event::Ended { push: Some(push), at, seconds, reason } => {
            Ok(Evidence::Ended { user_stream, push, at: event_time(at), seconds, reason })
        }
        Event::Ended { push: None, at, .. } if user_stream == UserStream::Own => {
            Ok(Evidence::Off(event_time(at), End::Stopped))
        }
        Event::Recorded(file) => recording(*file, user_stream, record).map(Evidence::Recorded),
        Event::Ended { .. } | Event::Screenshot { .. } | Event::Moderated { .. } | Event::Other => {
            Err("nothing follows from it for such a stream")
        }
    }
}

/// The evidence of a notice of the ledger in the timeline of its stream's owner; `None` if the notice is no evidence.
pub(super) fn evidence_in(owner: &StreamOwner, record: &NoticeRecord) -> Result<Option<Evidence>, Error> {
    let params = Params::of_notice(&record.notice.body)?;
    let event = params.number_or_text("event_type").and_then(|kind| Event::parse(&params, &kind));
    let Ok(event) = event else { return Ok(None) };
    if record.notice.is_late && matches!(event, Event::Started { .. }) {
        return Ok(None);
    }
    let StreamOwner::User(_, user_stream) = owner else { return Ok(None) };
    Ok(evidence(event, user_stream.clone(), record).ok())
}

/// The recording of a file, or the reason why the file is refused.
fn recording(file: File, user_stream: UserStream, record: &NoticeRecord) -> Result<Recording, &'static str> {
    let File { file, vod_file, url, format, start, end, expires_at } = file;
    let length = end.0.saturating_sub(start.0);
    if end > record.received_at.plus(MAX_END_AHEAD_SECONDS) || length > MAX_RECORDING_SECONDS {
        Err("it is a recording of a time that cannot be")
    } else if length == 0 {
        Err("it is a recording of nothing")
    } else if url.as_str().is_empty() {
        Err("it is a recording that plays nowhere")
    } else {
        let version = Version(expires_at.0, record.notice.id.ends_with(&md5_hex(&[url.as_str()])));
        let [vod_file, url, format] = [vod_file.as_str(), url.as_str(), format.as_str()].map(str::to_owned);
        Ok(Recording { user_stream, part: ReplayPart { file, vod_file, url, format, start, end, version } })
    }
}

/// A picture of the stream is a sign of life, and the cover of a live without a cover.
async fn apply_screenshot(app: &App, user: &UserId, picture: Option<&Link<255>>, at: UnixSeconds) -> Result<(), Error> {
    let rules = &app.config.rules;
    let note_sign_of_life = |state: &mut BroadcasterState| {
        if state.timeline.is_on() {
            let is_due = state.misses > 0 || at >= state.seen_at.plus(SEEN_EVERY_SECONDS);
            (state.misses, state.seen_at) = (0, state.seen_at.max(at));
            return is_due;
        }
        // The end may belong to another push than the one that runs.
        if let Some(end) = state.timeline.unconfirmed_end().filter(|end| *end < at) {
            return state.timeline.add(Evidence::On(end));
        }
        // The sweep ended the live because nothing was heard of the stream. The picture shows that the stream runs.
        let last = state.timeline.last_live(rules.grace_seconds).and_then(|live| live.end);
        let was_guessed = last.is_some_and(|(end, why)| end < at && matches!(why, End::Vanished | End::Silent));
        was_guessed && state.timeline.add(Evidence::On(at))
    };
    let state = app.broadcaster(user).change(note_sign_of_life).await?;
    match (picture, state.timeline.live_at(at, rules.grace_seconds)) {
        (Some(picture), Some(live)) => Ok(app.broadcaster(user).set_cover_picture(&live, picture, at).await?),
        (None, _) | (_, None) => Ok(()),
    }
}

/// Hides or ends the live of a forbidden picture, as the setting MODERATION says.
async fn apply_verdict(app: &App, user: &UserId, at: UnixSeconds) -> Result<(), Error> {
    let rules = &app.config.rules;
    if rules.moderation == Moderation::Record {
        return Ok(());
    }
    // The cover is removed first: when a live ends, its replay gets the cover.
    if let Some(broadcast) = app.table.state(user).await?.timeline.broadcasts().of(at) {
        app.table.remove_cover_picture(user, broadcast, at).await?;
    }
    let state = app.broadcaster(user).change(|state| state.apply_verdict(at, rules)).await?;
    cut_if_pending(app, user, &state).await;
    Ok(())
}

/// Asks the cloud to cut a live that is over in the table, if that is pending. The sweep retries a failed cut.
async fn cut_if_pending(app: &App, user: &UserId, state: &BroadcasterState) {
    if state.pending_actions.contains(&PendingAction::CutStream) && ban::cut(app, user).await.is_err() {
        let user = app.config.log_names.of(user.as_str());
        tracing::warn!(user, "a live that has ended goes on in the cloud until the sweep has cut its stream");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(stream: &str) -> Vec<String> {
        users_named_in(&StreamId::parse(stream).unwrap()).iter().map(UserId::to_string).collect()
    }

    #[test]
    fn a_stream_of_the_room_service_names_its_possible_users_the_longest_first() {
        assert_eq!(named("1400_alice"), ["alice"]);
        assert_eq!(named("1400_bob_the_2nd"), ["bob_the_2nd", "bob_the"]);
        assert_eq!(named("1400_alice_main"), ["alice_main", "alice"]);
        assert_eq!(named("_alice"), ["alice"]);
    }

    #[test]
    fn a_part_that_is_no_account_name_names_no_user() {
        for stream in ["alice", "1400_", "1400_bob", "1400_2bob_x", "1400_用户用户"] {
            assert!(named(stream).is_empty(), "{stream}");
        }
        let stream = format!("1400_alice_{}", "x".repeat(240));
        assert_eq!(named(&stream), ["alice"]);
    }

    #[test]
    fn a_stream_names_at_most_ten_users() {
        assert_eq!(named(&format!("1400_alice{}", "_".repeat(19))).len(), MAX_NAMES);
        assert_eq!(named(&format!("1400_alice{}", "_".repeat(240))).len(), MAX_NAMES);
    }
}
