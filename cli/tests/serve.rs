//! `mini-lvb serve` as a process: what it prints, what it keeps, and how it ends.
#![expect(clippy::unwrap_used, reason = "clippy spares tests, but not the functions that they share")]

use std::{
    collections::BTreeSet,
    fs::Permissions,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::fs::{FileExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use aws_sdk_dynamodb::types::AttributeValue;
use cli::engine::Engine;
use rustix::process::{Pid, Signal, kill_process};

const HEALTH: &str = r#"{"returnValue":4001,"returnMsg":"json format error","returnData":[]}"#;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static FOLDERS: AtomicU32 = AtomicU32::new(0);
        let name = format!("mini-lvb-{}-{}", std::process::id(), FOLDERS.fetch_add(1, Ordering::SeqCst));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A server that ends with the test.
struct Server {
    process: Child,
    address: String,
    printed: String,
}

impl Server {
    /// Starts on a data folder and waits until it has said everything that it says at the start.
    fn start(data: &Path) -> Self {
        Self::run(&mut command(&["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]))
    }

    fn run(command: &mut Command) -> Self {
        Self::run_logging_to(command, Stdio::null())
    }

    fn run_logging_to(command: &mut Command, log: Stdio) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut printed = String::new();
        while !printed.contains("Gen-1 door") {
            printed.push_str(&lines.next().expect("the server starts").unwrap());
            printed.push('\n');
        }
        let address = printed.split_whitespace().find_map(|word| word.strip_prefix("http://")).unwrap().to_owned();
        Self { process, address, printed }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Stops the server, in order.
    fn stop(mut self) {
        self.signal(Signal::TERM);
        assert!(self.process.wait().unwrap().success());
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }

    /// Starts behind a proxy at this address, with a limit of one failed login from an address.
    fn behind(proxy: &str, data: &Path) -> Self {
        let mut command = command(&["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap(), "--proxy", proxy]);
        Self::run(command.env("ADDRESS_LOGIN_LIMIT", "1"))
    }

    /// Guesses a password, as somebody whom a proxy, or nobody but the caller, says to be at this address; the answer.
    fn guess(&self, address: &str) -> String {
        let body = r#"{"userid":"nobody","password":"wrong"}"#;
        let head = format!(
            "POST /login HTTP/1.1\r\nconnection: close\r\nx-forwarded-for: {address}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut connection = self.connect();
        connection.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    fn call(&self, body: &str) -> String {
        exchange(&mut self.connect(), "POST", "/interface.php", body.as_bytes()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed by its test already.
        drop(self.process.kill());
        self.process.wait().unwrap();
    }
}

/// The command in an empty environment: every setting may come from there.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mini-lvb"));
    command.args(arguments).env_clear();
    command
}

/// What a start that must fail says.
fn complaint(arguments: &[&str]) -> String {
    let mut process = command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut announced = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut announced).unwrap();
    if !announced.is_empty() {
        process.kill().unwrap();
    }
    let output = process.wait_with_output().unwrap();
    assert_eq!((announced.as_str(), output.status.code()), ("", Some(1)), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Sends a request and reads the body of its answer; `None` if the server went away.
fn exchange(stream: &mut TcpStream, method: &str, path: &str, body: &[u8]) -> Option<String> {
    let head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
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

fn open_room(user: &str) -> String {
    format!(r#"{{"Action":"RequestLVBAddr","userid":"{user}","groupid":"g","title":"t"}}"#)
}

fn all_rooms(page: usize) -> String {
    format!(r#"{{"Action":"FetchList","flag":4,"pageno":{page},"pagesize":10}}"#)
}

fn room(user: &str) -> String {
    format!(r#"{{"Action":"GetUserInfo","userid":"{user}","type":0}}"#)
}

#[test]
fn the_health_check_is_answered_byte_for_byte() {
    let folder = Folder::new();
    let server = Server::start(&folder.0);
    assert_eq!(exchange(&mut server.connect(), "GET", "/interface.php", b"").unwrap(), HEALTH);
}

#[test]
fn it_says_what_to_put_into_the_app_and_where_the_data_is() {
    let folder = Folder::new();
    let server = Server::start(&folder.0);
    let data = folder.0.canonicalize().unwrap();
    for part in ["/interface.php", "/callback/Live_callback.php", data.to_str().unwrap(), "ACTION_AUTH=open"] {
        assert!(server.printed.contains(part), "{part} in {}", server.printed);
    }
}

#[test]
fn a_connection_is_kept_for_more_than_one_call() {
    let folder = Folder::new();
    let server = Server::start(&folder.0);
    let mut connection = server.connect();
    for _ in 0..3 {
        assert!(exchange(&mut connection, "POST", "/interface.php", open_room("alice").as_bytes()).is_some());
    }
}

#[test]
fn a_client_that_has_said_all_still_gets_its_answer() {
    let folder = Folder::new();
    let server = Server::start(&folder.0);
    let mut connection = server.connect();
    connection.write_all(b"GET /interface.php HTTP/1.1\r\n\r\n").unwrap();
    connection.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with(HEALTH), "{answer}");
}

#[test]
fn a_body_over_the_limit_hears_the_limit() {
    let folder = Folder::new();
    let server = Server::start(&folder.0);
    let body = format!(r#"{{"Action":"GetCOSSign","filler":"{}"}}"#, "x".repeat(1024 * 1024));
    let expected = HEALTH.replace("error", "error | the body is longer than 1 MiB");
    assert_eq!(server.call(&body), expected);
}

#[test]
fn the_proxy_says_who_is_calling_and_nobody_else_does() {
    let (folder, other) = (Folder::new(), Folder::new());
    let behind_it = Server::behind("127.0.0.1", &folder.0);
    assert!(behind_it.guess("203.0.113.7").contains(r#""code":620"#));
    assert!(behind_it.guess("203.0.113.7").contains(r#""code":4003"#));
    assert!(behind_it.guess("203.0.113.8").contains(r#""code":620"#));
    let beside_it = Server::behind("127.0.0.9", &other.0);
    assert!(beside_it.guess("203.0.113.7").contains(r#""code":620"#));
    assert!(beside_it.guess("203.0.113.7").contains(r#""code":620"#), "a caller's own word, from this machine");
}

#[test]
fn a_second_run_finds_the_data_and_the_settings_of_the_first() {
    let folder = Folder::new();
    let url = |answer: String| answer.split("txSecret").next().unwrap().to_owned();
    let first = Server::start(&folder.0);
    let before = url(first.call(&open_room("alice")));
    drop(first);
    let settings = std::fs::read_to_string(folder.0.join("settings.toml")).unwrap();
    let second = Server::start(&folder.0);
    assert!(second.call(&room("alice")).contains(r#""title":"t""#));
    assert_eq!(url(second.call(&open_room("alice"))), before);
    assert_eq!(std::fs::read_to_string(folder.0.join("settings.toml")).unwrap(), settings);
}

#[test]
fn a_folder_of_a_version_without_sessions_gets_a_key_for_them_once() {
    let folder = Folder::new();
    drop(Server::start(&folder.0));
    let file = folder.0.join("settings.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let older: String =
        text.lines().filter(|line| !line.starts_with("SESSION_KEY")).map(|l| format!("{l}\n")).collect();
    assert_ne!(older, text);
    std::fs::write(&file, &older).unwrap();
    drop(Server::start(&folder.0));
    let completed = std::fs::read_to_string(&file).unwrap();
    assert!(completed.starts_with(&older) && completed.matches("SESSION_KEY = ").count() == 1, "{completed}");
    drop(Server::start(&folder.0));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), completed);
}

#[test]
fn a_killed_server_has_kept_every_write_that_it_acknowledged() {
    const WRITERS: usize = 4;
    const WRITES: usize = 200;
    let folder = Folder::new();
    let mut server = Server::start(&folder.0);
    let acknowledged = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (mut connection, acknowledged) = (server.connect(), &acknowledged);
            scope.spawn(move || {
                for n in (writer..WRITES).step_by(WRITERS) {
                    let user = format!("user{n}");
                    match exchange(&mut connection, "POST", "/interface.php", open_room(&user).as_bytes()) {
                        Some(answer) if answer.contains(r#""returnValue":0"#) => {
                            acknowledged.lock().unwrap().insert(user)
                        }
                        Some(answer) => panic!("{answer}"),
                        None => return,
                    };
                }
            });
        }
        while acknowledged.lock().unwrap().len() < WRITES / 2 {
            std::thread::yield_now();
        }
        server.process.kill().unwrap(); // SIGKILL
    });
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!((WRITES / 2..WRITES).contains(&acknowledged.len()), "killed in the middle: {}", acknowledged.len());
    let server = Server::start(&folder.0);
    for user in &acknowledged {
        assert!(server.call(&room(user)).contains(r#""returnValue":0"#), "{user} is lost");
    }
    let listed: Vec<String> = (1..=WRITES / 10).map(|page| server.call(&all_rooms(page))).collect();
    for user in &acknowledged {
        assert!(listed.iter().any(|page| page.contains(&format!(r#""userid":"{user}""#))), "{user} is in no page");
    }
    let rows = listed.iter().map(|page| page.matches(r#""userid""#).count()).sum::<usize>();
    assert!(listed[0].contains(&format!(r#""totalcount":{rows},"#)), "{rows} rows, but {}", &listed[0][..80]);
}

#[test]
fn after_a_stop_the_table_is_in_its_file_alone_and_the_folder_is_left_in_order() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let (folder, copy) = (Folder::new(), Folder::new());
        let mut server = Server::start(&folder.0);
        assert!(server.call(&open_room("alice")).contains(r#""returnValue":0"#));
        server.signal(signal);
        assert!(server.process.wait().unwrap().success(), "{signal:?}");
        assert_eq!(std::fs::read(folder.0.join("lock")).unwrap(), b"", "{signal:?}");
        for file in ["settings.toml", "table.db"] {
            std::fs::copy(folder.0.join(file), copy.0.join(file)).unwrap();
        }
        let restored = Server::start(&copy.0);
        assert!(restored.call(&room("alice")).contains(r#""title":"t""#), "{signal:?}");
    }
}

#[test]
fn a_server_that_was_started_to_outlive_its_terminal_does() {
    let folder = Folder::new();
    let mut shell = Command::new("sh");
    // What nohup does.
    shell.args(["-c", r#"trap '' HUP; exec "$0" "$@""#, env!("CARGO_BIN_EXE_mini-lvb")]);
    shell.args(["--listen", "127.0.0.1:0", "--data", folder.0.to_str().unwrap()]).env_clear();
    let server = Server::run(&mut shell);
    server.signal(Signal::HUP);
    for _ in 0..50 {
        assert_eq!(server.call(""), HEALTH);
    }
    server.stop();
}

/// What a start says in its log, up to the stop that follows it.
fn logged(data: &Path) -> String {
    let mut command = command(&["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
    let log = std::fs::File::create(data.join("log")).unwrap();
    Server::run_logging_to(&mut command, log.into()).stop();
    std::fs::read_to_string(data.join("log")).unwrap()
}

#[test]
fn settings_without_their_table_and_a_table_without_its_settings_are_said() {
    let folder = Folder::new();
    let (settings, table, moved) =
        (folder.0.join("settings.toml"), folder.0.join("table.db"), folder.0.join("moved.db"));
    let first = logged(&folder.0);
    assert!(!first.contains("WARN"), "{first}");
    let server = Server::start(&folder.0);
    server.call(&open_room("alice"));
    server.stop();
    let second = logged(&folder.0);
    assert!(!second.contains("WARN"), "{second}");
    std::fs::rename(&table, &moved).unwrap();
    let said = logged(&folder.0);
    assert!(said.contains("WARN") && said.contains("table.db is missing") && said.contains("table.db-wal"), "{said}");
    std::fs::rename(&moved, &table).unwrap();
    std::fs::remove_file(&settings).unwrap();
    let said = logged(&folder.0);
    assert!(said.contains("WARN") && said.contains("no settings") && said.contains("--config"), "{said}");
}

#[test]
fn a_start_as_the_readme_has_it_warns_of_nothing() {
    let folder = Folder::new();
    let (data, settings) = (folder.0.join("data"), folder.0.join("data/settings.toml"));
    std::fs::create_dir(&data).unwrap();
    // Its port is taken at first; then it has no call before its values are put in, and after that.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    complaint(&["--listen", &taken, "--data", data.to_str().unwrap()]);
    for _ in 0..2 {
        let said = logged(&data);
        assert!(!said.contains("WARN") && said.contains("stopped: every call was answered"), "{said}");
    }
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, format!("{text}TABLE_NAME = \"another\"\n")).unwrap();
    let said = logged(&data);
    assert!(!said.contains("WARN"), "{said}");

    // Nor the first start with settings of one's own, also after one that failed.
    let (other, own) = (folder.0.join("other"), settings.to_str().unwrap());
    let arguments =
        |listen| ["--listen", listen, "--data", other.to_str().unwrap(), "--config", own].map(str::to_owned);
    complaint(&arguments(taken.as_str()).each_ref().map(String::as_str));
    let log = folder.0.join("log");
    let mut command = command(&arguments("127.0.0.1:0").each_ref().map(String::as_str));
    Server::run_logging_to(&mut command, std::fs::File::create(&log).unwrap().into()).stop();
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(!said.contains("WARN"), "{said}");
}

#[test]
fn a_start_that_fails_leaves_no_folder_behind_and_no_word_in_the_settings() {
    let folder = Folder::new();
    let (data, nowhere) = (folder.0.join("data"), folder.0.join("nowhere.toml"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let (data_text, nowhere) = (data.to_str().unwrap(), nowhere.to_str().unwrap());
    let said = complaint(&["--listen", "127.0.0.1:0", "--data", data_text, "--config", nowhere]);
    assert!(said.contains(nowhere), "{said}");
    complaint(&["--listen", &taken, "--data", data_text]);
    assert!(!data.exists());

    drop(Server::start(&data));
    let file = data.join("settings.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let given: String = text
        .lines()
        .filter(|line| !line.starts_with("SESSION_KEY"))
        .fold(String::new(), |text, line| text + line + "\n");
    std::fs::write(&file, &given).unwrap();
    complaint(&["--listen", &taken, "--data", data_text]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), given);
    let said = logged(&data);
    assert!(said.contains("WARN") && said.contains("SESSION_KEY"), "{said}");
}

#[test]
fn settings_that_are_left_out_of_the_file_stay_so_and_the_start_says_whether_the_cloud_is_called() {
    let folder = Folder::new();
    let file = folder.0.join("settings.toml");
    let server = Server::start(&folder.0);
    assert!(server.printed.contains("no calls (CLOUD_API_URL=none, API_URL=none)"), "{}", server.printed);
    drop(server);
    let text = std::fs::read_to_string(&file).unwrap();
    let is_kept = |line: &&str| !line.starts_with("CLOUD_API_URL") && !line.starts_with("API_URL");
    let given: String = text.lines().filter(is_kept).fold(String::new(), |text, line| text + line + "\n");
    assert_ne!(given, text);
    std::fs::write(&file, &given).unwrap();
    let server = Server::start(&folder.0);
    assert!(!server.printed.contains("no calls"), "{}", server.printed);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), given);
}

#[test]
fn idle_connections_make_room_where_the_process_may_have_few_files_open() {
    let folder = Folder::new();
    let log = folder.0.join("log");
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"ulimit -n 64; exec "$0" "$@""#, env!("CARGO_BIN_EXE_mini-lvb"), "--memory", "--listen", "0"]);
    let server = Server::run_logging_to(shell.env_clear(), std::fs::File::create(&log).unwrap().into());
    let _idle: Vec<TcpStream> = (0..100).map(|_| server.connect()).collect();
    assert_eq!(server.call(""), HEALTH);
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(!said.contains("no connection could be accepted"), "{said}");
}

#[test]
fn the_limit_of_open_files_is_raised_as_far_as_the_process_may() {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"ulimit -Sn 64; exec "$0" "$@""#, env!("CARGO_BIN_EXE_mini-lvb"), "--memory", "--listen", "0"]);
    let server = Server::run(shell.env_clear());
    let mut idle: Vec<TcpStream> = (0..100).map(|_| server.connect()).collect();
    assert_eq!(server.call(""), HEALTH);
    // None of them had to go.
    for connection in &mut idle {
        assert_eq!(exchange(connection, "GET", "/interface.php", b"").unwrap(), HEALTH);
    }
}

#[test]
fn a_killed_server_is_said_at_the_next_start() {
    let folder = Folder::new();
    drop(Server::start(&folder.0)); // SIGKILL
    let said = logged(&folder.0);
    assert!(said.contains("the lists are counted again"), "{said}");
    let said = logged(&folder.0);
    assert!(!said.contains("the lists are counted again"), "{said}");
}

#[test]
fn every_file_of_the_data_folder_is_for_its_owner_only_whatever_the_umask() {
    let folder = Folder::new();
    std::fs::set_permissions(&folder.0, Permissions::from_mode(0o777)).unwrap();
    let start = || {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"umask 000; exec "$0" "$@""#, env!("CARGO_BIN_EXE_mini-lvb")]);
        shell.args(["--listen", "127.0.0.1:0", "--data", folder.0.to_str().unwrap()]).env_clear();
        Server::run(&mut shell)
    };
    let files = |when: &str| {
        let mut names = Vec::new();
        for file in std::fs::read_dir(&folder.0).unwrap() {
            let file = file.unwrap();
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{when}: {:?}", file.path());
            names.push(file.file_name().into_string().unwrap());
        }
        names.sort();
        names
    };
    let every = ["lock", "settings.toml", "table.db", "table.db-shm", "table.db-wal"];
    let server = start();
    assert_eq!(files("made"), every);
    drop(server); // SIGKILL, so that all of them stay
    for name in every {
        std::fs::set_permissions(folder.0.join(name), Permissions::from_mode(0o666)).unwrap();
    }
    let _server = start();
    assert_eq!(files("found"), every);
}

#[tokio::test]
async fn a_table_of_another_version_is_refused() {
    let folder = Folder::new();
    Server::start(&folder.0).stop();
    let engine = Engine::on_disk(&folder.0.join("table.db")).unwrap();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = engine.client().put_item().table_name("mini-lvb").item("PK", text("TABLE")).item("SK", text("VERSION"));
    put.item("version", AttributeValue::N("2".to_owned())).send().await.unwrap();
    engine.close().unwrap();
    let said = complaint(&["--listen", "127.0.0.1:0", "--data", folder.0.to_str().unwrap()]);
    assert!(said.contains("version 2") && said.contains("version 1"), "{said}");
}

#[test]
fn the_address_to_listen_at_may_be_a_port_or_a_name() {
    for listen in ["0", "localhost:0"] {
        let server = Server::run(&mut command(&["--memory", "--listen", listen]));
        assert!(server.address.starts_with("127.0.0.1:"), "{}", server.address);
        assert_eq!(server.call(""), HEALTH);
    }
    let output = command(&["--memory", "--listen", "localhost:x"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("localhost:8080"), "{said}");
}

#[test]
fn a_server_that_listens_everywhere_says_where_others_find_it() {
    for every in ["0.0.0.0:0", "[::]:0"] {
        let server = Server::run(&mut command(&["--memory", "--listen", every]));
        let said: Vec<_> = server.printed.split_whitespace().filter_map(|word| word.strip_prefix("http://")).collect();
        let port = server.address.rsplit(':').next().unwrap();
        let listening = every.replace(":0", &format!(":{port}")).parse().unwrap();
        for address in cli::listen::reachable(listening) {
            assert!(said.contains(&address.to_string().as_str()), "{address} is not in {}", server.printed);
        }
        assert_eq!(server.call(""), HEALTH);
        assert!(!server.printed.contains('\u{2588}'), "a QR code is for terminals");
    }
}

#[test]
fn settings_of_the_environment_are_named_without_their_values() {
    let mut command = command(&["--memory", "--listen", "0"]);
    let server = Server::run(command.env("BIZID", "52341").env("PUSH_KEY", "a-key-of-the-environment"));
    let line = server.printed.lines().find(|line| line.contains("environment")).unwrap();
    assert!(line.ends_with("BIZID, PUSH_KEY"), "{line}");
    assert!(!server.printed.contains("52341") && !server.printed.contains("a-key-of"), "{}", server.printed);
}

#[test]
fn an_address_that_is_taken_is_said_with_what_to_do() {
    let folder = Folder::new();
    let server = Server::start(&folder.0);
    let other = Folder::new();
    let said = complaint(&["--listen", &server.address, "--data", other.0.to_str().unwrap()]);
    assert!(said.contains(&server.address) && said.contains("--listen"), "{said}");
}

#[test]
fn every_fault_of_the_settings_is_said_at_once() {
    let folder = Folder::new();
    let file = folder.0.join("own.toml");
    std::fs::write(&file, "BIZID = \"88 88\"\nPUSH_KEY = \"short\"\n").unwrap();
    let said = complaint(&["--memory", "--config", file.to_str().unwrap()]);
    for part in [
        "ACTION_AUTH is not set",
        "BIZID may contain",
        "PUSH_KEY must have at least 8 characters",
        "IM_SECRET_KEY is not set",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(!said.contains("short\""), "no value is shown: {said}");
}

#[test]
fn a_setting_that_does_not_exist_is_named() {
    let folder = Folder::new();
    let file = folder.0.join("own.toml");
    std::fs::write(&file, "BISID = \"8888\"\n").unwrap();
    let said = complaint(&["--memory", "--config", file.to_str().unwrap()]);
    assert!(said.contains("BISID is not a setting"), "{said}");
}

#[test]
fn a_data_folder_has_one_server_at_a_time() {
    let folder = Folder::new();
    let data = folder.0.to_str().unwrap();
    let first = Server::start(&folder.0);
    let said = complaint(&["--listen", "127.0.0.1:0", "--data", data]);
    assert!(said.contains(data) && said.contains("another mini-lvb") && said.contains("--data"), "{said}");
    assert_eq!(first.call(""), HEALTH);
}

#[test]
fn a_file_that_is_no_table_is_named() {
    let folder = Folder::new();
    let file = folder.0.join("table.db");
    std::fs::write(&file, "no table at all, but long enough for its head to be read").unwrap();
    let said = complaint(&["--listen", "127.0.0.1:0", "--data", folder.0.to_str().unwrap()]);
    assert!(said.contains(file.to_str().unwrap()), "{said}");
    assert!(said.contains("is no table of mini-lvb") && said.contains("put back a copy"), "{said}");
}

#[test]
fn a_table_that_is_damaged_in_the_middle_is_named_with_what_to_do() {
    let folder = Folder::new();
    Server::start(&folder.0).stop();
    let name = folder.0.join("table.db");
    let file = std::fs::OpenOptions::new().write(true).open(&name).unwrap();
    let length = file.metadata().unwrap().len();
    file.write_all_at(&vec![0x55; usize::try_from(length).unwrap() - 4096], 4096).unwrap();
    let said = complaint(&["--listen", "127.0.0.1:0", "--data", folder.0.to_str().unwrap()]);
    assert!(said.contains(name.to_str().unwrap()) && said.contains("put back a copy"), "{said}");
}

#[test]
fn an_address_of_the_table_and_its_name_are_judged_before_anything_is_asked() {
    let folder = Folder::new();
    let data = folder.0.to_str().unwrap();
    for endpoint in ["foo", "", "localhost:8000", "ftp://localhost:8000"] {
        let output = command(&["--data", data, "--endpoint", endpoint]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains("begins with http://") && said.len() < 400, "{said}");
    }
    let start = |name: &str, value: &str| {
        let output = command(&["--listen", "127.0.0.1:0", "--data", data]).env(name, value).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let said = start("AWS_ENDPOINT_URL_DYNAMODB", "foo");
    assert!(said.contains("AWS_ENDPOINT_URL_DYNAMODB") && said.contains("begins with http://"), "{said}");
    let said = start("TABLE_NAME", "x");
    assert!(said.contains("TABLE_NAME must have 3 to 255 letters"), "{said}");
}

#[test]
fn a_table_that_fails_leaves_one_line_of_each_call() {
    let folder = Folder::new();
    let mut command = command(&["--listen", "127.0.0.1:0", "--data", folder.0.to_str().unwrap()]);
    let mut server = Server::run_logging_to(&mut command, Stdio::piped());
    assert!(server.call(&open_room("alice")).contains(r#""returnValue":0"#));
    // Under the server's feet. Without the index of its log, it reads both anew.
    for name in ["table.db", "table.db-wal", "table.db-shm"] {
        let file = std::fs::OpenOptions::new().write(true).open(folder.0.join(name)).unwrap();
        file.write_all_at(&[0x55; 16 * 1024], 0).unwrap();
    }
    server.call(&open_room("bobby"));
    server.process.kill().unwrap();
    let mut log = String::new();
    server.process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    let calls = log.lines().filter(|line| line.contains("milliseconds=")).count();
    assert_eq!((log.lines().count(), calls), (2, 2), "{log}");
    assert!(log.contains("ERROR"), "{log}");
}

#[test]
fn a_server_of_the_table_that_is_not_there_is_said_with_the_cause_and_what_to_do() {
    let folder = Folder::new();
    // A port that was free a moment ago, and that nobody is told of.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}");
    let data = folder.0.to_str().unwrap();
    let said = complaint(&["--listen", "127.0.0.1:0", "--data", data, "--endpoint", &url]);
    assert!(said.contains(&url) && said.contains("refused") && said.contains("--endpoint"), "{said}");
}

#[test]
fn a_server_of_the_table_is_shown_the_credentials_of_the_environment() {
    let folder = Folder::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut command = command(&["--listen", "127.0.0.1:0", "--data", folder.0.to_str().unwrap(), "--endpoint", &url]);
    command.env("AWS_ACCESS_KEY_ID", "AKIDtest").env("AWS_SECRET_ACCESS_KEY", "for-tests-only");
    command.env("AWS_REGION", "ap-guangzhou");
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut head = BufReader::new(listener.accept().unwrap().0).lines().map_while(Result::ok);
    let shown = head.find_map(|line| line.strip_prefix("authorization: ").map(str::to_owned)).unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    let name = shown.split("Credential=").nth(1).unwrap();
    assert!(name.starts_with("AKIDtest/") && name.contains("/ap-guangzhou/dynamodb/"), "{shown}");
}

#[test]
fn data_in_memory_stays_there_whatever_server_the_environment_names() {
    let mut command = command(&["--listen", "127.0.0.1:0", "--memory"]);
    let server = Server::run(command.env("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9"));
    assert!(server.printed.contains("in memory"), "{}", server.printed);
    assert!(server.call(&open_room("alice")).contains(r#""returnValue":0"#));
}

#[test]
fn the_settings_may_be_listed_to_somebody_who_does_not_read_on() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command(&["settings"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn the_help_is_as_wide_as_the_terminal() {
    let mut help = command(&["serve", "--help"]);
    let output = help.env("COLUMNS", "60").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.lines().all(|line| line.len() <= 60), "{said}");
}

#[test]
fn the_log_is_text_or_json_as_the_environment_says() {
    let log = |format: &str| {
        let folder = Folder::new();
        let mut command = command(&["--listen", "127.0.0.1:0", "--data", folder.0.to_str().unwrap()]);
        let mut server = Server::run_logging_to(command.env("LOG_FORMAT", format), Stdio::piped());
        server.call(r#"{"Action":"GetUserInfo","userid":"alice","type":0}"#);
        server.process.kill().unwrap();
        let mut log = String::new();
        server.process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        log
    };
    let (text, json) = (log(""), log("json"));
    assert!(text.contains(r#"command="get_live_info""#) && text.contains(r#"user="alice""#), "{text}");
    let lines: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let call = lines.iter().find(|line| line["fields"]["command"] == "get_live_info").unwrap();
    assert!(call["timestamp"].is_string() && call["level"] == "INFO" && call["fields"]["user"] == "alice", "{call}");
    assert_eq!(call["fields"]["address"], "127.0.0.1");
}
