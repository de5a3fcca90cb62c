//! The language in which it is written down what users and the live cloud do.
//!
//! One act a line; what follows on a `#` before a word is a comment. Words are parted by blanks; one that holds a
//! blank, a quote, `=` or `#` stands in double quotes, where `\"`, `\\` and `\n` are a quote, a backslash and a line
//! end.
//!
//! ```text
//! open USER TITLE [group=GROUP]              the app opens the user's room and keeps the push URL
//! push USER as PUSH [url=URL|stream=STREAM]  a push to that URL starts: notice PUSH
//! stop PUSH [errcode=NUMBER]                 it ends: notice PUSH.stop; 18 is a push that the cloud refused
//! record PUSH FORMAT as FILE [from=S] [to=S] [url=URL]
//!                                            a file was recorded: notice FILE
//! shot PUSH                                  a picture was taken
//! verdict PUSH WORD                          a picture was judged: Block, Review or Pass
//! event PUSH NUMBER                          any other event
//! send NOTICE                                a notice that was lost, or comes once more
//! say USER online|offline                    the app says so
//! enter VIEWER USER [group=GROUP]            a viewer comes to the live of USER
//! quit VIEWER USER [group=GROUP]             the viewer leaves
//! like VIEWER USER                           the viewer likes it
//! ban USER                                   an operator bans the user
//! unban USER                                 and lifts the ban
//! wait SECONDS
//! expect live|offline USER                   in the room's row and in the list
//! expect replays|viewers|likes USER NUMBER
//! together                                   what follows is sent at the same time ..
//! end                                        .. up to here
//! ```
//!
//! A push with a stream of its own goes to a URL that was not asked for, as those of a room service, and is not judged. A
//! group is that of the room unless it is said. The times of a file are seconds from now, negative for the past; without
//! them it is as long as its push. Behind an act stands how it is done:
//!
//! ```text
//! again           sent twice                                               every act up to `unban`
//! refused[=TEXT]  must be refused, for a reason in which the text stands   the same
//! key=wrong       signed with a wrong key                                  notices
//! late=SECONDS    expired so long ago                                      notices
//! lost            kept, not sent                                           push, stop, record
//! anew            signed now, not when it was made                         send
//! at=SECONDS      it happened then, seconds from now                       notices but `send`
//! skew=SECONDS    the cloud's clock is off by so much                      the same
//! without=FIELD   the notice lacks this member                             the same
//! ```
//!
//! ```
//! use cli::simulate::script::parse;
//! let steps = parse("open alice \"A title\"  # and so on\n\npush alice as p1 again").unwrap();
//! assert_eq!((steps[1].line, steps[1].act.to_string().as_str()), (3, "push alice as p1 again"));
//! assert_eq!(parse("stop p1\nstop").unwrap_err().to_string(), "line 2: the name of a push is missing");
//! ```

use std::{collections::VecDeque, fmt};

/// What is done, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// What.
    pub deed: Deed,
    /// How.
    pub how: How,
}

/// What users and the cloud do. The words are those of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the head of the module says what each word means")]
pub enum Deed {
    Open { user: String, title: String, group: Option<String> },
    Push { user: String, push: String, to: To },
    Stop { push: String, errcode: Option<u64> },
    Record { push: String, format: String, file: String, from: Option<i64>, to: Option<i64>, url: Option<String> },
    Shot { push: String },
    Verdict { push: String, word: String },
    Event { push: String, number: u32 },
    Send { notice: String },
    Say { user: String, word: Word },
    Enter { viewer: String, user: String, group: Option<String> },
    Quit { viewer: String, user: String, group: Option<String> },
    Like { viewer: String, user: String },
    Ban { user: String },
    Unban { user: String },
    Wait { seconds: u64 },
    Expect { user: String, what: What },
    Together,
    End,
}

/// Where a push goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// To the URL that the server gave.
    Given,
    /// To this one.
    Url(String),
    /// To this stream, whatever its URL is.
    Stream(String),
}

