//! The command line in a terminal: no test with a pipe sees what people see there.
#![expect(clippy::unwrap_used, reason = "clippy spares tests, but not the functions that they share")]

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    net::TcpStream,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use app::process::random_u32;
use cli::listen::reachable;
use rustix::{
    io::{FdFlags, fcntl_setfd},
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// What begins every change of colour.
const ESCAPE: char = '\u{1b}';
/// As wide as terminals are, and as a split one may be.
const WIDTHS: [u16; 2] = [80, 20];
/// Colours wanted, and not: an empty `NO_COLOR` is as good as none.
const NO_COLOR: [Option<&str>; 3] = [None, Some(""), Some("1")];

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("mini-lvb-terminal-{:08x}", random_u32())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A command that needs no folder has made none.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A command in a terminal.
struct Terminal {
    controller: File,
    process: Child,
    seen: String,
}

impl Terminal {
    fn run(command: &mut Command, columns: u16) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        fcntl_setfd(&controller, FdFlags::CLOEXEC).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&controller, size).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
        let user: OwnedFd = OpenOptions::new().read(true).write(true).open(name).unwrap().into();
        let stream = || Stdio::from(user.try_clone().unwrap());
        let process = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
        // Or this process would keep the terminal open that it waits for the end of.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { controller: File::from(controller), process, seen: String::new() }
    }

    /// Reads on; false if there is nothing more. A terminal that everybody has left is a fault to Linux.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        let read = self.controller.read(&mut bytes).unwrap_or(0);
        self.seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
        read > 0
    }

    /// Reads on until this is to be seen.
    fn wait_for(&mut self, text: &str) {
        while !self.seen.contains(text) {
            assert!(self.read(), "{text:?} is not in {}", self.seen);
        }
    }

    /// Waits for the end: how the command ended, and all that was to be seen.
    fn end(mut self) -> (ExitStatus, String) {
        while self.read() {}
        (self.process.wait().unwrap(), std::mem::take(&mut self.seen))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended by itself if its test has not failed.
        drop(self.process.kill());
        self.process.wait().unwrap();
    }
}

/// The command in an environment that says no more than this of colours.
fn command(arguments: &[&str], no_color: Option<&str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mini-lvb"));
    command.args(arguments).env_clear().env("TERM", "xterm-256color");
    if let Some(value) = no_color {
        command.env("NO_COLOR", value);
    }
    command
}

fn serve(data: &Path, arguments: &[&str], no_color: Option<&str>) -> Command {
    let mut command = command(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()], no_color);
    command.args(arguments);
    command
}

