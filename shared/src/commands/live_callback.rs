//! `live_callback`: the live cloud says what happened to a stream.

use lambda_http::tracing;

use super::{Command, Names, Nothing};
use crate::{
    app::App,
    auth::Notice,
    error::Error,
    table::{Owner, PushNotice, Recording, Status},
    types::{AccountName, StreamId, Text, UnixSeconds, UserId},
    wire::Params,
};

/// The longest recording that is believed: a file ends with its push, and no push lasts longer.
const LONGEST_RECORDING_SECONDS: u64 = 7 * 24 * 3600;
/// How far ahead of our clock an event may be.
const AHEAD_SECONDS: u64 = 3600;
/// How many users are looked for in the name of a stream that we gave to nobody.
const MOST_NAMES: usize = 10;

/// See the module.
#[derive(Debug)]
pub struct LiveCallback {
    stream: String,
    event: Event,
}

#[derive(Debug)]
enum Event {
    /// Event 1: a push started. Event 0: it ended.
    Push { status: Status, sequence: String, at: Option<UnixSeconds> },
    /// Event 100: a file was recorded.
    Recorded(Box<Recording>),
    /// Anything else is acknowledged.
    Other,
}

impl Command for LiveCallback {
    const NAMES: Names = Names { name: "live_callback", path: None, action: None };
    type Caller = Notice;
    type Reply = Nothing;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<String>("t")?;
        params.required::<String>("sign")?;
        let event = match params.number_or_text("event_type")?.as_str() {
            "0" => push(params, Status::Offline)?,
            "1" => push(params, Status::Online)?,
            "100" => Event::Recorded(Box::new(recorded(params)?)),
            _ => Event::Other,
        };
        // Moderation results (317) write streamId; every other event stream_id.
        let stream = match params.optional("stream_id")? {
            Some(stream) => stream,
            None => {
                params.optional("streamId")?.ok_or(Error::InvalidParam { name: "stream_id", reason: "is missing" })?
            }
        };
        Ok(Self { stream, event })
    }

    async fn run(self, notice: Notice, app: &App) -> Result<Nothing, Error> {
        // Screenshots come every few seconds: what changes nothing asks nothing of the table.
        let starts = matches!(self.event, Event::Push { status: Status::Online, .. });
        if matches!(self.event, Event::Other) || (starts && notice.is_late()) {
            return Ok(Nothing {});
        }
        // A stream that is not ours is acknowledged too: to be told of it again would not make it ours.
        let Some(stream) = StreamId::parse(&self.stream) else { return Ok(Nothing {}) };
        match (self.event, app.table.stream_owner(&stream).await?) {
            (Event::Push { status, sequence, at }, Owner::User(user)) => {
                // A time that cannot be would make every later notice an old one.
                let at = at.filter(|at| *at <= app.now().plus(AHEAD_SECONDS)).unwrap_or_else(|| app.now());
                app.table.push_changed(&user, &PushNotice { status, sequence, at }).await?;
            }
            (Event::Recorded(recording), Owner::User(user)) => keep(app, &[user], *recording).await?,
            (Event::Recorded(recording), Owner::Nobody) => keep(app, &named_in(&stream), *recording).await?,
            (Event::Push { .. } | Event::Recorded(_), Owner::Guest | Owner::Nobody) => {
                tracing::info!("a notice about a stream that nobody owns");
            }
            (Event::Other, _) => {}
        }
        Ok(Nothing {})
    }
}

fn push(params: &Params, status: Status) -> Result<Event, Error> {
    let sequence = params.optional::<Text<128>>("sequence")?.unwrap_or_default();
    Ok(Event::Push { status, sequence: sequence.as_str().to_owned(), at: params.optional("event_time")? })
}

fn recorded(params: &Params) -> Result<Recording, Error> {
    let file = params.required("video_id")?;
    let url = params.required("video_url")?;
    let format: Text<16> = params.nullable("file_format")?.unwrap_or_default();
    let format = Text::parse(&format.as_str().to_ascii_lowercase()).unwrap_or_default();
    Ok(Recording { file, url, format, start: params.required("start_time")?, end: params.required("end_time")? })
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
    names.filter_map(AccountName::parse).map(|name| name.user().clone()).take(MOST_NAMES).collect()
}

/// Keeps a recording as a replay of the first of these users who has a room, if it is one that can be played, is long
/// enough, and is of a time that can be.
async fn keep(app: &App, users: &[UserId], recording: Recording) -> Result<(), Error> {
    let length = recording.end.0.saturating_sub(recording.start.0);
    let is_possible = recording.end <= app.now().plus(AHEAD_SECONDS) && length <= LONGEST_RECORDING_SECONDS;
    if !is_possible {
        tracing::info!("a recording of a time that cannot be");
    }
    if !is_possible || recording.url.as_str().is_empty() || length <= app.config.replay_min_seconds {
        return Ok(());
    }
    match app.table.first_room(users).await? {
        Some(room) => Ok(app.table.record(&room, recording, app.config.replay_window_seconds).await?),
        None => Ok(()),
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
        assert_eq!(named(&format!("1400_alice{}", "_".repeat(19))).len(), MOST_NAMES);
        assert_eq!(named(&format!("1400_alice{}", "_".repeat(240))).len(), MOST_NAMES);
    }
}