/// What an app says of its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Word {
    Online,
    Offline,
}

/// What is expected of a user's room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum What {
    Live,
    Offline,
    Replays(u64),
    Viewers(u64),
    Likes(u64),
}

/// How an act is done; by default once, rightly, and so that it is accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct How {
    /// It is sent twice.
    pub again: bool,
    /// It is kept, not sent.
    pub lost: bool,
    /// It expired so many seconds ago.
    pub late: Option<u64>,
    /// It is signed now, not when it was made.
    pub anew: bool,
    /// It happened then, in seconds from now.
    pub at: i64,
    /// The cloud's clock is off by so many seconds.
    pub skew: i64,
    /// The notice lacks this member.
    pub without: Option<String>,
    /// It is signed with this key.
    pub key: Key,
    /// It must be refused, for a reason in which this text stands.
    pub refused: Option<String>,
}

/// What a notice is signed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Key {
    /// The key in force.
    #[default]
    Right,
    /// Another.
    Wrong,
}

/// An act and the line in which it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The line, from 1.
    pub line: usize,
    /// The act.
    pub act: Act,
}

/// Why a text is no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// Reads a script.
pub fn parse(text: &str) -> Result<Vec<Step>, Fault> {
    let mut steps = Vec::new();
    let mut together = None;
    for (line, text) in (1..).zip(text.lines()) {
        let fault = |what: String| Fault { line, what };
        let mut words = Words::read(text).map_err(fault)?;
        if words.is_empty() {
            continue;
        }
        let act = Act::read(&mut words).map_err(fault)?;
        match (&act.deed, together) {
            (Deed::Together, None) => together = Some(line),
            (Deed::Together | Deed::Wait { .. } | Deed::Expect { .. }, Some(_)) => {
                return Err(fault(format!("{} cannot stand between together and end", act.deed.verb())));
            }
            (Deed::End, None) => return Err(fault("nothing began with together".to_owned())),
            (Deed::End, Some(_)) => together = None,
            (
                Deed::Open { .. }
                | Deed::Push { .. }
                | Deed::Stop { .. }
                | Deed::Record { .. }
                | Deed::Shot { .. }
                | Deed::Verdict { .. }
                | Deed::Event { .. }
                | Deed::Send { .. }
                | Deed::Say { .. }
                | Deed::Enter { .. }
                | Deed::Quit { .. }
                | Deed::Like { .. }
                | Deed::Ban { .. }
                | Deed::Unban { .. }
                | Deed::Wait { .. }
                | Deed::Expect { .. },
                _,
            ) => {}
        }
        steps.push(Step { line, act });
    }
    match together {
        None => Ok(steps),
        Some(line) => Err(Fault { line, what: "together has no end".to_owned() }),
    }
}

/// Acts as the steps of the script that [`print()`] makes of them.
pub fn steps(acts: impl IntoIterator<Item = Act>) -> Vec<Step> {
    (1..).zip(acts).map(|(line, act)| Step { line, act }).collect()
}

/// Acts as a script, one in each line.
pub fn print<'a>(acts: impl IntoIterator<Item = &'a Act>) -> String {
    acts.into_iter().map(|act| format!("{act}\n")).collect()
}

impl From<Deed> for Act {
    fn from(deed: Deed) -> Self {
        Self { deed, how: How::default() }
    }
}

/// Who takes what is sent by an act: it decides how the act can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sends {
    /// A notice, that can be sent later by its name.
    NamedNotice,
    /// A notice without a name.
    Notice,
    /// A notice that was made before.
    OldNotice,
    /// A call of an app, or of an operator.
    Call,
    Nothing,
}

impl Sends {
    /// The words for how it can be done.
    fn ways(self) -> &'static [&'static str] {
        match self {
            Self::NamedNotice => &["again", "refused", "key", "late", "at", "skew", "without", "lost"],
            Self::Notice => &["again", "refused", "key", "late", "at", "skew", "without"],
            Self::OldNotice => &["again", "refused", "key", "late", "anew"],
            Self::Call => &["again", "refused"],
            Self::Nothing => &[],
        }
    }
}

