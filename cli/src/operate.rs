//! `mini-lvb callbacks` and `mini-lvb rebuild`: requests of operators to a running server, and the answers as text.

use std::{
    array, iter,
    path::{Path, PathBuf},
    time::Duration,
};

use app::process::environment;
use clap::{Args, Subcommand};
use http::{
    Request,
    header::{CONTENT_TYPE, HeaderValue},
};
use http_client::{self, Client};
use protocol::{
    error::Chain,
    types::{Secret, UnixSeconds},
};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::{folder, listen::Listen, settings};

/// The time limit of a request: a deployed function has 10 seconds, a server of one's own has no limit.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The number of rows per request.
const ROWS: u64 = 100;
/// The setting with the operator's key.
const OPERATOR_KEY: &str = "OPERATOR_KEY";
/// The header in which the key is sent.
pub(crate) const HEADER: &str = "x-operator-key";
/// The error for an answer that is not one of ours.
const NO_ANSWER: &str = "the answer is not that of a business server; is the address right?";

/// The server of an operator, and the key.
#[derive(Args, Debug)]
pub struct Operator {
    /// The address of the server.
    #[arg(long, global = true, value_name = "URL", value_parser = address, default_value = "http://127.0.0.1:8080")]
    server: String,
    /// The data folder of the server. Its settings.toml has the OPERATOR_KEY, unless the environment has it.
    #[arg(long, global = true, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// The settings file of the server, instead of the one in the data folder.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints the server's answer as JSON.
    #[arg(long, global = true)]
    json: bool,
}

/// Requests about the notices of the live cloud.
#[derive(Subcommand, Debug)]
pub enum Callbacks {
    /// Lists notices, the newest first: those of a user or a stream, or else all that were not applied.
    List {
        /// The user.
        #[arg(long, value_name = "USER", conflicts_with = "stream")]
        user: Option<String>,
        /// The stream.
        #[arg(long, value_name = "STREAM")]
        stream: Option<String>,
        /// The page, of 100 notices.
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        page: u64,
    },
    /// Shows a notice as it was received, without its signature.
    Show {
        /// The stream.
        stream: String,
        /// The id of the notice in the list. Write -- before an id that begins with a hyphen.
        #[arg(required = true)]
        id: Vec<String>,
    },
    /// Applies notices again: one, or all pushes and recordings of a stream.
    Replay {
        /// The stream.
        stream: String,
        /// The id of the notice in the list. Write -- before an id that begins with a hyphen.
        id: Vec<String>,
    },
}

impl Callbacks {
    /// Sends the request, and returns the answer as text.
    pub async fn run(&self, operator: &Operator) -> Result<String, String> {
        let server = Server::of(operator)?;
        match self {
            Self::List { user, stream, page } => {
                let fields = json!({"userid": user, "streamid": stream, "index": page, "count": ROWS});
                Ok(server.shown(&server.call("list_notices", fields).await?, |answer| list(answer, *page)))
            }
            Self::Show { stream, id } => {
                let fields = json!({"streamid": stream, "id": id.join(" ")});
                Ok(server.shown(&server.call("show_notice", fields).await?, show))
            }
            Self::Replay { stream, id } => {
                let id = (!id.is_empty()).then(|| id.join(" "));
                let fields = json!({"streamid": stream, "id": id, "count": ROWS});
                let applied = |answer: &Value| format!("{} applied again", rows(answer, "list").len());
                let answer = server.call_in_parts("replay_notices", fields, applied).await?;
                if id.is_none() && rows(&answer, "list").is_empty() {
                    return Err(format!("no notices of pushes and recordings of {stream} are kept"));
                }
                Ok(server.shown(&answer, |answer| format!("{}{}\n", notices(answer), applied(answer))))
            }
        }
    }
}

/// Has a user rebuilt, and returns the answer as text. It is an error if differences are left.
pub async fn rebuild(user: &str, is_dry_run: bool, operator: &Operator) -> Result<String, String> {
    let server = Server::of(operator)?;
    let fields = json!({"userid": user, "dry_run": u8::from(is_dry_run)});
    let found = |answer: &Value| format!("{} differences so far", rows(answer, "differences").len());
    let answer = server.call_in_parts("rebuild_user", fields, found).await?;
    let text = server.shown(&answer, |answer| rebuilt(answer, is_dry_run));
    let is_repaired = is_dry_run || rows(&answer, "left").is_empty();
    if is_repaired { Ok(text) } else { Err(format!("some differences could not be repaired\n{text}")) }
}

/// The operator's key: from the environment, or from a settings file.
fn key(file: &Path) -> Result<Secret, String> {
    let is_set = |key: &String| !key.trim().is_empty();
    let key = match environment(OPERATOR_KEY).filter(is_set) {
        None if file.exists() => settings::read(file)?.remove(OPERATOR_KEY).filter(is_set),
        key => key,
    };
    let key = key.ok_or_else(|| {
        let file = file.display();
        format!("there is no {OPERATOR_KEY} in the environment or in {file}; it must be the key of the server")
    })?;
    Ok(Secret::new(key.trim()))
}

