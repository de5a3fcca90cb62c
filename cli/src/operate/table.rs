//! Answers as tables of text for a terminal.

use std::{array, iter};

use protocol::types::UnixSeconds;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

pub(super) fn rows<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().map_or(&[], Vec::as_slice)
}

/// A value as one line of printable text.
pub(super) fn plain(value: &Value) -> String {
    printable(value).replace('\n', " ")
}

/// The characters that change the direction of the text after them: a terminal would show other columns reversed.
const REORDERING: [char; 12] = [
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}',
    '\u{2067}', '\u{2068}', '\u{2069}',
];

/// A value as text without control characters, which a terminal could execute.
pub(super) fn printable(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let is_harmful = |c: char| (c.is_control() && c != '\n') || REORDERING.contains(&c);
    text.chars().map(|c| if is_harmful(c) { '\u{fffd}' } else { c }).collect()
}

pub(super) fn time(value: &Value) -> String {
    value.as_u64().map_or_else(|| plain(value), |seconds| UnixSeconds(seconds).in_utc())
}

/// Rows under their heads, each column as wide as its widest cell. A Chinese character is two columns wide.
pub(super) fn table<const N: usize>(heads: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<_> = iter::once(heads.map(str::to_owned)).chain(rows).collect();
    let widths: [usize; N] = array::from_fn(|column| rows.iter().map(|row| row[column].width()).max().unwrap_or(0));
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell}{:1$}  ", "", width - cell.width()));
        format!("{}\n", cells.collect::<String>().trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_in_a_terminal_as_their_widest_cell() {
        let rows = [["a", "b", "c"], ["你好", "", "d"], ["ccc", "", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(table(["x", "yy", "z"], rows.into_iter()), "x     yy  z\na     b   c\n你好      d\nccc\n");
    }

    #[test]
    fn text_of_users_has_no_effect_on_the_terminal() {
        assert_eq!(plain(&json!("a\u{1b}[2Jb\nc")), "a\u{fffd}[2Jb c");
        assert_eq!(plain(&json!("a\u{202e}b")), "a\u{fffd}b");
    }
}