/// The address that is announced, and what it answers to the health check.
fn health(seen: &str) -> String {
    let address = seen.split_whitespace().find_map(|word| word.strip_prefix("http://")).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /interface.php HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_server_starts_in_every_terminal_answers_and_stops() {
    for no_color in NO_COLOR {
        for columns in WIDTHS {
            let folder = Folder::new();
            let mut terminal = Terminal::run(&mut serve(&folder.0, &[], no_color), columns);
            terminal.wait_for("Gen-1 door");
            let answer = health(&terminal.seen);
            assert!(answer.contains(r#""returnValue":4001"#), "{answer}");
            // The log has a line of the call.
            terminal.wait_for("INFO");
            kill_process(Pid::from_child(&terminal.process), Signal::TERM).unwrap();
            let (status, seen) = terminal.end();
            assert!(status.success() && !seen.contains("panicked"), "{status} {seen}");
            let is_wanted = no_color.is_none_or(str::is_empty);
            assert_eq!(seen.contains(ESCAPE), is_wanted, "NO_COLOR={no_color:?}: {seen}");
        }
    }
}

#[test]
fn phones_find_the_server_by_a_qr_code_if_the_terminal_is_wide_enough() {
    // Of a machine in no network there is nothing to show.
    let is_in_a_network = !reachable("0.0.0.0:1".parse().unwrap()).is_empty();
    for (listen, columns, is_shown) in
        [("0.0.0.0:0", 80, is_in_a_network), ("0.0.0.0:0", 20, false), ("127.0.0.1:0", 80, false)]
    {
        let mut terminal = Terminal::run(&mut command(&["--memory", "--listen", listen], Some("1")), columns);
        terminal.wait_for("Gen-1 door");
        kill_process(Pid::from_child(&terminal.process), Signal::TERM).unwrap();
        let (status, seen) = terminal.end();
        assert!(status.success(), "{seen}");
        assert_eq!(seen.contains('\u{2588}'), is_shown, "{listen} {columns}: {seen}");
        let widest = seen.lines().filter(|line| line.contains('\u{2588}')).map(|line| line.trim_end().chars().count());
        assert!(widest.max().unwrap_or(0) <= usize::from(columns), "{seen}");
    }
}

#[test]
fn a_terminal_that_knows_no_colours_gets_none() {
    let mut command = command(&["--listen", "127.0.0.1:0", "--memory"], None);
    let mut terminal = Terminal::run(command.env("TERM", "dumb"), 80);
    terminal.wait_for("Gen-1 door");
    health(&terminal.seen);
    terminal.wait_for("INFO");
    assert!(!terminal.seen.contains(ESCAPE), "{}", terminal.seen);
}

#[test]
fn every_tool_ends_in_a_terminal_as_it_should() {
    let folder = Folder::new();
    let data = folder.0.to_str().unwrap();
    // An address of this machine at which nobody listens.
    let nobody = ["--server", "http://127.0.0.1:9", "--data", data];
    let tools: [(&[&str], bool, &str); 9] = [
        (&["--help"], true, "Usage: mini-lvb"),
        (&["serve", "--help"], true, "--listen"),
        (&["--version"], true, "mini-lvb"),
        (&["--nonsense"], false, "--nonsense"),
        (&["settings"], true, "CLOUD_API_URL"),
        (&["simulate", "--memory"], true, "all is as it should be"),
        (&["simulate", "--data", data], false, "start the server first"),
        (&["callbacks", "list"], false, "OPERATOR_KEY"),
        (&["rebuild", "alice"], false, "OPERATOR_KEY"),
    ];
    for no_color in NO_COLOR {
        for columns in WIDTHS {
            for (arguments, is_success, shown) in tools {
                let mut command = command(arguments, no_color);
                if ["callbacks", "rebuild"].contains(&arguments[0]) {
                    command.args(nobody);
                }
                let (status, seen) = Terminal::run(&mut command, columns).end();
                assert_eq!(status.success(), is_success, "{arguments:?}: {status} {seen}");
                assert!(seen.contains(shown) && !seen.contains("panicked"), "{arguments:?}: {seen}");
                assert!(no_color != Some("1") || !seen.contains(ESCAPE), "{arguments:?}: {seen}");
            }
        }
    }
}

#[test]
fn a_log_that_nobody_takes_fails_no_call() {
    let full = || Stdio::from(OpenOptions::new().write(true).open("/dev/full").unwrap());
    let mut command = command(&["--listen", "127.0.0.1:0", "--memory"], None);
    let mut process = command.stdout(Stdio::piped()).stderr(full()).spawn().unwrap();
    let (mut announced, mut bytes) = (String::new(), [0; 4096]);
    let mut stdout = process.stdout.take().unwrap();
    while !announced.contains("Gen-1 door") {
        let read = stdout.read(&mut bytes).unwrap();
        announced.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    let answer = health(&announced);
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(answer.contains(r#""returnValue":4001"#), "{answer:?}");
    let mut command = command_that_complains();
    let status = command.stdout(Stdio::null()).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(1), "that its complaint cannot be written changes nothing");
}

fn command_that_complains() -> Command {
    command(&["simulate", "--data", "/nowhere"], None)
}
