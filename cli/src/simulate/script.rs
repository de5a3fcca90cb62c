//! The script language: one statement a line. `docs/simulate.md` describes all actions and modifiers.
//!
//! ```
//! use cli::simulate::script::parse;
//! let steps = parse("open alice \"A title\"  # and so on\n\npush alice as p1 again").unwrap();
//! assert_eq!((steps[1].line, steps[1].statement.to_string().as_str()), (3, "push alice as p1 again"));
//! let error = parse("stop p1\nopen alice").unwrap_err().to_string();
//! assert_eq!(error, "line 2: TITLE is missing; expected: open USER TITLE [group=GROUP] [again] [refused[=TEXT]]");
//! ```

use std::fmt;

use super::words::{Syntax, Words, parse_value, syntax};

syntax! {
    /// What users and the live cloud do.
    Action {
        "open" Open { user: String, title: String, group: Option<String> },
        "push" Push { user: String, "as" push: String, url: Option<String>, stream: Option<String> },
        "stop" Stop { push: String, errcode: Option<u64> },
        "record" Record {
            push: String, format: String, "as" file: String, from: Option<i64>, to: Option<i64>, url: Option<String>
        },
        "shot" Shot { push: String },
        "verdict" Verdict { push: String, verdict: String },
        "event" Event { push: String, number: u32 },
        "send" Send { notice: String },
        "say" Say { user: String, status: RoomStatus },
        "enter" Enter { viewer: String, user: String, group: Option<String> },
        "quit" Quit { viewer: String, user: String, group: Option<String> },
        "like" Like { viewer: String, user: String },
        "ban" Ban { user: String },
        "unban" Unban { user: String },
        "wait" Wait { seconds: u64 },
        "expect" Expect { expectation: Expectation },
        "together" Together,
        "end" End,
    }
}

syntax! {
    /// The status of a room that an app reports.
    RoomStatus {
        "online" Online,
        "offline" Offline,
    }
}

syntax! {
    /// What the server must show.
    Expectation {
        "live" Live { user: String },
        "offline" Offline { user: String },
        "replays" Replays { user: String, number: u64 },
        "viewers" Viewers { user: String, number: u64 },
        "likes" Likes { user: String, number: u64 },
    }
}

/// How an action is done: by default once, correctly signed, and expected to be accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modifiers {
    /// The request is sent twice.
    pub again: bool,
    /// The notice is kept, not sent.
    pub lost: bool,
    /// The notice is signed when it is sent, not when it was made.
    pub anew: bool,
    /// The notice is signed with a wrong key.
    pub wrong_key: bool,
    /// The notice expired so many seconds ago.
    pub late: Option<u64>,
    /// When the event happened, in seconds from now.
    pub at: i64,
    /// How many seconds the clock of the cloud is fast.
    pub skew: i64,
    /// The notice lacks this member.
    pub without: Option<String>,
    /// The request must be refused, for a reason that contains this text.
    pub refused: Option<String>,
}

/// The modifiers that an action can have.
fn modifiers_of(verb: &str) -> &'static str {
    match verb {
        "push" | "stop" | "record" => {
            " [again] [refused[=TEXT]] [key=wrong] [late=SECONDS] [at=SECONDS] [skew=SECONDS] [without=FIELD] [lost]"
        }
        "shot" | "verdict" | "event" => {
            " [again] [refused[=TEXT]] [key=wrong] [late=SECONDS] [at=SECONDS] [skew=SECONDS] [without=FIELD]"
        }
        "send" => " [again] [refused[=TEXT]] [key=wrong] [late=SECONDS] [anew]",
        "open" | "say" | "enter" | "quit" | "like" | "ban" | "unban" => " [again] [refused[=TEXT]]",
        _ => "",
    }
}

/// An action and its modifiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The action.
    pub action: Action,
    /// Its modifiers.
    pub modifiers: Modifiers,
}

/// A statement and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The line, from 1.
    pub line: usize,
    /// The statement.
    pub statement: Statement,
}

/// Why a script cannot be parsed, or failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Error {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

/// Parses a script.
pub fn parse(text: &str) -> Result<Vec<Step>, Error> {
    let mut steps = Vec::new();
    let mut together = None;
    for (line, text) in (1..).zip(text.lines()) {
        let error = |reason| Error { line, reason };
        let Some(statement) = Statement::parse(text).map_err(error)? else { continue };
        let action = &statement.action;
        let is_alone = matches!(action, Action::Together | Action::Wait { .. } | Action::Expect { .. });
        if together.is_some() && is_alone {
            return Err(error(format!("{statement} cannot stand between together and end")));
        }
        if *action == Action::End {
            together.take().ok_or_else(|| error("end has no together before it".to_owned()))?;
        } else if *action == Action::Together {
            together = Some(line);
        }
        steps.push(Step { line, statement });
    }
    match together {
        None => Ok(steps),
        Some(line) => Err(Error { line, reason: "together has no end".to_owned() }),
    }
}

