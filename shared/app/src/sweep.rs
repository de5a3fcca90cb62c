//! The sweep: looks after what nobody else does. Lives that nobody ends, viewers who went without a word, what a process
//! that died left half-done, bans that run out, files that the cloud did not delete.
//!
//! All of that stands in one index with the second at which it is due. Where nothing is due, a round is one query.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use crate::{App, ban, cloud::StreamState, commands, deletion};
use protocol::{
    error::{Chain, Error},
    types::{UnixSeconds, UserId},
};
use store::{BroadcasterState, PendingAction, Task};
use timeline::{End, Evidence};

/// How much is looked after in one round, and how much of it at a time.
const MAX: usize = 500;
const AT_A_TIME: usize = 8;
/// So many times, one after the other, the cloud must know nothing of a live before it is over.
const MISSES: u64 = 3;
/// How soon what could not be done is tried again.
const AGAIN_SECONDS: u64 = 60;
/// How soon a live is looked at again in doubt.
pub const DOUBT_SECONDS: u64 = 30;

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// How much was due.
    pub due: usize,
    /// How much of it failed, and will be tried again.
    pub failed: usize,
    /// Whether there is a live that may be over: another round should follow after [`DOUBT_SECONDS`].
    pub is_in_doubt: bool,
    /// How many lives were looked at, and go on: all that there are, in a round a minute after the last.
    pub lives: usize,
    /// For how long the longest of the lives that were looked at goes on.
    pub oldest_live_seconds: Option<u64>,
}

/// What was found of one thing.
#[derive(Clone, Copy, Debug, Default)]
struct TaskOutcome {
    /// It is a live that may be over.
    is_in_doubt: bool,
    /// It is a live, and goes on since then.
    live_since: Option<UnixSeconds>,
}

/// What is done each minute where a clock calls: a round, and in doubt another one.
pub async fn minute(app: &App) -> Result<(), Error> {
    // Boxed, because the compiler gives up on what is in it otherwise.
    if Box::pin(round(app)).await?.is_in_doubt {
        tokio::time::sleep(Duration::from_secs(DOUBT_SECONDS)).await;
        Box::pin(round(app)).await?;
    }
    Ok(())
}

/// Looks after everything that is due.
pub async fn round(app: &App) -> Result<Round, Error> {
    let due = app.table.due_tasks(app.now(), MAX).await?;
    let mut round = Round { due: due.len(), ..Round::default() };
    let mut done = stream::iter(due)
        .map(|task| async move {
            let outcome = run_task(app, &task).await;
            if let Err(error) = &outcome {
                let (user, stream) = names_of(app, &task);
                tracing::error!(user, stream, error = %Chain(error), "something could not be looked after");
                // Not in each round from now on, or what fails would keep others from their turn.
                if let Err(error) = app.table.reschedule(&task, Some(app.now().plus(AGAIN_SECONDS))).await {
                    let (user, stream) = names_of(app, &task);
                    tracing::error!(user, stream, error = %Chain(&error), "it could not be postponed either");
                }
            }
            outcome
        })
        .buffer_unordered(AT_A_TIME);
    while let Some(outcome) = done.next().await {
        match outcome {
            Ok(TaskOutcome { is_in_doubt, live_since }) => {
                round.is_in_doubt |= is_in_doubt;
                round.lives += usize::from(live_since.is_some());
                let seconds = live_since.map(|since| app.now().0.saturating_sub(since.0));
                round.oldest_live_seconds = round.oldest_live_seconds.max(seconds);
            }
            Err(_) => round.failed += 1,
        }
    }
    if round.due > 0 {
        let Round { due, failed, lives, oldest_live_seconds, .. } = round;
        // The template makes metrics of the last two.
        tracing::info!(due, failed, lives, oldest_live_seconds, "swept");
    }
    Ok(round)
}

/// The user and the stream that something to look after is about, as the log names them.
fn names_of(app: &App, task: &Task) -> (Option<String>, Option<String>) {
    let names = &app.config.log_names;
    match task {
        Task::User(user) | Task::Group(user, _) | Task::Replay(user, _) => (Some(names.of(user.as_str())), None),
        Task::Notice(stream, _) => (None, Some(names.of(stream.as_str()))),
    }
}

/// Looks after one thing.
async fn run_task(app: &App, task: &Task) -> Result<TaskOutcome, Error> {
    match task {
        Task::User(user) => return run_user_task(app, user).await,
        Task::Notice(stream, id) => match app.table.notice(stream, id).await? {
            Some(entry) => drop(commands::apply_notice(app, &entry).await?),
            None => app.table.reschedule(task, None).await?,
        },
        Task::Group(host, group) => {
            app.table.sweep_group(host, group, app.config.rules.member_seconds, app.now()).await?;
        }
        // It has written when it is to be tried again.
        Task::Replay(user, file) => {
            if let Err(error) = deletion::delete_if_due(app, user, file).await {
                let (user, _) = names_of(app, task);
                tracing::error!(user, error = %Chain(&error), "the files of a replay are not deleted yet");
            }
        }
    }
    Ok(TaskOutcome::default())
}

