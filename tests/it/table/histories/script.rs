//! Writes histories down in the language of `mini-lvb simulate`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    history::{Act, File, History, Notice, Step},
    model::{Model, User, how_many_listed},
};
use crate::support::harness::START;
use cli::simulate::script::{self, Deed, How, To, What, Word};

/// The code of the server for who is banned.
const BANNED: &str = "10001";

/// A history as a script, which fails where the server does not show what it should.
pub(super) fn script(history: &History) -> Vec<script::Act> {
    let mut scribe = Scribe::of(history);
    let mut acts = Vec::new();
    for step in history.with_its_end() {
        acts.extend(scribe.write(&step));
        if step.look {
            acts.extend(scribe.expectations());
        }
    }
    acts
}

/// Writes a history down, step by step.
pub(super) struct Scribe {
    /// What should be shown after all that is written down.
    pub(super) model: Model,
    now: u64,
    /// When the pushes started of which that is told.
    starts: BTreeMap<String, u64>,
    /// The notices that the cloud has made, by their names.
    made: BTreeSet<String>,
    /// A push of each stream.
    pushes: BTreeMap<String, String>,
}

impl Scribe {
    /// Who is about to write this one down.
    pub(super) fn of(history: &History) -> Self {
        let start = |act: &Act| {
            let Act::Tell { notice: Notice::Start { push, at }, .. } = act else { return None };
            Some((push.clone(), *at))
        };
        let starts = history.steps.iter().flat_map(|step| &step.acts).filter_map(start).collect();
        let (model, made, pushes) = (Model::default(), BTreeSet::new(), BTreeMap::new());
        Self { model, now: START, starts, made, pushes }
    }

    /// What is done in a step, when its time has come.
    pub(super) fn write(&mut self, step: &Step) -> Vec<script::Act> {
        let done: Vec<Act> = step.acts.iter().filter(|act| is_played(&self.model, act)).cloned().collect();
        let seconds = step.at.saturating_sub(self.now);
        self.now += seconds;
        let mut acts: Vec<script::Act> = done.iter().flat_map(|act| self.act(act)).collect();
        if done.len() > 1 {
            acts.insert(0, Deed::Together.into());
            acts.push(Deed::End.into());
        }
        if seconds > 0 {
            acts.insert(0, Deed::Wait { seconds }.into());
        }
        self.model.take(self.now, &done);
        acts
    }

    fn act(&mut self, act: &Act) -> Vec<script::Act> {
        let refused = |code: &str| How { refused: Some(code.to_owned()), ..How::default() };
        let mut how = How::default();
        let deed = match act.clone() {
            Act::Open { user, title, group } => {
                if self.model.users.get(&user).is_some_and(|user| user.banned) {
                    how = refused(BANNED);
                }
                Deed::Open { user, title, group: Some(group) }
            }
            Act::Say { user, online: true } => Deed::Say { user, word: Word::Online },
            Act::Say { user, online: false } => Deed::Say { user, word: Word::Offline },
            Act::Forbid { user, banned } => {
                if banned {
                    Deed::Ban { user }
                } else {
                    Deed::Unban { user }
                }
            }
            Act::Enter { viewer, host, group } => Deed::Enter { viewer, user: host, group: Some(group) },
            Act::Quit { viewer, host, group } => Deed::Quit { viewer, user: host, group: Some(group) },
            Act::Like { host } => Deed::Like { viewer: "somebody".to_owned(), user: host },
            Act::Tell { user, stream, notice, expired } => return self.tell(&user, &stream, notice, expired),
        };
        vec![script::Act { deed, how }]
    }

