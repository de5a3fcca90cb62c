//! The settings: their names, defaults and rules.

use std::collections::BTreeMap;

use thiserror::Error as ThisError;

use protocol::{
    log_names::LogNames,
    sign::push_url::{Domains, Recording},
    types::Secret,
};
use store::rules::{Limit, Moderation, Rules, TokenLifetimes};

/// The shortest secret: the keys of the live console have at least 8 characters.
const MIN_SECRET_CHARS: usize = 8;
/// The shortest salt of pseudonyms.
const MIN_SALT_CHARS: usize = 16;
/// The shortest session key. The authentication of all Gen-2 callers depends on this key.
const MIN_SESSION_KEY_CHARS: usize = 32;
/// The longest business id, bucket or region: a longer business id and the longest user id would not fit into a stream
/// id.
const MAX_WORD_CHARS: usize = 64;
/// The longest duration, five years: the counts of REPLAY_WINDOW_SECONDS are read in one request, and DynamoDB reads at
/// most 100 items at once, of 24 days each.
const MAX_SECONDS: u64 = 5 * 365 * 24 * 3600;

/// The values of the [`SETTINGS`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of the table.
    pub table: String,
    /// How Gen-1 callers are authenticated.
    pub action_auth: ActionAuth,
    /// The key of the operators, or `None`: then no call is an operator's.
    pub operator_key: Option<Secret>,
    /// The live cloud.
    pub live: Live,
    /// The cloud's API 3.0, which checks, cuts and bans streams and deletes files, or `None` if it is not called.
    pub cloud_api: Option<CloudApi>,
    /// The object storage.
    pub cos: Cos,
    /// The video-on-demand service.
    pub vod: Vod,
    /// The instant-messaging service.
    pub im: Im,
    /// Whether there are accounts with passwords.
    pub accounts: Accounts,
    /// The sessions of logged-in users.
    pub sessions: Sessions,
    /// The limits on attempts to log in and to register.
    pub limits: Limits,
    /// The customer's identity provider, or `None` if this server has the accounts.
    pub oidc: Option<Oidc>,
    /// The rules for lives, replays and notices.
    pub rules: Rules,
    /// Whether the log has pseudonyms.
    pub log_names: LogNames,
}

/// How Gen-1 callers are authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionAuth {
    /// The user id of the body is trusted, as by the original. Any caller can act as any user.
    Open,
    /// Each call has the UserSig of its caller.
    UserSig,
}

/// The live cloud.
#[derive(Clone, Debug)]
pub struct Live {
    /// The appid of the account, ten digits.
    pub appid: String,
    /// The business id and the domains.
    pub domains: Domains,
    /// The key of the push URLs' hotlink protection.
    pub push_key: Secret,
    /// How long a push URL is valid.
    pub push_url_seconds: u64,
    /// How long a signed low-latency play URL is valid.
    pub link_mic_seconds: u64,
    /// The recording that push URLs request, or `None`.
    pub recording: Option<Recording>,
    /// The key that signs the server's calls to the cloud.
    pub api_key: Secret,
    /// The address of the cloud's old interface, or `None` if it is not called.
    pub api_url: Option<String>,
    /// The keys that are accepted in the signature of a notice: the current one and, during a change of keys, the next.
    pub callback_keys: Vec<Secret>,
    /// The secret first segment of the callback URL's path, or `None` if the path has none.
    pub callback_path_key: Option<Secret>,
}

/// The cloud's API 3.0.
#[derive(Clone, Debug)]
pub struct CloudApi {
    /// The address of calls.
    pub url: ApiUrl,
    /// The SecretId of the cloud API key.
    pub secret_id: String,
    /// The cloud API key.
    pub secret_key: Secret,
}

/// The address of each service of the cloud: `{service}` is replaced by the name of the service. The scheme is https;
/// http is allowed for loopback only.
///
/// ```
/// use app::config::ApiUrl; let url = ApiUrl::parse("https://{service}.example.com").unwrap();
/// assert_eq!((url.of("vod").as_str(), url.host("vod").as_str()), ("https://vod.example.com/", "vod.example.com")); let
/// url = ApiUrl::parse("http://127.0.0.1:3000/").unwrap(); assert_eq!((url.of("vod").as_str(),
/// url.host("vod").as_str()), ("http://127.0.0.1:3000/", "127.0.0.1:3000"));
/// assert!(ApiUrl::parse("http://{service}.example.com").is_none(), "an attacker on the network could change the
/// answers"); assert!(ApiUrl::parse("https://example.com/{service}").is_none(), "the signature of a call covers the
/// host and not the path");
/// ```
#[derive(Clone, Debug)]
pub struct ApiUrl {
    scheme: &'static str,
    host: String,
}

impl ApiUrl {
    /// The placeholder for the name of the service.
    const SERVICE: &str = "{service}";

    /// Parses an address; `None` if it breaks the rule.
    pub fn parse(text: &str) -> Option<Self> {
        // HTTP clients omit a scheme's default port in the header Host, and the signature covers that header.
        let (scheme, default_port) = if text.starts_with("https:") { ("https", ":443") } else { ("http", ":80") };
        let host = text.strip_prefix(scheme)?.strip_prefix("://")?;
        let host = host.strip_suffix('/').unwrap_or(host);
        let host = host.strip_suffix(default_port).unwrap_or(host);
        let url = Self { scheme, host: host.to_owned() };
        (!host.contains(['/', '?', '#', '@']) && http_client::is_secure(&url.of("live"))).then_some(url)
    }