async fn run_user_task(app: &App, user: &UserId) -> Result<TaskOutcome, Error> {
    let rules = &app.config.rules;
    let state = app.table.state(user).await?;
    let has_dirty_rows = state.has_dirty_rows(app.now());
    if has_dirty_rows && let Err(error) = app.table.change(user, rules, app.now(), |_| false).await {
        // A ban that was written down before it must be carried out all the same.
        return ban::carry_out(app, user).await.and(Err(error.into()));
    }
    // What has just been written need not be in the index yet.
    let is_counted = !has_dirty_rows && app.table.recount_unconfirmed(user, rules, app.now()).await?;
    renew_or_lift_ban(app, user, &state).await?;
    let is_judged = !state.pending_actions.is_empty() || state.ban.is_some();
    let carried_out = if is_judged { ban::carry_out(app, user).await } else { Ok(()) };
    // Whatever became of that, a live that is over must end.
    let state = check_live(app, user).await?;
    let due = state.due(app.now());
    let recount = (!is_counted && state.has_unconfirmed_counts()).then(|| app.now().plus(AGAIN_SECONDS));
    let due = due.into_iter().chain(recount).min();
    app.table.reschedule_user(user, &state, due).await?;
    carried_out
        .map(|()| TaskOutcome { is_in_doubt: state.misses > 0, live_since: live_since(&state, rules.grace_seconds) })
}

/// Lifts a ban that has run out, and has the cloud told again of one that it would forget.
async fn renew_or_lift_ban(app: &App, user: &UserId, state: &BroadcasterState) -> Result<(), Error> {
    let Some(ban) = &state.ban else { return Ok(()) };
    if !ban.holds(app.now()) {
        app.table.ban(user, None, &app.config.rules, app.now()).await?;
    } else if (1..=app.now().0).contains(&ban.renew_at) {
        let renew = |state: &mut BroadcasterState| state.pending_actions.insert(PendingAction::ForbidStream);
        app.table.change(user, &app.config.rules, app.now(), renew).await?;
    }
    Ok(())
}

/// Ends a live that nobody ended: the cloud knows nothing of it any more, or if it cannot be asked, nothing was heard
/// of it for too long. Takes a doubtful end back if the cloud says that the stream runs.
async fn check_live(app: &App, user: &UserId) -> Result<BroadcasterState, Error> {
    let (rules, now) = (&app.config.rules, app.now());
    let (state, room) = (app.table.state(user).await?, app.table.room(user).await?);
    let Some(room) = room.filter(|_| state.ban.is_none()) else { return Ok(state) };
    let unconfirmed_end = state.unconfirmed_end(now);
    if !state.timeline.is_on() && unconfirmed_end.is_none() {
        return Ok(state);
    }
    let stream_state =
        if app.cloud.can_ask() { app.cloud.stream_state(&room.stream, now).await.map(Some) } else { Ok(None) };
    let stream_state = stream_state.unwrap_or_else(|error| {
        let names = &app.config.log_names;
        let (user, stream) = (names.of(user.as_str()), names.of(room.stream.as_str()));
        tracing::warn!(user, stream, error = %Chain(&error), "the cloud could not say whether a stream runs");
        None
    });
    let change: Box<dyn Fn(&mut BroadcasterState) -> bool + Send + Sync> = match stream_state {
        stream_state if !state.timeline.is_on() => {
            let (Some(StreamState::Active), Some(end)) = (stream_state, unconfirmed_end) else { return Ok(state) };
            // Unless more was told meanwhile.
            Box::new(move |state| {
                state.timeline.unconfirmed_end() == Some(end) && state.timeline.add(Evidence::On(end))
            })
        }
        Some(StreamState::Active) if state.misses == 0 => return Ok(state),
        Some(StreamState::Active) => Box::new(|state| {
            state.misses = 0;
            true
        }),
        Some(StreamState::Inactive | StreamState::Forbidden) => Box::new(move |state| {
            if state.misses == 0 {
                state.missed_at = now;
            }
            state.misses += 1;
            if state.misses >= MISSES {
                state.misses = 0;
                state.timeline.add(Evidence::Off(state.missed_at, End::Vanished));
            }
            true
        }),
        None if last_heard(&state, rules.grace_seconds).plus(rules.silence_seconds) <= now => {
            Box::new(move |state| state.timeline.add(Evidence::Off(now, End::Silent)))
        }
        None => return Ok(state),
    };
    Ok(app.table.change(user, rules, now, change).await?)
}

/// When something was last heard of a live.
fn last_heard(state: &BroadcasterState, grace: u64) -> UnixSeconds {
    let last = state.timeline.last_live(grace).map(|live| live.start);
    state.seen_at.max(last.unwrap_or_default()).max(state.timeline.last_word())
}

/// When the live began that goes on, if one does.
fn live_since(state: &BroadcasterState, grace: u64) -> Option<UnixSeconds> {
    state.timeline.last_live(grace).filter(|live| live.end.is_none()).map(|live| live.start)
}
