//! The settings of a server: from a file, from the environment, or generated for development.

use std::{collections::BTreeMap, fmt::Display, fs, path::Path};

use app::{
    config::{Config, SETTINGS},
    process::random_u32,
};
use protocol::sign::hex;

/// Settings by their names.
pub type Settings = BTreeMap<String, String>;

/// The first lines of a file with generated settings.
const HEAD: &str = "# A development configuration. The keys are generated: no real cloud accepts what they sign.\n\
                    # While they are unchanged, the server has a live cloud in its own process. Replace these values with\n\
                    # those of your accounts, API_URL and CLOUD_API_URL last: while they are none, the server never\n\
                    # calls your cloud.\n\
                    # `mini-lvb settings` explains each setting.\n";
const SESSION_KEY: &str = "SESSION_KEY";

fn fault(file: &Path, what: impl Display) -> String {
    format!("{}: {what}", file.display())
}

/// A syntax error and its line. The error's own text shows the content of the line, which may be a key.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    format!("line {}: {}", before.matches('\n').count() + 1, error.message())
}

/// Reads a file of lines `NAME = "value"` (TOML).
pub fn read(file: &Path) -> Result<Settings, String> {
    let text = fs::read_to_string(file).map_err(|error| fault(file, error))?;
    let table: toml::Table = text.parse().map_err(|error| fault(file, syntax(&text, &error)))?;
    let mut settings = Settings::new();
    for (name, value) in table {
        if !SETTINGS.iter().any(|setting| setting.name == name) {
            return Err(fault(file, format!("{name} is not a setting; `mini-lvb settings` lists them")));
        }
        let text = value.as_str().map(str::to_owned).or_else(|| Some(value.as_integer()?.to_string()));
        let text = text.ok_or_else(|| fault(file, format!("{name} must be a text or a whole number")))?;
        settings.insert(name, text);
    }
    Ok(settings)
}

/// Parses and checks settings. A variable of the environment replaces the setting of its name.
pub fn config_from(settings: &Settings, environment: impl Fn(&str) -> Option<String>) -> Result<Config, String> {
    let config = Config::read(|name| environment(name).or_else(|| settings.get(name).cloned()));
    config.map_err(|faults| faults.to_string())
}

/// Reads the file of a data folder. Invents all settings if there is no file, and `SESSION_KEY`, which only the server
/// needs, if neither the file nor the environment has it. Returns the new text of the file if settings were generated.
pub fn read_or_invent(
    file: &Path,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<(Settings, Option<String>), String> {
    let mut generated = generated();
    if !file.exists() {
        let text = format!("{HEAD}{}", toml(&generated));
        return Ok((generated, Some(text)));
    }
    let mut settings = read(file)?;
    if settings.contains_key(SESSION_KEY) || environment(SESSION_KEY).is_some() {
        return Ok((settings, None));
    }
    generated.retain(|name, _| name == SESSION_KEY);
    let text = fs::read_to_string(file).map_err(|error| fault(file, error))?;
    let text = format!("{text}\n{}", toml(&generated));
    settings.extend(generated);
    Ok((settings, Some(text)))
}

/// Settings for development: everything works but the cloud, which is never called.
pub fn generated() -> Settings {
    let secret = || (0..4).map(|_| hex(random_u32().to_be_bytes())).collect::<String>();
    let value = |name: &str| match name {
        "ACTION_AUTH" => "open".to_owned(),
        "BIZID" => "8888".to_owned(),
        "LIVE_APPID" | "COS_APPID" => "1250000000".to_owned(),
        "COS_BUCKET" => "mini-lvb".to_owned(),
        "COS_SECRET_ID" | "CLOUD_API_SECRET_ID" => "AKIDdevelopment".to_owned(),
        "IM_SDK_APP_ID" => "1400000000".to_owned(),
        "API_URL" | "CLOUD_API_URL" => "none".to_owned(),
        _ => secret(),
    };
    let with_default = ["OPERATOR_KEY", "API_URL", "CLOUD_API_URL"];
    let needed = SETTINGS.iter().filter(|setting| setting.default.is_none() || with_default.contains(&setting.name));
    needed.map(|setting| (setting.name.to_owned(), value(setting.name))).collect()
}

/// Settings as the text of a file.
fn toml(settings: &Settings) -> String {
    toml::to_string(settings).expect("a map of texts is a TOML table")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_development_setting_is_an_address_that_is_called() {
        let settings = generated();
        for setting in SETTINGS {
            let value = settings.get(setting.name).map(String::as_str).or(setting.default).unwrap_or_default();
            assert!(!value.contains("://"), "{} is {value}", setting.name);
        }
        let config = config_from(&settings, |_| None).unwrap();
        assert!(config.cloud_api.is_none() && config.live.api_url.is_none() && config.oidc.is_none());
    }

    #[test]
    fn every_value_that_is_written_is_read_again() {
        let mut settings = generated();
        for (name, value) in [("API_KEY", "\u{1b}\u{7f}\0\r\n\t"), ("BIZID", "\"'\\ # 直播"), ("PUSH_KEY", "'''\"\"\"")]
        {
            settings.insert(name.to_owned(), value.to_owned());
        }
        let file = std::env::temp_dir().join(format!("mini-lvb-settings-{:08x}.toml", random_u32()));
        fs::write(&file, toml(&settings)).unwrap();
        let read = read(&file);
        fs::remove_file(file).unwrap();
        assert_eq!(read, Ok(settings));
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
    fn the_environment_replaces_settings_of_the_file() {
        let config = config_from(&generated(), |name| (name == "BIZID").then(|| "1234".to_owned())).unwrap();
        assert_eq!(config.live.domains.bizid, "1234");
    }
}