/// Statements as a script, one in each line.
pub fn print<'a>(statements: impl IntoIterator<Item = &'a Statement>) -> String {
    statements.into_iter().map(|statement| format!("{statement}\n")).collect()
}

impl From<Action> for Statement {
    fn from(action: Action) -> Self {
        Self { action, modifiers: Modifiers::default() }
    }
}

impl Statement {
    /// Parses a line; `None` if it has no statement.
    fn parse(line: &str) -> Result<Option<Self>, String> {
        let mut words = Words::split(line)?;
        if words.plain.is_empty() && words.options.is_empty() {
            return Ok(None);
        }
        let verb = words.plain.front().cloned().ok_or("an action is missing")?;
        let actions = Action::variants();
        let Some(action) = actions.iter().find(|action| action.split(' ').next() == Some(&verb)) else {
            let verbs: Vec<_> = actions.iter().filter_map(|action| action.split(' ').next()).collect();
            return Err(format!("{verb} is not an action; expected one of: {}", verbs.join(", ")));
        };
        let expected = |reason| format!("{reason}; expected: {action}{}", modifiers_of(&verb));
        let action = Action::parse(&mut words, "action").map_err(expected)?;
        if matches!(action, Action::Push { url: Some(_), stream: Some(_), .. }) {
            return Err("push cannot have both url and stream".to_owned());
        }
        let modifiers = Modifiers::parse(&verb, words).map_err(expected)?;
        Ok(Some(Self { action, modifiers }))
    }
}

impl Modifiers {
    /// Parses the words that follow an action.
    fn parse(verb: &str, words: Words) -> Result<Self, String> {
        let mut modifiers = Self::default();
        let known: Vec<_> = modifiers_of(verb).split(['[', ']', '=', ' ']).collect();
        let options = words.options.into_iter().map(|(name, text)| (name, Some(text)));
        for (name, text) in options.chain(words.plain.into_iter().map(|name| (name, None))) {
            match (name.as_str(), text.as_deref()) {
                (name, _) if !known.contains(&name) => return Err(format!("{verb} cannot have {name}")),
                ("again", None) => modifiers.again = true,
                ("lost", None) => modifiers.lost = true,
                ("anew", None) => modifiers.anew = true,
                ("key", Some("wrong")) => modifiers.wrong_key = true,
                ("late", Some(text)) => modifiers.late = Some(parse_value(text)?),
                ("at", Some(text)) => modifiers.at = parse_value(text)?,
                ("skew", Some(text)) => modifiers.skew = parse_value(text)?,
                ("without", Some(text)) => modifiers.without = Some(text.to_owned()),
                ("refused", text) => modifiers.refused = Some(text.unwrap_or_default().to_owned()),
                (name, None) => return Err(format!("{name} has no value")),
                (name, Some(text)) => return Err(format!("{name} cannot be {text}")),
            }
        }
        let Self { at, skew, ref without, .. } = modifiers;
        if modifiers.lost && modifiers != (Self { lost: true, at, skew, without: without.clone(), ..Self::default() }) {
            return Err("a lost notice is not sent, so only at, skew and without can stand beside lost".to_owned());
        }
        Ok(modifiers)
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Modifiers { again, lost, anew, wrong_key, late, at, skew, without, refused } = self.modifiers.clone();
        let mut line = Vec::new();
        self.action.print("", &mut line);
        let is_refused = refused.as_ref().is_some_and(String::is_empty);
        let flags =
            [(again, "again"), (lost, "lost"), (anew, "anew"), (wrong_key, "key=wrong"), (is_refused, "refused")];
        line.extend(flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word.to_owned()));
        late.print("late", &mut line);
        Some(at).filter(|seconds| *seconds != 0).print("at", &mut line);
        Some(skew).filter(|seconds| *seconds != 0).print("skew", &mut line);
        without.print("without", &mut line);
        refused.filter(|text| !text.is_empty()).print("refused", &mut line);
        f.write_str(&line.join(" "))
    }
}

#[test]
fn the_document_has_every_action() {
    let document = include_str!("../../../docs/simulate.md");
    for action in Action::variants() {
        assert!(document.lines().any(|line| line.starts_with(&format!("{action}  ")) || line == action), "{action}");
    }
}
