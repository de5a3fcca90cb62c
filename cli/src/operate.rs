//! What operators ask of a running server, on the command line: the notices of the cloud, and what follows from them.

use std::{path::Path, time::Duration};

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

use crate::{listen::Listen, settings};

/// How long a call may take: a deployed function has 10 seconds, and a server of one's own all the time that it needs.
const LIMIT: Duration = Duration::from_secs(60);
/// How many rows are asked for at a time.
const ROWS: usize = 100;
/// The name of the setting.
const OPERATOR_KEY: &str = "OPERATOR_KEY";
/// The header in which they show it.
pub(crate) const HEADER: &str = "x-operator-key";

/// What is asked.
#[derive(Clone, Debug)]
pub enum Question {
    /// A page of the notices of a user, of a stream, or of those that are not dealt with.
    List {
        /// Of this user.
        user: Option<String>,
        /// Of this stream.
        stream: Option<String>,
        /// The number of the page, from 1.
        page: usize,
    },
    /// One notice.
    Show {
        /// Its stream.
        stream: String,
        /// Its name.
        id: String,
    },
    /// That notices are done again.
    Replay {
        /// Their stream.
        stream: String,
        /// The one of them; without it all.
        id: Option<String>,
    },
    /// That a user is rebuilt.
    Rebuild {
        /// Whom.
        user: String,
        /// Whether nothing is written.
        is_rehearsal: bool,
    },
}

/// How an answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Table,
    /// As the server gave it.
    Json,
}

/// The key that operators show: from the environment, or a file of settings.
pub fn key(file: &Path, environment: impl Fn(&str) -> Option<String>) -> Result<Secret, String> {
    let given = |key: &String| !key.trim().is_empty();
    let key = match environment(OPERATOR_KEY).filter(given) {
        Some(key) => Some(key),
        None if file.exists() => settings::read(file).map_err(|error| error.to_string())?.remove(OPERATOR_KEY),
        None => None,
    };
    let key = key.filter(given).ok_or_else(|| {
        format!(
            "there is no {OPERATOR_KEY}, neither in the environment nor in {}; it must be the one of the server",
            file.display()
        )
    })?;
    Ok(Secret::new(key.trim()))
}

/// The address of a server, as it is written on the command line. That of this machine may be written as `--listen` has
/// it.
pub fn address(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    if let Some(here) = text.parse().ok().filter(Listen::is_loopback) {
        return Ok(format!("http://{here}"));
    }
    let fault = || "expected an address that begins with http:// or https://, as http://127.0.0.1:8080".to_owned();
    http_client::is_address(text).then(|| text.to_owned()).ok_or_else(fault)
}

/// Whether nobody else reads an operator's key on its way to this address.
pub(crate) fn is_private(address: &str) -> Result<(), String> {
    let refused = || format!("{address}: the operator key is sent to https, or to this machine only");
    http_client::is_secure(address).then_some(()).ok_or_else(refused)
}

/// An operator's key as the value of [`HEADER`].
pub(crate) fn key_header(key: &Secret) -> Result<HeaderValue, String> {
    let unfit = |_| "the operator key cannot be sent: it has characters that no header has".to_owned();
    HeaderValue::from_str(key.expose()).map_err(unfit)
}

/// A server that is asked.
#[derive(Debug)]
pub struct Server {
    http: Client,
    address: String,
    key: Secret,
}

impl Server {
    /// The server at an address; none at which others could read the key on the way.
    pub fn new(address: &str, key: Secret) -> Result<Self, String> {
        let address = address.trim_end_matches('/').to_owned();
        is_private(&address)?;
        Ok(Self { http: Client::unconnected(), address, key })
    }

    /// Asks, and says what was answered. An error is what was refused, or is still not as it should be.
    pub async fn ask(&self, question: &Question, form: Form) -> Result<String, String> {
        match question {
            Question::List { user, stream, page } => {
                let fields = json!({"userid": user, "streamid": stream, "index": page, "count": ROWS});
                let answer = self.call("list_notices", fields).await?;
                Ok(shown(form, &answer, |answer| list(answer, *page)))
            }
            Question::Show { stream, id } => {
                let answer = self.call("show_notice", json!({"streamid": stream, "id": id})).await?;
                Ok(shown(form, &answer, show))
            }
            Question::Replay { stream, id } => self.replay(stream, id.as_deref(), form).await,
            Question::Rebuild { user, is_rehearsal } => {
                let fields = json!({"userid": user, "dry_run": u8::from(*is_rehearsal)});
                let answer = self.part_by_part("rebuild_user", fields, |answer| {
                    format!("{} differ so far", rows(answer, "differences").len())
                });
                let answer = answer.await?;
                let text = shown(form, &answer, |answer| rebuilt(answer, *is_rehearsal));
                let is_left = !*is_rehearsal && !rows(&answer, "left").is_empty();
                if is_left { Err(format!("not all could be repaired\n{text}")) } else { Ok(text) }
            }
        }
    }

