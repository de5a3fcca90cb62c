//! Where the local server's settings come from: a file, the environment, or a development configuration that it makes.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use shared::{
    config::{Config, SETTINGS},
    lambda::getrandom_u32,
    sign::hex,
};

use crate::folder;

/// Settings by their names.
pub type Settings = BTreeMap<String, String>;

/// What the file of a development configuration begins with.
const HEAD: &str = "# A development configuration: the keys are invented, so no real cloud takes what they sign.\n\
                    # Replace these values with those of your accounts, API_URL and CLOUD_API_URL last: while they are\n\
                    # none, the server makes no call to the cloud.\n\
                    # `mini-lvb settings` says what each one is.\n";
/// What a development configuration of an older version may lack and must have: the key that is nobody's business but
/// ours, and where calls must not go that are signed with an invented key.
const ADDED: [&str; 3] = ["API_URL", "CLOUD_API_URL", "SESSION_KEY"];
/// The live account of a development configuration, which is nobody's.
const NO_ACCOUNT: &str = "1250000000";

/// Why there are no settings.
#[derive(Debug)]
pub struct Error(String);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

fn fault(file: &Path, what: impl std::fmt::Display) -> Error {
    Error(format!("{}: {what}", file.display()))
}

/// What is wrong in a file, and in which line. The error itself shows the line, which may have a key in it.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    format!("line {}: {}", before.matches('\n').count() + 1, error.message())
}

/// Reads a file of lines `NAME = "value"` (TOML).
pub fn read(file: &Path) -> Result<Settings, Error> {
    let text = fs::read_to_string(file).map_err(|error| fault(file, error))?;
    let table: toml::Table = text.parse().map_err(|error| fault(file, syntax(&text, &error)))?;
    let mut settings = Settings::new();
    for (name, value) in table {
        if !SETTINGS.iter().any(|setting| setting.name == name) {
            return Err(fault(file, format!("{name} is not a setting; `mini-lvb settings` lists them")));
        }
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)
            | toml::Value::Table(_) => return Err(fault(file, format!("{name} is neither a text nor a whole number"))),
        };
        settings.insert(name, value);
    }
    Ok(settings)
}

/// Judges settings; the environment goes before the file.
pub fn judge(settings: &Settings, environment: impl Fn(&str) -> Option<String>) -> Result<Config, Error> {
    Config::read(|name| environment(name).or_else(|| settings.get(name).cloned()))
        .map_err(|faults| Error(faults.to_string()))
}

/// The names of the settings that the environment has, and so not the file.
pub fn overridden(environment: impl Fn(&str) -> Option<String>) -> Vec<&'static str> {
    SETTINGS.iter().map(|setting| setting.name).filter(|name| environment(name).is_some()).collect()
}

/// The development configuration of a data folder: made with new secrets at the first start, read at every other.
///
/// One of an older version gets what every one must have.
pub fn development(file: &Path) -> Result<Settings, Error> {
    let write = |text: &str| folder::write(file, text).map_err(|error| fault(file, error));
    if !file.exists() {
        write(&format!("{HEAD}{}", lines(&invented())))?;
    }
    let mut settings = read(file)?;
    let mut added = invented();
    added.retain(|name, _| ADDED.contains(&name.as_str()) && !settings.contains_key(name));
    // A folder with the account of somebody may rely on the default.
    if settings.get("LIVE_APPID").is_some_and(|account| account != NO_ACCOUNT) {
        added.remove("API_URL");
    }
    if !added.is_empty() {
        let text = fs::read_to_string(file).map_err(|error| fault(file, error))?;
        write(&format!("{text}\n{}", lines(&added)))?;
        settings.extend(added);
    }
    Ok(settings)
}

