//! Parses and prints a line of a script, which consists of words.
//!
//! Blanks separate words, and a `#` before a word begins a comment. A word that is empty or contains a blank, a quote,
//! a backslash, `=` or `#` is written in double quotes. In quotes, `\"`, `\\` and `\n` are a quote, a backslash and a
//! line end. An option is written as `name=word`.

use std::{collections::VecDeque, str::FromStr};

/// A part of a statement: an action, or an argument of an action.
pub(super) trait Syntax: Sized {
    /// Takes the words of the part from a line.
    fn parse(words: &mut Words, name: &str) -> Result<Self, String>;

    /// Adds the words of the part to a line.
    fn print(&self, name: &str, line: &mut Vec<String>);

    /// How the part is written, for error messages.
    fn describe(name: &str) -> String;
}

/// Declares an enum with its parser and its printer. A variant is written as its word, followed by its fields. A
/// literal before a field is a word that must stand there.
macro_rules! syntax {
    ($(#[$attribute:meta])* $name:ident {
        $($word:literal $variant:ident $({ $($($keyword:literal)? $field:ident: $type:ty),* })?,)*
    }) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "docs/simulate.md says what each word means")]
        pub enum $name { $($variant $({ $($field: $type),* })?,)* }

        impl $name {
            /// How each variant is written.
            fn variants() -> Vec<String> {
                vec![$([
                    $word.to_owned(),
                    $($($($keyword.to_owned(),)? <$type>::describe(stringify!($field)),)*)?
                ].join(" ")),*]
            }
        }

        impl Syntax for $name {
            fn parse(words: &mut Words, name: &str) -> Result<Self, String> {
                let word = words.next(name)?;
                match word.as_str() {
                    $($word => Ok(Self::$variant $({ $($field: {
                        $(words.keyword($keyword)?;)?
                        Syntax::parse(words, stringify!($field))?
                    }),* })?),)*
                    _ => Err(format!("{word} is not valid")),
                }
            }

            fn print(&self, _: &str, line: &mut Vec<String>) {
                match self {
                    $(Self::$variant $({ $($field),* })? => {
                        line.push($word.to_owned());
                        $($($(line.push($keyword.to_owned());)? $field.print(stringify!($field), line);)*)?
                    })*
                }
            }

            fn describe(_: &str) -> String {
                Self::variants().join("|")
            }
        }
    };
}
pub(super) use syntax;

/// An argument that is one word.
pub(super) trait Value: FromStr + ToString {}
impl Value for String {}
impl Value for u32 {}
impl Value for u64 {}

impl<T: Value> Syntax for T {
    fn parse(words: &mut Words, name: &str) -> Result<Self, String> {
        parse_value(&words.next(name)?)
    }

    fn print(&self, _: &str, line: &mut Vec<String>) {
        line.push(quoted(&self.to_string()));
    }

    fn describe(name: &str) -> String {
        name.to_uppercase()
    }
}

/// An option.
impl<T: FromStr + ToString> Syntax for Option<T> {
    fn parse(words: &mut Words, name: &str) -> Result<Self, String> {
        let place = words.options.iter().position(|(known, _)| known == name);
        place.map(|place| parse_value(&words.options.remove(place).1)).transpose()
    }

    fn print(&self, name: &str, line: &mut Vec<String>) {
        line.extend(self.iter().map(|value| format!("{name}={}", quoted(&value.to_string()))));
    }

    fn describe(name: &str) -> String {
        format!("[{name}={}]", name.to_uppercase())
    }
}

/// Parses the text of a word.
pub(super) fn parse_value<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is not valid"))
}

/// The words of a line that are not parsed yet.
pub(super) struct Words {
    /// The words without a name.
    pub(super) plain: VecDeque<String>,
    /// The names and words of options.
    pub(super) options: Vec<(String, String)>,
}

impl Words {
    /// Splits a line.
    pub(super) fn split(line: &str) -> Result<Self, String> {
        let mut words = Self { plain: VecDeque::new(), options: Vec::new() };
        let mut rest = line.trim_start();
        while !rest.is_empty() && !rest.starts_with('#') {
            let name = rest.split_once('=').map(|(name, _)| name);
            let name = name.filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase()));
            let (word, after) = first_word(name.map_or(rest, |name| &rest[name.len() + 1..]))?;
            match name {
                Some(name) => words.options.push((name.to_owned(), word)),
                None => words.plain.push_back(word),
            }
            if !after.is_empty() && !after.starts_with(char::is_whitespace) {
                return Err("a blank is missing after a quote".to_owned());
            }
            rest = after.trim_start();
        }
        Ok(words)
    }

    /// Takes the next word without a name.
    pub(super) fn next(&mut self, name: &str) -> Result<String, String> {
        self.plain.pop_front().ok_or_else(|| format!("{} is missing", name.to_uppercase()))
    }

    /// Takes this word.
    pub(super) fn keyword(&mut self, word: &str) -> Result<(), String> {
        let is_next = self.plain.pop_front().is_some_and(|next| next == word);
        is_next.then_some(()).ok_or_else(|| format!("{word} is missing"))
    }
}

/// The first word of a text, and the rest of the text.
fn first_word(text: &str) -> Result<(String, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Ok((text[..end].to_owned(), &text[end..]));
    };
    let mut word = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return Ok((word, characters.as_str())),
            '\\' => word.push(match characters.next() {
                Some('n') => '\n',
                Some(other @ ('"' | '\\')) => other,
                Some(other) => return Err(format!(r#"\{other} is not valid; expected \", \\ or \n"#)),
                None => break,
            }),
            other => word.push(other),
        }
    }
    Err("a quote is not closed".to_owned())
}

/// A word as it is written: in quotes if necessary.
fn quoted(word: &str) -> String {
    if !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || "\"\\=#".contains(c)) {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n"))
}
