//! The parts of a history.

use crate::support::harness::setting;
use cloud::account::file_url;

/// A notice of the cloud about a stream.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Notice {
    /// A push started.
    Start { push: String, at: u64 },
    /// A push ended; `seconds` is its duration, if the notice has one, and `errcode` the reason of a refusal.
    End { push: String, at: u64, seconds: Option<u64>, errcode: Option<u64> },
    /// A file was recorded.
    File(File),
}

/// A recorded file. A file without a URL is refused.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct File {
    pub(super) id: String,
    pub(super) format: &'static str,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) has_url: bool,
}

impl File {
    /// The play URL; empty for none.
    pub(super) fn url(&self) -> String {
        let appid = setting("LIVE_APPID").unwrap_or_default();
        if self.has_url { file_url(appid, &self.id, self.format) } else { String::new() }
    }
}

/// Something that a person or the cloud does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    /// The app requests a push URL.
    Open { user: String, title: String, group: String },
    /// The app reports that its user's room is online or offline.
    Say { user: String, online: bool },
    /// An operator bans a user, or lifts the ban.
    Forbid { user: String, banned: bool },
    /// A viewer enters a group.
    Enter { viewer: String, host: String, group: String },
    /// A viewer leaves a group.
    Quit { viewer: String, host: String, group: String },
    /// Somebody likes a live.
    Like { host: String },
    /// The cloud sends a notice, perhaps after the expiry of the notice.
    Report { user: String, stream: String, notice: Notice, expired: bool },
}

/// The acts of a second, which are done at the same time.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) at: u64,
    pub(super) acts: Vec<Act>,
    /// Whether the server is compared with the model after this step.
    pub(super) look: bool,
}

/// All steps, and the second of the last comparison.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) steps: Vec<Step>,
    pub(super) end: u64,
}

impl History {
    /// The steps, and the last comparison.
    pub(super) fn with_its_end(&self) -> impl Iterator<Item = Step> {
        let end = Step { at: self.end, acts: Vec::new(), look: true };
        self.steps.iter().cloned().chain([end])
    }

    /// The number of acts.
    pub(super) fn acts(&self) -> usize {
        self.steps.iter().map(|step| step.acts.len()).sum()
    }

    /// How many parts can be left out: acts and comparisons.
    pub(super) fn parts(&self) -> usize {
        self.acts() + self.steps.iter().filter(|step| step.look).count()
    }

    /// The history without the parts of these numbers.
    pub(super) fn without(&self, gone: std::ops::Range<usize>) -> Self {
        let mut numbers = 0..;
        let mut stays = || !gone.contains(&numbers.next().unwrap_or_default());
        let mut steps = self.steps.clone();
        for step in &mut steps {
            step.acts.retain(|_| stays());
            step.look = step.look && stays();
        }
        steps.retain(|step| !step.acts.is_empty() || step.look);
        Self { steps, ..*self }
    }
}
