//! The names agree: commands, binaries and documents say the same. And the boundaries hold that `ARCHITECTURE.md` draws,
//! where neither the compiler nor clippy can.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{self, Stdio},
};

use crate::support::{harness::tests_folder, policy::OPERATIONS};
use app::{
    commands::{self, Command, Names, live_callback::LiveCallback},
    config::SETTINGS,
};

/// Binaries that serve an entrypoint of several commands.
const ENTRYPOINTS: [&str; 2] = ["interface", "live_callback"];
/// Binaries that nobody calls but the clock.
const TASKS: [&str; 1] = ["sweep"];
/// Files beside the commands that are none.
const NO_COMMANDS: [&str; 5] = ["mod", "notice_event", "notices", "rows", "tokens"];

fn root() -> PathBuf {
    tests_folder().parent().unwrap().to_owned()
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of what is in a folder, without extension.
fn names_in(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

/// The source files of a folder and of those in it, by their names, without their tests.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        match name.strip_suffix(".rs") {
            Some(name) => found.push((name.to_owned(), read(&path).split("#[cfg(test)]").next().unwrap().to_owned())),
            None if root().join(&path).is_dir() => found.extend(sources(&path)),
            None => {}
        }
    }
    found
}

/// Commands with an address of their own, in order.
fn paths() -> Vec<&'static str> {
    commands::all().iter().filter_map(|entry| entry.names.path).collect()
}

pub(crate) fn binaries() -> BTreeSet<String> {
    paths().into_iter().chain(ENTRYPOINTS).chain(TASKS).map(str::to_owned).collect()
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
        let main = code.split("fn main() -> Result<(), lambda::Error> {\n").nth(1).unwrap();
        let is_known = ["    lambda::serve(", "    lambda::sweep("].iter().any(|call| main.starts_with(call));
        let one = main.lines().count() == 2 && is_known && main.ends_with(")\n}\n");
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
        assert!(read("deploy/tencent/main.tf").contains(&format!("\"{name}-*.zip\"")), "{name}");
    }
    let bootstrap = read("deploy/tencent/scf_bootstrap");
    assert!(bootstrap.starts_with("#!/bin/bash\n") && bootstrap.ends_with("/scf_web\"\n"), "{bootstrap}");
}