impl Deed {
    fn verb(&self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::Push { .. } => "push",
            Self::Stop { .. } => "stop",
            Self::Record { .. } => "record",
            Self::Shot { .. } => "shot",
            Self::Verdict { .. } => "verdict",
            Self::Event { .. } => "event",
            Self::Send { .. } => "send",
            Self::Say { .. } => "say",
            Self::Enter { .. } => "enter",
            Self::Quit { .. } => "quit",
            Self::Like { .. } => "like",
            Self::Ban { .. } => "ban",
            Self::Unban { .. } => "unban",
            Self::Wait { .. } => "wait",
            Self::Expect { .. } => "expect",
            Self::Together => "together",
            Self::End => "end",
        }
    }

    fn sends(&self) -> Sends {
        match self {
            Self::Push { .. } | Self::Stop { .. } | Self::Record { .. } => Sends::NamedNotice,
            Self::Shot { .. } | Self::Verdict { .. } | Self::Event { .. } => Sends::Notice,
            Self::Send { .. } => Sends::OldNotice,
            Self::Open { .. }
            | Self::Say { .. }
            | Self::Enter { .. }
            | Self::Quit { .. }
            | Self::Like { .. }
            | Self::Ban { .. }
            | Self::Unban { .. } => Sends::Call,
            Self::Wait { .. } | Self::Expect { .. } | Self::Together | Self::End => Sends::Nothing,
        }
    }
}

impl Act {
    fn read(words: &mut Words) -> Result<Self, String> {
        let deed = deed(words)?;
        let mut how = How::default();
        for (name, value) in std::mem::take(&mut words.options).into_iter().chain(words.flags()) {
            if !deed.sends().ways().contains(&name.as_str()) {
                return Err(format!("{} cannot have {name}", deed.verb()));
            }
            match (name.as_str(), value) {
                ("again", None) => how.again = true,
                ("lost", None) => how.lost = true,
                ("anew", None) => how.anew = true,
                ("refused", text) => how.refused = Some(text.unwrap_or_default()),
                ("late", Some(text)) => how.late = Some(number(&text)?),
                ("at", Some(text)) => how.at = number(&text)?,
                ("skew", Some(text)) => how.skew = number(&text)?,
                ("without", Some(text)) => how.without = Some(text),
                ("key", Some(text)) if text == "wrong" => how.key = Key::Wrong,
                (_, None) => return Err(format!("{name} wants a value: {name}=..")),
                (_, Some(text)) => return Err(format!("{name} cannot be {text}")),
            }
        }
        let made = How { lost: true, at: how.at, skew: how.skew, without: how.without.clone(), ..How::default() };
        if how.lost && how != made {
            return Err("what is lost is not sent: how it is done stands behind send".to_owned());
        }
        Ok(Self { deed, how })
    }
}

