//! Where the local server's settings come from: a file, the environment, or a development configuration that it makes.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use app::{
    config::{Config, SETTINGS},
    process::random_u32,
};
use protocol::sign::hex;

use crate::folder;

/// Settings by their names.
pub type Settings = BTreeMap<String, String>;

/// What the file of a development configuration begins with.
const HEAD: &str = "# A development configuration: the keys are invented, so no real cloud takes what they sign.\n\
                    # Replace these values with those of your accounts, API_URL and CLOUD_API_URL last: while they are\n\
                    # none, the server makes no call to the cloud.\n\
                    # `mini-lvb settings` says what each one is.\n";
/// What a development configuration of an older version may lack, and is invented: the key that is nobody's business but
/// ours.
const ADDED: &str = "SESSION_KEY";
/// The live account of a development configuration, which is nobody's.
const NO_ACCOUNT: &str = "1250000000";

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

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

/// The settings of a start. Those of a data folder are a development configuration: invented at the first start, read at
/// every other.
#[derive(Debug)]
pub struct Development {
    /// The settings.
    pub settings: Settings,
    /// What the file has to say beside, or instead of, what it says.
    text: Option<String>,
}

impl Development {
    /// Settings that are as they are: nothing of them is written down.
    pub fn given(settings: Settings) -> Self {
        Self { settings, text: None }
    }

    /// Reads the file, or invents one. Of an older one that lacks a key which is nobody's business but ours, and which
    /// the environment does not have either, that key is invented. Nothing is written.
    pub fn read(file: &Path, environment: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        if !file.exists() {
            let settings = invented();
            let text = Some(format!("{HEAD}{}", lines(&settings)));
            return Ok(Self { settings, text });
        }
        let mut settings = read(file)?;
        if settings.contains_key(ADDED) || environment(ADDED).is_some() {
            return Ok(Self::given(settings));
        }
        let mut added = invented();
        added.retain(|name, _| name == ADDED);
        let text = fs::read_to_string(file).map_err(|error| fault(file, error))?;
        let text = Some(format!("{text}\n{}", lines(&added)));
        settings.extend(added);
        Ok(Self { settings, text })
    }

    /// Writes down what was invented.
    pub fn save(self, file: &Path) -> Result<(), Error> {
        let Some(text) = self.text else { return Ok(()) };
        if file.exists() {
            tracing::warn!(file = %file.display(), "{ADDED} is not set: a new one is invented, and written to the file");
        }
        folder::write(file, &text).map_err(|error| fault(file, error))
    }
}

/// Settings with which everything works but the cloud itself, and nothing is sent to it that an invented key signed.
pub fn invented() -> Settings {
    let secret = || (0..4).map(|_| hex(random_u32().to_be_bytes())).collect::<String>();
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
    fn a_given_file_is_left_as_it_is_but_for_a_key_that_only_the_server_knows() {
        let folder = std::env::temp_dir().join(format!("mini-lvb-settings-{:08x}", random_u32()));
        fs::create_dir(&folder).unwrap();
        let file = folder.join("settings.toml");
        let mut given = invented();
        given.retain(|name, _| !["API_URL", "CLOUD_API_URL"].contains(&name.as_str()));
        let text = lines(&given);
        fs::write(&file, &text).unwrap();
        let development = Development::read(&file, |_| None).unwrap();
        assert_eq!(development.settings, given, "the cloud is not switched off");
        development.save(&file).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), text);

        given.remove(ADDED);
        let text = lines(&given).trim_end().to_owned();
        fs::write(&file, &text).unwrap();
        let in_environment = Development::read(&file, |name| (name == ADDED).then(|| "1".repeat(32))).unwrap();
        in_environment.save(&file).unwrap();
        let development = Development::read(&file, |_| None).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), text, "nothing is written before it is saved");
        let settings = development.settings.clone();
        assert_eq!(settings[ADDED].len(), 32);
        development.save(&file).unwrap();
        assert_eq!(read(&file).unwrap(), settings);
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
