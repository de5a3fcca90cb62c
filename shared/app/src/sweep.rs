//! The sweep runs every task that is due: it ends lives whose end was never reported, removes viewers who left
//! silently, finishes writes of a process that died, lifts expired bans, and retries the deletion of files.
//!
//! One index of the table has all tasks with the second at which each is due. If no task is due, a run is one query.

use std::{future::ready, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use crate::{App, ban, cloud::StreamState, commands::live_callback, deletion};
use protocol::{
    error::{Chain, Error},
    types::{UnixSeconds, UserId},
};
use store::{BroadcasterState, PendingAction, Task};
use timeline::{End, Evidence};

/// How many tasks are queried at a time, and how many run concurrently.
const BATCH_SIZE: usize = 500;
const CONCURRENCY: usize = 8;
/// For how long a run starts tasks. A function on Lambda has 58 seconds for two runs, half a minute apart, and a task may
/// take some seconds.
const TIME_BUDGET: Duration = Duration::from_secs(10);
/// How many times in a row the cloud must report that a stream is not pushed before the live is over.
const MAX_MISSES: u64 = 3;
/// How long after a failure a task is due again.
const RETRY_SECONDS: u64 = 60;
/// How long after a run a live that may be over is checked again.
pub const RECHECK_SECONDS: u64 = 30;

/// The result of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// The number of tasks that were run.
    pub due: usize,
    /// The number of tasks that failed and will be retried.
    pub failed: usize,
    /// Whether a live may be over: another run should follow after [`RECHECK_SECONDS`].
    pub needs_recheck: bool,
    /// The number of lives that were checked and go on. A run a minute after the last one checks all lives.
    pub lives: usize,
    /// How long the oldest of these lives has lasted.
    pub oldest_live_seconds: Option<u64>,
}

/// The result of one task.
#[derive(Clone, Copy, Debug, Default)]
struct TaskOutcome {
    /// The user's live may be over.
    needs_recheck: bool,
    /// When the user's live began, if the user is live.
    live_since: Option<UnixSeconds>,
}

/// Runs the sweep, and once more after [`RECHECK_SECONDS`] if a live may be over. A timer calls this once a minute.
pub async fn run_with_recheck(app: &App) -> Result<(), Error> {
    // The future is boxed because the compiler cannot prove that it is Send otherwise.
    if Box::pin(run(app)).await?.needs_recheck {
        tokio::time::sleep(Duration::from_secs(RECHECK_SECONDS)).await;
        Box::pin(run(app)).await?;
    }
    Ok(())
}

/// Runs the tasks that are due, the longest due first, until none is left or the time budget is used up.
pub async fn run(app: &App) -> Result<SweepReport, Error> {
    let started = Instant::now();
    let mut report = SweepReport::default();
    loop {
        let due = app.table.due_tasks(app.now(), BATCH_SIZE).await?;
        let is_last = due.len() < BATCH_SIZE;
        run_tasks(app, due, started, &mut report).await;
        if is_last {
            break;
        }
        if started.elapsed() >= TIME_BUDGET {
            tracing::warn!(due = report.due, "the sweep had no time for all due tasks; the next run continues");
            break;
        }
    }
    if report.due > 0 {
        let SweepReport { due, failed, lives, oldest_live_seconds, .. } = report;
        // template.yaml has metrics of the last two fields.
        tracing::info!(due, failed, lives, oldest_live_seconds, "swept");
    }
    Ok(report)
}

/// Runs these tasks, without those for which the time budget has no room.
async fn run_tasks(app: &App, tasks: Vec<Task>, started: Instant, report: &mut SweepReport) {
    let in_time = stream::iter(tasks).take_while(|_| ready(started.elapsed() < TIME_BUDGET));
    let mut done = in_time
        .map(|task| async move {
            let outcome = run_task(app, &task).await;
            if let Err(error) = &outcome {
                let (user, stream) = names_of(app, &task);
                tracing::error!(user, stream, error = %Chain(error), "a task of the sweep failed and will be retried");
                // A failed task is postponed, so that it does not take the place of other tasks in each run.
                if let Err(error) = app.table.reschedule(&task, Some(app.now().plus(RETRY_SECONDS))).await {
                    let (user, stream) = names_of(app, &task);
                    tracing::error!(user, stream, error = %Chain(&error), "a failed task could not be postponed");
                }
            }
            outcome
        })
        .buffer_unordered(CONCURRENCY);
    while let Some(outcome) = done.next().await {
        report.due += 1;
        match outcome {
            Ok(TaskOutcome { needs_recheck, live_since }) => {
                report.needs_recheck |= needs_recheck;
                report.lives += usize::from(live_since.is_some());
                let seconds = live_since.map(|since| app.now().0.saturating_sub(since.0));
                report.oldest_live_seconds = report.oldest_live_seconds.max(seconds);
            }
            Err(_) => report.failed += 1,
        }
    }
}

