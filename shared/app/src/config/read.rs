//! Reads the settings. All errors are reported together.

use std::{collections::BTreeMap, iter};

use thiserror::Error as ThisError;

use super::{Accounts, ActionAuth, ApiUrl, CloudApi, Config, Cos, Im, Limits, Live, Oidc, Sessions, Vod, settings::*};
use protocol::{
    log_names::LogNames,
    sign::push_url::{Domains, Recording, Scheme},
    types::Secret,
};
use store::rules::{Limit, Moderation, Rules, TokenLifetimes};

/// The longest business id, bucket or region: a longer business id and the longest user id would not fit into a stream
/// id.
const MAX_WORD_CHARS: usize = 64;
/// The longest duration, five years: the counts of REPLAY_WINDOW_SECONDS are read in one request, and DynamoDB reads at
/// most 100 items at once, of 24 days each.
pub(super) const MAX_SECONDS: u64 = 5 * 365 * 24 * 3600;

/// The variable that holds the keys of a function, as a JSON object: `{"SESSION_KEY":"..","PUSH_KEY":".."}`.
pub const SECRETS: &str = "SECRETS";

/// All errors in the settings.
#[derive(Debug, PartialEq, Eq, ThisError)]
#[error("settings: {}", .0.join("; "))]
pub struct ConfigErrors(Vec<String>);

impl Config {
    /// Reads the settings of a Lambda function. If the variable [`SECRETS`] is set, a key that is neither in
    /// [`SECRETS`] nor in a variable of its own is withheld: the function starts, and a command that needs the key
    /// fails.
    pub fn read_function(var: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let Some(text) = var(SECRETS).filter(|text| !text.is_empty()) else { return Self::read(var) };
        let Ok(keys) = serde_json::from_str::<BTreeMap<String, String>>(&text) else {
            // The message of serde_json could contain a part of a key.
            return Err(ConfigErrors(vec![format!("{SECRETS} must be a JSON object of texts")]));
        };
        let is_secret = |name: &str| SETTINGS.iter().any(|setting| setting.name == name && setting.is_secret());
        Self::read(|name| {
            let withheld = || is_secret(name).then(|| Secret::WITHHELD.to_owned());
            var(name).or_else(|| keys.get(name).cloned()).or_else(withheld)
        })
    }