    /// The address of a service.
    pub fn of(&self, service: &str) -> String {
        format!("{}://{}/", self.scheme, self.host(service))
    }

    /// The header `Host` of a call to that address.
    pub fn host(&self, service: &str) -> String {
        self.host.replace(Self::SERVICE, service)
    }
}

/// The object storage.
#[derive(Clone, Debug)]
pub struct Cos {
    /// The appid of the account.
    pub appid: u64,
    /// The bucket, without the appid.
    pub bucket: String,
    /// The region, as `ap-shanghai`.
    pub region: String,
    /// The SecretId of the key.
    pub secret_id: String,
    /// The key.
    pub secret_key: Secret,
    /// How long an upload signature is valid.
    pub sign_seconds: u64,
    /// Whether phones get keys and signatures for any request, which old apps need.
    pub gives_keys: bool,
    /// The largest picture that `get_cos_grant` allows, in bytes.
    pub max_bytes: u64,
}

impl Cos {
    /// The host of the bucket's objects.
    pub fn host(&self) -> String {
        let Self { bucket, appid, region, .. } = self;
        format!("{bucket}-{appid}.cos.{region}.myqcloud.com")
    }
}

/// The video-on-demand service.
#[derive(Clone, Debug)]
pub struct Vod {
    /// The SecretId of the cloud API key.
    pub secret_id: String,
    /// The cloud API key.
    pub secret_key: Secret,
    /// The task flow for uploaded videos.
    pub procedure: String,
}

/// The instant-messaging service.
#[derive(Clone, Debug)]
pub struct Im {
    /// The app's id.
    pub sdk_app_id: u64,
    /// The app's key.
    pub secret_key: Secret,
    /// The administrators of the app.
    pub administrators: Vec<String>,
    /// The account type of an app from before 2019; empty for newer apps.
    pub account_type: String,
    /// How long a UserSig is valid.
    pub user_sig_seconds: u64,
}

/// Whether there are accounts with passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accounts {
    /// Users can register.
    Open,
    /// There are no accounts with passwords.
    Closed,
}

/// The sessions of logged-in users.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// The keys of session tokens: the current one and, during a change of keys, another one that is accepted.
    pub keys: Vec<Secret>,
    /// How long tokens are valid after the last use of their session.
    pub lifetimes: TokenLifetimes,
    /// The number of concurrent sessions of a user. One more login ends the oldest session.
    pub per_user: usize,
    /// How far a phone's clock may differ.
    pub clock_skew_seconds: u64,
}

impl Sessions {
    /// The lifetime of a token that apps are told: at most a day, as by the original. iOS apps send this value as
    /// `expires` of each call, so with a longer lifetime a recorded call could be repeated for longer.
    pub fn announced_seconds(&self) -> u64 {
        const DAY: u64 = 24 * 3600;
        self.lifetimes.token_seconds.min(DAY)
    }
}

/// The limits on attempts to log in and to register.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The interval in which attempts are counted.
    pub seconds: u64,
    /// Failed logins of one user.
    pub user_logins: Limit,
    /// Failed logins from one address.
    pub address_logins: Limit,
    /// Attempts to register from one address, successful or not.
    pub address_registrations: Limit,
}

/// An OpenID Connect identity provider.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// The issuer identifier: an https address, or http for loopback.
    pub issuer: String,
    /// The client id that must be an audience of each token.
    pub audience: String,
    /// The claim that identifies the user.
    pub user_claim: String,
}

/// A setting: name, description and default.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The name of the environment variable.
    pub name: &'static str,
    /// A short description.
    pub help: &'static str,
    /// The default; `None` if the setting is required.
    pub default: Option<&'static str>,
}

impl Setting {
    /// Whether the setting is a key. On AWS only the functions that need a key get it.
    pub fn is_secret(&self) -> bool {
        self.name.split('_').any(|word| word == "KEY")
    }
}

const fn must(name: &'static str, help: &'static str) -> Setting {
    Setting { name, help, default: None }
}

const fn may(name: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting { name, help, default: Some(default) }
}

