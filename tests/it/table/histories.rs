//! Whatever happens, and in whatever order it is reported: the server shows what the rules of decision 13 say.
//!
//! - [`history`]: the parts of a history
//! - [`generator`]: generates histories by number
//! - [`model`]: what the server must show
//! - [`script`]: writes a history as a script for `mini-lvb simulate`
//! - [`play`]: plays a history against a server, and compares
//!
//! `scripts/histories` plays more of them.
//!
//! The generator is not a strategy of proptest: each event depends on those before it (free seconds, titles, open pushes),
//! so for proptest a history would be one value that it cannot shrink. The search for the smallest failing history has 30
//! lines here, and plays a history several times, since requests sent at the same time do not always arrive in one order.

mod generator;
mod history;
mod model;
mod play;
mod script;

use std::{
    fmt::Display,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use self::{
    generator::{Delivery, Rng, Truth},
    history::{Act, File, History, Notice, Step},
    play::{Fault, Outcome, look, play, play_steps, shown, simulate},
    script::script,
};
use crate::support::{
    harness::{START, variable},
    steps::operated,
};
use cli::simulate::script::{parse, print};

/// How many histories are played in an ordinary run.
const COUNT: u64 = 30;
/// How many histories are played again from their scripts.
const AGAIN: usize = 20;
/// Only histories with fewer acts are played again, for speed.
const QUICK: usize = 40;
/// How often a smaller history is played before it counts as passed: requests that are sent at the same time do not always
/// arrive in the same order.
const TRIES: u32 = 3;

#[test]
fn the_server_shows_what_decision_13_says_in_whatever_order_events_arrive() {
    let number = |name: &str, ordinary| variable(name).map_or(ordinary, |text| text.parse().unwrap());
    let (count, seed) = (number("HISTORIES", COUNT), number("HISTORIES_SEED", 1));
    let first = number("HISTORIES_FIRST", 0);
    let next = AtomicU64::new(first);
    let (events, compared) = (AtomicU64::new(0), AtomicU64::new(0));
    let has_failed = AtomicBool::new(false);
    let worker = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        while !has_failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= first + count {
                return Ok(());
            }
            let played = runtime.block_on(two_orders(seed, number)).inspect_err(|_| {
                has_failed.store(true, Ordering::Relaxed);
            })?;
            events.fetch_add(played.events, Ordering::Relaxed);
            compared.fetch_add(u64::from(played.are_alike), Ordering::Relaxed);
        }
        Ok(())
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let outcomes: Vec<Result<(), String>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    for outcome in outcomes {
        outcome.unwrap_or_else(|fault| panic!("{fault}"));
    }
    println!("{count} histories from seed {seed}, each in two orders: {} events", events.into_inner());
    println!("{} of them had the same evidence in both orders, and showed the same", compared.into_inner());
}

#[tokio::test]
async fn a_script_has_all_of_its_history() {
    let mut compared = 0;
    for history in (0..).map(single).filter(|history| history.acts() < QUICK).take(AGAIN) {
        let text = written(&history);
        let steps = parse(&text).unwrap();
        assert!(steps.iter().map(|step| &step.statement).eq(&script(&history)), "{text}");
        let (program, model, _) = play_steps(&history).await.unwrap_or_else(|fault| panic!("{text}{fault}"));
        let simulated = simulate(&steps, &program.app.config).await.unwrap_or_else(|failure| panic!("{text}{failure}"));
        look(&simulated, &model).await.unwrap_or_else(|fault| panic!("{text}{fault}"));
        // Of two files that are sent at the same time, either may be the first, whose id the replay has.
        if !text.contains("together") {
            let [there, here] = [&simulated, &program].map(|program| shown(&program.app, model.users.keys()));
            assert_eq!(there.await, here.await, "{text}");
            compared += 1;
        }
    }
    assert_ne!(compared, 0);
}

/// A history, in one order.
fn single(number: u64) -> History {
    let mut rng = Rng::of(1, number);
    let truth = Truth::of(&mut rng);
    Delivery::of(&mut rng).history(&truth, &mut rng)
}