    /// Reads the settings by name. The error lists everything that is wrong in one line.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let mut read = Reader { var: &var, errors: Vec::new() };
        let bizid = read.word(BIZID);
        let or_default = |domain: String, kind: &str| {
            if domain.is_empty() { format!("{bizid}.{kind}.myqcloud.com") } else { domain }
        };
        let domains = Domains {
            push: or_default(read.host(PUSH_DOMAIN), "livepush"),
            play: or_default(read.host(PLAY_DOMAIN), "liveplay"),
            play_scheme: read.choice(PLAY_SCHEME, [("http", Scheme::Http), ("https", Scheme::Https)]),
            bizid,
        };
        let api_key = read.secret(API_KEY);
        let callback_key = read.optional_secret(CALLBACK_KEY).unwrap_or_else(|| api_key.clone());
        let callback_keys = iter::once(callback_key).chain(read.optional_secret(CALLBACK_KEY_NEXT)).collect();
        let (token_seconds, refresh_seconds) =
            (read.nonzero_seconds(SESSION_SECONDS), read.nonzero_seconds(REFRESH_SECONDS));
        if refresh_seconds < token_seconds && refresh_seconds > 0 {
            read.error::<()>(REFRESH_SECONDS, "must be at least SESSION_SECONDS");
        }
        let vod = Vod {
            secret_id: read.text(CLOUD_API_SECRET_ID),
            secret_key: read.secret(CLOUD_API_SECRET_KEY),
            procedure: read.text(VOD_PROCEDURE),
        };
        let config = Self {
            table: read.table(),
            action_auth: read.choice(ACTION_AUTH, [("open", ActionAuth::Open), ("user-sig", ActionAuth::UserSig)]),
            operator_key: read.optional_secret(OPERATOR_KEY),
            live: Live {
                appid: read.checked_text(LIVE_APPID, |c| c.is_ascii_digit(), "may contain only digits"),
                domains,
                push_key: read.secret(PUSH_KEY),
                push_url_seconds: read.seconds(PUSH_URL_SECONDS),
                link_mic_seconds: read.seconds(LINK_MIC_SECONDS),
                recording: read.recording(),
                api_key,
                api_url: read.old_api_url(),
                callback_keys,
                callback_path_key: read.path_key(),
            },
            cloud_api: read.cloud_api(&vod),
            cos: Cos {
                appid: read.number(COS_APPID),
                bucket: read.word(COS_BUCKET),
                region: read.word(COS_REGION),
                url: read.cos_url(),
                secret_id: read.text(COS_SECRET_ID),
                secret_key: read.secret(COS_SECRET_KEY),
                sign_seconds: read.seconds(COS_SIGN_SECONDS),
                gives_keys: read.choice(COS_SIGN_KEYS, [("given", true), ("refused", false)]),
                max_bytes: read.number(COS_MAX_BYTES),
            },
            vod,
            im: Im {
                sdk_app_id: read.number(IM_SDK_APP_ID),
                secret_key: read.secret(IM_SECRET_KEY),
                administrators: read.text(IM_ADMINISTRATORS).split(',').map(|name| name.trim().to_owned()).collect(),
                account_type: read.text(IM_ACCOUNT_TYPE),
                user_sig_seconds: read.seconds(USER_SIG_SECONDS),
            },
            accounts: read.choice(ACCOUNTS, [("open", Accounts::Open), ("closed", Accounts::Closed)]),
            sessions: Sessions {
                keys: iter::once(read.secret(SESSION_KEY)).chain(read.optional_secret(SESSION_KEY_NEXT)).collect(),
                lifetimes: TokenLifetimes { token_seconds, refresh_seconds },
                per_user: read.devices(),
                clock_skew_seconds: read.seconds(CLOCK_SKEW_SECONDS),
            },
            limits: Limits {
                seconds: read.nonzero_seconds(LIMIT_SECONDS).max(1),
                user_logins: Limit(read.number(USER_LOGIN_LIMIT)),
                address_logins: Limit(read.number(ADDRESS_LOGIN_LIMIT)),
                address_registrations: Limit(read.number(ADDRESS_REGISTER_LIMIT)),
            },
            oidc: read.oidc(),
            rules: Rules {
                grace_seconds: read.seconds(GRACE_SECONDS),
                silence_seconds: read.nonzero_seconds(SILENCE_SECONDS),
                member_seconds: read.nonzero_seconds(MEMBER_SECONDS),
                replay_min_seconds: read.seconds(REPLAY_MIN_SECONDS),
                replay_window_seconds: read.seconds(REPLAY_WINDOW_SECONDS),
                replay_kept_seconds: read.seconds(REPLAY_KEPT_SECONDS),
                ledger_seconds: read.nonzero_seconds(LEDGER_SECONDS),
                moderation: read.choice(
                    MODERATION,
                    [("record", Moderation::Record), ("hide", Moderation::Hide), ("end", Moderation::End)],
                ),
            },
            log_names: read.log_names(),
        };
        if read.errors.is_empty() { Ok(config) } else { Err(ConfigErrors(read.errors)) }
    }
}

/// Reads settings and collects their errors. The value of a wrong setting is a placeholder that is never used.
struct Reader<'a> {
    var: &'a dyn Fn(&str) -> Option<String>,
    errors: Vec<String>,
}

