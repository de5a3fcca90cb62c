//! `mini-lvb callbacks` and `mini-lvb rebuild`, against a server in a process of its own.

use std::path::Path;

use app::process::now;
use protocol::{sign::callback, types::Secret};

use crate::support::{Folder, Server, command, open_room, output};

/// A server and its data folder.
struct Operated {
    // Dropped first.
    server: Server,
    folder: Folder,
}

impl Operated {
    fn start() -> Self {
        let folder = Folder::new();
        Self { server: Server::start(&folder), folder }
    }

    fn setting(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.folder.join("settings.toml")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} = "))).unwrap();
        line.trim_matches('"').to_owned()
    }

    /// Sends a notice of the cloud.
    fn notify(&self, fields: &str) {
        let t = now().0 + 600;
        let sign = callback::sign(&Secret::new(self.setting("API_KEY")), &t.to_string());
        let answer = self.server.post("/live_callback", &format!(r#"{{"t":{t},"sign":"{sign}",{fields}}}"#));
        assert_eq!(answer, r#"{"code":0}"#);
    }

    /// The output of an operator's command, or its error. The options come first.
    fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        self.ask_with(&self.folder, "", arguments)
    }

    fn ask_with(&self, data: &Path, key: &str, arguments: &[&str]) -> Result<String, String> {
        let server = format!("http://{}", self.server.address);
        let mut command = command(&arguments[..1]);
        command.args(["--server", &server, "--data", data.to_str().unwrap()]).args(&arguments[1..]);
        output(command.env("OPERATOR_KEY", key))
    }
}

#[test]
fn a_replay_that_is_missing_is_found_and_its_notice_applied_again() {
    let operated = Operated::start();
    let now = now().0;
    let (start, end) = (now - 200, now - 100);
    operated.notify(&format!(
        r#""event_type":100,"stream_id":"rs_alice","video_id":"f1","video_url":"http://vod/f1.flv","file_format":"flv",
        "start_time":{start},"end_time":{end}"#
    ));
    let parked = operated.ask(&["callbacks", "list"]).unwrap();
    assert!(parked.contains("rs_alice") && parked.contains("100 f1") && parked.contains("parked"), "{parked}");
    assert!(parked.starts_with("received ") && parked.ends_with("1 of 1\n"), "{parked}");
    operated.server.call(&open_room("alice"));
    let shown = operated.ask(&["callbacks", "show", "rs_alice", "100", "f1"]).unwrap();
    assert!(shown.contains(r#""video_url":"http://vod/f1.flv""#) && shown.contains(r#""sign":"***""#), "{shown}");
    let applied = operated.ask(&["callbacks", "replay", "rs_alice"]).unwrap();
    assert!(applied.contains("applied to alice") && applied.ends_with("1 applied again\n"), "{applied}");
    let listed = operated.ask(&["callbacks", "list", "--user", "alice", "--json"]).unwrap();
    assert!(listed.starts_with(r#"{"list":[{"event":"100","fate":"applied""#), "{listed}");
    for arguments in [&["rebuild", "alice", "--dry-run"][..], &["rebuild", "alice"]] {
        let rebuilt = operated.ask(arguments).unwrap();
        assert!(rebuilt.starts_with("no differences\n"), "{rebuilt}");
    }
}

#[test]
fn a_broadcaster_is_found_banned_and_forgiven_on_the_command_line() {
    let operated = Operated::start();
    operated.server.call(&open_room("alice"));
    operated.notify(r#""event_type":1,"stream_id":"8888_alice","sequence":"1""#);
    let alive = |line: &str| line.starts_with("alice ") && line.contains(" live ");
    let lives = operated.ask(&["lives"]).unwrap();
    assert!(lives.lines().any(alive) && lives.ends_with("1 of 1\n"), "{lives}");
    let ban = ["ban", "alice", "--reason", "spam", "--actor", "eve"];
    assert_eq!(operated.ask(&ban).unwrap(), "alice is banned\n");
    assert!(operated.ask(&["lives"]).unwrap().ends_with("\n0 of 0\n"));
    let bans = operated.ask(&["bans"]).unwrap();
    assert!(bans.contains("no end  shown    eve  spam\n1\n"), "{bans}");
    assert_eq!(operated.ask(&["unban", "alice"]).unwrap(), "alice is not banned\n");
    assert!(operated.ask(&["bans", "--json"]).unwrap().starts_with(r#"{"list":[],"more":0}"#));
    let error = operated.ask(&["ban", "nobody"]).unwrap_err();
    assert!(error.contains("620"), "{error}");
}

#[test]
fn reports_and_verdicts_are_listed() {
    let operated = Operated::start();
    operated.server.call(r#"{"Action":"ReportUser","userid":"bob","hostuserid":"alice"}"#);
    operated.notify(r#""event_type":317,"streamId":"rs_alice","suggestion":"Block","img":"http://p/1.jpg""#);
    for arguments in [&["reports"][..], &["reports", "--user", "alice"]] {
        let reports = operated.ask(arguments).unwrap();
        assert!(reports.contains("alice        bob\n1\n"), "{reports}");
    }
    assert!(operated.ask(&["reports", "--user", "dave"]).unwrap().ends_with("\n0\n"));
    let verdicts = operated.ask(&["verdicts"]).unwrap();
    assert!(
        verdicts.contains("Block") && verdicts.contains("parked") && verdicts.contains("http://p/1.jpg"),
        "{verdicts}"
    );
}

#[test]
fn more_notices_than_one_call_applies_are_applied_in_parts_and_the_progress_is_printed() {
    let operated = Operated::start();
    for n in 0..105 {
        operated.notify(&format!(r#""event_type":1,"stream_id":"rs_nobody","sequence":"{n}""#));
    }
    let address = &operated.server.address;
    let mut replay = command(&["callbacks", "replay", "rs_nobody", "--server", address, "--data"]);
    let output = replay.arg(&*operated.folder).output().unwrap();
    assert_eq!(output.stderr, b"100 applied again\n");
    assert!(output.stdout.ends_with(b"\n105 applied again\n"));
}

#[test]
fn every_notice_is_shown_by_the_id_under_which_it_is_listed() {
    let operated = Operated::start();
    for kind in ["null", "true", "-5", "\" a  b \""] {
        operated.notify(&format!(r#""event_type":{kind},"stream_id":"rs_alice""#));
        let listed = operated.ask(&["callbacks", "list", "--stream", "rs_alice", "--json"]).unwrap();
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let id = listed["list"][0]["id"].as_str().unwrap();
        assert_eq!(id.trim(), id);
        let shown = operated.ask(&["callbacks", "show", "--", "rs_alice", id]).unwrap();
        assert!(shown.contains("received once\n"), "{kind}: {shown}");
    }
}

#[test]
fn an_address_of_this_machine_needs_no_scheme_and_another_needs_https() {
    let operated = Operated::start();
    let list = |server: &str| {
        let data = operated.folder.to_str().unwrap();
        output(&mut command(&["callbacks", "list", "--server", server, "--data", data]))
    };
    list(&operated.server.address).unwrap();
    for (server, part) in [
        ("lvb.example.com", "begins with http://"),
        ("http://lvb.example.com", "sent only over https"),
        // An address of this machine at which nobody listens.
        ("http://127.0.0.1:9", "http://127.0.0.1:9"),
    ] {
        let error = list(server).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_refusal_is_printed_without_the_key() {
    let operated = Operated::start();
    let error = operated.ask(&["callbacks", "replay", "nosuchstream"]).unwrap_err();
    assert!(error.contains("no notices of pushes and recordings of nosuchstream"), "{error}");
    let error = operated.ask(&["rebuild", "nobody"]).unwrap_err();
    assert!(error.contains("620") && error.contains("room"), "{error}");

    let nowhere = operated.folder.join("nowhere");
    let error = operated.ask_with(&nowhere, "", &["callbacks", "list"]).unwrap_err();
    assert!(error.contains("there is no OPERATOR_KEY") && error.contains("nowhere"), "{error}");
    operated.ask_with(&nowhere, &format!(" {} ", operated.setting("OPERATOR_KEY")), &["callbacks", "list"]).unwrap();
    let error = operated.ask_with(&operated.folder, "a-wrong-key", &["callbacks", "list"]).unwrap_err();
    assert!(error.contains("does not accept this OPERATOR_KEY") && !error.contains("a-wrong-key"), "{error}");
}