/// The user and the stream of a task, as the log names them.
fn names_of(app: &App, task: &Task) -> (Option<String>, Option<String>) {
    let names = &app.config.log_names;
    match task {
        Task::User(user) | Task::Group(user, _) | Task::Replay(user, _) => (Some(names.of(user.as_str())), None),
        Task::Notice(stream, _) => (None, Some(names.of(stream.as_str()))),
    }
}

/// Runs one task.
async fn run_task(app: &App, task: &Task) -> Result<TaskOutcome, Error> {
    match task {
        Task::User(user) => return run_user_task(app, user).await,
        Task::Notice(stream, id) => match app.table.notice(stream, id).await? {
            Some(entry) => drop(live_callback::apply_again(app, &entry).await?),
            None => app.table.reschedule(task, None).await?,
        },
        Task::Group(host, group) => {
            app.table.group(host, group, app.now()).sweep(app.config.rules.member_seconds).await?;
        }
        Task::Replay(user, file) => deletion::delete_if_due(app, user, file).await?,
    }
    Ok(TaskOutcome::default())
}

async fn run_user_task(app: &App, user: &UserId) -> Result<TaskOutcome, Error> {
    let rules = &app.config.rules;
    let state = app.table.state(user).await?;
    let has_dirty_rows = state.has_dirty_rows(app.now());
    if has_dirty_rows && let Err(error) = app.broadcaster(user).change(|_| false).await {
        // A failed write of rows must not keep a ban from being carried out.
        return ban::carry_out(app, user).await.and(Err(error.into()));
    }
    // A row that has just been written may not be in the index yet.
    let is_counted = !has_dirty_rows && app.broadcaster(user).recount_unconfirmed().await?;
    renew_or_lift_ban(app, user, &state).await?;
    let has_ban_actions = !state.pending_actions.is_empty() || state.ban.is_some();
    let carried_out = if has_ban_actions { ban::carry_out(app, user).await } else { Ok(()) };
    // The live is checked even if an action of the ban failed.
    let state = check_live(app, user).await?;
    let due = state.due(app.now());
    let recount = (!is_counted && state.has_unconfirmed_counts()).then(|| app.now().plus(RETRY_SECONDS));
    let due = due.into_iter().chain(recount).min();
    app.broadcaster(user).reschedule(&state, due).await?;
    carried_out
        .map(|()| TaskOutcome { needs_recheck: state.misses > 0, live_since: live_since(&state, rules.grace_seconds) })
}

/// Lifts a ban that has expired. Makes the action pending that forbids the stream again before the cloud would allow
/// it.
async fn renew_or_lift_ban(app: &App, user: &UserId, state: &BroadcasterState) -> Result<(), Error> {
    let Some(ban) = &state.ban else { return Ok(()) };
    if !ban.holds(app.now()) {
        app.broadcaster(user).ban(None).await?;
    } else if (1..=app.now().0).contains(&ban.renew_at) {
        let renew = |state: &mut BroadcasterState| state.pending_actions.insert(PendingAction::ForbidStream);
        app.broadcaster(user).change(renew).await?;
    }
    Ok(())
}

/// Ends a live whose end was not reported: the cloud says that the stream is not pushed, or, without the cloud's API,
/// there was no sign of life for too long. Revokes an unconfirmed end if the cloud says that the stream is pushed.
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
        tracing::warn!(user, stream, error = %Chain(&error), "the state of a stream could not be read from the cloud");
        None
    });
    let change: Box<dyn Fn(&mut BroadcasterState) -> bool + Send + Sync> = match stream_state {
        stream_state if !state.timeline.is_on() => {
            let (Some(StreamState::Active), Some(end)) = (stream_state, unconfirmed_end) else { return Ok(state) };
            // Another notice may have changed the end meanwhile.
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
            if state.misses >= MAX_MISSES {
                state.misses = 0;
                state.timeline.add(Evidence::Off(state.missed_at, End::Vanished));
            }
            true
        }),
        None if last_activity(&state, rules.grace_seconds).plus(rules.silence_seconds) <= now => {
            Box::new(move |state| state.timeline.add(Evidence::Off(now, End::Silent)))
        }
        None => return Ok(state),
    };
    Ok(app.table.broadcaster(user, rules, now).change(change).await?)
}

/// The time of the last event or sign of life of a live.
fn last_activity(state: &BroadcasterState, grace: u64) -> UnixSeconds {
    let last = state.timeline.last_live(grace).map(|live| live.start);
    state.seen_at.max(last.unwrap_or_default()).max(state.timeline.last_event_at())
}

/// When the current live began; `None` if the user is not live.
fn live_since(state: &BroadcasterState, grace: u64) -> Option<UnixSeconds> {
    state.timeline.last_live(grace).filter(|live| live.end.is_none()).map(|live| live.start)
}