    /// Has notices done again.
    async fn replay(&self, stream: &str, id: Option<&str>, form: Form) -> Result<String, String> {
        let fields = json!({"streamid": stream, "id": id, "count": ROWS});
        let done = |answer: &Value| format!("{} done again", rows(answer, "list").len());
        let answer = self.part_by_part("replay_notices", fields, done).await?;
        if id.is_none() && rows(&answer, "list").is_empty() {
            return Err(format!("no notices of {stream} are kept that tell of pushes and recordings"));
        }
        Ok(shown(form, &answer, |answer| format!("{}{}\n", notices(answer), done(answer))))
    }

    /// Calls a command that does its work in parts, until it says no more after what the next one begins. Gives the
    /// lists of all the parts, each as one; and says after each part but the last how far it is.
    async fn part_by_part(
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

    /// Calls a command; fields that are null are those that nobody said.
    async fn call(&self, command: &str, fields: Value) -> Result<Value, String> {
        let failed = |error: http_client::Error| format!("{}: {}", self.address, Chain(&error));
        let request = Request::post(format!("{}/{command}", self.address))
            .header(CONTENT_TYPE, "application/json")
            .header(HEADER, key_header(&self.key)?)
            .body(fields.to_string());
        let request = request.map_err(|error| failed(error.into()))?;
        let answer = self.http.send_within(LIMIT, request).await.map_err(failed)?;
        let mut answer: Value = serde_json::from_str(&answer).map_err(|_| NO_ANSWER.to_owned())?;
        match answer["code"].as_u64() {
            Some(200) => Ok(answer["data"].take()),
            Some(403) => Err(format!("{} does not take this {OPERATOR_KEY}", self.address)),
            Some(code) => Err(format!("{} answers {code} {}", self.address, plain(&answer["message"]))),
            None => Err(NO_ANSWER.to_owned()),
        }
    }
}

const NO_ANSWER: &str = "the server answers what no business server does; is the address right?";

fn shown(form: Form, answer: &Value, table: impl FnOnce(&Value) -> String) -> String {
    match form {
        Form::Table => table(answer),
        Form::Json => format!("{answer}\n"),
    }
}

fn rows<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().map_or(&[], Vec::as_slice)
}

fn list(answer: &Value, page: usize) -> String {
    let (shown, total) = (rows(answer, "list").len(), answer["totalcount"].as_u64().unwrap_or(0));
    let is_more = (page * ROWS) as u64 > 0 && ((page * ROWS) as u64) < total;
    let more = if is_more { format!("; --page {} shows more", page + 1) } else { String::new() };
    format!("{}{shown} of {total}{more}\n", notices(answer))
}

fn notices(answer: &Value) -> String {
    let cells = |row: &Value| {
        let fate = match [&row["reason"], &row["userid"]].map(plain) {
            [reason, user] if reason.is_empty() && user.is_empty() => plain(&row["fate"]),
            [reason, user] if reason.is_empty() => format!("{} to {user}", plain(&row["fate"])),
            [reason, _] => format!("{}: {reason}", plain(&row["fate"])),
        };
        let fate = format!("{fate}{}", interruption(row));
        vec![moment(&row["received_at"]), plain(&row["times"]), plain(&row["streamid"]), plain(&row["id"]), fate]
    };
    table(&["received", "times", "stream", "id", "fate"], rows(answer, "list").iter().map(cells).collect())
}

fn show(row: &Value) -> String {
    let late = if row["late"] == 1 { ", after its expiry" } else { "" };
    let head = notices(&json!({ "list": [row] }));
    let times = if row["times"] == 1 { "once".to_owned() } else { format!("{} times", plain(&row["times"])) };
    format!("{head}came {times}{late}\n\n{}\n", lines(&row["body"]))
}