/// All settings, in the order of the documentation.
pub const SETTINGS: [Setting; 58] = [
    may("TABLE_NAME", "mini-lvb", "The name of the DynamoDB table."),
    must(
        "ACTION_AUTH",
        "How callers of /interface.php are authenticated: open (the user id of the body is trusted) or user-sig.",
    ),
    may(
        "OPERATOR_KEY",
        "",
        "The key that operators send as X-Operator-Key; empty: no call is an operator's. Shown in no console: make one up.",
    ),
    must("BIZID", "The business id of the live account, about four digits."),
    must("LIVE_APPID", "The appid of the live account, ten digits."),
    must(
        "PUSH_KEY",
        "The key of the push domain's hotlink protection. CSS console, Domain Management, the push domain, Push Configuration: Primary Key.",
    ),
    may("PUSH_DOMAIN", "", "The push domain; empty: <bizid>.livepush.myqcloud.com."),
    may("PLAY_DOMAIN", "", "The play domain; empty: <bizid>.liveplay.myqcloud.com."),
    may("PUSH_URL_SECONDS", "86400", "How long a push URL is valid, in seconds."),
    may("LINK_MIC_SECONDS", "10800", "How long the URLs of a joint broadcast are valid, in seconds."),
    may(
        "RECORD_FORMATS",
        "flv|hls",
        "The formats in which push URLs request a recording: flv, hls, mp4, joined by |; none: no recording.",
    ),
    may("RECORD_INTERVAL_SECONDS", "7200", "The longest recorded file, in seconds."),
    must(
        "API_KEY",
        "The API authentication key of the live account, which signs the server's calls to the cloud. LVB console, LVB Code Access, Access Configuration; if that page is gone, the Callback Key of CALLBACK_KEY.",
    ),
    may(
        "API_URL",
        "http://fcgi.video.qcloud.com/common_access",
        "The address of the cloud's old interface, which mixes streams; none: the server does not call it.",
    ),
    may(
        "CALLBACK_KEY",
        "",
        "The key that signs the cloud's notices; empty: API_KEY. CSS console, Feature Configuration, Live Stream Callback, the template: Callback Key.",
    ),
    may(
        "CALLBACK_KEY_NEXT",
        "",
        "A second key that is accepted in the signature of notices, for a change of keys. The value that will replace CALLBACK_KEY in the CSS console, Live Stream Callback.",
    ),
    may(
        "CALLBACK_PATH_KEY",
        "",
        "A secret first segment of the callback URL, as in /<key>/callback/Live_callback.php; empty: none. Shown in no console: make one up.",
    ),
    must("COS_APPID", "The appid of the object storage."),
    must("COS_BUCKET", "The bucket for covers and portraits, without the appid."),
    may("COS_REGION", "ap-guangzhou", "The region of the bucket."),
    must("COS_SECRET_ID", "The SecretId of the key that uploads to the bucket; docs/apps.md lists its permissions."),
    must(
        "COS_SECRET_KEY",
        "The SecretKey of COS_SECRET_ID. Console, Cloud Access Management, API Keys: shown once, when the key is made.",
    ),
    may("COS_SIGN_SECONDS", "30", "How long an upload signature is valid, in seconds."),
    may("COS_SIGN_KEYS", "given", "Whether apps get keys that sign any upload, which old apps need: given or refused."),
    may("COS_MAX_BYTES", "10485760", "The largest picture that get_cos_grant allows, in bytes."),
    must(
        "CLOUD_API_SECRET_ID",
        "The SecretId of the key that uploads and deletes videos, and checks, cuts and bans streams.",
    ),
    must(
        "CLOUD_API_SECRET_KEY",
        "The SecretKey of CLOUD_API_SECRET_ID. Console, Cloud Access Management, API Keys: shown once, when the key is made.",
    ),
    may(
        "CLOUD_API_URL",
        "https://{service}.tencentcloudapi.com",
        "The address of the cloud's API 3.0, where {service} is replaced by live or vod; none: the server does not call it.",
    ),
    may("VOD_PROCEDURE", "XIAOZHIBO-DEFAULT", "The task flow for uploaded videos."),
    must("IM_SDK_APP_ID", "The SdkAppId of the instant-messaging app."),
    must(
        "IM_SECRET_KEY",
        "The key of the instant-messaging app. IM console, Application Management, the app, Basic Configuration: Display key.",
    ),
    may(
        "IM_ADMINISTRATORS",
        "administrator",
        "The administrators of the instant-messaging app, joined by commas: no user can log in with such a name.",
    ),
    may("IM_ACCOUNT_TYPE", "", "The account type of an instant-messaging app from before 2019; empty for newer apps."),
    may("USER_SIG_SECONDS", "15552000", "How long a login to instant messaging (a UserSig) is valid, in seconds."),
    may("ACCOUNTS", "open", "Whether users can register and log in with a password: open or closed."),
    must(
        "SESSION_KEY",
        "The key of session tokens, at least 32 characters. Shown in no console: make one with openssl rand -hex 32.",
    ),
    may(
        "SESSION_KEY_NEXT",
        "",
        "A second key that is accepted in session tokens, for a change of keys. Shown in no console: make one like SESSION_KEY.",
    ),
    may("SESSION_SECONDS", "2592000", "How long a session is valid after its last use, in seconds."),
    may(
        "REFRESH_SECONDS",
        "2592000",
        "How long after its last use a session can be refreshed, in seconds; at least SESSION_SECONDS.",
    ),
    may(
        "SESSIONS_PER_USER",
        "1",
        "The number of devices on which a user can be logged in, 1 to 16; one more login ends the oldest session.",
    ),
    may("CLOCK_SKEW_SECONDS", "300", "How far a phone's clock may differ from the server's, in seconds."),
    may("LIMIT_SECONDS", "900", "The interval in which attempts are counted, in seconds."),
    may("USER_LOGIN_LIMIT", "20", "Failed logins of one user per LIMIT_SECONDS; 0: no limit."),
    may("ADDRESS_LOGIN_LIMIT", "200", "Failed logins from one address per LIMIT_SECONDS; 0: no limit."),
    may("ADDRESS_REGISTER_LIMIT", "100", "Attempts to register from one address per LIMIT_SECONDS; 0: no limit."),
    may(
        "OIDC_ISSUER",
        "",
        "The OpenID Connect provider whose ID tokens login accepts; empty: this server has the accounts.",
    ),
    may("OIDC_AUDIENCE", "", "The client id that is the audience of the ID tokens; required with OIDC_ISSUER."),
    may("OIDC_USER_CLAIM", "sub", "The claim of the ID token that identifies the user."),
    may("GRACE_SECONDS", "60", "The longest interruption of a push, in seconds, after which the same live goes on."),
    may(
        "SILENCE_SECONDS",
        "43200",
        "How long after its last sign of life a live ends, in seconds, if the cloud cannot be asked.",
    ),
    may("MEMBER_SECONDS", "21600", "How long after the last sign of life a viewer counts as gone, in seconds."),
    may("REPLAY_MIN_SECONDS", "60", "The length, in seconds, up to which a replay is not listed."),
    may("REPLAY_WINDOW_SECONDS", "604800", "How long replays and short videos stay in the lists, in seconds."),
    may("REPLAY_KEPT_SECONDS", "0", "After how many seconds replays and their files are deleted; 0: never."),
    may("LEDGER_SECONDS", "2592000", "How long the cloud's notices are kept, in seconds."),
    may(
        "MODERATION",
        "record",
        "The effect of a forbidden picture on its live: record (only the notice is kept), hide or end.",
    ),
    may(
        "LOG_USERS",
        "on",
        "Whether the log has users, streams and addresses in plain text: on, or off for pseudonyms.",
    ),
    may("LOG_SALT", "", "The salt of the pseudonyms in the log, at least 16 characters; required with LOG_USERS off."),
];

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
        let mut reader = Reader { var: &var, errors: Vec::new() };
        let bizid = reader.word("BIZID");
        let or_default = |domain: String, kind: &str| {
            if domain.is_empty() { format!("{bizid}.{kind}.myqcloud.com") } else { domain }
        };
        let domains = Domains {
            push: or_default(reader.host("PUSH_DOMAIN"), "livepush"),
            play: or_default(reader.host("PLAY_DOMAIN"), "liveplay"),
            bizid,
        };
        let api_key = reader.secret("API_KEY");
        let callback_key = reader.optional_secret("CALLBACK_KEY").unwrap_or_else(|| api_key.clone());
        let callback_keys = std::iter::once(callback_key).chain(reader.optional_secret("CALLBACK_KEY_NEXT")).collect();
        let (token_seconds, refresh_seconds) =
            (reader.nonzero_seconds("SESSION_SECONDS"), reader.nonzero_seconds("REFRESH_SECONDS"));
        if refresh_seconds < token_seconds && refresh_seconds > 0 {
            reader.error::<()>("REFRESH_SECONDS", "must be at least SESSION_SECONDS");
        }
        let vod = Vod {
            secret_id: reader.text("CLOUD_API_SECRET_ID"),
            secret_key: reader.secret("CLOUD_API_SECRET_KEY"),
            procedure: reader.text("VOD_PROCEDURE"),
        };
        let config = Self {
            table: reader.table("TABLE_NAME"),
            action_auth: reader.action_auth("ACTION_AUTH"),
            operator_key: reader.optional_secret("OPERATOR_KEY"),
            live: Live {
                appid: reader.digits("LIVE_APPID"),
                domains,
                push_key: reader.secret("PUSH_KEY"),
                push_url_seconds: reader.seconds("PUSH_URL_SECONDS"),
                link_mic_seconds: reader.seconds("LINK_MIC_SECONDS"),
                recording: reader.recording(),
                api_key,
                api_url: reader.old_api_url("API_URL"),
                callback_keys,
                callback_path_key: reader.path_key("CALLBACK_PATH_KEY"),
            },
            cloud_api: reader.cloud_api(&vod),
            cos: Cos {
                appid: reader.number("COS_APPID"),
                bucket: reader.word("COS_BUCKET"),
                region: reader.word("COS_REGION"),
                secret_id: reader.text("COS_SECRET_ID"),
                secret_key: reader.secret("COS_SECRET_KEY"),
                sign_seconds: reader.seconds("COS_SIGN_SECONDS"),
                gives_keys: reader.given_or_refused("COS_SIGN_KEYS"),
                max_bytes: reader.number("COS_MAX_BYTES"),
            },
            vod,
            im: Im {
                sdk_app_id: reader.number("IM_SDK_APP_ID"),
                secret_key: reader.secret("IM_SECRET_KEY"),
                administrators: reader
                    .text("IM_ADMINISTRATORS")
                    .split(',')
                    .map(|name| name.trim().to_owned())
                    .collect(),
                account_type: reader.text("IM_ACCOUNT_TYPE"),
                user_sig_seconds: reader.seconds("USER_SIG_SECONDS"),
            },
            accounts: reader.accounts("ACCOUNTS"),
            sessions: Sessions {
                keys: reader.session_keys(),
                lifetimes: TokenLifetimes { token_seconds, refresh_seconds },
                per_user: reader.devices("SESSIONS_PER_USER"),
                clock_skew_seconds: reader.seconds("CLOCK_SKEW_SECONDS"),
            },
            limits: Limits {
                seconds: reader.nonzero_seconds("LIMIT_SECONDS").max(1),
                user_logins: Limit(reader.number("USER_LOGIN_LIMIT")),
                address_logins: Limit(reader.number("ADDRESS_LOGIN_LIMIT")),
                address_registrations: Limit(reader.number("ADDRESS_REGISTER_LIMIT")),
            },
            oidc: reader.oidc(),
            rules: Rules {
                grace_seconds: reader.seconds("GRACE_SECONDS"),
                silence_seconds: reader.nonzero_seconds("SILENCE_SECONDS"),
                member_seconds: reader.nonzero_seconds("MEMBER_SECONDS"),
                replay_min_seconds: reader.seconds("REPLAY_MIN_SECONDS"),
                replay_window_seconds: reader.seconds("REPLAY_WINDOW_SECONDS"),
                replay_kept_seconds: reader.seconds("REPLAY_KEPT_SECONDS"),
                ledger_seconds: reader.nonzero_seconds("LEDGER_SECONDS"),
                moderation: reader.moderation("MODERATION"),
            },
            log_names: reader.log_names(),
        };
        if reader.errors.is_empty() { Ok(config) } else { Err(ConfigErrors(reader.errors)) }
    }
}

