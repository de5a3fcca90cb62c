//! `mini-lvb console`, in front of a server in a process of its own.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Stdio},
};

use crate::support::{Folder, Server, command, open_room, output};

/// A server, its data folder, and a console.
struct Served {
    console: Child,
    address: String,
    token: String,
    server: Server,
    folder: Folder,
}

impl Served {
    fn start() -> Self {
        let folder = Folder::new();
        let server = Server::start(&folder);
        let mut console = command(&["console", "--server", &server.address, "--data", folder.to_str().unwrap()]);
        let mut console = console.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(console.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim_end().rsplit_once(" is at http://").unwrap().1;
        let (address, token) = url.split_once("/#token=").unwrap();
        Self { address: address.to_owned(), token: token.to_owned(), console, server, folder }
    }

    /// Sends a request with these lines in its head: the whole answer.
    fn send(&self, first: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let head = format!("{first} HTTP/1.1\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Calls a command as the page does, with one header replaced.
    fn call(&self, command: &str, replaced: (&str, &str)) -> String {
        let origin = format!("http://{}", self.address);
        let own = [("host", &*self.address), ("origin", &origin), ("x-console-token", &self.token)];
        let mut headers: Vec<_> = own.into_iter().filter(|(name, _)| *name != replaced.0).collect();
        headers.push(replaced);
        self.send(&format!("POST /call/{command}"), &headers, "{}")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.console.kill());
        self.console.wait().unwrap();
    }
}

#[test]
fn the_page_calls_with_its_token_and_never_has_the_key() {
    let served = Served::start();
    served.server.call(&open_room("alice"));
    let page = served.send("GET /", &[("host", &served.address)], "");
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains("content-security-policy: default-src 'none';"),
        "{page}"
    );
    let answer = served.call("list_rooms", ("sec-fetch-site", "same-origin"));
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""totalcount":0"#), "{answer}");
    let settings = std::fs::read_to_string(served.folder.join("settings.toml")).unwrap();
    let key = settings.lines().find_map(|line| line.strip_prefix("OPERATOR_KEY = ")).unwrap().trim_matches('"');
    assert!(!page.contains(key) && !answer.contains(key));
}

#[test]
fn other_pages_other_hosts_and_others_without_the_token_are_refused() {
    let served = Served::start();
    for (replaced, status) in [
        (("origin", "http://evil.example"), 403),
        (("origin", "null"), 403),
        (("sec-fetch-site", "same-site"), 403),
        (("x-console-token", ""), 403),
        (("x-console-token", "0123"), 403),
        (("host", "evil.example"), 421),
    ] {
        let answer = served.call("list_rooms", replaced);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{replaced:?}: {answer}");
        assert!(!answer.contains("access-control"), "{answer}");
    }
    assert!(served.send("GET /", &[("host", "evil.example")], "").starts_with("HTTP/1.1 421"));
    assert!(served.send("POST /", &[("host", &served.address)], "").starts_with("HTTP/1.1 405"));
}

#[test]
fn only_commands_of_the_console_are_relayed() {
    let served = Served::start();
    for command in ["login", "register", "../interface.php", "list_rooms/", ""] {
        let answer = served.call(command, ("x-none", "1"));
        assert!(answer.starts_with("HTTP/1.1 404"), "{command}: {answer}");
    }
    let own = [("host", &*served.address), ("x-console-token", &served.token)];
    let long = served.send("POST /call/list_rooms", &own, &" ".repeat(65 * 1024));
    assert!(long.starts_with("HTTP/1.1 413"), "{long}");
}

#[test]
fn the_console_listens_on_this_machine_only() {
    let folder = Folder::new();
    let error = output(&mut command(&["console", "--listen", "0.0.0.0:0", "--data", folder.to_str().unwrap()]));
    assert!(error.unwrap_err().contains("on this machine only"));
}
