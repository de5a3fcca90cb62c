//! `mini-lvb serve`: its addresses, connections, log and end.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    process::{Command, Stdio},
};

use cli::listen::reachable;
use rustix::process::Signal;

use crate::support::{Folder, HEALTH, Server, command, exchange, health, in_shell, output, serve, serve_in_memory};

#[test]
fn a_server_at_a_port_or_a_name_answers_the_health_check_byte_for_byte_on_a_connection_that_is_kept() {
    for listen in ["0", "localhost:0"] {
        let server = Server::run(&mut serve_in_memory(listen));
        assert!(server.address.starts_with("127.0.0.1:"), "{}", server.address);
        let mut connection = server.connect();
        for _ in 0..3 {
            assert_eq!(health(&mut connection), HEALTH);
        }
    }
}

#[test]
fn the_start_prints_the_addresses_for_the_app_and_the_cloud_and_the_place_of_the_data() {
    let folder = Folder::new();
    let server = Server::start(&folder);
    let data = folder.canonicalize().unwrap();
    for part in ["/interface.php", "/callback/Live_callback.php", data.to_str().unwrap(), "ACTION_AUTH=open"] {
        assert!(server.printed.contains(part), "{part} in {}", server.printed);
    }
}

#[test]
fn a_client_that_shuts_down_its_side_still_gets_its_answer() {
    let server = Server::run(&mut serve_in_memory("0"));
    let mut connection = server.connect();
    connection.write_all(b"GET /interface.php HTTP/1.1\r\n\r\n").unwrap();
    connection.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with(HEALTH), "{answer}");
}

#[test]
fn only_the_proxy_is_trusted_to_report_the_address_of_a_client() {
    let behind = |proxy| {
        let mut command = serve_in_memory("0");
        Server::run(command.args(["--proxy", proxy]).env("ADDRESS_LOGIN_LIMIT", "1"))
    };
    let guess = |server: &Server, address: &str| {
        let head = format!("POST /login HTTP/1.1\r\nx-forwarded-for: {address}");
        exchange(&mut server.connect(), &head, r#"{"userid":"nobody","password":"wrong"}"#).unwrap()
    };
    let server = behind("127.0.0.1");
    for (address, code) in [("203.0.113.7", 620), ("203.0.113.7", 4003), ("203.0.113.8", 620)] {
        let answer = guess(&server, address);
        assert!(answer.contains(&format!(r#""code":{code}"#)), "{address}: {answer}");
    }
    let server = behind("127.0.0.9");
    for _ in 0..2 {
        let answer = guess(&server, "203.0.113.7");
        assert!(answer.contains(r#""code":620"#), "the header of another client of this machine is ignored: {answer}");
    }
}

#[test]
fn a_server_that_was_started_to_outlive_its_terminal_ignores_its_end() {
    let folder = Folder::new();
    // As nohup does.
    let server = Server::run(&mut in_shell("trap '' HUP", &serve(&folder)));
    server.signal(Signal::HUP);
    for _ in 0..50 {
        assert_eq!(server.call(""), HEALTH);
    }
    server.stop();
}

#[test]
fn idle_connections_are_closed_for_others_where_the_process_may_open_few_files() {
    let server = Server::run_logged(&mut in_shell("ulimit -n 64", &serve_in_memory("0")));
    let _idle: Vec<TcpStream> = (0..100).map(|_| server.connect()).collect();
    assert_eq!(server.call(""), HEALTH);
    let log = server.kill();
    assert!(!log.contains("no connection could be accepted"), "{log}");
}

#[test]
fn the_limit_of_open_files_is_raised_as_far_as_the_process_may() {
    let server = Server::run(&mut in_shell("ulimit -Sn 64", &serve_in_memory("0")));
    let mut idle: Vec<TcpStream> = (0..100).map(|_| server.connect()).collect();
    assert_eq!(server.call(""), HEALTH);
    // None of them was closed.
    for connection in &mut idle {
        assert_eq!(health(connection), HEALTH);
    }
}

#[test]
fn a_server_that_listens_everywhere_prints_all_its_addresses() {
    for every in ["0.0.0.0:0", "[::]:0"] {
        let server = Server::run(&mut serve_in_memory(every));
        let printed: Vec<_> =
            server.printed.split_whitespace().filter_map(|word| word.strip_prefix("http://")).collect();
        let port = server.address.rsplit(':').next().unwrap();
        for address in reachable(every.replace(":0", &format!(":{port}")).parse().unwrap()) {
            assert!(printed.contains(&address.to_string().as_str()), "{address} is not in {}", server.printed);
        }
        assert_eq!(server.call(""), HEALTH);
        assert!(!server.printed.contains('\u{2588}'), "a QR code is for terminals");
    }
}

#[test]
fn settings_of_the_environment_are_named_without_their_values() {
    let mut command = serve_in_memory("0");
    let server = Server::run(command.env("BIZID", "52341").env("PUSH_KEY", "a-key-of-the-environment"));
    let line = server.printed.lines().find(|line| line.contains("environment")).unwrap();
    assert!(line.ends_with("BIZID, PUSH_KEY"), "{line}");
    assert!(!server.printed.contains("52341") && !server.printed.contains("a-key-of"), "{}", server.printed);
}

#[test]
fn a_reader_of_the_list_of_settings_may_close_the_pipe() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command(&["settings"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn the_help_is_as_wide_as_the_terminal() {
    let help = output(command(&["serve", "--help"]).env("COLUMNS", "60")).unwrap();
    assert!(help.lines().all(|line| line.len() <= 60), "{help}");
}

#[test]
fn the_log_is_text_or_json_as_the_environment_says() {
    let log = |format: &str| {
        let mut command: Command = serve_in_memory("0");
        let server = Server::run_logged(command.env("LOG_FORMAT", format));
        server.call(r#"{"Action":"GetUserInfo","userid":"alice","type":0}"#);
        server.kill()
    };
    let (text, json) = (log(""), log("json"));
    assert!(text.contains(r#"command="get_live_info""#) && text.contains(r#"user="alice""#), "{text}");
    let lines: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let call = lines.iter().find(|line| line["fields"]["command"] == "get_live_info").unwrap();
    assert!(call["timestamp"].is_string() && call["level"] == "INFO" && call["fields"]["user"] == "alice", "{call}");
    assert_eq!(call["fields"]["address"], "127.0.0.1");
}
