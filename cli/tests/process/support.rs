//! Data folders, commands and servers that end with their test.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    ops::Deref,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use app::process::random_u32;
use rustix::process::{Pid, Signal, kill_process};

/// The answer to the health check.
pub(crate) const HEALTH: &str = r#"{"returnValue":4001,"returnMsg":"json format error","returnData":[]}"#;
/// The last line of the announcement begins so.
pub(crate) const ANNOUNCED: &str = "Gen-1 calls";

/// A folder that is deleted with its test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("mini-lvb-test-{:08x}", random_u32()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }
}

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// The command in an empty environment.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mini-lvb"));
    command.args(arguments).env_clear();
    command
}

/// The command that serves a data folder at a free port.
pub(crate) fn serve(data: &Path) -> Command {
    serve_at("127.0.0.1:0", data)
}

pub(crate) fn serve_at(listen: &str, data: &Path) -> Command {
    command(&["--no-video", "--listen", listen, "--data", data.to_str().unwrap()])
}

/// The command that serves a data folder, with a live cloud.
pub(crate) fn serve_with_video(data: &Path) -> Command {
    command(&["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()])
}

/// The command that serves without a data folder.
pub(crate) fn serve_in_memory(listen: &str) -> Command {
    command(&["--no-video", "--memory", "--listen", listen])
}

/// A command that a shell executes after a line of its own.
pub(crate) fn in_shell(line: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!(r#"{line}; exec "$0" "$@""#)]).arg(command.get_program()).args(command.get_args());
    shell.env_clear();
    shell
}

/// Runs a command to its end: the output of a success, or the error.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// The error of a start that must fail.
pub(crate) fn failure(command: &mut Command) -> String {
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut announced = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut announced).unwrap();
    if !announced.is_empty() {
        process.kill().unwrap();
    }
    let output = process.wait_with_output().unwrap();
    assert_eq!((announced.as_str(), output.status.code()), ("", Some(1)), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A server that is killed with its test.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) address: String,
    /// The announcement.
    pub(crate) printed: String,
}

impl Server {
    /// Starts a server on a data folder.
    pub(crate) fn start(data: &Path) -> Self {
        Self::run(&mut serve(data))
    }

    /// Runs a command, and waits until the server is announced.
    pub(crate) fn run(command: &mut Command) -> Self {
        Self::run_with_log(command, Stdio::null())
    }

    /// The same, with a log that [`Self::stop`] and [`Self::kill`] return. The log must fit into a pipe.
    pub(crate) fn run_logged(command: &mut Command) -> Self {
        Self::run_with_log(command, Stdio::piped())
    }

    pub(crate) fn run_with_log(command: &mut Command, log: Stdio) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut printed = String::new();
        while !printed.contains(ANNOUNCED) {
            printed.push_str(&lines.next().expect("the server starts").unwrap());
            printed.push('\n');
        }
        let address = printed.split_whitespace().find_map(|word| word.strip_prefix("http://")).unwrap().to_owned();
        Self { process, address, printed }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Stops the server in order, and returns its log.
    pub(crate) fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        assert!(self.process.wait().unwrap().success());
        self.log()
    }

    /// Kills the server (SIGKILL), and returns its log.
    pub(crate) fn kill(mut self) -> String {
        self.process.kill().unwrap();
        self.log()
    }

    fn log(&mut self) -> String {
        let mut log = String::new();
        if let Some(mut stderr) = self.process.stderr.take() {
            stderr.read_to_string(&mut log).unwrap();
        }
        log
    }

    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }

    /// Posts a body to a path, and returns the answer's body.
    pub(crate) fn post(&self, path: &str, body: &str) -> String {
        exchange(&mut self.connect(), &format!("POST {path} HTTP/1.1"), body).unwrap()
    }

    /// Calls a Gen-1 Action.
    pub(crate) fn call(&self, body: &str) -> String {
        self.post("/interface.php", body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server may have ended already.
        drop(self.process.kill());
        self.process.wait().unwrap();
    }
}

/// Sends a request, with these lines as its head, and returns the answer's body; `None` if the connection was closed.
pub(crate) fn exchange(stream: &mut TcpStream, head: &str, body: &str) -> Option<String> {
    let request = format!("{head}\r\nhost: test\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).ok()?;
    let mut reader = BufReader::new(stream);
    let mut length = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length?];
    reader.read_exact(&mut body).ok()?;
    String::from_utf8(body).ok()
}

/// The answer to the health check.
pub(crate) fn health(stream: &mut TcpStream) -> String {
    exchange(stream, "GET /interface.php HTTP/1.1", "").unwrap()
}

/// The body of a call that opens a user's room.
pub(crate) fn open_room(user: &str) -> String {
    format!(r#"{{"Action":"RequestLVBAddr","userid":"{user}","groupid":"g","title":"t"}}"#)
}

/// The body of a call that reads a user's room.
pub(crate) fn room(user: &str) -> String {
    format!(r#"{{"Action":"GetUserInfo","userid":"{user}","type":0}}"#)
}
