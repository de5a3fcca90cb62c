//! The names agree: commands, binaries, documents and template say the same. And the boundaries hold that
//! `ARCHITECTURE.md` draws, where neither the compiler nor clippy can.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::HttpRequest,
};
use cli::engine::Engine;
use lambda_http::http::Request;
use serde_json::Value;
use shared::{
    commands::{self, Command, LiveCallback, Names},
    config::SETTINGS,
    table::keys,
};

use crate::{
    harness::{action, notice, program_over, send, tests_folder},
    steps::{registered, signed},
};

/// Binaries that serve a door, not one command.
const DOORS: [&str; 2] = ["interface", "live_callback"];
/// Binaries that nobody calls but the clock.
const TASKS: [&str; 1] = ["sweep"];
/// Files beside the commands that are none.
const NO_COMMANDS: [&str; 4] = ["mod", "notices", "rows", "tokens"];

fn root() -> PathBuf {
    tests_folder().parent().unwrap().to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of what is in a folder, without extension.
fn names_in(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

/// The source files of a folder, by their names, without their tests.
fn sources(folder: &str) -> Vec<(String, String)> {
    let is_file = |name: &String| root().join(folder).join(format!("{name}.rs")).is_file();
    let code = |name: &String| read(format!("{folder}/{name}.rs")).split("#[cfg(test)]").next().unwrap().to_owned();
    names_in(folder).into_iter().filter(is_file).map(|name| (name.clone(), code(&name))).collect()
}

/// Commands with an address of their own, in order.
fn paths() -> Vec<&'static str> {
    commands::all().iter().filter_map(|entry| entry.names.path).collect()
}

fn binaries() -> BTreeSet<String> {
    paths().into_iter().chain(DOORS).chain(TASKS).map(str::to_owned).collect()
}

/// The Actions of a command as the documents list them, the one that its path stands for first.
fn actions(path: &str) -> Vec<&'static str> {
    commands::all().iter().filter(|entry| entry.names.name == path).filter_map(|entry| entry.names.action).collect()
}

fn assert_unique(names: impl Iterator<Item = &'static str>) {
    let mut seen = BTreeSet::new();
    for name in names {
        assert!(seen.insert(name), "{name} is there twice");
    }
}

#[test]
fn every_command_has_a_binary_and_every_binary_a_command() {
    assert_eq!(names_in("functions/src/bin"), binaries());
}

#[test]
fn a_binary_has_one_statement() {
    for (name, code) in sources("functions/src/bin") {
        let main = code.split("async fn main() -> Result<(), lambda::Error> {\n").nth(1).unwrap();
        let is_known = ["    lambda::serve(", "    lambda::sweep("].iter().any(|call| main.starts_with(call));
        let one = main.lines().count() == 2 && is_known && main.ends_with(".await\n}\n");
        assert!(one, "{name}: {main}");
    }
}

/// The two ways in which Tencent SCF runs all commands: they are in no template of AWS.
const SCF: [&str; 2] = ["scf_event", "scf_web"];

#[test]
fn what_scf_runs_has_one_statement_and_is_built_and_deployed() {
    assert_eq!(names_in("scf/src/bin"), SCF.map(str::to_owned).into());
    for (name, code) in sources("scf/src/bin") {
        let main = code.split("async fn main() -> Result<(), scf::Error> {\n").nth(1).unwrap();
        assert_eq!(main, format!("    {}::serve().await\n}}\n", name.replace('_', "::")));
        assert!(read("scripts/build-scf").contains(&format!("folder / \"{name}\"")), "{name}");
        assert!(read("deploy/scf/main.tf").contains(&format!("\"{name}-*.zip\"")), "{name}");
    }
    let bootstrap = read("deploy/scf/scf_bootstrap");
    assert!(bootstrap.starts_with("#!/bin/bash\n") && bootstrap.ends_with("/scf_web\"\n"), "{bootstrap}");
}