/// Reads settings and collects their errors. The value of a wrong setting is a placeholder that is never used.
struct Reader<'a> {
    var: &'a dyn Fn(&str) -> Option<String>,
    errors: Vec<String>,
}

impl Reader<'_> {
    /// The text of a setting, or its default, or an error.
    fn text(&mut self, name: &'static str) -> String {
        let setting = SETTINGS.iter().find(|setting| setting.name == name).expect("a setting that is in the list");
        let given = (self.var)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        given.or_else(|| setting.default.map(str::to_owned)).unwrap_or_else(|| self.error(name, "is not set"))
    }

    fn error<T: Default>(&mut self, name: &str, what: &str) -> T {
        self.errors.push(format!("{name} {what}"));
        T::default()
    }

    /// The text, if each character satisfies the rule.
    fn checked_text(&mut self, name: &'static str, rule: fn(char) -> bool, what: &str) -> String {
        let text = self.text(name);
        if text.chars().all(rule) { text } else { self.error(name, what) }
    }

    fn word(&mut self, name: &'static str) -> String {
        let rule = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let word = self.checked_text(name, rule, "may contain only letters, digits and -");
        if word.len() <= MAX_WORD_CHARS { word } else { self.error(name, "must have at most 64 characters") }
    }

    fn host(&mut self, name: &'static str) -> String {
        let rule = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        self.checked_text(name, rule, "must be a host name: letters, digits, - and . only")
    }

    fn digits(&mut self, name: &'static str) -> String {
        self.checked_text(name, |c| c.is_ascii_digit(), "may contain only digits")
    }

    fn number(&mut self, name: &'static str) -> u64 {
        let text = self.text(name);
        if text.is_empty() {
            return 0; // already an error
        }
        text.parse().unwrap_or_else(|_| self.error(name, "must be a whole number"))
    }

    fn moderation(&mut self, name: &'static str) -> Moderation {
        match self.text(name).as_str() {
            "record" => Moderation::Record,
            "hide" => Moderation::Hide,
            "end" => Moderation::End,
            _ => {
                self.error::<()>(name, "must be record, hide or end");
                Moderation::Record
            }
        }
    }

    /// A table name by the rules of DynamoDB.
    fn table(&mut self, name: &'static str) -> String {
        let text = self.text(name);
        let is_good = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if (3..=255).contains(&text.len()) && text.chars().all(is_good) {
            text
        } else {
            self.error(name, "must have 3 to 255 letters, digits, _, - or .")
        }
    }

    /// A number of devices. It is limited because all sessions of a user are one item, which every signed call reads.
    fn devices(&mut self, name: &'static str) -> usize {
        match usize::try_from(self.number(name)) {
            Ok(number @ 1..=16) => number,
            Ok(_) | Err(_) => self.error(name, "must be 1 to 16"),
        }
    }

    fn seconds(&mut self, name: &'static str) -> u64 {
        let seconds = self.number(name);
        if seconds <= MAX_SECONDS { seconds } else { self.error(name, "must be at most five years") }
    }

    fn secret(&mut self, name: &'static str) -> Secret {
        self.secret_of_length(name, MIN_SECRET_CHARS)
    }

    fn secret_of_length(&mut self, name: &'static str, chars: usize) -> Secret {
        let text = self.text(name);
        if text == Secret::WITHHELD {
            return Secret::new(text);
        }
        if !text.is_empty() && text.chars().count() < chars {
            return Secret::new(self.error::<String>(name, &format!("must have at least {chars} characters")));
        }
        if ["changeme", "password", "secretkey", "12345678"].contains(&text.to_ascii_lowercase().as_str()) {
            return Secret::new(self.error::<String>(name, "is a placeholder, not a key"));
        }
        Secret::new(text)
    }

    /// An optional secret. `none` means the same as an empty value, since AWS Secrets Manager has no empty secrets.
    fn optional_secret(&mut self, name: &'static str) -> Option<Secret> {
        self.optional_secret_of_length(name, MIN_SECRET_CHARS)
    }

    fn optional_secret_of_length(&mut self, name: &'static str, chars: usize) -> Option<Secret> {
        let is_there = !["", "none"].contains(&self.text(name).as_str());
        is_there.then(|| self.secret_of_length(name, chars))
    }

    /// An optional secret that is a segment of a path, without escapes.
    fn path_key(&mut self, name: &'static str) -> Option<Secret> {
        let key = self.optional_secret(name)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.text(name).chars().all(is_plain) {
            Some(key)
        } else {
            self.error(name, "may contain only letters, digits, - and _")
        }
    }

    /// The current key and, if it is set, the next.
    fn session_keys(&mut self) -> Vec<Secret> {
        let key = self.secret_of_length("SESSION_KEY", MIN_SESSION_KEY_CHARS);
        let next = self.optional_secret_of_length("SESSION_KEY_NEXT", MIN_SESSION_KEY_CHARS);
        std::iter::once(key).chain(next).collect()
    }

    fn log_names(&mut self) -> LogNames {
        match self.text("LOG_USERS").as_str() {
            "on" => LogNames::Plain,
            "off" if self.text("LOG_SALT").is_empty() => {
                self.error::<()>("LOG_SALT", "is not set, but LOG_USERS is off");
                LogNames::Plain
            }
            "off" => LogNames::Pseudonyms(self.secret_of_length("LOG_SALT", MIN_SALT_CHARS)),
            _ => {
                self.error::<()>("LOG_USERS", "must be on or off");
                LogNames::Plain
            }
        }
    }

    fn action_auth(&mut self, name: &'static str) -> ActionAuth {
        match self.text(name).as_str() {
            "open" => ActionAuth::Open,
            "user-sig" | "" => ActionAuth::UserSig,
            _ => {
                self.error::<()>(name, "must be open or user-sig");
                ActionAuth::UserSig
            }
        }
    }

    fn accounts(&mut self, name: &'static str) -> Accounts {
        match self.text(name).as_str() {
            "open" => Accounts::Open,
            "closed" => Accounts::Closed,
            _ => {
                self.error::<()>(name, "must be open or closed");
                Accounts::Closed
            }
        }
    }

    /// A duration that must not be 0.
    fn nonzero_seconds(&mut self, name: &'static str) -> u64 {
        let errors = self.errors.len();
        match self.seconds(name) {
            0 if self.errors.len() == errors => self.error(name, "must not be 0"),
            seconds => seconds,
        }
    }

    fn given_or_refused(&mut self, name: &'static str) -> bool {
        match self.text(name).as_str() {
            "given" => true,
            "refused" => false,
            _ => self.error(name, "must be given or refused"),
        }
    }

    /// The address of the old interface, to which each call appends its query.
    fn old_api_url(&mut self, name: &'static str) -> Option<String> {
        let url = self.text(name);
        if url == "none" {
            return None;
        }
        if http_client::is_address(&url) && !url.contains(['?', '#']) {
            return Some(url);
        }
        self.error(name, "must be none, or an http or https address without query")
    }

    fn cloud_api(&mut self, Vod { secret_id, secret_key, .. }: &Vod) -> Option<CloudApi> {
        let url = self.text("CLOUD_API_URL");
        if url == "none" {
            return None;
        }
        match ApiUrl::parse(&url) {
            Some(url) => Some(CloudApi { url, secret_id: secret_id.clone(), secret_key: secret_key.clone() }),
            None => {
                self.error("CLOUD_API_URL", "must be none, or an https address without path (http for loopback only)")
            }
        }
    }

    fn oidc(&mut self) -> Option<Oidc> {
        let [issuer, audience, user_claim] =
            ["OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_USER_CLAIM"].map(|name| self.text(name));
        if issuer.is_empty() {
            // An audience without an issuer is an error: the issuer was probably forgotten, and without one anybody
            // could register.
            return if audience.is_empty() {
                None
            } else {
                self.error("OIDC_ISSUER", "is not set, but OIDC_AUDIENCE is")
            };
        }
        if !http_client::is_secure(&issuer) || issuer.contains(['?', '#']) {
            self.error::<()>("OIDC_ISSUER", "must be an https address without query (http for loopback only)");
        }
        if audience.is_empty() {
            self.error::<()>("OIDC_AUDIENCE", "is not set, but OIDC_ISSUER is");
        }
        Some(Oidc { issuer, audience, user_claim })
    }

    fn recording(&mut self) -> Option<Recording> {
        let formats = self.text("RECORD_FORMATS");
        let interval_seconds = self.seconds("RECORD_INTERVAL_SECONDS");
        if formats == "none" {
            return None;
        }
        if !formats.split('|').all(|format| ["flv", "hls", "mp4"].contains(&format)) {
            self.error::<()>("RECORD_FORMATS", "must be none, or some of flv, hls, mp4 joined by |");
        }
        Some(Recording { formats, interval_seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Valid settings with the given changes.
    fn read(changes: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
        Config::read(|name| {
            let changed = changes.iter().find(|(changed, _)| *changed == name).map(|(_, value)| *value);
            let good = match name {
                "ACTION_AUTH" => "open",
                "BIZID" => "8888",
                "SESSION_KEY" => "a-key-of-thirty-two-characters-or-more",
                name if name.ends_with("APPID") || name.ends_with("APP_ID") => "1250000000",
                name if name.ends_with("_ID") => "AKIDexample",
                name if name.ends_with("KEY") && !name.starts_with("CALLBACK") && !name.starts_with("OPERATOR") => {
                    "a-key-that-is-long-enough"
                }
                "COS_BUCKET" => "covers",
                _ => "",
            };
            Some(changed.unwrap_or(good).to_owned())
        })
    }

    #[test]
    fn the_domains_follow_from_the_business_id() {
        let live = read(&[]).unwrap().live;
        assert_eq!(live.domains.push, "8888.livepush.myqcloud.com");
        assert_eq!(live.domains.play, "8888.liveplay.myqcloud.com");
        assert_eq!(read(&[("PUSH_DOMAIN", "push.example.com")]).unwrap().live.domains.push, "push.example.com");
    }

    #[test]
    fn a_duration_over_five_years_is_an_error() {
        let window = |seconds| read(&[("REPLAY_WINDOW_SECONDS", seconds)]);
        assert_eq!(window("157680000").unwrap().rules.replay_window_seconds, MAX_SECONDS);
        for seconds in ["157680001", "18446744073709551615"] {
            let fault = window(seconds).unwrap_err().to_string();
            assert_eq!(fault, "settings: REPLAY_WINDOW_SECONDS must be at most five years");
        }
    }

    #[test]
    fn a_business_id_that_does_not_fit_into_a_stream_id_is_an_error() {
        assert!(read(&[("BIZID", &"8".repeat(MAX_WORD_CHARS))]).is_ok());
        let fault = read(&[("BIZID", &"8".repeat(MAX_WORD_CHARS + 1))]).unwrap_err().to_string();
        assert_eq!(fault, "settings: BIZID must have at most 64 characters");
    }

    #[test]
    fn values_out_of_range_are_errors() {
        for (name, value, what) in [
            ("LIMIT_SECONDS", "0", "must not be 0"),
            ("SESSION_SECONDS", "0", "must not be 0"),
            ("REFRESH_SECONDS", "2591999", "must be at least SESSION_SECONDS"),
            ("SESSIONS_PER_USER", "17", "must be 1 to 16"),
            ("SESSIONS_PER_USER", "0", "must be 1 to 16"),
            ("SESSION_KEY", "thirty-one-characters-are-short", "must have at least 32 characters"),
            ("ACCOUNTS", "maybe", "must be open or closed"),
        ] {
            assert_eq!(read(&[(name, value)]).unwrap_err().to_string(), format!("settings: {name} {what}"));
        }
    }

    #[test]
    fn the_name_of_the_table_follows_the_rule_of_dynamodb() {
        for name in ["abc", "mini-lvb_2.Table", &"x".repeat(255)] {
            assert_eq!(read(&[("TABLE_NAME", name)]).unwrap().table, name);
        }
        for name in ["x", "a table", "t\u{e4}bles", &"x".repeat(256)] {
            let fault = read(&[("TABLE_NAME", name)]).unwrap_err().to_string();
            assert_eq!(fault, "settings: TABLE_NAME must have 3 to 255 letters, digits, _, - or .");
        }
    }

    #[test]
    fn pseudonyms_in_the_log_need_a_salt() {
        let names = |users, salt| read(&[("LOG_USERS", users), ("LOG_SALT", salt)]).map(|config| config.log_names);
        assert_eq!(names("", "").unwrap().of("alice"), "alice");
        let pseudonym = |salt| names("off", salt).unwrap().of("alice");
        assert_eq!((pseudonym("sixteen-letters-").len(), pseudonym("sixteen-letters-").contains("alice")), (16, false));
        assert_ne!(pseudonym("sixteen-letters-"), pseudonym("another-sixteen-"));
        let fault = |users, salt| names(users, salt).unwrap_err().to_string();
        assert_eq!(fault("off", ""), "settings: LOG_SALT is not set, but LOG_USERS is off");
        assert_eq!(fault("off", "fifteen-letters"), "settings: LOG_SALT must have at least 16 characters");
        assert_eq!(fault("no", ""), "settings: LOG_USERS must be on or off");
    }

    #[test]
    fn recording_can_be_switched_off() {
        assert_eq!(read(&[]).unwrap().live.recording.unwrap().formats, "flv|hls");
        assert_eq!(read(&[("RECORD_FORMATS", "none")]).unwrap().live.recording, None);
        assert!(read(&[("RECORD_FORMATS", "avi")]).is_err());
    }

    #[test]
    fn the_newer_interface_of_the_cloud_has_a_secure_address_and_can_be_switched_off() {
        let api = |url| read(&[("CLOUD_API_URL", url)]).map(|config| config.cloud_api);
        let addresses = |url| ["live", "vod"].map(|service| api(url).unwrap().unwrap().url.of(service));
        assert_eq!(addresses(""), ["https://live.tencentcloudapi.com/", "https://vod.tencentcloudapi.com/"]);
        assert_eq!(addresses("http://[::1]:81"), ["http://[::1]:81/"; 2]);
        assert_eq!(
            addresses("https://{service}.example.com:443/")[1],
            "https://vod.example.com/",
            "the default port of https"
        );
        assert_eq!(addresses("http://localhost:80")[0], "http://localhost/", "the default port of http");
        assert_eq!(addresses("https://localhost:80")[0], "https://localhost:80/", "not the default port of https");
        assert!(api("none").unwrap().is_none());
        for url in [
            "http://{service}.example.com",
            "http://localhost.{service}",
            "{service}.example.com",
            "https://",
            "https:///",
            "https://{region}.example.com",
            "https://example.com/{service}",
            "https://example.com//",
            "https://example.com?a",
            "https://example.com#a",
            "https://a@example.com",
            "ftp://localhost",
            "None",
        ] {
            let fault = api(url).map(|api| format!("{api:?}")).unwrap_err().to_string();
            assert_eq!(
                fault,
                "settings: CLOUD_API_URL must be none, or an https address without path (http for loopback only)",
                "{url}"
            );
        }
    }

    #[test]
    fn the_old_interface_of_the_cloud_has_an_address_without_query_and_can_be_switched_off() {
        let api = |url| read(&[("API_URL", url)]).map(|config| config.live.api_url);
        assert_eq!(api("").unwrap().unwrap(), "http://fcgi.video.qcloud.com/common_access");
        for url in ["https://fcgi.example.com/common_access", "http://127.0.0.1:9100"] {
            assert_eq!(api(url).unwrap().unwrap(), url);
        }
        assert_eq!(api("none"), Ok(None));
        for url in ["fcgi.example.com/common_access", "http://", "ftp://h/", "http://h/?cmd=1", "http://h/#a", "None"] {
            let fault = api(url).unwrap_err().to_string();
            assert_eq!(fault, "settings: API_URL must be none, or an http or https address without query", "{url}");
        }
    }

    #[test]
    fn keys_for_any_upload_are_given_unless_that_is_switched_off() {
        let gives_keys = |word| read(&[("COS_SIGN_KEYS", word)]).map(|config| config.cos.gives_keys);
        assert_eq!((gives_keys(""), gives_keys("given"), gives_keys("refused")), (Ok(true), Ok(true), Ok(false)));
        let fault = gives_keys("no").unwrap_err().to_string();
        assert_eq!(fault, "settings: COS_SIGN_KEYS must be given or refused");
    }

    #[test]
    fn an_identity_provider_has_a_secure_address_and_an_audience() {
        let oidc = |issuer, audience| read(&[("OIDC_ISSUER", issuer), ("OIDC_AUDIENCE", audience)]);
        assert!(oidc("", "").unwrap().oidc.is_none());
        for issuer in
            ["https://id.example.com/", "https://id.example.com:8443/a", "http://127.0.0.1:3000", "http://[::1]"]
        {
            let oidc = oidc(issuer, "app").unwrap().oidc.unwrap();
            assert_eq!((oidc.issuer.as_str(), oidc.user_claim.as_str()), (issuer, "sub"), "not changed in any way");
        }
        for issuer in
            ["http://id.example.com", "id.example.com", "https://id.example.com/?a", "https://id.example.com/#a"]
        {
            let fault = oidc(issuer, "app").unwrap_err().to_string();
            assert_eq!(fault, "settings: OIDC_ISSUER must be an https address without query (http for loopback only)");
        }
        let fault = |issuer, audience| oidc(issuer, audience).unwrap_err().to_string();
        assert_eq!(fault("https://id.example.com", ""), "settings: OIDC_AUDIENCE is not set, but OIDC_ISSUER is");
        assert_eq!(fault("", "app"), "settings: OIDC_ISSUER is not set, but OIDC_AUDIENCE is");
    }

    #[test]
    fn a_function_reads_its_keys_from_one_variable_and_the_others_are_withheld() {
        let function = |secrets: Option<&str>| {
            Config::read_function(|name| match name {
                SECRETS => secrets.map(str::to_owned),
                "ACTION_AUTH" => Some("open".to_owned()),
                "BIZID" | "COS_BUCKET" => Some("word".to_owned()),
                name if name.ends_with("KEY") || name.ends_with("KEY_NEXT") => None,
                name => name.ends_with("ID").then(|| "1250000000".to_owned()),
            })
        };
        let config = function(Some(r#"{"PUSH_KEY":"a \"key\" \\ of 8","CALLBACK_KEY":"none"}"#)).unwrap();
        assert_eq!(config.live.push_key.expose(), r#"a "key" \ of 8"#);
        assert!(config.cos.secret_key == Secret::new(Secret::WITHHELD));
        assert!(config.live.callback_keys[0] == Secret::new(Secret::WITHHELD), "API_KEY, which is withheld");
        assert!(function(Some("{}")).is_ok());
        let fault = |secrets| function(secrets).unwrap_err().to_string();
        assert!(fault(None).contains("PUSH_KEY is not set"), "without the variable a key must be set");
        for wrong in ["hunter22", r#"["hunter22"]"#, r#"{"PUSH_KEY":1}"#] {
            assert_eq!(fault(Some(wrong)), "settings: SECRETS must be a JSON object of texts");
        }
    }

    #[test]
    fn every_error_is_reported_with_the_name_of_its_setting() {
        let errors = read(&[("BIZID", ""), ("PUSH_KEY", "short"), ("LIVE_APPID", "x"), ("ACTION_AUTH", "closed")]);
        let text = errors.unwrap_err().to_string();
        for name in [
            "BIZID is not set",
            "PUSH_KEY must have at least 8 characters",
            "LIVE_APPID may contain",
            "ACTION_AUTH must be open or",
        ] {
            assert!(text.contains(name), "{name} in {text}");
        }
        assert!(!text.contains("short;"), "no value is shown: {text}");
    }

    #[test]
    fn the_path_of_the_callback_has_a_key_if_it_is_set() {
        let key = |value| read(&[("CALLBACK_PATH_KEY", value)]).map(|config| config.live.callback_path_key);
        assert_eq!((key(""), key("none")), (Ok(None), Ok(None)));
        assert_eq!(key("A-key_of-8").unwrap().unwrap().expose(), "A-key_of-8");
        let fault = |value| key(value).unwrap_err().to_string();
        assert_eq!(fault("short"), "settings: CALLBACK_PATH_KEY must have at least 8 characters");
        for value in ["two/segments", "ends-with?", "hundred%25", "a b c d e"] {
            assert_eq!(fault(value), "settings: CALLBACK_PATH_KEY may contain only letters, digits, - and _");
        }
    }

    #[test]
    fn the_callback_key_is_the_api_key_unless_it_is_set() {
        let keys = |changes: &[(&str, &str)]| -> Vec<String> {
            read(changes).unwrap().live.callback_keys.iter().map(|key| key.expose().to_owned()).collect()
        };
        assert_eq!(keys(&[]), ["a-key-that-is-long-enough"]);
        assert_eq!(keys(&[("CALLBACK_KEY", "none"), ("CALLBACK_KEY_NEXT", "none")]), ["a-key-that-is-long-enough"]);
        assert_eq!(keys(&[("CALLBACK_KEY", "callback-key")]), ["callback-key"]);
        assert_eq!(keys(&[("CALLBACK_KEY_NEXT", "the-next-key")]), ["a-key-that-is-long-enough", "the-next-key"]);
    }
}
