//! Settings that methods of the table take as arguments: periods, limits, and what moderation does.

/// When a live ends, and how long data of it is kept.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// A push that starts within this many seconds after the end of the previous push continues the same live.
    pub grace_seconds: u64,
    /// A live ends after this many seconds without an event about it, if the cloud cannot be asked.
    pub silence_seconds: u64,
    /// A viewer has left after this many seconds without a call.
    pub member_seconds: u64,
    /// A replay of this many seconds or fewer is not listed.
    pub replay_min_seconds: u64,
    /// A replay or a short video leaves the lists after this many seconds.
    pub replay_window_seconds: u64,
    /// A replay and its files are deleted after this many seconds; never, if 0.
    pub replay_kept_seconds: u64,
    /// The record of a notice expires after this many seconds.
    pub ledger_seconds: u64,
    /// What happens when the cloud's moderation finds forbidden content in the pictures of a live.
    pub moderation: Moderation,
}

/// What happens when the cloud's moderation finds forbidden content in the pictures of a live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moderation {
    /// The finding is recorded.
    Record,
    /// The finding is recorded, and the live is removed from the lists.
    Hide,
    /// The finding is recorded, the live is removed from the lists, and the live is ended.
    End,
}

/// How long the tokens of a session are valid after its last use.
#[derive(Clone, Copy, Debug)]
pub struct TokenLifetimes {
    /// The token that signs calls.
    pub token_seconds: u64,
    /// The refresh token.
    pub refresh_seconds: u64,
}

/// A rate limit: the maximum number of attempts per time window. 0 means unlimited.
#[derive(Clone, Copy, Debug)]
pub struct Limit(pub u64);

impl Limit {
    /// The maximum number of attempts; `None` if unlimited.
    pub fn max(self) -> Option<u64> {
        Some(self.0).filter(|max| *max > 0)
    }
}
