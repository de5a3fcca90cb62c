//! How many messages a member of the chat may send: some at once, and then a few each second.

use std::time::Duration;

use tokio::time::Instant;

/// How many messages a member may send at once, and in how much time there is room for one more.
const BURST: u32 = 10;
pub(super) const INTERVAL: Duration = Duration::from_millis(200);

/// The messages that a member may send now.
pub(super) struct Allowance {
    left: u32,
    since: Instant,
}

impl Allowance {
    /// The allowance of a member who enters at `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self { left: BURST, since: now }
    }

    /// Takes one message; `false` if none is left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        while self.left < BURST && now.duration_since(self.since) >= INTERVAL {
            self.left += 1;
            self.since += INTERVAL;
        }
        if self.left == BURST {
            self.since = now;
        }
        let is_left = self.left > 0;
        self.left -= u32::from(is_left);
        is_left
    }
}
