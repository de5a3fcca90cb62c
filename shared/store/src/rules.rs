//! Settings that questions to the table depend on.

/// When a live is over, and what is kept of it.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// A push that starts no later than this after the last one goes on with its live.
    pub grace_seconds: u64,
    /// A live of which nothing was heard for this long is over.
    pub silence_seconds: u64,
    /// A viewer of whom nothing was heard for this long has left.
    pub member_seconds: u64,
    /// Replays of this many seconds or fewer are not listed.
    pub replay_min_seconds: u64,
    /// How long a replay or a short video stays in the lists.
    pub replay_window_seconds: u64,
    /// After how long a replay is deleted, its files too; 0: never.
    pub replay_kept_seconds: u64,
    /// How long the cloud's notices are kept.
    pub ledger_seconds: u64,
    /// What is done when the cloud finds something forbidden in the pictures of a live.
    pub moderation: Moderation,
}

/// What is done when the cloud finds something forbidden in the pictures of a live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moderation {
    /// It is written down.
    Record,
    /// The live is taken out of the lists, too.
    Hide,
    /// The live is ended, too.
    End,
}

/// How long the tokens of a session are good for after its last use.
#[derive(Clone, Copy, Debug)]
pub struct TokenLifetimes {
    /// The token that signs calls.
    pub token_seconds: u64,
    /// The refresh token.
    pub refresh_seconds: u64,
}

/// So often something may be tried; 0 is as often as one likes.
#[derive(Clone, Copy, Debug)]
pub struct Limit(pub u64);

impl Limit {
    /// How often, or `None` for as often as one likes.
    pub fn max(self) -> Option<u64> {
        Some(self.0).filter(|max| *max > 0)
    }
}
