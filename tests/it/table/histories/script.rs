//! Writes histories down in the language of `mini-lvb simulate`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    history::{Act, File, History, Notice, Step},
    model::{Model, User, how_many_listed},
};
use crate::support::harness::START;
use cli::simulate::script::{Action, Expectation, Modifiers, RoomStatus, Statement};

/// The code of the server for who is banned.
const BANNED: &str = "10001";

/// A history as a script, which fails where the server does not show what it should.
pub(super) fn script(history: &History) -> Vec<Statement> {
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
    pub(super) fn write(&mut self, step: &Step) -> Vec<Statement> {
        let done: Vec<Act> = step.acts.iter().filter(|act| is_played(&self.model, act)).cloned().collect();
        let seconds = step.at.saturating_sub(self.now);
        self.now += seconds;
        let mut acts: Vec<Statement> = done.iter().flat_map(|act| self.act(act)).collect();
        if done.len() > 1 {
            acts.insert(0, Action::Together.into());
            acts.push(Action::End.into());
        }
        if seconds > 0 {
            acts.insert(0, Action::Wait { seconds }.into());
        }
        self.model.take(self.now, &done);
        acts
    }

    fn act(&mut self, act: &Act) -> Vec<Statement> {
        let refused = |code: &str| Modifiers { refused: Some(code.to_owned()), ..Modifiers::default() };
        let mut modifiers = Modifiers::default();
        let action = match act.clone() {
            Act::Open { user, title, group } => {
                if self.model.users.get(&user).is_some_and(|user| user.banned) {
                    modifiers = refused(BANNED);
                }
                Action::Open { user, title, group: Some(group) }
            }
            Act::Say { user, online: true } => Action::Say { user, status: RoomStatus::Online },
            Act::Say { user, online: false } => Action::Say { user, status: RoomStatus::Offline },
            Act::Forbid { user, banned } => {
                if banned {
                    Action::Ban { user }
                } else {
                    Action::Unban { user }
                }
            }
            Act::Enter { viewer, host, group } => Action::Enter { viewer, user: host, group: Some(group) },
            Act::Quit { viewer, host, group } => Action::Quit { viewer, user: host, group: Some(group) },
            Act::Like { host } => Action::Like { viewer: "somebody".to_owned(), user: host },
            Act::Tell { user, stream, notice, expired } => return self.tell(&user, &stream, notice, expired),
        };
        vec![Statement { action, modifiers }]
    }

    /// What the cloud tells, after what it must know for that.
    fn tell(&mut self, user: &str, stream: &str, notice: Notice, expired: bool) -> Vec<Statement> {
        let modifiers = Modifiers { late: expired.then_some(1), ..Modifiers::default() };
        let name = match &notice {
            Notice::Start { push, .. } => push.clone(),
            Notice::End { push, .. } => format!("{push}.stop"),
            Notice::File(file) => file.id.clone(),
        };
        if !self.made.insert(name.clone()) {
            return vec![Statement {
                action: Action::Send { notice: name },
                modifiers: Modifiers { anew: !expired, ..modifiers },
            }];
        }
        match notice {
            Notice::Start { push, at } => {
                vec![self.push(user, stream, push, Modifiers { at: self.offset(at), ..modifiers })]
            }
            Notice::End { push, at, seconds, errcode } => {
                let start = self.starts.get(&push).copied().unwrap_or(at - seconds.unwrap_or_default());
                assert!(seconds.is_none_or(|seconds| start + seconds == at), "{push} lasts as long as it is told");
                let is_new = self.made.insert(push.clone());
                let unknown = is_new.then(|| self.untold(user, stream, push.clone(), start));
                let without = seconds.is_none().then(|| "push_duration".to_owned());
                let modifiers = Modifiers { at: self.offset(at), without, ..modifiers };
                unknown.into_iter().chain([Statement { action: Action::Stop { push, errcode }, modifiers }]).collect()
            }
            Notice::File(file) => {
                let is_new = !self.pushes.contains_key(stream);
                let unknown = is_new.then(|| self.untold(user, stream, stream.to_owned(), self.now));
                unknown.into_iter().chain([Statement { action: self.file(stream, file), modifiers }]).collect()
            }
        }
    }

    /// A file of a stream of which the cloud knows a push.
    fn file(&self, stream: &str, File { id, format, from, to, has_url }: File) -> Action {
        let (from, to) = (Some(self.offset(from)), Some(self.offset(to)));
        let (push, format, url) = (self.pushes[stream].clone(), format.to_owned(), (!has_url).then(String::new));
        Action::Record { push, format, file: id, from, to, url }
    }

    /// A push of whose start the server is not told, or not yet.
    fn untold(&mut self, user: &str, stream: &str, push: String, start: u64) -> Statement {
        self.push(user, stream, push, Modifiers { lost: true, at: self.offset(start), ..Modifiers::default() })
    }

    fn push(&mut self, user: &str, stream: &str, push: String, modifiers: Modifiers) -> Statement {
        self.pushes.insert(stream.to_owned(), push.clone());
        Statement {
            action: Action::Push { user: user.to_owned(), push, url: None, stream: Some(stream.to_owned()) },
            modifiers,
        }
    }

    /// A second, from now.
    fn offset(&self, at: u64) -> i64 {
        at.cast_signed() - self.now.cast_signed()
    }

    /// What should be shown of each user now, as far as a script can say it.
    fn expectations(&self) -> Vec<Statement> {
        let of_user = |(name, model): (&String, &User)| {
            let user = || name.clone();
            let status = if model.is_live() {
                Expectation::Live { user: user() }
            } else {
                Expectation::Offline { user: user() }
            };
            let viewers = Expectation::Viewers { user: user(), number: model.viewers() };
            let likes = Expectation::Likes { user: user(), number: model.likes() };
            let replays = how_many_listed(&model.replays());
            // Which file names a replay may be open, and that decides whether it is long enough for the lists.
            let is_certain = replays.start() == replays.end();
            let replays = is_certain.then(|| Expectation::Replays { user: user(), number: *replays.start() });
            let all = [status, viewers, likes].into_iter().chain(replays);
            all.map(|expectation| Action::Expect { expectation }.into()).collect::<Vec<_>>()
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
