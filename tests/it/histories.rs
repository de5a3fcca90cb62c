//! Whatever happens, and however it is told: what is shown is what the rules of decision 13 say.
//!
//! - [`history`]: what a history is made of, and how it is written down for people
//! - [`generator`]: histories by number
//! - [`model`]: what should be shown
//! - [`play`]: plays a history against a server and compares
//!
//! `scripts/histories` plays more of them.

mod generator;
mod history;
mod model;
mod play;

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use self::{
    generator::{Dice, Roads, Truth},
    history::History,
    play::{Fault, Outcome, play},
};
use crate::harness::variable;

/// How many histories are played in an ordinary run.
const COUNT: u64 = 30;
/// How often a smaller history is played before it is taken for a good one: what comes at the same time does not always
/// come in the same order.
const TRIES: u32 = 3;

#[test]
fn what_is_shown_follows_from_what_was_told_in_whatever_order() {
    let number = |name: &str, ordinary| variable(name).map_or(ordinary, |text| text.parse().unwrap());
    let (count, seed) = (number("HISTORIES", COUNT), number("HISTORIES_SEED", 1));
    let next = AtomicU64::new(0);
    let (events, compared) = (AtomicU64::new(0), AtomicU64::new(0));
    let has_failed = AtomicBool::new(false);
    let worker = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        while !has_failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
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
    println!("{} of them told the same in both orders, and showed the same", compared.into_inner());
}

/// What was played of a history.
struct Played {
    events: u64,
    /// Whether both orders told the same.
    are_alike: bool,
}

/// Plays a history in two orders; or says, in a smaller one if there is, what went wrong.
async fn two_orders(seed: u64, number: u64) -> Result<Played, String> {
    let mut dice = Dice::of(seed, number);
    let truth = Truth::of(&mut dice);
    let (mut events, mut outcomes) = (0, Vec::new());
    let mut script = String::new();
    for _ in 0..2 {
        let history = Roads::of(&mut dice).history(&truth, &mut dice);
        match play(&history).await {
            Ok(outcome) => outcomes.push(outcome),
            Err(fault) => {
                let (history, fault) = smallest(history, fault).await;
                return Err(format!("history {number} of seed {seed}\n{history}\n{fault}"));
            }
        }
        events += history.acts() as u64;
        write!(script, "\n{history}\n").unwrap();
    }
    let [Outcome { evidence, shown }, Outcome { evidence: also, shown: again }] = &outcomes[..] else { unreachable!() };
    let are_alike = !truth.has_ties() && evidence == also;
    if are_alike && shown != again {
        return Err(format!("history {number} of seed {seed}: {shown:?}, or in another order {again:?}\n{script}"));
    }
    Ok(Played { events, are_alike })
}

/// The smallest history that fails in the same way that can be had by leaving things out.
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

/// How a history fails, if it does so in this way.
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