fn rebuilt(answer: &Value, is_rehearsal: bool) -> String {
    let differences = rows(answer, "differences");
    let outcome = match (differences.len(), rows(answer, "left").len(), is_rehearsal) {
        (0, _, _) => "nothing differs".to_owned(),
        (found, _, true) => format!("{found} differ; without --dry-run they are repaired"),
        (found, 0, false) => format!("{found} differed and are repaired"),
        (found, left, false) => format!("{found} differed, and {left} still do"),
    };
    let text: String = differences.iter().map(|line| format!("  {}\n", plain(line))).collect();
    let cells = |live: &Value| {
        let stream = plain(&live["streamid"]);
        vec![
            moment(&live["started_at"]),
            if live["ended_at"].is_null() { "goes on".to_owned() } else { moment(&live["ended_at"]) },
            format!("{}{}", plain(&live["reason"]), interruption(live)),
            plain(&live["peak"]),
            plain(&live["visits"]),
            plain(&live["likes"]),
            if stream.is_empty() { "own".to_owned() } else { stream },
            plain(&live["title"]),
        ]
    };
    let head = ["started", "ended", "why", "peak", "visits", "likes", "stream", "title"];
    let lives = table(&head, rows(answer, "lives").iter().map(cells).collect());
    format!("{outcome}\n{text}\n{lives}")
}

/// Why a push ended, in the cloud's words: `, errcode 18/503: push auth failed`. Empty if it told nothing.
fn interruption(row: &Value) -> String {
    if row["errcode"].is_null() {
        return String::new();
    }
    let detail = row["sub_errcode"].as_u64().map(|detail| format!("/{detail}")).unwrap_or_default();
    let message = row["errmsg"].as_str().map(|_| format!(": {}", plain(&row["errmsg"]))).unwrap_or_default();
    format!(", errcode {}{detail}{message}", plain(&row["errcode"]))
}

/// A value in one line, without what a terminal would take for a command.
fn plain(value: &Value) -> String {
    lines(value).replace('\n', " ")
}

fn lines(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

fn moment(value: &Value) -> String {
    value.as_u64().map_or_else(|| plain(value), |seconds| UnixSeconds(seconds).in_utc())
}

/// Rows under their heads, each column as wide as it must be.
fn table(heads: &[&str], rows: Vec<Vec<String>>) -> String {
    let all = || std::iter::once(heads.iter().map(|head| (*head).to_owned()).collect()).chain(rows.iter().cloned());
    let width = |column: usize| {
        let cells = all().filter_map(|row: Vec<String>| row.get(column).map(|cell| cell.chars().count()));
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |row: Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    all().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = vec![vec!["a".to_owned(), "b".to_owned()], vec!["ccc".to_owned(), String::new()]];
        assert_eq!(table(&["x", "yy"], rows), "x    yy\na    b\nccc\n");
    }

    #[test]
    fn why_a_push_ended_stands_beside_its_notice_and_its_live() {
        let (notice, live) =
            (json!({"fate": "applied", "reason": "", "userid": "alice"}), json!({"reason": "stopped"}));
        let with = |mut row: Value, name: &str| {
            (row["errcode"], row["sub_errcode"], row["errmsg"]) = (18.into(), 503.into(), "no right".into());
            if name == "list" { notices(&json!({"list": [row]})) } else { rebuilt(&json!({"lives": [row]}), true) }
        };
        assert!(with(notice, "list").contains("applied to alice, errcode 18/503: no right"));
        assert!(with(live, "lives").contains("stopped, errcode 18/503: no right"));
    }

    #[test]
    fn what_came_from_outside_commands_no_terminal() {
        assert_eq!(plain(&json!("a\u{1b}[2Jb\nc")), "a\u{fffd}[2Jb c");
    }

    #[test]
    fn a_server_on_this_machine_is_named_as_one_likes() {
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
    }

    #[test]
    fn the_key_is_sent_to_nobody_on_the_way() {
        let server = |address| Server::new(address, Secret::new("k")).map(|_| ());
        assert!(server("http://127.0.0.1:8080").is_ok() && server("https://lvb.example.com/").is_ok());
        assert!(server("http://lvb.example.com").unwrap_err().contains("https"));
    }

    #[test]
    fn the_environment_goes_before_the_file_and_a_key_there_must_be() {
        let nowhere = Path::new("/nowhere/settings.toml");
        assert_eq!(key(nowhere, |_| Some(" a-key ".to_owned())).unwrap().expose(), "a-key");
        let said = key(nowhere, |_| Some(String::new())).unwrap_err();
        assert!(said.contains("OPERATOR_KEY") && said.contains("/nowhere/settings.toml"), "{said}");
    }
}