/// The address of a server from the command line: a URL, or an address of this machine as in `--listen`.
pub fn address(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    if let Some(here) = text.parse().ok().filter(Listen::is_loopback) {
        return Ok(format!("http://{here}"));
    }
    let fault = || "expected an address that begins with http:// or https://, as http://127.0.0.1:8080".to_owned();
    http_client::is_address(text).then(|| text.to_owned()).ok_or_else(fault)
}

/// Refuses an address if others could read a key on the way to it.
pub(crate) fn is_private(address: &str) -> Result<(), String> {
    let refused = || {
        format!(
            "{address}: the operator key is sent only over https, or to this machine; give the address with https://"
        )
    };
    http_client::is_secure(address).then_some(()).ok_or_else(refused)
}

/// An operator's key as the value of [`HEADER`].
pub(crate) fn key_header(key: &Secret) -> Result<HeaderValue, String> {
    let invalid = |_| "the operator key has characters that a header cannot have".to_owned();
    HeaderValue::from_str(key.expose()).map_err(invalid)
}

/// A running server.
struct Server {
    http: Client,
    address: String,
    key: HeaderValue,
    json: bool,
}

impl Server {
    fn of(operator: &Operator) -> Result<Self, String> {
        let file = operator.config.clone().unwrap_or_else(|| folder::settings(&operator.data));
        let key = key_header(&key(&file)?)?;
        is_private(&operator.server)?;
        Ok(Self { http: Client::unconnected(), address: operator.server.clone(), key, json: operator.json })
    }

    /// Calls a command that works in parts, until an answer has no `next`. Returns the lists of all parts, joined, and
    /// prints the progress after each part but the last.
    async fn call_in_parts(
        &self,
        command: &str,
        mut fields: Value,
        progress: impl Fn(&Value) -> String,
    ) -> Result<Value, String> {
        let mut whole = json!({});
        loop {
            let Value::Object(mut part) = self.call(command, fields.clone()).await? else {
                return Err(NO_ANSWER.to_owned());
            };
            let next = part.remove("next");
            for (name, lines) in part {
                match (whole.get_mut(&name), lines) {
                    (Some(Value::Array(known)), Value::Array(more)) => known.extend(more),
                    (_, lines) => whole[name] = lines,
                }
            }
            let Some(next) = next else { return Ok(whole) };
            if fields["after"] == next {
                return Err(NO_ANSWER.to_owned());
            }
            eprintln!("{}", progress(&whole));
            fields["after"] = next;
        }
    }

    /// Calls a command. Fields that are null count as missing.
    async fn call(&self, command: &str, fields: Value) -> Result<Value, String> {
        let failed = |error: http_client::Error| format!("{}: {}", self.address, Chain(&error));
        let request = Request::post(format!("{}/{command}", self.address))
            .header(CONTENT_TYPE, "application/json")
            .header(HEADER, &self.key)
            .body(fields.to_string());
        let request = request.map_err(|error| failed(error.into()))?;
        let answer = self.http.send_within(TIMEOUT, request).await.map_err(failed)?;
        let mut answer: Value = serde_json::from_str(&answer).map_err(|_| NO_ANSWER.to_owned())?;
        match answer["code"].as_u64() {
            Some(200) => Ok(answer["data"].take()),
            Some(403) => Err(format!("{} does not accept this {OPERATOR_KEY}", self.address)),
            Some(code) => Err(format!("{} answers {code} {}", self.address, plain(&answer["message"]))),
            None => Err(NO_ANSWER.to_owned()),
        }
    }

    fn shown(&self, answer: &Value, table: impl FnOnce(&Value) -> String) -> String {
        if self.json { format!("{answer}\n") } else { table(answer) }
    }
}

fn rows<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().map_or(&[], Vec::as_slice)
}

fn list(answer: &Value, page: u64) -> String {
    let (shown, total) = (rows(answer, "list").len(), answer["totalcount"].as_u64().unwrap_or(0));
    let is_last = page == 0 || page.saturating_mul(ROWS) >= total;
    let more = if is_last { String::new() } else { format!("; --page {} shows more", page + 1) };
    format!("{}{shown} of {total}{more}\n", notices(answer))
}

fn notices(answer: &Value) -> String {
    let cells = |row: &Value| {
        let status = match [&row["fate"], &row["reason"], &row["userid"]].map(plain) {
            [status, reason, user] if reason.is_empty() && user.is_empty() => status,
            [status, reason, user] if reason.is_empty() => format!("{status} to {user}"),
            [status, reason, _] => format!("{status}: {reason}"),
        };
        let status = format!("{status}{}", interruption(row));
        [time(&row["received_at"]), plain(&row["times"]), plain(&row["streamid"]), plain(&row["id"]), status]
    };
    table(["received", "times", "stream", "id", "status"], rows(answer, "list").iter().map(cells))
}

