//! `mini-lvb serve`: its data folder, its settings and its table.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions, Permissions, read_to_string},
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::{FileExt, PermissionsExt},
    path::Path,
    process::Stdio,
    sync::Mutex,
};

use aws_sdk_dynamodb::types::AttributeValue;
use cli::engine::Engine;
use rustix::process::Signal;

use crate::support::{
    Folder, HEALTH, Server, command, exchange, failure, in_shell, open_room, output, room, serve, serve_at,
    serve_in_memory, serve_with_video,
};

/// The log of a start on a data folder, and of the stop that follows.
fn log_of(data: &Path) -> String {
    Server::run_logged(&mut serve(data)).stop()
}

/// Removes settings from a file, and returns the new text.
fn remove_settings(file: &Path, names: &[&str]) -> String {
    let text = read_to_string(file).unwrap();
    let is_kept = |line: &&str| !names.iter().any(|name| line.starts_with(&format!("{name} = ")));
    let kept: String = text.lines().filter(is_kept).map(|line| format!("{line}\n")).collect();
    assert_ne!(kept, text);
    fs::write(file, &kept).unwrap();
    kept
}

/// An address at which this test listens.
fn taken_address() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[test]
fn a_second_run_finds_the_data_and_the_settings_of_the_first() {
    let folder = Folder::new();
    let url = |answer: String| answer.split("txSecret").next().unwrap().to_owned();
    let first = Server::start(&folder);
    let before = url(first.call(&open_room("alice")));
    drop(first);
    let settings = read_to_string(folder.join("settings.toml")).unwrap();
    let second = Server::start(&folder);
    assert!(second.call(&room("alice")).contains(r#""title":"t""#));
    assert_eq!(url(second.call(&open_room("alice"))), before);
    assert_eq!(read_to_string(folder.join("settings.toml")).unwrap(), settings);
}

#[test]
fn a_killed_server_has_kept_every_write_that_it_acknowledged_and_counts_the_lists_again() {
    const WRITERS: usize = 4;
    const WRITES: usize = 200;
    let folder = Folder::new();
    let mut server = Server::start(&folder);
    let acknowledged = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (mut connection, acknowledged) = (server.connect(), &acknowledged);
            scope.spawn(move || {
                for n in (writer..WRITES).step_by(WRITERS) {
                    let user = format!("user{n}");
                    match exchange(&mut connection, "POST /interface.php HTTP/1.1", &open_room(&user)) {
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
    let log = folder.join("log");
    let server = Server::run_with_log(&mut serve(&folder), fs::File::create(&log).unwrap().into());
    let log = read_to_string(log).unwrap();
    assert!(log.contains("the lists are counted again"), "{log}");
    for user in &acknowledged {
        assert!(server.call(&room(user)).contains(r#""returnValue":0"#), "{user} is lost");
    }
    let list = |page| server.call(&format!(r#"{{"Action":"FetchList","flag":4,"pageno":{page},"pagesize":10}}"#));
    let listed: Vec<String> = (1..=WRITES / 10).map(list).collect();
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
        let mut server = Server::start(&folder);
        assert!(server.call(&open_room("alice")).contains(r#""returnValue":0"#));
        server.signal(signal);
        assert!(server.process.wait().unwrap().success(), "{signal:?}");
        assert_eq!(fs::read(folder.join("lock")).unwrap(), b"", "{signal:?}");
        for file in ["settings.toml", "table.db"] {
            fs::copy(folder.join(file), copy.join(file)).unwrap();
        }
        let restored = Server::start(&copy);
        assert!(restored.call(&room("alice")).contains(r#""title":"t""#), "{signal:?}");
    }
}

#[test]
fn a_start_warns_of_settings_without_their_table_and_of_a_table_without_its_settings() {
    let folder = Folder::new();
    let (settings, table, moved) = (folder.join("settings.toml"), folder.join("table.db"), folder.join("moved.db"));
    let server = Server::run_logged(&mut serve(&folder));
    server.call(&open_room("alice"));
    for log in [server.stop(), log_of(&folder)] {
        assert!(!log.contains("WARN"), "{log}");
    }
    fs::rename(&table, &moved).unwrap();
    let log = log_of(&folder);
    assert!(log.contains("WARN") && log.contains("table.db is missing") && log.contains("table.db-wal"), "{log}");
    fs::rename(&moved, &table).unwrap();
    fs::remove_file(&settings).unwrap();
    let log = log_of(&folder);
    assert!(log.contains("WARN") && log.contains("no settings") && log.contains("--config"), "{log}");
}

#[test]
fn a_start_as_the_readme_has_it_logs_no_warning() {
    let folder = Folder::new();
    let (data, settings) = (folder.join("data"), folder.join("data/settings.toml"));
    // A start that fails, as at a port that is taken, comes first.
    let (_listener, taken) = taken_address();
    failure(&mut serve_at(&taken, &data));
    for _ in 0..2 {
        let log = log_of(&data);
        assert!(!log.contains("WARN") && log.contains("stopped: every call was answered"), "{log}");
    }
    let text = read_to_string(&settings).unwrap();
    fs::write(&settings, format!("{text}TABLE_NAME = \"another\"\n")).unwrap();
    let log = log_of(&data);
    assert!(!log.contains("WARN"), "{log}");

    // Nor does the first start with a settings file of one's own, also after one that failed.
    let (other, own) = (folder.join("other"), ["--config", settings.to_str().unwrap()]);
    failure(serve_at(&taken, &other).args(own));
    let log = Server::run_logged(serve(&other).args(own)).stop();
    assert!(!log.contains("WARN"), "{log}");
}

#[test]
fn a_start_that_fails_creates_no_folder_and_its_error_says_what_to_do() {
    let folder = Folder::new();
    let (data, nowhere) = (folder.join("data"), folder.join("nowhere.toml"));
    let nowhere = nowhere.to_str().unwrap();
    let error = failure(serve(&data).args(["--config", nowhere]));
    assert!(error.contains(nowhere), "{error}");
    let (_listener, taken) = taken_address();
    let error = failure(&mut serve_at(&taken, &data));
    assert!(error.contains(&taken) && error.contains("--listen"), "{error}");
    assert!(!data.exists());
}

#[test]
fn a_missing_session_key_is_invented_once_and_only_by_a_start_that_succeeds() {
    let folder = Folder::new();
    let file = folder.join("settings.toml");
    drop(Server::start(&folder));
    let given = remove_settings(&file, &["SESSION_KEY"]).trim_end().to_owned();
    fs::write(&file, &given).unwrap();
    let (_listener, taken) = taken_address();
    failure(&mut serve_at(&taken, &folder));
    Server::run(serve(&folder).env("SESSION_KEY", "1".repeat(32))).stop();
    assert_eq!(read_to_string(&file).unwrap(), given);

    let log = log_of(&folder);
    assert!(log.contains("WARN") && log.contains("SESSION_KEY"), "{log}");
    let completed = read_to_string(&file).unwrap();
    assert!(completed.starts_with(&given) && completed.matches("\nSESSION_KEY = ").count() == 1, "{completed}");
    let log = log_of(&folder);
    assert!(!log.contains("WARN"), "{log}");
    assert_eq!(read_to_string(&file).unwrap(), completed);
}

#[test]
fn settings_that_are_removed_from_the_file_are_not_invented_and_the_start_prints_whether_the_cloud_is_called() {
    let folder = Folder::new();
    let server = Server::start(&folder);
    assert!(server.printed.contains("no calls (CLOUD_API_URL=none, API_URL=none)"), "{}", server.printed);
    drop(server);
    let file = folder.join("settings.toml");
    let given = remove_settings(&file, &["CLOUD_API_URL", "API_URL"]);
    let server = Server::start(&folder);
    assert!(!server.printed.contains("no calls"), "{}", server.printed);
    assert_eq!(read_to_string(&file).unwrap(), given);
}

#[test]
fn every_file_of_the_data_folder_is_for_its_owner_only_whatever_the_umask() {
    let folder = Folder::new();
    fs::set_permissions(&*folder, Permissions::from_mode(0o777)).unwrap();
    let start = || Server::run(&mut in_shell("umask 000", &serve_with_video(&folder)));
    let files = |when: &str| {
        let mut names = Vec::new();
        for file in fs::read_dir(&*folder).unwrap() {
            let file = file.unwrap();
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            // Nobody else enters the folder, so the modes of the files in it do not matter.
            let expected = if file.file_type().unwrap().is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, expected, "{when}: {:?}", file.path());
            names.push(file.file_name().into_string().unwrap());
        }
        names.sort();
        names
    };
    let files_of_all = ["lock", "settings.toml", "table.db", "table.db-shm", "table.db-wal"];
    let every = [&files_of_all[..], &["video"]].concat();
    let server = start();
    assert_eq!(files("created"), every);
    // So that all of them stay.
    server.kill();
    for name in files_of_all {
        fs::set_permissions(folder.join(name), Permissions::from_mode(0o666)).unwrap();
    }
    let _server = start();
    assert_eq!(files("found"), every);
}

#[tokio::test]
async fn a_table_of_another_version_is_refused() {
    let folder = Folder::new();
    Server::start(&folder).stop();
    let engine = Engine::on_disk(&folder.join("table.db")).unwrap();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = engine.client().put_item().table_name("mini-lvb").item("PK", text("TABLE")).item("SK", text("VERSION"));
    put.item("version", AttributeValue::N("2".to_owned())).send().await.unwrap();
    engine.close().unwrap();
    let error = failure(&mut serve(&folder));
    assert!(error.contains("version 2") && error.contains("version 1"), "{error}");
}

#[test]
fn all_faults_of_the_settings_are_reported_at_once_and_an_unknown_setting_is_named() {
    let folder = Folder::new();
    let file = folder.join("own.toml");
    let error_of = |text: &str| {
        fs::write(&file, text).unwrap();
        failure(serve_in_memory("0").args(["--config", file.to_str().unwrap()]))
    };
    let error = error_of("BIZID = \"88 88\"\nPUSH_KEY = \"short\"\n");
    for part in [
        "ACTION_AUTH is not set",
        "BIZID may contain",
        "PUSH_KEY must have at least 8 characters",
        "IM_SECRET_KEY is not set",
    ] {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert!(!error.contains("short\""), "no value is shown: {error}");
    let error = error_of("BISID = \"8888\"\n");
    assert!(error.contains("BISID is not a setting"), "{error}");
    let error = error_of("BIZID = 8888\nPUSH_KEY = true\n");
    assert!(error.contains("PUSH_KEY must be a text or a whole number"), "{error}");
}

#[test]
fn a_data_folder_has_one_server_at_a_time() {
    let folder = Folder::new();
    let first = Server::start(&folder);
    let error = failure(&mut serve(&folder));
    for part in [folder.to_str().unwrap(), "another mini-lvb", "--data"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert_eq!(first.call(""), HEALTH);
}

#[test]
fn a_damaged_table_is_named_with_what_to_do() {
    let folder = Folder::new();
    let name = folder.join("table.db");
    fs::write(&name, "no table at all, but long enough for its head to be read").unwrap();
    let error = failure(&mut serve(&folder));
    assert!(error.contains("is no table of mini-lvb"), "{error}");
    assert!(error.contains(name.to_str().unwrap()) && error.contains("put back a copy"), "{error}");

    fs::remove_file(&name).unwrap();
    Server::start(&folder).stop();
    let file = OpenOptions::new().write(true).open(&name).unwrap();
    let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
    file.write_all_at(&vec![0x55; length - 4096], 4096).unwrap();
    let error = failure(&mut serve(&folder));
    assert!(error.contains(name.to_str().unwrap()) && error.contains("put back a copy"), "{error}");
}

#[test]
fn the_address_of_the_tables_server_and_the_tables_name_are_checked_before_a_request() {
    let folder = Folder::new();
    for endpoint in ["foo", "", "localhost:8000", "ftp://localhost:8000"] {
        let error = output(serve(&folder).args(["--endpoint", endpoint])).unwrap_err();
        assert!(error.contains("begins with http://") && error.len() < 400, "{error}");
    }
    let error = output(serve(&folder).env("AWS_ENDPOINT_URL_DYNAMODB", "foo")).unwrap_err();
    assert!(error.contains("AWS_ENDPOINT_URL_DYNAMODB") && error.contains("begins with http://"), "{error}");
    let error = output(serve(&folder).env("TABLE_NAME", "x")).unwrap_err();
    assert!(error.contains("TABLE_NAME must have 3 to 255 letters"), "{error}");
}

#[test]
fn a_table_that_fails_leaves_one_line_of_each_call() {
    let folder = Folder::new();
    let server = Server::run_logged(&mut serve(&folder));
    assert!(server.call(&open_room("alice")).contains(r#""returnValue":0"#));
    // While the server runs. Without the index of its log, the engine reads both files again.
    for name in ["table.db", "table.db-wal", "table.db-shm"] {
        let file = OpenOptions::new().write(true).open(folder.join(name)).unwrap();
        file.write_all_at(&[0x55; 16 * 1024], 0).unwrap();
    }
    server.call(&open_room("bobby"));
    let log = server.kill();
    let calls = log.lines().filter(|line| line.contains("milliseconds=")).count();
    assert_eq!((log.lines().count(), calls), (2, 2), "{log}");
    assert!(log.contains("ERROR"), "{log}");
}

#[test]
fn a_server_of_the_table_that_is_not_there_is_named_with_the_cause_and_what_to_do() {
    let folder = Folder::new();
    // A port that has just been free.
    let url = format!("http://{}", taken_address().1);
    let error = failure(serve(&folder).args(["--endpoint", &url]));
    assert!(error.contains(&url) && error.contains("refused") && error.contains("--endpoint"), "{error}");
}

#[test]
fn a_server_of_the_table_gets_the_credentials_of_the_environment() {
    let folder = Folder::new();
    let (listener, address) = taken_address();
    let mut command = serve(&folder);
    command.args(["--endpoint", &format!("http://{address}")]).env("AWS_REGION", "ap-guangzhou");
    command.env("AWS_ACCESS_KEY_ID", "AKIDtest").env("AWS_SECRET_ACCESS_KEY", "for-tests-only");
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
