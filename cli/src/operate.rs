//! `mini-lvb callbacks`, `mini-lvb rebuild` and the other words of operators: requests to a running server, and the
//! answers as text.

mod people;
mod remote;
mod table;

use clap::Subcommand;
use serde_json::{Value, json};

pub(crate) use self::remote::{HEADER, Server, is_private, key_header};
use self::table::{plain, printable, rows, table, time};
pub use self::{
    people::People,
    remote::{Operator, address},
};

/// The number of rows per request.
const ROWS: u64 = 100;
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