fn show(row: &Value) -> String {
    let late = if row["late"] == 1 { ", after its expiry" } else { "" };
    let times = if row["times"] == 1 { "once".to_owned() } else { format!("{} times", plain(&row["times"])) };
    format!("{}received {times}{late}\n\n{}\n", notices(&json!({ "list": [row] })), printable(&row["body"]))
}

fn rebuilt(answer: &Value, is_dry_run: bool) -> String {
    let differences = rows(answer, "differences");
    let outcome = match (differences.len(), rows(answer, "left").len(), is_dry_run) {
        (0, ..) => "no differences".to_owned(),
        (found, _, true) => format!("{found} differences; run without --dry-run to repair them"),
        (found, 0, false) => format!("{found} differences, repaired"),
        (found, left, false) => format!("{found} differences, {left} not repaired"),
    };
    let text: String = differences.iter().map(|line| format!("  {}\n", plain(line))).collect();
    let cells = |live: &Value| {
        let (end, stream) = (&live["ended_at"], plain(&live["streamid"]));
        [
            time(&live["started_at"]),
            if end.is_null() { "live now".to_owned() } else { time(end) },
            format!("{}{}", plain(&live["reason"]), interruption(live)),
            plain(&live["peak"]),
            plain(&live["visits"]),
            plain(&live["likes"]),
            if stream.is_empty() { "own".to_owned() } else { stream },
            plain(&live["title"]),
        ]
    };
    let heads = ["started", "ended", "reason", "peak", "visits", "likes", "stream", "title"];
    format!("{outcome}\n{text}\n{}", table(heads, rows(answer, "lives").iter().map(cells)))
}

/// The error with which a push ended: `, errcode 18/503: push auth failed`. Empty if the cloud reported none.
fn interruption(row: &Value) -> String {
    if row["errcode"].is_null() {
        return String::new();
    }
    let detail = row["sub_errcode"].as_u64().map(|detail| format!("/{detail}")).unwrap_or_default();
    let message = row["errmsg"].as_str().map(|_| format!(": {}", plain(&row["errmsg"]))).unwrap_or_default();
    format!(", errcode {}{detail}{message}", plain(&row["errcode"]))
}

/// A value as one line of printable text.
fn plain(value: &Value) -> String {
    printable(value).replace('\n', " ")
}

/// A value as text without control characters, which a terminal could execute.
fn printable(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

fn time(value: &Value) -> String {
    value.as_u64().map_or_else(|| plain(value), |seconds| UnixSeconds(seconds).in_utc())
}

/// Rows under their heads, each column as wide as its widest cell. A Chinese character is two columns wide.
fn table<const N: usize>(heads: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
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
    use super::*;

    #[test]
    fn columns_are_as_wide_in_a_terminal_as_their_widest_cell() {
        let rows = [["a", "b", "c"], ["你好", "", "d"], ["ccc", "", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(table(["x", "yy", "z"], rows.into_iter()), "x     yy  z\na     b   c\n你好      d\nccc\n");
    }

    #[test]
    fn the_error_of_a_push_stands_beside_its_notice_and_its_live() {
        let (notice, live) =
            (json!({"fate": "applied", "reason": "", "userid": "alice"}), json!({"reason": "stopped"}));
        let with_error = |mut row: Value| {
            (row["errcode"], row["sub_errcode"], row["errmsg"]) = (18.into(), 503.into(), "no right".into());
            row
        };
        let listed = notices(&json!({"list": [with_error(notice)]}));
        assert!(listed.contains("applied to alice, errcode 18/503: no right"), "{listed}");
        let rebuilt = rebuilt(&json!({"lives": [with_error(live)]}), true);
        assert!(rebuilt.contains("stopped, errcode 18/503: no right"), "{rebuilt}");
    }

    #[test]
    fn text_of_users_has_no_effect_on_the_terminal() {
        assert_eq!(plain(&json!("a\u{1b}[2Jb\nc")), "a\u{fffd}[2Jb c");
    }

    #[test]
    fn an_address_of_this_machine_is_written_in_many_ways() {
        for (text, meant) in [
            ("localhost:8080", "http://127.0.0.1:8080"),
            ("LOCALHOST:8080/", "http://127.0.0.1:8080"),
            ("8080", "http://127.0.0.1:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("127.0.0.2:80", "http://127.0.0.2:80"),
            ("HTTP://LOCALHOST:8080", "HTTP://LOCALHOST:8080"),
            ("https://lvb.example.com/", "https://lvb.example.com"),
        ] {
            let address = address(text).unwrap();
            assert_eq!(address, meant);
            assert_eq!(is_private(&address), Ok(()), "{text}");
        }
        for text in ["", "lvb.example.com", "192.0.2.1:8080", "ftp://localhost", "http://"] {
            assert!(address(text).unwrap_err().contains("begins with http://"), "{text}");
        }
        assert!(is_private("http://lvb.example.com").unwrap_err().contains("https"));
    }
}
