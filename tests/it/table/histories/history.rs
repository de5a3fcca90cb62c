//! What a history is made of.

use crate::support::harness::setting;
use cli::simulate::cloud::file_url;

/// What the cloud tells about a stream.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Notice {
    /// A push started.
    Start { push: String, at: u64 },
    /// It ended; `seconds` is how long it lasted, if that is told; `errcode` is why, if it was refused.
    End { push: String, at: u64, seconds: Option<u64>, errcode: Option<u64> },
    /// A file was recorded.
    File(File),
}

/// A file that was recorded; one without an address plays nowhere.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct File {
    pub(super) id: String,
    pub(super) format: &'static str,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) has_url: bool,
}

impl File {
    /// Where it plays.
    pub(super) fn url(&self) -> String {
        let appid = setting("LIVE_APPID").unwrap_or_default();
        if self.has_url { file_url(appid, &self.id, self.format) } else { String::new() }
    }
}

/// One thing that somebody does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    /// The app asks where to push.
    Open { user: String, title: String, group: String },
    /// The app says that its user's room is online or offline.
    Say { user: String, online: bool },
    /// An operator bans a user, or lifts the ban.
    Forbid { user: String, banned: bool },
    /// A viewer comes.
    Enter { viewer: String, host: String, group: String },
    /// A viewer leaves.
    Quit { viewer: String, host: String, group: String },
    /// Somebody likes a live.
    Like { host: String },
    /// The cloud tells something, perhaps after the notice's expiry.
    Tell { user: String, stream: String, notice: Notice, expired: bool },
}

/// What is done at a second; more than one thing: at the same time.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) at: u64,
    pub(super) acts: Vec<Act>,
    /// Whether everything is looked at after it.
    pub(super) look: bool,
}

/// Everything that is done, and when it is looked at last.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) steps: Vec<Step>,
    pub(super) end: u64,
}

impl History {
    /// The steps, and the last look.
    pub(super) fn with_its_end(&self) -> impl Iterator<Item = Step> {
        let end = Step { at: self.end, acts: Vec::new(), look: true };
        self.steps.iter().cloned().chain([end])
    }

    /// How many things are done.
    pub(super) fn acts(&self) -> usize {
        self.steps.iter().map(|step| step.acts.len()).sum()
    }

    /// How many parts can be left out: what is done, and the looks.
    pub(super) fn parts(&self) -> usize {
        self.acts() + self.steps.iter().filter(|step| step.look).count()
    }

    /// The history without some of its parts, by their numbers.
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