fn deed(words: &mut Words) -> Result<Deed, String> {
    let push = |words: &mut Words| words.next("the name of a push");
    let user = |words: &mut Words| words.next("a user");
    let viewer = |words: &mut Words| words.next("a viewer");
    Ok(match words.next("an act")?.as_str() {
        "open" => {
            let (user, title) = (user(words)?, words.next("a title")?);
            Deed::Open { user, title, group: words.option("group") }
        }
        "push" => {
            let user = user(words)?;
            words.keyword("as")?;
            let push = push(words)?;
            let stream = |words: &mut Words| words.option("stream").map(To::Stream);
            let to = words.option("url").map(To::Url).or_else(|| stream(words)).unwrap_or(To::Given);
            Deed::Push { user, push, to }
        }
        "stop" => {
            let push = push(words)?;
            Deed::Stop { push, errcode: words.option("errcode").map(|text| number(&text)).transpose()? }
        }
        "record" => {
            let (push, format) = (push(words)?, words.next("a format")?);
            words.keyword("as")?;
            let file = words.next("the name of a file")?;
            let mut second = |name| words.option(name).map(|text| number(&text)).transpose();
            let (from, to) = (second("from")?, second("to")?);
            Deed::Record { push, format, file, from, to, url: words.option("url") }
        }
        "shot" => Deed::Shot { push: push(words)? },
        "verdict" => Deed::Verdict { push: push(words)?, word: words.next("Block, Review or Pass")? },
        "event" => Deed::Event { push: push(words)?, number: number(&words.next("the number of an event")?)? },
        "send" => Deed::Send { notice: words.next("the name of a notice")? },
        "say" => {
            let user = user(words)?;
            let word = match words.next("online or offline")?.as_str() {
                "online" => Word::Online,
                "offline" => Word::Offline,
                other => return Err(format!("an app says online or offline, not {other}")),
            };
            Deed::Say { user, word }
        }
        "enter" => Deed::Enter { viewer: viewer(words)?, user: user(words)?, group: words.option("group") },
        "quit" => Deed::Quit { viewer: viewer(words)?, user: user(words)?, group: words.option("group") },
        "like" => Deed::Like { viewer: viewer(words)?, user: user(words)? },
        "ban" => Deed::Ban { user: user(words)? },
        "unban" => Deed::Unban { user: user(words)? },
        "wait" => Deed::Wait { seconds: number(&words.next("a number of seconds")?)? },
        "expect" => {
            let what = words.next("what is expected")?;
            let user = user(words)?;
            let mut count = || number(&words.next("a number")?);
            let what = match what.as_str() {
                "live" => What::Live,
                "offline" => What::Offline,
                "replays" => What::Replays(count()?),
                "viewers" => What::Viewers(count()?),
                "likes" => What::Likes(count()?),
                other => return Err(format!("{other} cannot be expected")),
            };
            Deed::Expect { user, what }
        }
        "together" => Deed::Together,
        "end" => Deed::End,
        other => return Err(format!("{other} is no act")),
    })
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is not such a number"))
}

/// The words of a line: those that stand alone, and those with a name before `=`.
struct Words {
    plain: VecDeque<String>,
    options: Vec<(String, Option<String>)>,
}

impl Words {
    fn read(line: &str) -> Result<Self, String> {
        let mut words = Self { plain: VecDeque::new(), options: Vec::new() };
        let mut rest = line.trim_start();
        while !rest.is_empty() && !rest.starts_with('#') {
            let name = rest.split_once('=').map(|(name, _)| name);
            let name = name.filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase()));
            let (text, after) = match name {
                Some(name) => word(&rest[name.len() + 1..])?,
                None => word(rest)?,
            };
            match name {
                Some(name) => words.options.push((name.to_owned(), Some(text))),
                None => words.plain.push_back(text),
            }
            if !after.is_empty() && !after.starts_with(char::is_whitespace) {
                return Err("a blank is missing behind a quote".to_owned());
            }
            rest = after.trim_start();
        }
        Ok(words)
    }

    fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.options.is_empty()
    }

    fn next(&mut self, what: &str) -> Result<String, String> {
        self.plain.pop_front().ok_or_else(|| format!("{what} is missing"))
    }

    fn keyword(&mut self, word: &str) -> Result<(), String> {
        if self.next(word)? == word { Ok(()) } else { Err(format!("{word} is missing")) }
    }

    /// The value of an option that belongs to the deed.
    fn option(&mut self, name: &str) -> Option<String> {
        let place = self.options.iter().position(|(n, _)| n == name)?;
        self.options.remove(place).1
    }

    /// What stands alone behind the deed.
    fn flags(&mut self) -> impl Iterator<Item = (String, Option<String>)> {
        std::mem::take(&mut self.plain).into_iter().map(|word| (word, None))
    }
}

