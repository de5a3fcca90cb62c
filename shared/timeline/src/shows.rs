//! From openings to shows.

use serde::{Deserialize, Serialize};

use super::{Lane, Timeline, Told, lives::Word};
use protocol::types::UnixSeconds;

/// The clocks of the cloud and of ours differ a little.
const SKEW_SECONDS: u64 = 2;

/// The app asked to push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Kept")]
pub(super) struct Opening {
    #[serde(rename = "t")]
    told: Told,
    /// Whether it begins a show, once that cannot be found out any more.
    #[serde(rename = "b", skip_serializing_if = "Option::is_none")]
    begins: Option<bool>,
    /// The second under which it is kept what was said, if it is another one: the clock was ahead.
    #[serde(rename = "k", skip_serializing_if = "Option::is_none")]
    key: Option<u64>,
}

/// An opening as it is read. Of old only those were kept that began a show, and only by their seconds.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    Beginning(u64),
    Opening {
        t: Told,
        #[serde(default)]
        b: Option<bool>,
        #[serde(default)]
        k: Option<u64>,
    },
}

impl From<Kept> for Opening {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Beginning(at) => Self { told: Told(at, 0), begins: Some(true), key: None },
            Kept::Opening { t, b, k } => Self { told: t, begins: b, key: k },
        }
    }
}

impl Opening {
    /// Its second.
    pub(super) fn at(&self) -> u64 {
        self.told.0
    }

    /// The second under which it is kept what was said.
    fn key(&self) -> u64 {
        self.key.unwrap_or(self.told.0)
    }

    /// Whether what is said of the stream was so before it: it had come by then, or is of an earlier second. What turns
    /// the stream on may be what it was opened for if the cloud's clock is a little behind.
    fn is_after(&self, Told(at, n): Told, word: &Word<'_>) -> bool {
        let skew = match word {
            Word::Start(_) | Word::On => SKEW_SECONDS,
            Word::End(_) | Word::Off(_) => 0,
        };
        n < self.told.1 || at.saturating_add(skew) < self.at()
    }
}

/// What was opened once, and again while it ran.
pub(super) struct Show {
    opened: u64,
    /// Under which second it is kept what was said then.
    key: u64,
    /// When it was opened again, and the same of that.
    again: Vec<(u64, u64)>,
}

impl Show {
    /// The second at which it was opened.
    pub(super) fn opened_at(&self) -> UnixSeconds {
        UnixSeconds(self.opened)
    }

    /// What was said at its last opening up to this second, by the second under which it is kept.
    pub(super) fn named_at(&self, until: u64) -> UnixSeconds {
        let again = self.again.iter().rfind(|(at, _)| *at <= until);
        UnixSeconds(again.map_or(self.key, |(_, key)| *key))
    }
}

/// The show that is on at this second: the last one opened before it; `None` if none was.
pub(super) fn show_at(shows: &[Show], at: u64) -> Option<&Show> {
    last_until(shows, at.saturating_add(SKEW_SECONDS))
}

fn last_until(shows: &[Show], at: u64) -> Option<&Show> {
    shows[..shows.partition_point(|show| show.opened <= at)].last()
}

impl Timeline {
    /// Takes in an opening, unless nothing was told since another one of the same second.
    pub(super) fn open(&mut self, at: u64) -> bool {
        let told = Told(at, self.arrived);
        let place = self.openings.partition_point(|opening| opening.told < told);
        let is_known = place.checked_sub(1).is_some_and(|last| {
            let Told(last_at, n) = self.openings[last].told;
            last_at == at && n + 1 == self.arrived
        });
        if !is_known {
            self.openings.insert(place, Opening { told, begins: None, key: None });
        }
        !is_known
    }

    /// The shows, the oldest first.
    pub(super) fn shows(&self) -> Vec<Show> {
        let mut shows: Vec<Show> = Vec::new();
        for (opening, begins) in self.openings.iter().zip(self.begins()) {
            match shows.last_mut() {
                // What was said last in one second counts.
                Some(show) if show.opened == opening.at() => show.key = opening.key(),
                Some(show) if !begins => show.again.push((opening.at(), opening.key())),
                Some(_) | None => {
                    shows.push(Show { opened: opening.at(), key: opening.key(), again: Vec::new() });
                }
            }
        }
        shows
    }

