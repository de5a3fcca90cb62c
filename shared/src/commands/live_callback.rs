//! `live_callback`: the live cloud says what happened to a stream.

use lambda_http::tracing;

use super::{Command, Names, Nothing};
use crate::{
    app::App,
    auth::Notice,
    error::Error,
    table::{PushNotice, Recording, Status},
    types::{StreamId, Text, UnixSeconds},
    wire::{Filled, Params},
};

/// The longest recording that is believed: a file ends with its push, and no push lasts longer.
const LONGEST_RECORDING_SECONDS: u64 = 7 * 24 * 3600;
/// How far ahead of our clock an event may be.
const AHEAD_SECONDS: u64 = 3600;

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
        let Some(user) = app.table.stream_owner(&stream).await? else {
            tracing::info!("a notice about a stream that nobody owns");
            return Ok(Nothing {});
        };
        match self.event {
            Event::Push { status, sequence, at } => {
                // A time that cannot be would make every later notice an old one.
                let at = at.filter(|at| *at <= app.now().plus(AHEAD_SECONDS)).unwrap_or_else(|| app.now());
                app.table.push_changed(&user, &PushNotice { status, sequence, at }).await?;
            }
            Event::Recorded(recording) => keep(app, &user, *recording).await?,
            Event::Other => {}
        }
        Ok(Nothing {})
    }
}

fn push(params: &Params, status: Status) -> Result<Event, Error> {
    let sequence = params.optional::<Text<128>>("sequence")?.unwrap_or_default();
    Ok(Event::Push {
        status,
        sequence: sequence.as_str().to_owned(),
        at: params.optional("event_time")?.map(UnixSeconds),
    })
}

fn recorded(params: &Params) -> Result<Recording, Error> {
    let file = params.required("video_id")?;
    let Filled(url) = params.required("video_url")?;
    let Filled(format): Filled<16> = params.required("file_format")?;
    let format = Text::parse(&format.as_str().to_ascii_lowercase());
    Ok(Recording {
        file,
        url,
        format: format.unwrap_or_default(),
        start: UnixSeconds(params.required("start_time")?),
        end: UnixSeconds(params.required("end_time")?),
    })
}

/// Keeps a recording as a replay, if it is long enough.
async fn keep(app: &App, user: &crate::types::UserId, recording: Recording) -> Result<(), Error> {
    let length = recording.end.0.saturating_sub(recording.start.0);
    if recording.end > app.now().plus(AHEAD_SECONDS) || length > LONGEST_RECORDING_SECONDS {
        return Err(Error::Meaningless("a recording of such a time cannot be"));
    }
    if length <= app.config.replay_min_seconds {
        return Ok(());
    }
    match app.table.room(user).await? {
        Some(room) => Ok(app.table.record(&room, recording, app.config.replay_window_seconds).await?),
        None => Ok(()),
    }
}