/// The word that a text begins with, and what follows on it.
fn word(text: &str) -> Result<(String, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Ok((text[..end].to_owned(), &text[end..]));
    };
    let mut word = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((word, &quoted[at + 1..])),
            '\\' => word.push(match characters.next() {
                Some((_, 'n')) => '\n',
                Some((_, other @ ('"' | '\\'))) => other,
                Some((_, other)) => return Err(format!("\\{other} means nothing")),
                None => break,
            }),
            other => word.push(other),
        }
    }
    Err("a quote is not closed".to_owned())
}

/// A word as it is written: in quotes if it must be.
struct Written<'a>(&'a str);

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0;
        if !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "\"\\=#".contains(c)) {
            return f.write_str(text);
        }
        write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb())?;
        let w = |text| Written(text);
        match self {
            Self::Open { user, title, group } => {
                write!(f, " {} {}", w(user), w(title))?;
                group.iter().try_for_each(|group| write!(f, " group={}", w(group)))
            }
            Self::Push { user, push, to } => {
                write!(f, " {} as {}", w(user), w(push))?;
                match to {
                    To::Given => Ok(()),
                    To::Url(url) => write!(f, " url={}", w(url)),
                    To::Stream(stream) => write!(f, " stream={}", w(stream)),
                }
            }
            Self::Stop { push, errcode } => {
                write!(f, " {}", w(push))?;
                errcode.iter().try_for_each(|errcode| write!(f, " errcode={errcode}"))
            }
            Self::Shot { push } => write!(f, " {}", w(push)),
            Self::Record { push, format, file, from, to, url } => {
                write!(f, " {} {} as {}", w(push), w(format), w(file))?;
                from.iter().try_for_each(|from| write!(f, " from={from}"))?;
                to.iter().try_for_each(|to| write!(f, " to={to}"))?;
                url.iter().try_for_each(|url| write!(f, " url={}", w(url)))
            }
            Self::Verdict { push, word } => write!(f, " {} {}", w(push), w(word)),
            Self::Event { push, number } => write!(f, " {} {number}", w(push)),
            Self::Send { notice } => write!(f, " {}", w(notice)),
            Self::Say { user, word: Word::Online } => write!(f, " {} online", w(user)),
            Self::Say { user, word: Word::Offline } => write!(f, " {} offline", w(user)),
            Self::Enter { viewer, user, group } | Self::Quit { viewer, user, group } => {
                write!(f, " {} {}", w(viewer), w(user))?;
                group.iter().try_for_each(|group| write!(f, " group={}", w(group)))
            }
            Self::Like { viewer, user } => write!(f, " {} {}", w(viewer), w(user)),
            Self::Ban { user } | Self::Unban { user } => write!(f, " {}", w(user)),
            Self::Wait { seconds } => write!(f, " {seconds}"),
            Self::Expect { user, what } => match what {
                What::Live => write!(f, " live {}", w(user)),
                What::Offline => write!(f, " offline {}", w(user)),
                What::Replays(number) => write!(f, " replays {} {number}", w(user)),
                What::Viewers(number) => write!(f, " viewers {} {number}", w(user)),
                What::Likes(number) => write!(f, " likes {} {number}", w(user)),
            },
            Self::Together | Self::End => Ok(()),
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let How { again, lost, late, anew, at, skew, without, key, refused } = &self.how;
        self.deed.fmt(f)?;
        for (word, is_so) in [("again", again), ("lost", lost), ("anew", anew)] {
            if *is_so {
                write!(f, " {word}")?;
            }
        }
        late.iter().try_for_each(|late| write!(f, " late={late}"))?;
        for (name, seconds) in [("at", at), ("skew", skew)] {
            if *seconds != 0 {
                write!(f, " {name}={seconds}")?;
            }
        }
        without.iter().try_for_each(|field| write!(f, " without={}", Written(field)))?;
        match key {
            Key::Right => {}
            Key::Wrong => f.write_str(" key=wrong")?,
        }
        match refused.as_deref() {
            None => Ok(()),
            Some("") => f.write_str(" refused"),
            Some(text) => write!(f, " refused={}", Written(text)),
        }
    }
}