impl Reader<'_> {
    /// The text of a setting, or its default, or an error.
    fn text(&mut self, setting: Setting) -> String {
        let given = (self.var)(setting.name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        given.or(setting.default.map(str::to_owned)).unwrap_or_else(|| self.error(setting, "is not set"))
    }

    fn error<T: Default>(&mut self, setting: Setting, what: &str) -> T {
        self.errors.push(format!("{} {what}", setting.name));
        T::default()
    }

    /// The text, if each character satisfies the rule.
    fn checked_text(&mut self, setting: Setting, rule: fn(char) -> bool, what: &str) -> String {
        let text = self.text(setting);
        if text.chars().all(rule) { text } else { self.error(setting, what) }
    }

    fn word(&mut self, setting: Setting) -> String {
        let rule = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let word = self.checked_text(setting, rule, "may contain only letters, digits and -");
        if word.len() <= MAX_WORD_CHARS { word } else { self.error(setting, "must have at most 64 characters") }
    }

    /// A host name, with a port or without.
    fn host(&mut self, setting: Setting) -> String {
        let text = self.text(setting);
        let (host, port) = text.split_once(':').unwrap_or((&text, "1"));
        let is_host = host.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
        if is_host && is_port && (text.is_empty() || !host.is_empty()) {
            return text;
        }
        self.error(
            setting,
            "must be a host name, or host:port: letters, digits, - and . only, and a port from 1 to 65535",
        )
    }

    fn number(&mut self, setting: Setting) -> u64 {
        let text = self.text(setting);
        if text.is_empty() {
            return 0; // already an error
        }
        text.parse().unwrap_or_else(|_| self.error(setting, "must be a whole number"))
    }

    fn seconds(&mut self, setting: Setting) -> u64 {
        let seconds = self.number(setting);
        if seconds <= MAX_SECONDS { seconds } else { self.error(setting, "must be at most five years") }
    }

    /// A duration that must not be 0.
    fn nonzero_seconds(&mut self, setting: Setting) -> u64 {
        let errors = self.errors.len();
        match self.seconds(setting) {
            0 if self.errors.len() == errors => self.error(setting, "must not be 0"),
            seconds => seconds,
        }
    }

    /// The value of a word. The last word of the error's list follows an "or".
    fn choice<T: Copy, const N: usize>(&mut self, setting: Setting, choices: [(&str, T); N]) -> T {
        let text = self.text(setting);
        let chosen = choices.iter().find(|(word, _)| *word == text);
        if chosen.is_none() && !text.is_empty() {
            let words = choices.map(|(word, _)| word).join(", ");
            let (others, last) = words.rsplit_once(", ").unwrap_or(("", &words));
            self.error::<()>(setting, &format!("must be {others} or {last}"));
        }
        chosen.unwrap_or(&choices[0]).1
    }

    fn secret(&mut self, setting: Setting) -> Secret {
        let (text, chars) = (self.text(setting), min_chars(setting));
        if text == Secret::WITHHELD {
            return Secret::new(text);
        }
        if !text.is_empty() && text.chars().count() < chars {
            self.error::<()>(setting, &format!("must have at least {chars} characters"));
        } else if ["changeme", "password", "secretkey", "12345678"].contains(&text.to_ascii_lowercase().as_str()) {
            self.error::<()>(setting, "is a placeholder, not a key");
        }
        Secret::new(text)
    }

    /// An optional secret. `none` means the same as an empty value, since AWS Secrets Manager has no empty secrets.
    fn optional_secret(&mut self, setting: Setting) -> Option<Secret> {
        let is_set = !["", "none"].contains(&self.text(setting).as_str());
        is_set.then(|| self.secret(setting))
    }

    /// A table name by the rules of DynamoDB.
    fn table(&mut self) -> String {
        let text = self.text(TABLE_NAME);
        let is_good = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if (3..=255).contains(&text.len()) && text.chars().all(is_good) {
            text
        } else {
            self.error(TABLE_NAME, "must have 3 to 255 letters, digits, _, - or .")
        }
    }

    /// A number of devices. It is limited because all sessions of a user are one item, which every signed call reads.
    fn devices(&mut self) -> usize {
        match usize::try_from(self.number(SESSIONS_PER_USER)) {
            Ok(number @ 1..=16) => number,
            Ok(_) | Err(_) => self.error(SESSIONS_PER_USER, "must be 1 to 16"),
        }
    }

    /// An optional secret that is a segment of a path, without escapes.
    fn path_key(&mut self) -> Option<Secret> {
        let key = self.optional_secret(CALLBACK_PATH_KEY)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !self.text(CALLBACK_PATH_KEY).chars().all(is_plain) {
            self.error::<()>(CALLBACK_PATH_KEY, "may contain only letters, digits, - and _");
        }
        Some(key)
    }

    fn log_names(&mut self) -> LogNames {
        if self.choice(LOG_USERS, [("on", true), ("off", false)]) {
            return LogNames::Plain;
        }
        if self.text(LOG_SALT).is_empty() {
            self.error::<()>(LOG_SALT, "is not set, but LOG_USERS is off");
        }
        LogNames::Pseudonyms(self.secret(LOG_SALT))
    }

    /// The address of the old interface, to which each call appends its query.
    fn cos_url(&mut self) -> Option<String> {
        let url = Some(self.text(COS_URL)).filter(|url| !url.is_empty())?;
        let url = url.trim_end_matches('/');
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
        if !http_client::is_address(url) || host.contains(['/', '?', '#', '@']) {
            self.error::<()>(COS_URL, "must be an http or https address without path");
        }
        Some(url.to_owned())
    }

    fn old_api_url(&mut self) -> Option<String> {
        let url = Some(self.text(API_URL)).filter(|url| url != "none")?;
        if !http_client::is_address(&url) || url.contains(['?', '#']) {
            self.error::<()>(API_URL, "must be none, or an http or https address without query");
        }
        Some(url)
    }

    fn cloud_api(&mut self, Vod { secret_id, secret_key, .. }: &Vod) -> Option<CloudApi> {
        const RULE: &str = "must be none, or an https address without path (http for loopback only)";
        let url = Some(self.text(CLOUD_API_URL)).filter(|url| url != "none")?;
        let url = ApiUrl::parse(&url).or_else(|| self.error(CLOUD_API_URL, RULE))?;
        Some(CloudApi { url, secret_id: secret_id.clone(), secret_key: secret_key.clone() })
    }

    fn oidc(&mut self) -> Option<Oidc> {
        let [issuer, audience, user_claim] =
            [OIDC_ISSUER, OIDC_AUDIENCE, OIDC_USER_CLAIM].map(|setting| self.text(setting));
        if issuer.is_empty() {
            // If only the audience is set, the issuer was probably forgotten. Without an issuer anybody could register.
            return if audience.is_empty() {
                None
            } else {
                self.error(OIDC_ISSUER, "is not set, but OIDC_AUDIENCE is")
            };
        }
        if !http_client::is_secure(&issuer) || issuer.contains(['?', '#']) {
            self.error::<()>(OIDC_ISSUER, "must be an https address without query (http for loopback only)");
        }
        if audience.is_empty() {
            self.error::<()>(OIDC_AUDIENCE, "is not set, but OIDC_ISSUER is");
        }
        Some(Oidc { issuer, audience, user_claim })
    }

    fn recording(&mut self) -> Option<Recording> {
        let (formats, interval_seconds) = (self.text(RECORD_FORMATS), self.seconds(RECORD_INTERVAL_SECONDS));
        if formats == "none" {
            return None;
        }
        if !formats.split('|').all(|format| ["flv", "hls", "mp4"].contains(&format)) {
            self.error::<()>(RECORD_FORMATS, "must be none, or some of flv, hls, mp4 joined by |");
        }
        Some(Recording { formats, interval_seconds })
    }
}

/// The shortest secret of a setting.
fn min_chars(setting: Setting) -> usize {
    match setting.name {
        // The authentication of all Gen-2 callers depends on these keys.
        "SESSION_KEY" | "SESSION_KEY_NEXT" => 32,
        "LOG_SALT" => 16,
        // The keys of the live console have at least 8 characters.
        _ => 8,
    }
}
