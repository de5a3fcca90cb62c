//! Writes a history as a script for `mini-lvb simulate`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    history::{Act, File, History, Notice, Step},
    model::{Model, User, how_many_listed},
};
use crate::support::harness::START;
use cli::simulate::script::{Action, Expectation, Modifiers, RoomStatus, Statement};

/// The server's code for a banned user.
const BANNED: &str = "10001";

/// The script of a history. The script fails in the line where the server differs from the model.
pub(super) fn script(history: &History) -> Vec<Statement> {
    let mut writer = Writer::of(history);
    let mut acts = Vec::new();
    for step in history.with_its_end() {
        acts.extend(writer.write(&step));
        if step.look {
            acts.extend(writer.expectations());
        }
    }
    acts
}

/// Writes a history step by step.
pub(super) struct Writer {
    /// The model after all steps that are written.
    pub(super) model: Model,
    now: u64,
    /// The reported starts of pushes.
    starts: BTreeMap<String, u64>,
    /// The names of the notices that the script has created.
    made: BTreeSet<String>,
    /// A push of each stream.
    pushes: BTreeMap<String, String>,
}

impl Writer {
    /// A writer for this history.
    pub(super) fn of(history: &History) -> Self {
        let start = |act: &Act| {
            let Act::Report { notice: Notice::Start { push, at }, .. } = act else { return None };
            Some((push.clone(), *at))
        };
        let starts = history.steps.iter().flat_map(|step| &step.acts).filter_map(start).collect();
        let (model, made, pushes) = (Model::default(), BTreeSet::new(), BTreeMap::new());
        Self { model, now: START, starts, made, pushes }
    }

    /// Writes a step, with the wait before it.
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
        self.model.add(self.now, &done);
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
            Act::Report { user, stream, notice, expired } => return self.report(&user, &stream, notice, expired),
        };
        vec![Statement { action, modifiers }]
    }

    /// Writes a notice, after the push that it is about.
    fn report(&mut self, user: &str, stream: &str, notice: Notice, expired: bool) -> Vec<Statement> {
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
                assert!(seconds.is_none_or(|seconds| start + seconds == at), "{push} lasts as long as reported");
                let is_new = self.made.insert(push.clone());
                let unknown = is_new.then(|| self.unreported(user, stream, push.clone(), start));
                let without = seconds.is_none().then(|| "push_duration".to_owned());
                let modifiers = Modifiers { at: self.offset(at), without, ..modifiers };
                unknown.into_iter().chain([Statement { action: Action::Stop { push, errcode }, modifiers }]).collect()
            }
            Notice::File(file) => {
                let is_new = !self.pushes.contains_key(stream);
                let unknown = is_new.then(|| self.unreported(user, stream, stream.to_owned(), self.now));
                unknown.into_iter().chain([Statement { action: self.file(stream, file), modifiers }]).collect()
            }
        }
    }

    /// Writes a file of a stream that has a push.
    fn file(&self, stream: &str, File { id, format, from, to, has_url }: File) -> Action {
        let (from, to) = (Some(self.offset(from)), Some(self.offset(to)));
        let (push, format, url) = (self.pushes[stream].clone(), format.to_owned(), (!has_url).then(String::new));
        Action::Record { push, format, file: id, from, to, url }
    }

    /// A push whose start is not reported, or not yet.
    fn unreported(&mut self, user: &str, stream: &str, push: String, start: u64) -> Statement {
        self.push(user, stream, push, Modifiers { lost: true, at: self.offset(start), ..Modifiers::default() })
    }

    fn push(&mut self, user: &str, stream: &str, push: String, modifiers: Modifiers) -> Statement {
        self.pushes.insert(stream.to_owned(), push.clone());
        Statement {
            action: Action::Push { user: user.to_owned(), push, url: None, stream: Some(stream.to_owned()) },
            modifiers,
        }
    }

    /// A second relative to now.
    fn offset(&self, at: u64) -> i64 {
        at.cast_signed() - self.now.cast_signed()
    }

    /// What the server must show of each user now, as far as a script can say it.
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
            // The id of a replay may be open, and decides whether the replay is long enough for the lists.
            let is_certain = replays.start() == replays.end();
            let replays = is_certain.then(|| Expectation::Replays { user: user(), number: *replays.start() });
            let all = [status, viewers, likes].into_iter().chain(replays);
            all.map(|expectation| Action::Expect { expectation }.into()).collect::<Vec<_>>()
        };
        self.model.users.iter().flat_map(of_user).collect()
    }
}

/// Whether an act makes sense: a smaller history may lack the start request, or the ban. A viewer does not enter again the
/// group in which the room counts the viewer if the room has another group since: no rule says what that means.
fn is_played(model: &Model, act: &Act) -> bool {
    match act {
        Act::Open { .. } => true,
        Act::Forbid { user, banned } => model.users.get(user).is_some_and(|user| user.banned != *banned),
        Act::Say { user, .. } | Act::Report { user, .. } => model.users.contains_key(user),
        Act::Enter { viewer, host, group } => {
            model.users.get(host).is_some_and(|host| host.group == *group || !host.counts(viewer, group))
        }
        Act::Quit { host, .. } | Act::Like { host } => model.users.contains_key(host),
    }
}
