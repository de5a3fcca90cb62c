//! What operators ask on the command line, of a server in a process of its own.
#![expect(clippy::unwrap_used, reason = "clippy spares tests, but not the functions that they share")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use app::process::{now, random_u32};
use protocol::{sign::callback, types::Secret};

/// A server on a folder of its own; both go with the test.
struct Server {
    process: Child,
    address: String,
    folder: PathBuf,
}

impl Server {
    fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("mini-lvb-operate-{:08x}", random_u32()));
        let mut process = command(&["--listen", "127.0.0.1:0", "--data", folder.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit("http://").next().unwrap().to_owned();
        Self { process, address, folder }
    }

    fn setting(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.folder.join("settings.toml")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} = "))).unwrap();
        line.trim_matches('"').to_owned()
    }

    fn post(&self, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The cloud tells of an event.
    fn told(&self, fields: &str) {
        let t = now().0 + 600;
        let sign = callback::sign(&Secret::new(self.setting("API_KEY")), &t.to_string());
        let answer = self.post("/live_callback", &format!(r#"{{"t":{t},"sign":"{sign}",{fields}}}"#));
        assert!(answer.ends_with(r#"{"code":0}"#), "{answer}");
    }

    /// What an operator is told; an error is what is said instead.
    fn ask(&self, arguments: &[&str]) -> Result<String, String> {
        self.ask_with(&self.folder, arguments)
    }

    fn ask_with(&self, data: &Path, arguments: &[&str]) -> Result<String, String> {
        let mut command = command(arguments);
        let server = format!("http://{}", self.address);
        command.args(["--server", &server, "--data", data.to_str().unwrap()]);
        let output = command.output().unwrap();
        let said = |bytes| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(said(output.stdout)) } else { Err(said(output.stderr)) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// The command in an empty environment.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mini-lvb"));
    command.args(arguments).env_clear();
    command
}

/// The notice of a file that alice recorded, on a stream of the room service.
fn recorded() -> String {
    let now = now().0;
    let (start, end) = (now - 200, now - 100);
    format!(
        r#""event_type":100,"stream_id":"rs_alice","video_id":"f1","video_url":"http://vod/f1.flv","file_format":"flv",
        "start_time":{start},"end_time":{end}"#
    )
}

#[test]
fn a_replay_that_is_missing_is_looked_for_and_found() {
    let server = Server::start();
    server.told(&recorded());
    let parked = server.ask(&["callbacks", "list"]).unwrap();
    assert!(parked.contains("rs_alice") && parked.contains("100 f1") && parked.contains("parked"), "{parked}");
    assert!(parked.starts_with("received ") && parked.ends_with("1 of 1\n"), "{parked}");
    server.post("/interface.php", r#"{"Action":"RequestLVBAddr","userid":"alice","groupid":"g","title":"t"}"#);
    let shown = server.ask(&["callbacks", "show", "rs_alice", "100", "f1"]).unwrap();
    assert!(shown.contains(r#""video_url":"http://vod/f1.flv""#) && shown.contains(r#""sign":"***""#), "{shown}");
    let done = server.ask(&["callbacks", "replay", "rs_alice"]).unwrap();
    assert!(done.contains("applied to alice") && done.ends_with("1 done again\n"), "{done}");
    let listed = server.ask(&["callbacks", "list", "--user", "alice", "--json"]).unwrap();
    assert!(listed.starts_with(r#"{"list":[{"event":"100","fate":"applied""#), "{listed}");
    for arguments in [&["rebuild", "alice", "--dry-run"][..], &["rebuild", "alice"]] {
        let rebuilt = server.ask(arguments).unwrap();
        assert!(rebuilt.starts_with("nothing differs\n"), "{rebuilt}");
    }
}

#[test]
fn more_notices_than_a_call_does_again_are_done_in_parts_and_how_far_that_is_is_said() {
    let server = Server::start();
    for n in 0..105 {
        server.told(&format!(r#""event_type":1,"stream_id":"rs_nobody","sequence":"{n}""#));
    }
    let address = format!("http://{}", server.address);
    let mut replay = command(&["callbacks", "replay", "rs_nobody", "--server", &address, "--data"]);
    let output = replay.arg(&server.folder).output().unwrap();
    let said = |bytes| String::from_utf8(bytes).unwrap();
    assert_eq!(said(output.stderr), "100 done again\n");
    assert!(said(output.stdout).ends_with("105 done again\n"));
}

#[test]
fn every_notice_is_shown_by_the_id_under_which_it_is_listed() {
    let server = Server::start();
    for kind in ["null", "true", "-5", "\" a  b \""] {
        server.told(&format!(r#""event_type":{kind},"stream_id":"rs_alice""#));
        let listed = server.ask(&["callbacks", "list", "--stream", "rs_alice", "--json"]).unwrap();
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let id = listed["list"][0]["id"].as_str().unwrap();
        assert_eq!(id.trim(), id);
        let address = format!("http://{}", server.address);
        let mut show = command(&["callbacks", "show", "--server", &address, "--data"]);
        let output = show.arg(&server.folder).args(["--", "rs_alice", id]).output().unwrap();
        let said = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(output.status.success() && said.contains("came once\n"), "{kind}: {output:?}");
    }
}

#[test]
fn a_stream_of_which_nothing_is_kept_is_said() {
    let server = Server::start();
    let said = server.ask(&["callbacks", "replay", "nosuchstream"]).unwrap_err();
    assert!(said.contains("no notices of nosuchstream are kept"), "{said}");
}

#[test]
fn a_server_on_this_machine_needs_no_scheme() {
    let server = Server::start();
    let mut list = command(&["callbacks", "list", "--server", &server.address, "--data"]);
    let output = list.arg(&server.folder).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let output = command(&["callbacks", "list", "--server", "lvb.example.com"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("begins with http://"), "{said}");
}

#[test]
fn what_is_refused_is_said() {
    let server = Server::start();
    let said = server.ask(&["rebuild", "nobody"]).unwrap_err();
    assert!(said.contains("620") && said.contains("room"), "{said}");
    let nowhere = server.folder.join("nowhere");
    let said = server.ask_with(&nowhere, &["callbacks", "list"]).unwrap_err();
    assert!(said.contains("there is no OPERATOR_KEY") && said.contains("nowhere"), "{said}");
    let address = format!("http://{}", server.address);
    let output =
        command(&["callbacks", "list", "--server", &address]).env("OPERATOR_KEY", "a-wrong-key").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("does not take this OPERATOR_KEY"), "{said}");
    assert!(!said.contains("a-wrong-key"), "{said}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let mut command = command(&["callbacks", "list", "--server", "http://127.0.0.1:9"]);
    let output = command.env("OPERATOR_KEY", "a-key-of-an-operator").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("http://127.0.0.1:9"), "{said}");
}