#[test]
fn the_example_for_scf_has_every_setting_that_must_be_set_and_secrets_in_their_place() {
    let example = read("deploy/tencent/example.tfvars");
    let block = |name: &str| {
        let lines = example.split(&format!("{name} = {{\n")).nth(1).unwrap().split("}\n").next().unwrap().to_owned();
        lines.lines().map(|line| line.trim().split(' ').next().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let is_secret = |name: &str| name.split('_').any(|word| word == "KEY");
    let wanted = SETTINGS.iter().filter(|setting| setting.default.is_none() || setting.name == "OPERATOR_KEY");
    let (secrets, settings) = wanted.map(|setting| setting.name.to_owned()).partition(|name| is_secret(name));
    assert_eq!((block("secrets"), block("settings")), (secrets, settings));
    let variables = read("deploy/tencent/variables.tf");
    for variable in variables.split("\nvariable ").filter(|block| block.contains("ecret") || block.contains("key")) {
        let is_sensitive = variable.contains("sensitive   = true");
        assert!(is_sensitive || variable.starts_with("\"settings\""), "{variable}");
    }
}

#[test]
fn every_command_has_a_file_and_every_file_a_command() {
    let commands = commands::all().into_iter().map(|entry| entry.names.name).chain([LiveCallback::NAMES.name]);
    let expected: BTreeSet<_> = commands.chain(NO_COMMANDS).map(str::to_owned).collect();
    assert_eq!(names_in("shared/app/src/commands"), expected);
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
        let code = read(format!("shared/protocol/src/wire/{dialect}.rs"));
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
fn every_script_says_what_it_does() {
    for entry in fs::read_dir(root().join("scripts")).unwrap() {
        let path = entry.unwrap().path();
        if path.metadata().unwrap().permissions().mode() & 0o111 == 0 {
            continue;
        }
        // In a folder of its own, since scripts are also started from elsewhere; and with no standard input to wait for.
        for option in ["--help", "-h"] {
            let mut script = process::Command::new(&path);
            script.arg(option).current_dir(std::env::temp_dir()).stdin(Stdio::null());
            let said = script.output().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let text = String::from_utf8_lossy(&said.stdout).into_owned();
            let name = format!("scripts/{}", path.file_name().unwrap().to_str().unwrap());
            assert!(said.status.success() && text.contains(&name), "{name} {option}: {said:?}");
        }
    }
}

#[test]
fn every_golden_folder_is_a_command() {
    let known: BTreeSet<_> = binaries();
    for folder in names_in("tests/golden") {
        assert!(known.contains(&folder), "tests/golden/{folder}");
    }
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

/// Who knows what: of each package, which of our own and of these others its manifest names. What is not named the
/// compiler refuses.
const KNOWN_TO_FEW: [&str; 9] = [
    "aws-sdk-dynamodb",
    "aws-smithy-http-client",
    "clap",
    "dynoxide-rs",
    "hyper",
    "lambda_http",
    "rustix",
    "tokio",
    "toml",
];
const WALLS: [(&str, &[&str]); 12] = [
    ("shared/protocol", &[]),
    ("shared/timeline", &["protocol"]),
    ("shared/http_client", &["aws-smithy-http-client", "tokio"]),
    ("shared/store", &["aws-sdk-dynamodb", "aws-smithy-http-client", "protocol", "timeline", "tokio"]),
    ("shared/app", &["http_client", "protocol", "store", "timeline", "tokio"]),
    ("shared/lambda", &["app", "lambda_http", "protocol", "store", "tokio"]),
    ("functions", &["app", "lambda"]),
    ("server", &["app", "hyper", "protocol", "rustix", "store", "tokio"]),
    ("scf", &["app", "http_client", "lambda", "protocol", "server", "tokio"]),
    ("cloud", &["hyper", "protocol", "tokio"]),
    ("web", &[]),
    (
        "cli",
        &[
            "app",
            "aws-sdk-dynamodb",
            "clap",
            "cloud",
            "dynoxide-rs",
            "http_client",
            "hyper",
            "protocol",
            "rustix",
            "server",
            "store",
            "tokio",
            "toml",
            "web",
        ],
    ),
];

#[test]
fn packages_depend_downwards_only() {
    let ours = |name: &str| WALLS.iter().any(|(package, _)| package.rsplit('/').next() == Some(name));
    for (package, expected) in WALLS {
        let is_walled = |name: &String| ours(name) || KNOWN_TO_FEW.contains(&name.as_str());
        let named: BTreeSet<_> = dependencies(package).into_iter().filter(is_walled).collect();
        assert_eq!(named, expected.iter().map(|name| (*name).to_owned()).collect(), "{package}");
    }
    assert_eq!(names_in("shared").len(), WALLS.iter().filter(|(package, _)| package.starts_with("shared/")).count());
}

#[test]
fn only_one_file_makes_callers() {
    let code = read("shared/app/src/auth.rs");
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
    for name in
        section.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty() && *name != "#")
    {
        let ours = WALLS.iter().any(|(package, _)| package.rsplit('/').next() == Some(name));
        let known = reasons.contains(name) || name == "aws-smithy-types" || name == "http";
        assert!(ours || known, "{name} has no row in decision 7");
    }
}

/// Not every store that the table could be in has transactions, PartiQL or scans (`docs/engines.md`), and no policy of a
/// function allows them.
#[test]
fn the_table_asks_for_nothing_but_what_functions_may() {
    let of_functions = OPERATIONS.map(snake_case);
    let of_tools = ["create_table", "put_item", "update_time_to_live", "config"].map(str::to_owned);
    let mut used = BTreeSet::new();
    for (name, code) in sources("shared/store/src") {
        let code: String = code.split_whitespace().collect();
        for call in code.split("client.").skip(1) {
            let call: String = call.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            assert!(of_functions.contains(&call) || of_tools.contains(&call), "{name} asks for {call}");
            used.insert(call);
        }
    }
    assert_eq!(used.len(), of_functions.len() + of_tools.len(), "{used:?}");
}

/// `GetItem` as the SDK's method spells it.
fn snake_case(operation: &str) -> String {
    let word = |c: char| if c.is_ascii_uppercase() { format!("_{}", c.to_ascii_lowercase()) } else { c.to_string() };
    operation.chars().map(word).collect::<String>().trim_start_matches('_').to_owned()
}

/// What the sweep asks of the table is judged only where the harness has it come by, and so is every call.
#[test]
fn no_test_goes_around_the_guard() {
    let elsewhere = |name: &str| !["harness", "agreement"].contains(&name);
    for (name, code) in sources("tests/it").into_iter().filter(|(name, _)| elsewhere(name)) {
        assert!(!code.contains("sweep::run(") && !code.contains("answer::answer"), "{name}");
    }
}

#[test]
fn only_one_file_spells_keys() {
    for (name, code) in sources("shared/store/src").into_iter().filter(|(name, _)| name != "keys") {
        for literal in code.split('"').skip(1).step_by(2) {
            let prefix = literal.trim_start_matches(|c: char| c.is_ascii_uppercase());
            let key = prefix.len() < literal.len() && prefix.starts_with(['#', '$']);
            assert!(!key, "{name} spells the key {literal:?}");
        }
    }
}

#[test]
fn only_the_wire_knows_envelopes_and_secrets_stay_inside() {
    for folder in ["shared/app/src", "shared/store/src", "shared/protocol/src/sign"] {
        for (name, code) in sources(folder) {
            assert!(!code.contains("returnValue") && !code.contains("returnMsg"), "{folder}/{name}");
        }
    }
    let types = read("shared/protocol/src/types/text.rs");
    assert!(types.contains("pub struct Secret(String);"));
    for way_out in ["Display for Secret", "Serialize for Secret", "AsRef<str> for Secret", "Deref for Secret"] {
        assert!(!types.contains(way_out), "{way_out}");
    }
}

#[test]
fn the_changelog_begins_with_the_version_of_the_manifest() {
    let changelog = read("CHANGELOG.md");
    assert_eq!(changelog.lines().find_map(|line| line.strip_prefix("## ")), Some(env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_workflow_runs_the_checks_of_ci_with_pinned_actions_and_without_a_right_to_write() {
    let workflow = read(".github/workflows/ci.yml");
    assert!(workflow.contains("\n      - run: .ci/run\n"), "{workflow}");
    let rights = workflow.matches("permissions:").count();
    assert!(rights == 1 && workflow.contains("\npermissions:\n  contents: read\n\n"), "{workflow}");
    for (_, action) in workflow.lines().filter_map(|line| line.split_once("uses: ")) {
        let commit = action.split(['@', ' ']).nth(1).unwrap_or_default();
        assert!(commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit()), "{action}");
    }
}

#[test]
fn editors_break_lines_where_the_formatter_does() {
    let (editors, formatter) = (read(".editorconfig"), read("rustfmt.toml"));
    let width = formatter.lines().find_map(|line| line.strip_prefix("max_width = ")).unwrap();
    assert!(editors.contains(&format!("[*.{{md,rs}}]\nmax_line_length = {width}\n")), "{editors}");
}