    /// Of each opening whether it begins a show: it came while the user's own stream was off, or is the first.
    pub(super) fn begins(&self) -> Vec<bool> {
        let words = self.words(&Lane::Own);
        let was_on = |opening: &Opening| {
            let before = words.iter().filter(|(told, word)| opening.is_after(*told, word));
            super::lives::stretches(before).last().is_some_and(|stretch| stretch.end.is_none())
        };
        let begins = |(n, opening): (usize, &Opening)| n == 0 || opening.begins.unwrap_or_else(|| !was_on(opening));
        self.openings.iter().enumerate().map(begins).collect()
    }

    /// The second at which the last show was opened.
    pub fn show(&self) -> Option<UnixSeconds> {
        self.shows().last().map(Show::opened_at)
    }

    /// The show that an opening at this second began or renewed, by the second at which that was opened.
    pub fn show_of(&self, UnixSeconds(opening): UnixSeconds) -> Option<UnixSeconds> {
        last_until(&self.shows(), opening).map(Show::opened_at)
    }

    /// The second of the last opening: what was said then is what the room shows.
    pub fn last_opening(&self) -> Option<UnixSeconds> {
        self.openings.last().map(|opening| UnixSeconds(opening.key()))
    }

    /// The second of the last opening before this one: what was said then is what a file is called that starts now.
    pub(super) fn named_at(&self, UnixSeconds(start): UnixSeconds) -> Option<UnixSeconds> {
        let opened = self.openings.partition_point(|opening| opening.at() <= start.saturating_add(SKEW_SECONDS));
        self.openings[..opened].last().map(|opening| UnixSeconds(opening.key()))
    }

    /// Takes openings of a time to come for openings of now; says whether there were any.
    pub(super) fn cap_openings(&mut self, now: UnixSeconds) -> bool {
        let is_ahead = |opening: &&mut Opening| UnixSeconds(opening.at()).is_ahead_of(now);
        let mut is_capped = false;
        for opening in self.openings.iter_mut().filter(is_ahead) {
            (opening.key, opening.told.0) = (Some(opening.key()), now.0);
            is_capped = true;
        }
        self.openings.sort_by_key(|opening| opening.told);
        is_capped
    }

    /// Has the openings mean what they meant before other evidence was dropped, and drops those of what was over before
    /// this second, but for the show that was on then and what it was called last. While there are more than so many,
    /// those go first that others followed while the same push ran, and then the oldest.
    pub(super) fn drop_openings(&mut self, began: &[bool], before: u64, most: usize) {
        let begin = self.begins();
        for ((opening, began), begins) in self.openings.iter_mut().zip(began).zip(begin) {
            opening.begins = opening.begins.or((*began != begins).then_some(*began));
        }
        let old = self.openings.partition_point(|opening| opening.at() <= before);
        let shown = began[..old].iter().rposition(|begins| *begins);
        let openings = std::mem::take(&mut self.openings).into_iter().zip(began).enumerate();
        let openings = openings.filter(|(n, _)| Some(*n) == shown || n + 1 >= old);
        let mut openings: Vec<(Opening, &bool)> = openings.map(|(_, opening)| opening).collect();
        let words: Vec<u64> = self.words(&Lane::Own).into_iter().map(|(Told(at, _), _)| at).collect();
        let is_superseded = |pair: &[(Opening, &bool)]| {
            let between = pair[0].0.at()..=pair[1].0.at();
            !pair[0].1 && !pair[1].1 && !words.iter().any(|at| between.contains(at))
        };
        while openings.len() > most {
            let needless = openings.windows(2).position(is_superseded);
            openings.remove(needless.unwrap_or(0));
        }
        self.openings = openings.into_iter().map(|(opening, _)| opening).collect();
    }
}