    /// What the cloud tells, after what it must know for that.
    fn tell(&mut self, user: &str, stream: &str, notice: Notice, expired: bool) -> Vec<script::Act> {
        let how = How { late: expired.then_some(1), ..How::default() };
        let name = match &notice {
            Notice::Start { push, .. } => push.clone(),
            Notice::End { push, .. } => format!("{push}.stop"),
            Notice::File(file) => file.id.clone(),
        };
        if !self.made.insert(name.clone()) {
            return vec![script::Act { deed: Deed::Send { notice: name }, how: How { anew: !expired, ..how } }];
        }
        match notice {
            Notice::Start { push, at } => vec![self.push(user, stream, push, How { at: self.offset(at), ..how })],
            Notice::End { push, at, seconds, errcode } => {
                let start = self.starts.get(&push).copied().unwrap_or(at - seconds.unwrap_or_default());
                assert!(seconds.is_none_or(|seconds| start + seconds == at), "{push} lasts as long as it is told");
                let is_new = self.made.insert(push.clone());
                let unknown = is_new.then(|| self.untold(user, stream, push.clone(), start));
                let without = seconds.is_none().then(|| "push_duration".to_owned());
                let how = How { at: self.offset(at), without, ..how };
                unknown.into_iter().chain([script::Act { deed: Deed::Stop { push, errcode }, how }]).collect()
            }
            Notice::File(file) => {
                let is_new = !self.pushes.contains_key(stream);
                let unknown = is_new.then(|| self.untold(user, stream, stream.to_owned(), self.now));
                unknown.into_iter().chain([script::Act { deed: self.file(stream, file), how }]).collect()
            }
        }
    }

    /// A file of a stream of which the cloud knows a push.
    fn file(&self, stream: &str, File { id, format, from, to, has_url }: File) -> Deed {
        let (from, to) = (Some(self.offset(from)), Some(self.offset(to)));
        let (push, format, url) = (self.pushes[stream].clone(), format.to_owned(), (!has_url).then(String::new));
        Deed::Record { push, format, file: id, from, to, url }
    }

    /// A push of whose start the server is not told, or not yet.
    fn untold(&mut self, user: &str, stream: &str, push: String, start: u64) -> script::Act {
        self.push(user, stream, push, How { lost: true, at: self.offset(start), ..How::default() })
    }

    fn push(&mut self, user: &str, stream: &str, push: String, how: How) -> script::Act {
        self.pushes.insert(stream.to_owned(), push.clone());
        script::Act { deed: Deed::Push { user: user.to_owned(), push, to: To::Stream(stream.to_owned()) }, how }
    }

    /// A second, from now.
    fn offset(&self, at: u64) -> i64 {
        at.cast_signed() - self.now.cast_signed()
    }

    /// What should be shown of each user now, as far as a script can say it.
    fn expectations(&self) -> Vec<script::Act> {
        let of_user = |(name, user): (&String, &User)| {
            let status = if user.is_live() { What::Live } else { What::Offline };
            let replays = how_many_listed(&user.replays());
            // Which file names a replay may be open, and that decides whether it is long enough for the lists.
            let replays = (replays.start() == replays.end()).then_some(What::Replays(*replays.start()));
            let whats = [status, What::Viewers(user.viewers()), What::Likes(user.likes())].into_iter().chain(replays);
            whats.map(|what| Deed::Expect { user: name.clone(), what }.into()).collect::<Vec<_>>()
        };
        self.model.users.iter().flat_map(of_user).collect()
    }
}

/// Whether an act is about what there is: a smaller history may lack the opening, or the ban. Nor is a viewer sent again
/// into the group that they are counted in, if the room has another one since: nothing says what that would mean.
fn is_played(model: &Model, act: &Act) -> bool {
    match act {
        Act::Open { .. } => true,
        Act::Forbid { user, banned } => model.users.get(user).is_some_and(|user| user.banned != *banned),
        Act::Say { user, .. } | Act::Tell { user, .. } => model.users.contains_key(user),
        Act::Enter { viewer, host, group } => {
            model.users.get(host).is_some_and(|host| host.group == *group || !host.counts(viewer, group))
        }
        Act::Quit { host, .. } | Act::Like { host } => model.users.contains_key(host),
    }
}
