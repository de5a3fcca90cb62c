//! Output on a terminal: its colours, its width, and the QR code, which a pipe does not show.

use std::{
    fs::{File, OpenOptions},
    io::Read,
    net::TcpStream,
    os::fd::OwnedFd,
    process::{Child, Command, ExitStatus, Stdio},
};

use cli::listen::reachable;
use rustix::{
    io::{FdFlags, fcntl_setfd},
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::support::{self, ANNOUNCED, Folder, HEALTH, Server, health, serve, serve_in_memory};

/// The beginning of every change of colour.
const ESCAPE: char = '\u{1b}';
/// A common width of a terminal, and that of a split one.
const WIDTHS: [u16; 2] = [80, 20];
/// Values of the variable. Without a value and with an empty one, colours are shown.
const NO_COLOR: [Option<&str>; 3] = [None, Some(""), Some("1")];

/// A command in a terminal.
struct Terminal {
    controller: File,
    process: Child,
    seen: String,
}

impl Terminal {
    fn run(command: &mut Command, no_color: Option<&str>, columns: u16) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        fcntl_setfd(&controller, FdFlags::CLOEXEC).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&controller, size).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
        let user: OwnedFd = OpenOptions::new().read(true).write(true).open(name).unwrap().into();
        let stream = || Stdio::from(user.try_clone().unwrap());
        if let Some(value) = no_color {
            command.env("NO_COLOR", value);
        }
        let process = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
        // Otherwise this process keeps the terminal open, and never reads its end.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { controller: File::from(controller), process, seen: String::new() }
    }

    /// Reads more; false at the end. On Linux, reading a terminal that no process has open is an error.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        let read = self.controller.read(&mut bytes).unwrap_or(0);
        self.seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
        read > 0
    }

    /// Reads until this text has been read.
    fn wait_for(&mut self, text: &str) {
        while !self.seen.contains(text) {
            assert!(self.read(), "{text:?} is not in {}", self.seen);
        }
    }

    /// The answer to the health check of the server that is announced, of which the log has a line.
    fn health(&mut self) -> String {
        self.wait_for(ANNOUNCED);
        let address = self.seen.split_whitespace().find_map(|word| word.strip_prefix("http://")).unwrap();
        let answer = health(&mut TcpStream::connect(address).unwrap());
        self.wait_for("INFO");
        answer
    }

    /// Stops a server, and returns all its output.
    fn stop(self) -> String {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
        let (status, seen) = self.end();
        assert!(status.success() && !seen.contains("panicked"), "{status} {seen}");
        seen
    }

    /// Waits for the end, and returns the status and all output.
    fn end(mut self) -> (ExitStatus, String) {
        while self.read() {}
        (self.process.wait().unwrap(), std::mem::take(&mut self.seen))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // If its test has not failed, the command has ended.
        drop(self.process.kill());
        self.process.wait().unwrap();
    }
}

#[test]
fn the_server_starts_in_every_terminal_answers_and_stops() {
    let [unset, empty, set] = NO_COLOR;
    for (terminal, no_color, has_colours) in
        [("xterm", unset, true), ("xterm", empty, true), ("xterm", set, false), ("dumb", unset, false)]
    {
        for columns in WIDTHS {
            let folder = Folder::new();
            let mut terminal = Terminal::run(serve(&folder).env("TERM", terminal), no_color, columns);
            assert_eq!(terminal.health(), HEALTH);
            let seen = terminal.stop();
            assert_eq!(seen.contains(ESCAPE), has_colours, "NO_COLOR={no_color:?}: {seen}");
        }
    }
}

#[test]
fn the_address_for_phones_is_a_qr_code_if_the_terminal_is_wide_enough() {
    // A machine in no network has no address for phones.
    let is_in_a_network = !reachable("0.0.0.0:1".parse().unwrap()).is_empty();
    for (listen, columns, is_shown) in
        [("0.0.0.0:0", 80, is_in_a_network), ("0.0.0.0:0", 20, false), ("127.0.0.1:0", 80, false)]
    {
        let mut terminal = Terminal::run(&mut serve_in_memory(listen), Some("1"), columns);
        terminal.wait_for(ANNOUNCED);
        let seen = terminal.stop();
        assert_eq!(seen.contains('\u{2588}'), is_shown, "{listen} {columns}: {seen}");
        let widest = seen.lines().filter(|line| line.contains('\u{2588}')).map(|line| line.trim_end().chars().count());
        assert!(widest.max().unwrap_or(0) <= usize::from(columns), "{seen}");
    }
}

#[test]
fn every_other_command_ends_in_a_terminal_as_it_should() {
    let folder = Folder::new();
    let data = folder.to_str().unwrap();
    // An address of this machine at which nobody listens.
    let nobody = ["--server", "http://127.0.0.1:9", "--data", data];
    let commands: [(&[&str], bool, &str); 9] = [
        (&["--help"], true, "Usage: mini-lvb"),
        (&["serve", "--help"], true, "--listen"),
        (&["--version"], true, "mini-lvb"),
        (&["--nonsense"], false, "--nonsense"),
        (&["settings"], true, "CLOUD_API_URL"),
        (&["simulate", "--memory"], true, "every answer was as expected"),
        (&["simulate", "--data", data], false, "start the server first"),
        (&["callbacks", "list"], false, "OPERATOR_KEY"),
        (&["rebuild", "alice"], false, "OPERATOR_KEY"),
    ];
    for no_color in NO_COLOR {
        for columns in WIDTHS {
            for (arguments, is_success, shown) in commands {
                let mut command = support::command(arguments);
                command.env("TERM", "xterm");
                if ["callbacks", "rebuild"].contains(&arguments[0]) {
                    command.args(nobody);
                }
                let (status, seen) = Terminal::run(&mut command, no_color, columns).end();
                assert_eq!(status.success(), is_success, "{arguments:?}: {status} {seen}");
                assert!(seen.contains(shown) && !seen.contains("panicked"), "{arguments:?}: {seen}");
                assert!(no_color != Some("1") || !seen.contains(ESCAPE), "{arguments:?}: {seen}");
            }
        }
    }
}

#[test]
fn a_log_that_cannot_be_written_fails_no_call() {
    let full = || Stdio::from(OpenOptions::new().write(true).open("/dev/full").unwrap());
    let server = Server::run_with_log(&mut serve_in_memory("0"), full());
    assert_eq!(health(&mut server.connect()), HEALTH);
    let mut failing = support::command(&["simulate", "--data", "/nowhere"]);
    let status = failing.stdout(Stdio::null()).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(1), "the exit status is that of the error that could not be printed");
}
