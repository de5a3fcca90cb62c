//! Bans a broadcaster or lifts a ban. The state of the user has the pending actions of a ban; each is retried until it
//! succeeds.

use crate::{
    App,
    cloud::{self, Channel},
};
use protocol::{
    error::{Chain, Error},
    types::{StreamId, UnixSeconds, UserId},
};
use store::{Ban, BroadcasterState, PendingAction};

/// How long after a ban the cloud is asked again to forbid the stream. API 3.0 forbids a stream for 90 days at most,
/// the old interface for 7. The second value also holds without a cloud, so that a cloud that is configured later
/// forbids the stream.
const RENEW_SECONDS: u64 = 80 * 24 * 3600;
const RENEW_SECONDS_COMMON_ACCESS: u64 = 6 * 24 * 3600;

/// Bans a user who has a room, or lifts the ban, and carries out the pending actions. Returns the first error; the
/// sweep retries failed actions.
pub async fn set_ban(app: &App, user: &UserId, ban: Option<Ban>) -> Result<(), Error> {
    match app.broadcaster(user).ban(ban).await {
        Ok(true) => carry_out(app, user).await,
        Ok(false) => Err(Error::NotFound("room")),
        // The ban may be written although a row that depends on it is not. The cloud is called without waiting for the
        // row.
        Err(error) => carry_out(app, user).await.and(Err(error.into())),
    }
}

/// Carries out all pending actions of a ban.
pub async fn carry_out(app: &App, user: &UserId) -> Result<(), Error> {
    carry_out_matching(app, user, |_| true).await
}

/// Cuts the stream of a user, if that is pending. Other actions are left to the sweep: the function for notices has no
/// permission to end sessions.
pub async fn cut(app: &App, user: &UserId) -> Result<(), Error> {
    carry_out_matching(app, user, |action| action == PendingAction::CutStream).await
}

async fn carry_out_matching(app: &App, user: &UserId, matches: fn(PendingAction) -> bool) -> Result<(), Error> {
    let state = app.table.state(user).await?;
    let Some(room) = app.table.room(user).await? else { return Ok(()) };
    let mut outcome = Ok(());
    for action in state.pending_actions.clone().into_iter().filter(|action| matches(*action)) {
        if let Err(error) = run(app, user, &room.stream, &state, action).await {
            let names = &app.config.log_names;
            let (user, stream) = (names.of(user.as_str()), names.of(room.stream.as_str()));
            tracing::warn!(user, stream, ?action, error = %Chain(&error), "an action of a ban failed and will be retried");
            outcome = outcome.and(Err(error));
            continue;
        }
        let renew_at = match action {
            PendingAction::ForbidStream if app.cloud.can_ask() => app.now().plus(RENEW_SECONDS).0,
            PendingAction::ForbidStream => app.now().plus(RENEW_SECONDS_COMMON_ACCESS).0,
            PendingAction::AllowStream
            | PendingAction::CutStream
            | PendingAction::EndSessions
            | PendingAction::WithholdReplays
            | PendingAction::ReleaseReplays => 0,
        };
        let done = |now: &mut BroadcasterState| {
            // Another ban, or the end of the ban, may have been written meanwhile. Its actions must stay pending.
            let is_same = now.ban.as_ref().map(|ban| ban.at) == state.ban.as_ref().map(|ban| ban.at);
            if let Some(ban) = now.ban.as_mut().filter(|_| renew_at > 0) {
                ban.renew_at = renew_at;
            }
            is_same && now.pending_actions.remove(&action)
        };
        app.broadcaster(user).change(done).await?;
    }
    outcome
}

async fn run(
    app: &App,
    user: &UserId,
    stream: &StreamId,
    state: &BroadcasterState,
    action: PendingAction,
) -> Result<(), Error> {
    let (cloud, now) = (&app.cloud, app.now());
    let outcome = match action {
        // The ban was lifted meanwhile.
        PendingAction::ForbidStream if state.ban.is_none() => Ok(()),
        PendingAction::ForbidStream if cloud.can_ask() => {
            forbid(app, stream, state.ban.clone().unwrap_or_default()).await
        }
        PendingAction::ForbidStream => cloud.set_channel(stream, Channel::Disabled, now).await,
        PendingAction::AllowStream if cloud.can_ask() => cloud.resume_stream(stream, now).await,
        PendingAction::AllowStream => cloud.set_channel(stream, Channel::Enabled, now).await,
        PendingAction::CutStream => cloud.drop_stream(stream, now).await,
        PendingAction::EndSessions => return Ok(app.table.end_sessions(user).await?),
        PendingAction::WithholdReplays => return Ok(app.broadcaster(user).withhold_replays(true).await?),
        PendingAction::ReleaseReplays => return Ok(app.broadcaster(user).withhold_replays(false).await?),
    };
    match outcome {
        // The setting switches the cloud off. Another attempt would fail in the same way.
        Err(cloud::Error::SwitchedOff(setting)) => {
            let names = &app.config.log_names;
            let (user, stream) = (names.of(user.as_str()), names.of(stream.as_str()));
            tracing::warn!(
                ?action,
                user,
                stream,
                "{setting} is none: the cloud is not called for this action of a ban"
            );
            Ok(())
        }
        outcome => Ok(outcome?),
    }
}

/// Asks the cloud to cut a stream, and to refuse its push for as long as the ban lasts.
async fn forbid(app: &App, stream: &StreamId, ban: Ban) -> Result<(), cloud::Error> {
    app.cloud.forbid_stream(stream, ban.until.map(UnixSeconds), &ban.reason, app.now()).await?;
    app.cloud.drop_stream(stream, app.now()).await
}
