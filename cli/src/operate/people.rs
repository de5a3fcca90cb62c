//! `mini-lvb lives`, `bans`, `reports`, `verdicts`, `ban` and `unban`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    ROWS,
    remote::{Operator, Server},
    table::{plain, rows, table, time},
};

/// Requests about broadcasters.
#[derive(Subcommand, Debug)]
pub enum People {
    /// Lists the live rooms of a running server, also those that moderation hides.
    Lives {
        /// The page, of 100 rooms.
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        page: u64,
        /// The server.
        #[command(flatten)]
        operator: Operator,
    },
    /// Lists the users who are banned on a running server, with the reason, the operator and the end.
    Bans {
        /// The page, of 100 bans.
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        page: u64,
        /// The server.
        #[command(flatten)]
        operator: Operator,
    },
    /// Lists the reports of viewers about broadcasters, the newest first.
    Reports {
        /// Only reports about this broadcaster.
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// The page, of 100 reports.
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        page: u64,
        /// The server.
        #[command(flatten)]
        operator: Operator,
    },
    /// Lists the pictures that the cloud's moderation reported in the last 30 days, the newest first.
    Verdicts {
        /// The page, of 100 pictures.
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        page: u64,
        /// The server.
        #[command(flatten)]
        operator: Operator,
    },
    /// Bans a broadcaster of a running server: ends the live and all sessions, and refuses further lives.
    Ban {
        /// The broadcaster.
        user: String,
        /// The reason, for people. The cloud is told it, too.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
        /// Who bans.
        #[arg(long, value_name = "NAME", default_value = "")]
        actor: String,
        /// The end of the ban, in seconds since 1970. Without it, the ban has no end.
        #[arg(long, value_name = "SECONDS")]
        until: Option<u64>,
        /// Also removes the broadcaster's replays from the lists, until the ban ends.
        #[arg(long)]
        hide_replays: bool,
        /// The server.
        #[command(flatten)]
        operator: Operator,
    },
    /// Lifts the ban of a broadcaster of a running server.
    Unban {
        /// The broadcaster.
        user: String,
        /// The server.
        #[command(flatten)]
        operator: Operator,
    },
}

impl People {
    /// Sends the request, and returns the answer as text.
    pub async fn run(&self) -> Result<String, String> {
        match self {
            Self::Lives { page, operator } => listed(operator, "list_rooms", json!({}), *page, lives).await,
            Self::Bans { page, operator } => listed(operator, "list_bans", json!({}), *page, bans).await,
            Self::Reports { user, page, operator } => {
                listed(operator, "list_reports", json!({"hostuserid": user}), *page, reports).await
            }
            Self::Verdicts { page, operator } => listed(operator, "list_verdicts", json!({}), *page, verdicts).await,
            Self::Ban { user, reason, actor, until, hide_replays, operator } => {
                let fields = json!({
                    "userid": user, "forbidflag": 1, "reason": reason, "actor": actor, "until": until,
                    "hide_replays": u8::from(*hide_replays),
                });
                done(operator, fields, &format!("{user} is banned\n")).await
            }
            Self::Unban { user, operator } => {
                done(operator, json!({"userid": user, "forbidflag": 0}), &format!("{user} is not banned\n")).await
            }
        }
    }
}

async fn done(operator: &Operator, fields: Value, text: &str) -> Result<String, String> {
    let server = Server::of(operator)?;
    Ok(server.shown(&server.call("forbid_live", fields).await?, |_| plain(&json!(text.trim_end())) + "\n"))
}

/// Calls a command that lists, and returns the page as text.
async fn listed(
    operator: &Operator,
    command: &str,
    mut fields: Value,
    page: u64,
    to_table: fn(&[Value]) -> String,
) -> Result<String, String> {
    let server = Server::of(operator)?;
    (fields["index"], fields["count"]) = (page.into(), ROWS.into());
    let answer = server.call(command, fields).await?;
    Ok(server.shown(&answer, |answer| {
        let list = rows(answer, "list");
        format!("{}{}\n", to_table(list), count(answer, list.len(), page))
    }))
}

/// How many rows were printed, and whether there are more.
fn count(answer: &Value, shown: usize, page: u64) -> String {
    let next = page.max(1).saturating_add(1);
    let (of, has_more) = match answer["totalcount"].as_u64() {
        Some(total) => (format!(" of {total}"), page.max(1).saturating_mul(ROWS) < total),
        None => (String::new(), answer["more"] == 1),
    };
    let more = if has_more { format!("; --page {next} shows more") } else { String::new() };
    format!("{shown}{of}{more}")
}

fn lives(rooms: &[Value]) -> String {
    let cells = |row: &Value| {
        [
            plain(&row["userid"]),
            time(&row["started_at"]),
            plain(&row["viewercount"]),
            plain(&row["likecount"]),
            plain(&row["state"]),
            plain(&row["streamid"]),
            plain(&row["title"]),
        ]
    };
    table(["user", "started", "viewers", "likes", "state", "stream", "title"], rooms.iter().map(cells))
}

fn bans(bans: &[Value]) -> String {
    let cells = |row: &Value| {
        let until = if row["until"].is_null() { "no end".to_owned() } else { time(&row["until"]) };
        let replays = if row["hide_replays"] == 1 { "hidden" } else { "shown" }.to_owned();
        [plain(&row["userid"]), time(&row["at"]), until, replays, plain(&row["actor"]), plain(&row["reason"])]
    };
    table(["user", "at", "until", "replays", "by", "reason"], bans.iter().map(cells))
}

fn reports(reports: &[Value]) -> String {
    let cells = |row: &Value| [time(&row["at"]), plain(&row["hostuserid"]), plain(&row["userid"])];
    table(["at", "broadcaster", "reported by"], reports.iter().map(cells))
}

fn verdicts(verdicts: &[Value]) -> String {
    let cells = |row: &Value| {
        let state = if row["banned"] == 1 { "banned".to_owned() } else { plain(&row["state"]) };
        [
            time(&row["received_at"]),
            plain(&row["streamid"]),
            plain(&row["userid"]),
            plain(&row["suggestion"]),
            plain(&row["fate"]),
            state,
            plain(&row["picture"]),
        ]
    };
    let heads = ["received", "stream", "user", "suggestion", "status", "now", "picture"];
    table(heads, verdicts.iter().map(cells))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_how_to_see_more() {
        assert_eq!(count(&json!({"totalcount": 150}), 100, 1), "100 of 150; --page 2 shows more");
        assert_eq!(count(&json!({"totalcount": 150}), 50, 2), "50 of 150");
        assert_eq!(count(&json!({"more": 1}), 100, 0), "100; --page 2 shows more");
        assert_eq!(count(&json!({"more": 0}), 3, 1), "3");
    }

    #[test]
    fn text_of_strangers_stays_in_its_line() {
        let row = json!({"userid": "alice", "started_at": 0, "title": "a\u{1b}[2J\u{202e}b\nc", "state": "live"});
        let text = lives(&[row]);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.ends_with("a\u{fffd}[2J\u{fffd}b c\n"), "{text:?}");
    }

    #[test]
    fn a_ban_without_end_says_so() {
        let text = bans(&[json!({"userid": "alice", "at": 0, "reason": "spam", "actor": "eve", "hide_replays": 1})]);
        assert!(text.contains("no end  hidden   eve  spam"), "{text}");
    }
}