#[tokio::test]
async fn a_script_fails_in_the_line_in_which_the_server_differs() {
    let text = written(&small());
    let config = operated().await.app.config;
    simulate(&parse(&text).unwrap(), &config).await.unwrap();
    // A server that ignores a request shows the same as one that never got it.
    for (act, expected) in [
        ("push alice as a0 stream=8888_alice", "expect live alice"),
        ("enter bob alice group=@alice", "expect viewers alice 1"),
        ("like somebody alice", "expect likes alice 1"),
        ("say alice offline", "expect offline alice"),
        ("record a0 flv as f0 from=-100 to=0", "expect replays alice 1"),
    ] {
        let lost = if act.starts_with("push") { format!("{act} lost") } else { format!("# {act}") };
        assert!(text.contains(act), "{text}");
        let failure = simulate(&parse(&text.replace(act, &lost)).unwrap(), &config).await.err().unwrap();
        let line = text.lines().position(|line| line == expected).map(|line| line + 1);
        assert_eq!(Some(failure.line), line, "{failure} instead of {expected}\n{text}");
    }
}

/// A live that is watched, ends, and leaves a replay.
fn small() -> History {
    let [alice, bob, stream, group] = ["alice", "bob", "8888_alice", "@alice"].map(str::to_owned);
    let report = |notice| Act::Report { user: alice.clone(), stream: stream.clone(), notice, expired: false };
    let start = Notice::Start { push: "a0".to_owned(), at: START + 10 };
    let file = File { id: "f0".to_owned(), format: "flv", from: START + 20, to: START + 120, has_url: true };
    let step = |second, act, look| Step { at: START + second, acts: vec![act], look };
    let steps = vec![
        step(1, Act::Open { user: alice.clone(), title: "By the sea".to_owned(), group: group.clone() }, false),
        step(10, report(start), false),
        step(20, Act::Enter { viewer: bob, host: alice.clone(), group }, false),
        step(30, Act::Like { host: alice.clone() }, true),
        step(110, Act::Say { user: alice.clone(), online: false }, true),
        step(120, report(Notice::File(file)), false),
    ];
    History { steps, end: START + 120 }
}

/// The result of a history in two orders.
struct Played {
    events: u64,
    /// Whether both orders had the same evidence.
    are_alike: bool,
}

/// Plays a history in two orders. An error has the smallest history that fails.
async fn two_orders(seed: u64, number: u64) -> Result<Played, String> {
    let mut rng = Rng::of(seed, number);
    let truth = Truth::of(&mut rng);
    let (mut events, mut outcomes) = (0, Vec::new());
    let mut scripts = String::new();
    for _ in 0..2 {
        let history = Delivery::of(&mut rng).history(&truth, &mut rng);
        match play(&history).await {
            Ok(outcome) => outcomes.push(outcome),
            Err(fault) => {
                let (history, fault) = smallest(history, fault).await;
                return Err(format!("# history {number} of seed {seed}\n{}{}", written(&history), comment(&fault)));
            }
        }
        events += history.acts() as u64;
        scripts.push_str(&written(&history));
    }
    let [Outcome { evidence, shown }, Outcome { evidence: also, shown: again }] = &outcomes[..] else { unreachable!() };
    let are_alike = !truth.has_ties() && evidence == also;
    if are_alike && shown != again {
        let fault = format!("history {number} of seed {seed}: {shown:?}, or in another order {again:?}");
        return Err(format!("{}{scripts}", comment(fault)));
    }
    Ok(Played { events, are_alike })
}

/// A history as the text of a script.
fn written(history: &History) -> String {
    format!("# mini-lvb simulate --memory --retry-seconds 0\n{}", print(&script(history)))
}

/// A text as comments of a script.
fn comment(text: impl Display) -> String {
    text.to_string().lines().map(|line| format!("# {line}\n")).collect()
}

/// The smallest history that fails in the same kind of thing, found by leaving parts out.
async fn smallest(mut history: History, mut fault: Fault) -> (History, Fault) {
    let mut size = history.parts().div_ceil(2);
    while size > 0 {
        let mut from = 0;
        while from < history.parts() {
            let smaller = history.without(from..from + size);
            match fails(&smaller, fault.kind).await {
                Some(same) => (history, fault) = (smaller, same),
                None => from += size,
            }
        }
        size /= 2;
    }
    (history, fault)
}

/// The fault of a history, if it is of this kind.
async fn fails(history: &History, kind: &str) -> Option<Fault> {
    for _ in 0..TRIES {
        if let Err(fault) = play(history).await
            && fault.kind == kind
        {
            return Some(fault);
        }
    }
    None
}