#[test]
fn the_example_for_scf_has_every_setting_that_must_be_set_and_secrets_in_their_place() {
    let example = read("deploy/scf/example.tfvars");
    let block = |name: &str| {
        let lines = example.split(&format!("{name} = {{\n")).nth(1).unwrap().split("}\n").next().unwrap().to_owned();
        lines.lines().map(|line| line.trim().split(' ').next().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let is_secret = |name: &str| name.split('_').any(|word| word == "KEY");
    let wanted = SETTINGS.iter().filter(|setting| setting.default.is_none() || setting.name == "OPERATOR_KEY");
    let (secrets, settings) = wanted.map(|setting| setting.name.to_owned()).partition(|name| is_secret(name));
    assert_eq!((block("secrets"), block("settings")), (secrets, settings));
    let variables = read("deploy/scf/variables.tf");
    for variable in variables.split("\nvariable ").filter(|block| block.contains("ecret") || block.contains("key")) {
        let is_sensitive = variable.contains("sensitive   = true");
        assert!(is_sensitive || variable.starts_with("\"settings\""), "{variable}");
    }
}

#[test]
fn every_command_has_a_file_and_every_file_a_command() {
    let commands = commands::all().into_iter().map(|entry| entry.names.name).chain([LiveCallback::NAMES.name]);
    let expected: BTreeSet<_> = commands.chain(NO_COMMANDS).map(str::to_owned).collect();
    assert_eq!(names_in("shared/src/commands"), expected);
}

#[test]
fn names_are_unique() {
    assert_unique(paths().into_iter());
    assert_unique(commands::all().into_iter().filter_map(|entry| entry.names.action));
    for Names { name, path, .. } in commands::all().map(|entry| entry.names) {
        assert!(path.is_none_or(|path| path == name), "{name} has the address of another command");
        assert!(paths().contains(&name), "{name} has no address");
    }
}

#[test]
fn the_protocol_has_a_section_per_command_in_order() {
    let document = read("docs/protocol.md");
    let commands =
        document.split("\n## Commands\n").nth(1).unwrap().split("\n## Notices of the cloud\n").next().unwrap();
    let sections: Vec<_> = commands.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let title = |path: &&str| match actions(path).join(", ") {
        actions if actions.is_empty() => format!("`{path}`"),
        actions => format!("`{path}` ({actions})"),
    };
    let expected: Vec<_> = paths().iter().map(title).collect();
    assert_eq!(sections, expected);
}

#[test]
fn the_protocol_tells_every_code() {
    let document = read("docs/protocol.md");
    let codes = document.split("\n### Codes\n").nth(1).unwrap().split("\n### ").next().unwrap();
    for dialect in ["action", "rest", "callback"] {
        let code = read(format!("shared/src/wire/{dialect}.rs"));
        let arms = code.lines().filter(|line| line.trim_start().starts_with("Error::")).filter_map(|line| {
            let (_, value) = line.split_once("=> (")?;
            Some(value.trim_end_matches("),").replace("\", \"", " ").replace(['"'], "").to_owned())
        });
        let mut told = 0;
        for arm in arms {
            let (number, text) = arm.split_once(", ").unwrap();
            let written = if dialect == "callback" { arm.clone() } else { format!("{number} `{text}`") };
            assert!(codes.contains(&written), "{dialect}: {written}");
            told += 1;
        }
        assert!(told > 4, "{dialect} has codes");
    }
}

#[test]
fn the_readme_lists_every_command() {
    let readme = read("README.md");
    for path in paths() {
        let row = format!("| `{path}` | {} | `/{path}` |", actions(path).join(", ")).replace("|  |", "| |");
        assert!(readme.contains(&row), "{row}");
    }
}

#[test]
fn every_golden_folder_is_a_command() {
    let known: BTreeSet<_> = binaries();
    for folder in names_in("tests/golden") {
        assert!(known.contains(&folder), "tests/golden/{folder}");
    }
}

/// The blocks of a section of the template, by their names.
fn blocks(section: &str) -> BTreeMap<String, String> {
    let template = read("template.yaml");
    let mut blocks: BTreeMap<String, String> = BTreeMap::new();
    let mut name = String::new();
    let lines = template.lines().skip_while(|line| *line != format!("{section}:")).skip(1);
    for line in lines.take_while(|line| line.is_empty() || line.starts_with(' ')) {
        match line.strip_prefix("  ").filter(|line| line.starts_with(char::is_alphabetic)) {
            Some(head) => name = head.trim_end_matches(':').to_owned(),
            None if line.trim_start().starts_with('#') => {}
            None => blocks.entry(name.clone()).or_default().extend([line, "\n"]),
        }
    }
    blocks
}

/// The functions of the template, by the names of their binaries.
fn functions() -> BTreeMap<String, String> {
    let resources = blocks("Resources").into_values().filter(|block| block.contains("Type: AWS::Serverless::Function"));
    let named = resources.map(|block| {
        let folder = block.split("CodeUri: target/lambda/").nth(1).unwrap_or_else(|| panic!("no CodeUri: {block}"));
        (folder.lines().next().unwrap().trim_end_matches('/').to_owned(), block.clone())
    });
    named.collect()
}

#[test]
fn the_template_has_a_function_with_a_route_for_every_binary() {
    let functions = functions();
    assert_eq!(functions.keys().cloned().collect::<BTreeSet<_>>(), binaries());
    for (name, block) in functions {
        let routes: Vec<_> = block.lines().filter(|line| line.contains("Type: HttpApi")).collect();
        let expected: Vec<(&str, String)> = match name.as_str() {
            "live_callback" => {
                assert!(block.contains("FunctionUrlConfig: { AuthType: NONE }"), "the cloud signs by other means");
                vec![]
            }
            "sweep" => {
                assert!(block.contains("Type: ScheduleV2") && block.contains("rate(1 minute)"), "{block}");
                vec![]
            }
            "interface" => {
                let pages = ["/interface.php", "/index.php", "/"].map(str::to_owned);
                pages.into_iter().flat_map(|page| [("GET", page.clone()), ("POST", page)]).collect()
            }
            command => vec![("POST", format!("/{command}"))],
        };
        assert_eq!(routes.len(), expected.len(), "{name}");
        for (method, path) in expected {
            let route = format!("Path: {path}, Method: {method} }}");
            assert!(routes.iter().any(|line| line.contains(&route)), "{name}: {route}");
        }
    }
}

/// `PUSH_URL_SECONDS` as the template's parameter spells it.
fn parameter(setting: &str) -> String {
    let capital = |word: &str| word[..1].to_owned() + &word[1..].to_ascii_lowercase();
    let name: String = setting.split('_').map(capital).collect();
    name.replace("Bizid", "BizId").replace("Appid", "AppId")
}

#[test]
fn every_setting_is_a_parameter_of_the_template_and_reaches_every_function() {
    let globals = blocks("Globals").remove("Function").unwrap();
    let variables = globals.split("      Variables:\n").nth(1).unwrap().trim_end();
    let given: Vec<_> = variables.lines().map(str::trim).collect();
    let expected = SETTINGS.map(|setting| match setting.name {
        "TABLE_NAME" => "TABLE_NAME: !Ref Table".to_owned(),
        name => format!("{name}: !Ref {}", parameter(name)),
    });
    assert_eq!(given, expected);
    let parameters = blocks("Parameters");
    for setting in SETTINGS.iter().filter(|setting| setting.name != "TABLE_NAME") {
        let block = &parameters[&parameter(setting.name)];
        let default = block.lines().find_map(|line| line.trim().strip_prefix("Default: "));
        assert_eq!(default.map(|text| text.trim_matches('"')), setting.default, "{}", setting.name);
        let secret = setting.name.split('_').any(|word| word == "KEY");
        assert_eq!(block.contains("NoEcho: true"), secret, "{}: whether it is a secret", setting.name);
    }
}

#[test]
fn the_table_of_the_template_is_the_one_that_the_code_makes() {
    let table = blocks("Resources").remove("Table").unwrap();
    let schema = |head: &str, hash: &str, range: &str, indent: &str| {
        format!(
            "{head}\n{indent}- {{ AttributeName: {hash}, KeyType: HASH }}\n\
             {indent}- {{ AttributeName: {range}, KeyType: RANGE }}\n"
        )
    };
    let index = format!("        - IndexName: {}\n          KeySchema:", keys::LISTS);
    for part in [
        "Type: AWS::DynamoDB::Table\n".to_owned(),
        "BillingMode: PAY_PER_REQUEST\n".to_owned(),
        schema("      KeySchema:", keys::PK, keys::SK, "        "),
        schema(&index, keys::LIST, keys::POSITION, "            "),
        "Projection: { ProjectionType: ALL }\n".to_owned(),
        format!("TimeToLiveSpecification: {{ AttributeName: {}, Enabled: true }}\n", keys::EXPIRES_AT),
    ] {
        assert!(table.contains(&part), "{part}");
    }
    assert_eq!(table.matches("AttributeType: ").count(), 6, "no attribute but those of the keys is declared");
}

/// What the SDK was asked to do, as a policy names it.
type Asked = Arc<Mutex<BTreeSet<String>>>;

/// An embedded table that notes what it is asked.
fn noting(asked: Asked) -> SharedHttpClient {
    #[derive(Debug)]
    struct Noting(SharedHttpConnector, Asked);
    impl HttpConnector for Noting {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let target = request.headers().get("x-amz-target").unwrap();
            let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
            let index = if body.contains("\"IndexName\"") { " of the index" } else { "" };
            self.1.lock().unwrap().insert(format!("dynamodb:{}{index}", target.split('.').nth(1).unwrap()));
            self.0.call(request)
        }
    }
    let engine = Engine::in_memory().unwrap().http_client();
    http_client_fn(move |settings, components| {
        SharedHttpConnector::new(Noting(engine.http_connector(settings, components), Arc::clone(&asked)))
    })
}

/// Calls that take every way through the table, each command's in a row of its own: its Action, or its path if it has
/// none.
///
/// Calls by a path are signed by whom they name, where that is alice or carol, and by nobody else.
const CALLS: [(&str, &[&str]); 34] = [
    ("register", &[r#""userid":"bobby","password":"abc""#]),
    ("login", &[r#""userid":"bobby","password":"abc""#]),
    ("get_user_info", &[r#""userid":"alice""#]),
    ("upload_user_info", &[r#""userid":"alice","nickname":"Al","sex":1"#]),
    ("RequestLVBAddr", &[r#""userid":"a","groupid":"g","title":"t""#; 2]),
    ("ChangeStatus", &[r#""userid":"a","status":1"#, r#""userid":"a","status":0"#]),
    (
        "ChangeCount",
        &[r#""userid":"a","type":1,"optype":0,"flag":0"#, r#""userid":"a","type":1,"optype":0,"flag":1,"fileid":"f1""#],
    ),
    (
        "FetchList",
        &[
            r#""flag":3,"pageno":1,"pagesize":10"#,
            r#""flag":4,"pageno":1,"pagesize":10"#,
            r#""flag":5,"pageno":1,"pagesize":10"#,
        ],
    ),
    ("GetUserInfo", &[r#""userid":"a","type":0"#, r#""userid":"a","type":1,"fileid":"f1""#]),
    (
        "EnterGroup",
        &[
            r#""userid":"b","liveuserid":"a","groupid":"g","flag":0"#,
            r#""userid":"b","liveuserid":"a","groupid":"f1","flag":1"#,
        ],
    ),
    (
        "QuitGroup",
        &[
            r#""userid":"b","liveuserid":"a","groupid":"g","flag":0"#,
            r#""userid":"b","liveuserid":"a","groupid":"f1","flag":1"#,
        ],
    ),
    ("FetchGroupMemberList", &[r#""liveuserid":"a","groupid":"other","pageno":1,"pagesize":10"#]),
    ("GetCOSSignV2", &[""]),
    ("GetCOSSign", &[""]),
    ("get_cos_grant", &[r#""userid":"alice","size":1,"type":"image/png""#]),
    ("GetVodSignatureV2", &[""]),
    ("UploadUGCVideo", &[r#""userid":"a","file_id":"v1","play_url":"http://v/1","title":"t""#; 2]),
    ("RequestLVBAddrForLinkMic", &[r#""userid":"b","title":"t""#]),
    ("RequestPlayUrlWithSignForLinkMic", &[r#""userid":"b","originStreamUrl":"rtmp://h/live/8888_a""#]),
    ("MergeVideoStream", &[r#""userid":"a","mergeparams":{}"#]),
    ("ReportUser", &[r#""userid":"b","hostuserid":"a""#]),
    ("ForbidLive", &[r#""userid":"a","forbidflag":1,"hide_replays":1"#, r#""userid":"a","forbidflag":0"#]),
    ("upload_room", &[r#""userid":"alice","title":"t""#; 2]),
    ("get_vod_list", &[r#""userid":"alice","index":0,"count":10"#]),
    ("get_ugc_list", &[r#""userid":"alice","index":0,"count":10"#]),
    ("get_roomservice_sign", &[r#""userid":"alice""#]),
    (
        "update_replay",
        &[r#""userid":"alice","file_id":"f3","hidden":1"#, r#""userid":"alice","file_id":"f3","hidden":0"#],
    ),
    ("delete_replay", &[r#""userid":"alice","file_id":"f3""#]),
    ("list_notices", &[r#""streamid":"8888_a""#, r#""userid":"a""#, ""]),
    ("show_notice", &[r#""streamid":"8888_a","id":"100 f1""#]),
    ("replay_notices", &[r#""streamid":"rs_dave""#]),
    ("rebuild_user", &[r#""userid":"erin""#]),
    ("refresh", &[r#""userid":"alice","refresh_token":"""#]),
    ("logout", &[r#""userid":"carol""#]),
];

#[tokio::test]
async fn a_policy_allows_what_its_command_was_seen_to_do_and_nothing_else() {
    const OPERATOR: &str = "a-key-for-operators";
    let asked = Asked::default();
    let program = program_over(noting(Arc::clone(&asked)), |name| (name == "OPERATOR_KEY").then_some(OPERATOR)).await;
    let drain = || std::mem::take(&mut *asked.lock().unwrap());
    let now = program.now();
    let body = |action: &str, fields: &str| match fields {
        "" => format!(r#"{{"Action":"{action}"}}"#),
        fields => format!(r#"{{"Action":"{action}",{fields}}}"#),
    };
    // A room with a replay and somebody in another group, so that no call finds nothing.
    action(&program, &body("RequestLVBAddr", r#""userid":"a","groupid":"g","title":"t""#)).await;
    action(&program, &body("EnterGroup", r#""userid":"c","liveuserid":"a","groupid":"other","flag":0"#)).await;
    let phones = [registered(&program, "alice").await, registered(&program, "carol").await];
    let mut seen = BTreeMap::new();
    let recorded = |user: &str, file: u8| {
        format!(
            r#""event_type":100,"stream_id":"8888_{user}","video_id":"f{file}","video_url":"u","file_format":"flv",
            "start_time":{},"end_time":{now}"#,
            now - 100
        )
    };
    signed(&program, &phones[0], "upload_room", serde_json::json!({"title": "t"})).await;
    notice(&program, &recorded("alice", 3)).await;
    // The last of these joins two lives, so that one of them is deleted.
    let pushes = |stream: &str| {
        [(1, 1, 0), (0, 1, 10), (1, 2, 90), (1, 3, 50)].map(|(event, push, seconds)| {
            let fields = format!(r#""event_type":{event},"stream_id":"{stream}","sequence":"{push}""#);
            format!(r#"{fields},"event_time":{}"#, now + seconds)
        })
    };
    // It comes before it can be known whom it is about, and waits for an operator.
    for user in ["dave", "erin"] {
        let [first, second, third, last] = pushes(&format!("rs_{user}"));
        notice(&program, &last).await;
        action(&program, &body("RequestLVBAddr", &format!(r#""userid":"{user}","groupid":"g","title":"t""#))).await;
        for fields in [first, second, third] {
            notice(&program, &fields).await;
        }
    }
    drain();
    for fields in pushes("8888_a") {
        notice(&program, &fields).await;
    }
    notice(&program, &recorded("a", 1)).await;
    notice(&program, &recorded("a", 2)).await;
    seen.insert("live_callback".to_owned(), drain());
    for (name, calls) in CALLS {
        let mut all = commands::all().into_iter();
        let Names { name: command, action, .. } =
            all.find(|entry| entry.names.action.unwrap_or(entry.names.name) == name).unwrap().names;
        for fields in calls {
            let (path, body) = match action {
                Some(action) => ("/interface.php".to_owned(), body(action, fields)),
                None => (format!("/{command}"), format!("{{{fields}}}")),
            };
            let request = Request::post(path).header("x-operator-key", OPERATOR);
            let answer = match phones.iter().find(|phone| action.is_none() && fields.contains(&phone.user)) {
                Some(phone) => {
                    let mut fields: Value = serde_json::from_str(&body).unwrap();
                    if command == "refresh" {
                        fields["refresh_token"] = phone.refresh_token.clone().into();
                    }
                    signed(&program, phone, command, fields).await
                }
                None => send(&program, request.body(body.into_bytes()).unwrap()).await.into_body(),
            };
            // No cloud can be asked here; all others are answered.
            let done = [r#""returnValue":0"#, r#""returnValue":3000"#, r#""code":200"#];
            assert!(done.iter().any(|done| answer.contains(done)), "{name} {fields}: {answer}");
        }
        let done = drain();
        if action.is_some() {
            seen.entry("interface".to_owned()).or_insert_with(BTreeSet::new).extend(done.iter().cloned());
        }
        seen.insert(command.to_owned(), done);
    }
    // A viewer who has been silent for long, and a live.
    action(&program, &body("EnterGroup", r#""userid":"d","liveuserid":"a","groupid":"g","flag":0"#)).await;
    drain();
    program.pass(30_000);
    shared::sweep::round(&program.app).await.unwrap();
    seen.insert("sweep".to_owned(), drain());
    program.app.table.warm_up().await.unwrap();
    let at_start = drain();
    let functions = functions();
    assert_eq!(seen.keys().collect::<Vec<_>>(), functions.keys().collect::<Vec<_>>());
    for (name, mut seen) in seen {
        seen.extend(at_start.iter().cloned());
        assert_eq!(allowed(&functions[&name]), seen, "{name}");
    }
}

/// What the policy of a function allows.
fn allowed(block: &str) -> BTreeSet<String> {
    let mut allowed = BTreeSet::new();
    for statement in block.split("Effect: Allow").skip(1) {
        let (actions, resource) = statement.split_once("Resource: ").unwrap();
        let index = match resource.lines().next().unwrap().trim_end_matches(" }") {
            "!GetAtt Table.Arn" => "",
            "!Sub \"${Table.Arn}/index/lists\""
            | "!Sub \"${Table.Arn}/index/work\""
            | "!Sub \"${Table.Arn}/index/*\"" => " of the index",
            other => panic!("{other} is no resource of ours"),
        };
        let words = actions.split(|c: char| !c.is_alphanumeric() && c != ':' && c != '*');
        let actions = words.filter(|word| word.starts_with("dynamodb:"));
        allowed.extend(actions.map(|action| format!("{action}{index}")));
    }
    allowed
}

/// The dependencies that a manifest names, of whatever kind.
fn dependencies(package: &str) -> BTreeSet<String> {
    let manifest = read(format!("{package}/Cargo.toml"));
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.contains("dependencies");
        } else if let Some(name) = line.split(['.', ' ', '=']).next().filter(|name| inside && !name.is_empty()) {
            names.insert(name.to_owned());
        }
    }
    names
}

#[test]
fn functions_depend_on_the_library_and_the_runtime_only() {
    assert_eq!(dependencies("functions"), BTreeSet::from(["shared".to_owned(), "tokio".to_owned()]));
}

#[test]
fn no_function_of_lambda_depends_on_an_http_server_and_nothing_deployed_on_the_embedded_engine() {
    assert!(dependencies("cli").contains("dynoxide-rs") && dependencies("server").contains("hyper"));
    let (server, local) = (["hyper", "http-body", "server"], ["dynoxide", "clap", "toml", "cli"]);
    let no_lambda = [&server[..], &local].concat();
    let packages = [("shared", &no_lambda[..]), ("functions", &no_lambda), ("server", &local), ("scf", &local)];
    for (package, heavy) in packages {
        let named = dependencies(package);
        let named = named.iter().find(|name| heavy.iter().any(|heavy| name.starts_with(heavy)));
        assert_eq!(named, None, "{package}");
    }
}

#[test]
fn commands_name_neither_http_nor_a_dialect_nor_the_sdk() {
    for (name, code) in sources("shared/src/commands").into_iter().filter(|(name, _)| name != "mod") {
        let code = code.replace("lambda_http::tracing", "");
        for word in ["http", "Dialect", "aws_sdk", "AttributeValue", "StatusCode", "returnValue"] {
            assert!(!code.contains(word), "{name} mentions {word}");
        }
    }
}

#[test]
fn only_one_file_makes_callers() {
    let code = read("shared/src/auth.rs");
    let code = code.split("#[cfg(test)]").next().unwrap();
    for line in code.lines().map(str::trim_start) {
        let field = line.strip_prefix("pub ").and_then(|rest| rest.split_once(": "));
        let is_field = field.is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        let is_tuple = line.contains("struct ") && line.contains("(pub");
        assert!(!is_field && !is_tuple, "{line}");
    }
}

#[test]
fn every_dependency_has_its_reason_written_down() {
    let (manifest, decision) = (read("Cargo.toml"), read("docs/decisions/0007-dependencies.md"));
    let section = manifest.split("[workspace.dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let reasons: String = decision.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).collect();
    // The names of the rows, those of the second in a row cut short: "aws-smithy-runtime-api, -types".
    for name in section.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty()) {
        let ours = ["shared", "server", "cli"].contains(&name);
        let known = reasons.contains(name) || name == "aws-smithy-types" || name == "http";
        assert!(ours || known, "{name} has no row in decision 7");
    }
}

#[test]
fn signatures_have_no_clock_no_environment_and_no_input() {
    for (name, code) in sources("shared/src/sign") {
        for word in ["async", "SystemTime", "Instant", "std::env", "std::fs", "std::net", "tokio", "random()"] {
            assert!(!code.contains(word), "{name} mentions {word}");
        }
    }
}

#[test]
fn only_one_file_spells_keys() {
    for (name, code) in sources("shared/src/table").into_iter().filter(|(name, _)| name != "keys") {
        for literal in code.split('"').skip(1).step_by(2) {
            let prefix = literal.trim_start_matches(|c: char| c.is_ascii_uppercase());
            let key = prefix.len() < literal.len() && prefix.starts_with(['#', '$']);
            assert!(!key, "{name} spells the key {literal:?}");
        }
    }
}

#[test]
fn only_the_wire_knows_envelopes_and_secrets_stay_inside() {
    for folder in ["shared/src", "shared/src/commands", "shared/src/table", "shared/src/sign", "cli/src"] {
        for (name, code) in sources(folder) {
            assert!(!code.contains("returnValue") && !code.contains("returnMsg"), "{folder}/{name}");
        }
    }
    let types = read("shared/src/types.rs");
    assert!(types.contains("pub struct Secret(String);"));
    for way_out in ["Display for Secret", "Serialize for Secret", "AsRef<str> for Secret", "Deref for Secret"] {
        assert!(!types.contains(way_out), "{way_out}");
    }
}