/// Settings with which everything works but the cloud itself, and nothing is sent to it that an invented key signed.
pub fn invented() -> Settings {
    let secret = || (0..4).map(|_| hex(&getrandom_u32().to_be_bytes())).collect::<String>();
    let invented = |name: &str| match name {
        "ACTION_AUTH" => "open".to_owned(),
        "BIZID" => "8888".to_owned(),
        "LIVE_APPID" | "COS_APPID" => NO_ACCOUNT.to_owned(),
        "COS_BUCKET" => "mini-lvb".to_owned(),
        "COS_SECRET_ID" | "CLOUD_API_SECRET_ID" => "AKIDdevelopment".to_owned(),
        "IM_SDK_APP_ID" => "1400000000".to_owned(),
        "API_URL" | "CLOUD_API_URL" => "none".to_owned(),
        _ => secret(),
    };
    let beside = ["OPERATOR_KEY", "API_URL", "CLOUD_API_URL"];
    let wanted = SETTINGS.iter().filter(|setting| setting.default.is_none() || beside.contains(&setting.name));
    wanted.map(|setting| (setting.name.to_owned(), invented(setting.name))).collect()
}

/// The settings as a file has them.
fn lines(settings: &Settings) -> String {
    let mut text = String::new();
    for (name, value) in settings {
        writeln!(text, "{name} = {value:?}").expect("a text can be written to");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_development_configuration_is_complete() {
        let settings = invented();
        assert!(judge(&settings, |_| None).is_ok());
    }

    #[test]
    fn no_development_setting_holds_an_address_that_is_called() {
        let settings = invented();
        for setting in SETTINGS {
            let value = settings.get(setting.name).map(String::as_str).or(setting.default).unwrap_or_default();
            assert!(!value.contains("://"), "{} is {value}", setting.name);
        }
        let config = judge(&settings, |_| None).unwrap();
        assert!(config.cloud_api.is_none() && config.live.api_url.is_none() && config.oidc.is_none());
    }

    #[test]
    fn a_development_configuration_of_an_older_version_gets_what_it_lacks_and_keeps_what_it_has() {
        let folder = std::env::temp_dir().join(format!("mini-lvb-settings-{:08x}", getrandom_u32()));
        fs::create_dir(&folder).unwrap();
        let file = folder.join("settings.toml");
        let read_twice = |older: &Settings| {
            fs::write(&file, lines(older).trim_end()).unwrap();
            let settings = development(&file).unwrap();
            assert_eq!(development(&file).unwrap(), settings, "it is written down");
            settings
        };
        let mut older = invented();
        older.retain(|name, _| !ADDED.contains(&name.as_str()));
        let settings = read_twice(&older);
        assert!(older.iter().all(|(name, value)| settings[name] == *value));
        assert_eq!(settings["CLOUD_API_URL"], "none");
        assert_eq!(settings["API_URL"], "none");
        assert_eq!(settings["SESSION_KEY"].len(), 32);
        older.insert("CLOUD_API_URL".to_owned(), "https://{service}.example.com".to_owned());
        assert_eq!(read_twice(&older)["CLOUD_API_URL"], "https://{service}.example.com");
        older.insert("LIVE_APPID".to_owned(), "1251234567".to_owned());
        assert!(!read_twice(&older).contains_key("API_URL"), "the account is a real one, and API_URL as it was");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let settings = invented();
        let table: toml::Table = lines(&settings).parse().unwrap();
        assert!(settings.iter().all(|(name, value)| table[name].as_str() == Some(value)));
        assert_eq!(table.len(), settings.len());
    }

    #[test]
    fn a_mistake_in_the_file_does_not_show_the_key_beside_it() {
        for mistake in ["unquoted-key", "\"unclosed-key", "\"escaped-key\\q\"", "\"a-key\" more-key", "[\"a-key\""] {
            let text = format!("BIZID = 1\nAPI_KEY = {mistake}\n");
            let shown = syntax(&text, &text.parse::<toml::Table>().unwrap_err());
            assert!(shown.starts_with("line ") && !shown.contains("-key"), "{mistake}: {shown}");
        }
        let text = "BIZID = 1\nAPI_KEY = unquoted\n";
        let shown = syntax(text, &text.parse::<toml::Table>().unwrap_err());
        assert!(shown.starts_with("line 2: string values must be quoted"), "{shown}");
    }

    #[test]
    fn the_environment_goes_before_the_file() {
        let config = judge(&invented(), |name| (name == "BIZID").then(|| "1234".to_owned())).unwrap();
        assert_eq!(config.live.domains.bizid, "1234");
    }
}
