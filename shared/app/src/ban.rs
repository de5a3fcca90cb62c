//! What a ban comes to: each step is tried until it is done.

use crate::{
    App,
    cloud::{self, Channel},
};
use protocol::{
    error::{Chain, Error},
    types::{StreamId, UnixSeconds, UserId},
};
use store::{Ban, BroadcasterState, PendingAction};

/// How soon the cloud is told again of a ban: API 3.0 takes 90 days at most, and the old interface forgets after seven.
/// Without a cloud the second holds too, so that one that is set later hears of the ban.
const RENEWED_AFTER_SECONDS: u64 = 80 * 24 * 3600;
const RENEWED_AFTER_SECONDS_OLD: u64 = 6 * 24 * 3600;

/// Bans a user who has a room, or lifts the ban, and does what follows from it. What fails is tried again by the sweep;
/// the first failure is told.
pub async fn set_ban(app: &App, user: &UserId, ban: Option<Ban>) -> Result<(), Error> {
    match app.table.ban(user, ban, &app.config.rules, app.now()).await {
        Ok(true) => carry_out(app, user).await,
        Ok(false) => Err(Error::NotFound("room")),
        // It may be written down, and rows that follow from it not: the cloud need not wait for those.
        Err(error) => carry_out(app, user).await.and(Err(error.into())),
    }
}

/// Does what is left to do about a ban.
pub async fn carry_out(app: &App, user: &UserId) -> Result<(), Error> {
    carry_out_those(app, user, |_| true).await
}

/// Cuts the stream of a user, if that is left to do. Nothing else about a ban is done: who takes the cloud's notices may
/// not end sessions.
pub async fn cut(app: &App, user: &UserId) -> Result<(), Error> {
    carry_out_those(app, user, |action| action == PendingAction::CutStream).await
}

async fn carry_out_those(app: &App, user: &UserId, is_meant: fn(PendingAction) -> bool) -> Result<(), Error> {
    let state = app.table.state(user).await?;
    let Some(room) = app.table.room(user).await? else { return Ok(()) };
    let mut outcome = Ok(());
    for action in state.pending_actions.clone().into_iter().filter(|action| is_meant(*action)) {
        if let Err(error) = run(app, user, &room.stream, &state, action).await {
            let names = &app.config.log_names;
            let (user, stream) = (names.of(user.as_str()), names.of(room.stream.as_str()));
            tracing::warn!(user, stream, ?action, error = %Chain(&error), "a step of a ban failed and will be tried again");
            outcome = outcome.and(Err(error));
            continue;
        }
        let renew_at = match action {
            PendingAction::ForbidStream if app.cloud.can_ask() => app.now().plus(RENEWED_AFTER_SECONDS).0,
            PendingAction::ForbidStream => app.now().plus(RENEWED_AFTER_SECONDS_OLD).0,
            PendingAction::AllowStream
            | PendingAction::CutStream
            | PendingAction::EndSessions
            | PendingAction::WithholdReplays
            | PendingAction::ReleaseReplays => 0,
        };
        let done = |now: &mut BroadcasterState| {
            // Another ban, or its end, may have come meanwhile, and wants its own steps taken.
            let is_same = now.ban.as_ref().map(|ban| ban.at) == state.ban.as_ref().map(|ban| ban.at);
            if let Some(ban) = now.ban.as_mut().filter(|_| renew_at > 0) {
                ban.renew_at = renew_at;
            }
            is_same && now.pending_actions.remove(&action)
        };
        app.table.change(user, &app.config.rules, app.now(), done).await?;
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
    let (cloud, now, rules) = (&app.cloud, app.now(), &app.config.rules);
    let outcome = match action {
        // It was lifted meanwhile.
        PendingAction::ForbidStream if state.ban.is_none() => Ok(()),
        PendingAction::ForbidStream if cloud.can_ask() => {
            forbid(app, stream, state.ban.clone().unwrap_or_default()).await
        }
        PendingAction::ForbidStream => cloud.set_channel(stream, Channel::Disabled, now).await,
        PendingAction::AllowStream if cloud.can_ask() => cloud.resume_stream(stream, now).await,
        PendingAction::AllowStream => cloud.set_channel(stream, Channel::Enabled, now).await,
        PendingAction::CutStream => cloud.drop_stream(stream, now).await,
        PendingAction::EndSessions => return Ok(app.table.end_sessions(user).await?),
        PendingAction::WithholdReplays => return Ok(app.table.withhold_replays(user, true, rules, now).await?),
        PendingAction::ReleaseReplays => return Ok(app.table.withhold_replays(user, false, rules, now).await?),
    };
    match outcome {
        // The settings name no cloud, so a second attempt would come to the same.
        Err(cloud::Error::SwitchedOff(setting)) => {
            let names = &app.config.log_names;
            let (user, stream) = (names.of(user.as_str()), names.of(stream.as_str()));
            tracing::warn!(?action, user, stream, "{setting} is none: the cloud is not told of this step of a ban");
            Ok(())
        }
        outcome => Ok(outcome?),
    }
}

/// Has the cloud cut a stream and refuse it for as long as the ban holds.
async fn forbid(app: &App, stream: &StreamId, ban: Ban) -> Result<(), cloud::Error> {
    app.cloud.forbid_stream(stream, ban.until.map(UnixSeconds), &ban.reason, app.now()).await?;
    app.cloud.drop_stream(stream, app.now()).await
}
