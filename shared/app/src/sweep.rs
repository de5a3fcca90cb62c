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
use store::{Standing, Step, Work};
use timeline::{End, Evidence};

/// How much is looked after in one round, and how much of it at a time.
const MOST: usize = 500;
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
struct Found {
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
    let due = app.table.due(app.now(), MOST).await?;
    let mut round = Round { due: due.len(), ..Round::default() };
    let mut done = stream::iter(due)
        .map(|work| async move {
            let outcome = look_after(app, &work).await;
            if let Err(error) = &outcome {
                let (user, stream) = names_of(app, &work);
                tracing::error!(user, stream, error = %Chain(error), "something could not be looked after");
                // Not in each round from now on, or what fails would keep others from their turn.
                if let Err(error) = app.table.postpone(&work, Some(app.now().plus(AGAIN_SECONDS))).await {
                    let (user, stream) = names_of(app, &work);
                    tracing::error!(user, stream, error = %Chain(&error), "it could not be postponed either");
                }
            }
            outcome
        })
        .buffer_unordered(AT_A_TIME);
    while let Some(outcome) = done.next().await {
        match outcome {
            Ok(Found { is_in_doubt, live_since }) => {
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
fn names_of(app: &App, work: &Work) -> (Option<String>, Option<String>) {
    let names = &app.config.log_names;
    match work {
        Work::User(user) | Work::Group(user, _) | Work::Replay(user, _) => (Some(names.of(user.as_str())), None),
        Work::Notice(stream, _) => (None, Some(names.of(stream.as_str()))),
    }
}

/// Looks after one thing.
async fn look_after(app: &App, work: &Work) -> Result<Found, Error> {
    match work {
        Work::User(user) => return look_after_user(app, user).await,
        Work::Notice(stream, id) => match app.table.notice(stream, id).await? {
            Some(entry) => drop(commands::apply_notice(app, &entry).await?),
            None => app.table.postpone(work, None).await?,
        },
        Work::Group(host, group) => {
            app.table.look_after_group(host, group, app.config.rules.member_seconds, app.now()).await?;
        }
        // It has written when it is to be tried again.
        Work::Replay(user, file) => {
            if let Err(error) = deletion::look_after(app, user, file).await {
                let (user, _) = names_of(app, work);
                tracing::error!(user, error = %Chain(&error), "the files of a replay are not deleted yet");
            }
        }
    }
    Ok(Found::default())
}

async fn look_after_user(app: &App, user: &UserId) -> Result<Found, Error> {
    let rules = &app.config.rules;
    let standing = app.table.standing(user).await?;
    let is_unwritten = standing.is_unwritten(app.now());
    if is_unwritten && let Err(error) = app.table.change(user, rules, app.now(), |_| false).await {
        // A ban that was written down before it must be carried out all the same.
        return ban::carry_out(app, user).await.and(Err(error.into()));
    }
    // What has just been written need not be in the index yet.
    let is_counted = !is_unwritten && app.table.recount_doubts(user, rules, app.now()).await?;
    judge_again(app, user, &standing).await?;
    let is_judged = !standing.steps.is_empty() || standing.ban.is_some();
    let carried_out = if is_judged { ban::carry_out(app, user).await } else { Ok(()) };
    // Whatever became of that, a live that is over must end.
    let standing = check_live(app, user).await?;
    let due = standing.due(app.now());
    let recount = (!is_counted && standing.doubts_counts()).then(|| app.now().plus(AGAIN_SECONDS));
    let due = due.into_iter().chain(recount).min();
    app.table.postpone_user(user, &standing, due).await?;
    carried_out
        .map(|()| Found { is_in_doubt: standing.misses > 0, live_since: live_since(&standing, rules.grace_seconds) })
}

/// Lifts a ban that has run out, and has the cloud told again of one that it would forget.
async fn judge_again(app: &App, user: &UserId, standing: &Standing) -> Result<(), Error> {
    let Some(ban) = &standing.ban else { return Ok(()) };
    if !ban.holds(app.now()) {
        app.table.ban(user, None, &app.config.rules, app.now()).await?;
    } else if (1..=app.now().0).contains(&ban.renew_at) {
        let renew = |standing: &mut Standing| standing.steps.insert(Step::ForbidStream);
        app.table.change(user, &app.config.rules, app.now(), renew).await?;
    }
    Ok(())
}

/// Ends a live that nobody ended: the cloud knows nothing of it any more, or if it cannot be asked, nothing was heard
/// of it for too long. Takes a doubtful end back if the cloud says that the stream runs.
async fn check_live(app: &App, user: &UserId) -> Result<Standing, Error> {
    let (rules, now) = (&app.config.rules, app.now());
    let (standing, room) = (app.table.standing(user).await?, app.table.room(user).await?);
    let Some(room) = room.filter(|_| standing.ban.is_none()) else { return Ok(standing) };
    let doubtful_end = standing.doubtful_end(now);
    if !standing.timeline.is_on() && doubtful_end.is_none() {
        return Ok(standing);
    }
    let state = if app.cloud.can_ask() { app.cloud.stream_state(&room.stream, now).await.map(Some) } else { Ok(None) };
    let state = state.unwrap_or_else(|error| {
        let names = &app.config.log_names;
        let (user, stream) = (names.of(user.as_str()), names.of(room.stream.as_str()));
        tracing::warn!(user, stream, error = %Chain(&error), "the cloud could not say whether a stream runs");
        None
    });
    let change: Box<dyn Fn(&mut Standing) -> bool + Send + Sync> = match state {
        state if !standing.timeline.is_on() => {
            let (Some(StreamState::Active), Some(end)) = (state, doubtful_end) else { return Ok(standing) };
            // Unless more was told meanwhile.
            Box::new(move |standing| {
                standing.timeline.doubtful_end() == Some(end) && standing.timeline.add(Evidence::On(end))
            })
        }
        Some(StreamState::Active) if standing.misses == 0 => return Ok(standing),
        Some(StreamState::Active) => Box::new(|standing| {
            standing.misses = 0;
            true
        }),
        Some(StreamState::Inactive | StreamState::Forbidden) => Box::new(move |standing| {
            if standing.misses == 0 {
                standing.missed_at = now;
            }
            standing.misses += 1;
            if standing.misses >= MISSES {
                standing.misses = 0;
                standing.timeline.add(Evidence::Off(standing.missed_at, End::Vanished));
            }
            true
        }),
        None if last_heard(&standing, rules.grace_seconds).plus(rules.silence_seconds) <= now => {
            Box::new(move |standing| standing.timeline.add(Evidence::Off(now, End::Silent)))
        }
        None => return Ok(standing),
    };
    Ok(app.table.change(user, rules, now, change).await?)
}

/// When something was last heard of a live.
fn last_heard(standing: &Standing, grace: u64) -> UnixSeconds {
    let last = standing.timeline.last_live(grace).map(|live| live.start);
    standing.seen_at.max(last.unwrap_or_default()).max(standing.timeline.last_word())
}

/// When the live began that goes on, if one does.
fn live_since(standing: &Standing, grace: u64) -> Option<UnixSeconds> {
    standing.timeline.last_live(grace).filter(|live| live.end.is_none()).map(|live| live.start)
}
