//! Every setting, judged all together.

use std::collections::BTreeMap;

use thiserror::Error as ThisError;

use protocol::{
    log_names::LogNames,
    sign::push_url::{Domains, Recording},
    types::Secret,
};
use store::rules::{Limit, Moderation, Rules, TokenLifetimes};

/// A secret has at least this many characters; the shortest key of the live console has 8.
const SECRET_CHARS: usize = 8;
/// The salt of pseudonyms has at least this many.
const SALT_CHARS: usize = 16;
/// A session key has at least this many: everything that Gen-2 callers prove rests on it.
const SESSION_KEY_CHARS: usize = 32;
/// The longest business id, bucket or region: a stream id has room for no more beside the longest user.
const WORD_CHARS: usize = 64;
/// The longest stretch of time, five years: all counts of the replays' window are asked for at once, and DynamoDB gives
/// a hundred, of 24 days each.
const MAX_SECONDS: u64 = 5 * 365 * 24 * 3600;

/// Settings of the server. The names of the settings are those of [`SETTINGS`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of the table.
    pub table: String,
    /// How the Gen-1 door knows who is calling.
    pub action_auth: ActionAuth,
    /// What operators show to run their commands; without it nobody can.
    pub operator_key: Option<Secret>,
    /// The live cloud.
    pub live: Live,
    /// The interface of the cloud that streams are looked after and files are deleted with, or `None` for none.
    pub cloud_api: Option<CloudApi>,
    /// The object storage.
    pub cos: Cos,
    /// The video-on-demand service.
    pub vod: Vod,
    /// The instant-messaging service.
    pub im: Im,
    /// Whether there are accounts with passwords.
    pub accounts: Accounts,
    /// Who is logged in.
    pub sessions: Sessions,
    /// How often may be tried what an attacker would try often.
    pub limits: Limits,
    /// The identity provider that knows the users, or `None` for accounts of our own.
    pub oidc: Option<Oidc>,
    /// When a live is over, and what is kept of it.
    pub rules: Rules,
    /// How the log names users, streams and addresses.
    pub log_names: LogNames,
}

/// How the Gen-1 door knows who is calling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionAuth {
    /// It believes the user id of the body, as the original did. Anybody can act as anybody.
    Open,
    /// Each call carries the UserSig of its caller.
    UserSig,
}

/// The live cloud.
#[derive(Clone, Debug)]
pub struct Live {
    /// The account's id, ten digits.
    pub appid: String,
    /// Business id and domains.
    pub domains: Domains,
    /// The key of the push URLs' hotlink protection.
    pub push_key: Secret,
    /// How long a push URL is good for.
    pub push_url_seconds: u64,
    /// How long a signed low-latency play URL is good for.
    pub link_mic_seconds: u64,
    /// What is recorded, or `None` for nothing.
    pub recording: Option<Recording>,
    /// The key that signs our calls to the cloud.
    pub api_key: Secret,
    /// Where the calls of the cloud's old interface go, or `None` for nowhere.
    pub api_url: Option<String>,
    /// The keys that a notice may be signed with: the one in force and, while keys are changed, the next.
    pub callback_keys: Vec<Secret>,
    /// The first segment of the address of notices, or `None` for whatever address.
    pub callback_path_key: Option<Secret>,
}

/// The cloud's API 3.0.
#[derive(Clone, Debug)]
pub struct CloudApi {
    /// Where calls go.
    pub url: ApiUrl,
    /// The name of the cloud API key.
    pub secret_id: String,
    /// The cloud API key.
    pub secret_key: Secret,
}

/// An address for each service of the cloud: over TLS but for loopback, `{service}` standing for the service's name.
///
/// ```
/// use app::config::ApiUrl;
/// let url = ApiUrl::parse("https://{service}.example.com").unwrap();
/// assert_eq!((url.of("vod").as_str(), url.host("vod").as_str()), ("https://vod.example.com/", "vod.example.com"));
/// let url = ApiUrl::parse("http://127.0.0.1:3000/").unwrap();
/// assert_eq!((url.of("vod").as_str(), url.host("vod").as_str()), ("http://127.0.0.1:3000/", "127.0.0.1:3000"));
/// assert!(ApiUrl::parse("http://{service}.example.com").is_none(), "everybody on the way could change the answers");
/// assert!(ApiUrl::parse("https://example.com/{service}").is_none(), "only a host is signed, no path");
/// ```
#[derive(Clone, Debug)]
pub struct ApiUrl {
    scheme: &'static str,
    host: String,
}

impl ApiUrl {
    /// What stands for the name of the service.
    const SERVICE: &str = "{service}";

    /// Reads the address, or gives `None` if it breaks the rule.
    pub fn parse(text: &str) -> Option<Self> {
        // Who connects to a scheme's own port does not write it into the header Host, which is signed.
        let (scheme, own_port) = if text.starts_with("https:") { ("https", ":443") } else { ("http", ":80") };
        let host = text.strip_prefix(scheme)?.strip_prefix("://")?;
        let host = host.strip_suffix('/').unwrap_or(host);
        let host = host.strip_suffix(own_port).unwrap_or(host);
        let url = Self { scheme, host: host.to_owned() };
        (!host.contains(['/', '?', '#', '@']) && http_client::is_secure(&url.of("live"))).then_some(url)
    }

    /// The address of a service.
    pub fn of(&self, service: &str) -> String {
        format!("{}://{}/", self.scheme, self.host(service))
    }

    /// What the header `Host` of a call to that address is.
    pub fn host(&self, service: &str) -> String {
        self.host.replace(Self::SERVICE, service)
    }
}

/// The object storage.
#[derive(Clone, Debug)]
pub struct Cos {
    /// The account's id.
    pub appid: u64,
    /// The bucket, without the appid.
    pub bucket: String,
    /// The region, as `ap-shanghai`.
    pub region: String,
    /// The name of the key.
    pub secret_id: String,
    /// The key.
    pub secret_key: Secret,
    /// How long an upload signature is good for.
    pub sign_seconds: u64,
    /// Whether phones get keys and signatures that are good for any request, as old apps need them.
    pub gives_keys: bool,
    /// The largest picture that may be uploaded with a grant.
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
    /// The name of the cloud API key.
    pub secret_id: String,
    /// The cloud API key.
    pub secret_key: Secret,
    /// The task flow that an uploaded video goes through.
    pub procedure: String,
}

/// The instant-messaging service.
#[derive(Clone, Debug)]
pub struct Im {
    /// The app's id.
    pub sdk_app_id: u64,
    /// The app's key.
    pub secret_key: Secret,
    /// The users with the rights of an administrator.
    pub administrators: Vec<String>,
    /// What very old apps want to know beside; empty since 2019.
    pub account_type: String,
    /// How long a UserSig is good for.
    pub user_sig_seconds: u64,
}

/// Whether there are accounts with passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accounts {
    /// Anybody can make one.
    Open,
    /// There are none: others say who the users are.
    Closed,
}

/// Who is logged in.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// The keys that tokens are derived from: the one in force and, while keys are changed, another that holds too.
    pub keys: Vec<Secret>,
    /// How long tokens are good for after the last use of their session.
    pub lifetimes: TokenLifetimes,
    /// How many sessions of one user there are at a time: one more ends the oldest.
    pub per_user: usize,
    /// How far the clock of a phone may be off.
    pub clock_skew_seconds: u64,
}

impl Sessions {
    /// For how long apps are told that a token is good: at most a day, as by the original. The apps of iOS let a call be
    /// good for as long, so that more would let it be repeated for longer.
    pub fn announced_seconds(&self) -> u64 {
        const DAY: u64 = 24 * 3600;
        self.lifetimes.token_seconds.min(DAY)
    }
}

/// How often may be tried what an attacker would try often.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The stretch of time that attempts are counted in.
    pub seconds: u64,
    /// Failed logins of one user.
    pub user_logins: Limit,
    /// Failed logins from one address.
    pub address_logins: Limit,
    /// Registrations from one address, whatever comes of them.
    pub address_registrations: Limit,
}

/// An identity provider that speaks OpenID Connect.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// Its issuer identifier: an address, over TLS but for loopback.
    pub issuer: String,
    /// The client id that its tokens must be meant for.
    pub audience: String,
    /// The claim that says who the user is.
    pub user_claim: String,
}

/// A setting: its name, and what it is.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The name of the environment variable.
    pub name: &'static str,
    /// One sentence for people.
    pub help: &'static str,
    /// What holds if it is not set; `None` if it must be set.
    pub default: Option<&'static str>,
}

impl Setting {
    /// Whether the setting is a key: only the functions that need a key have it.
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

/// Every setting, in the order of the documents.
pub const SETTINGS: [Setting; 58] = [
    may("TABLE_NAME", "mini-lvb", "The DynamoDB table."),
    must("ACTION_AUTH", "How /interface.php knows its callers: open (it believes them) or user-sig."),
    may(
        "OPERATOR_KEY",
        "",
        "What operators send as X-Operator-Key; empty: nobody is an operator. Stands in no console: make one up.",
    ),
    must("BIZID", "The business id of the live account, four digits or so."),
    must("LIVE_APPID", "The appid of the live account, ten digits."),
    must(
        "PUSH_KEY",
        "The key of the push domain's hotlink protection. CSS console, Domain Management, the push domain, Push Configuration: Primary Key.",
    ),
    may("PUSH_DOMAIN", "", "The push domain; empty: <bizid>.livepush.myqcloud.com."),
    may("PLAY_DOMAIN", "", "The play domain; empty: <bizid>.liveplay.myqcloud.com."),
    may("PUSH_URL_SECONDS", "86400", "How long a push URL is good for."),
    may("LINK_MIC_SECONDS", "10800", "How long the URLs of a joint broadcast are good for."),
    may("RECORD_FORMATS", "flv|hls", "What the push URL asks to record: flv, hls, mp4, joined by |; none: nothing."),
    may("RECORD_INTERVAL_SECONDS", "7200", "The longest recorded file."),
    must(
        "API_KEY",
        "The API authentication key of the live account: it signs our calls to the cloud. LVB console, LVB Code Access, Access Configuration; where that is gone, the Callback Key of CALLBACK_KEY.",
    ),
    may(
        "API_URL",
        "http://fcgi.video.qcloud.com/common_access",
        "Where calls of the cloud's old interface go, which mixes streams; none: they are not made.",
    ),
    may(
        "CALLBACK_KEY",
        "",
        "The key that signs the cloud's notices; empty: API_KEY. CSS console, Feature Configuration, Live Stream Callback, the template: Callback Key.",
    ),
    may(
        "CALLBACK_KEY_NEXT",
        "",
        "A second key that notices may be signed with, while keys are changed. What will stand where CALLBACK_KEY stands.",
    ),
    may(
        "CALLBACK_PATH_KEY",
        "",
        "What the path of the callback URL begins with, /<it>/callback/Live_callback.php, for nobody else to know. Stands in no console: make one up.",
    ),
    must("COS_APPID", "The appid of the object storage."),
    must("COS_BUCKET", "The bucket for covers and portraits, without the appid."),
    may("COS_REGION", "ap-guangzhou", "The region of the bucket."),
    must("COS_SECRET_ID", "The SecretId of the key that uploads to the bucket: docs/apps.md says what it may do."),
    must(
        "COS_SECRET_KEY",
        "The SecretKey of COS_SECRET_ID. Console, Cloud Access Management, API Keys: shown once, when the key is made.",
    ),
    may("COS_SIGN_SECONDS", "30", "How long an upload signature is good for."),
    may("COS_SIGN_KEYS", "given", "Whether apps get keys for any upload, as old ones need: given or refused."),
    may("COS_MAX_BYTES", "10485760", "The largest picture that an app may be granted to upload."),
    must(
        "CLOUD_API_SECRET_ID",
        "The SecretId of the key that uploads and deletes videos, and looks after, cuts and bans streams.",
    ),
    must(
        "CLOUD_API_SECRET_KEY",
        "The SecretKey of CLOUD_API_SECRET_ID. Console, Cloud Access Management, API Keys: shown once, when the key is made.",
    ),
    may(
        "CLOUD_API_URL",
        "https://{service}.tencentcloudapi.com",
        "Where calls of the cloud's API 3.0 go, {service} standing for live or vod; none: they are not made.",
    ),
    may("VOD_PROCEDURE", "XIAOZHIBO-DEFAULT", "The task flow of uploaded videos."),
    must("IM_SDK_APP_ID", "The SdkAppId of the instant-messaging app."),
    must(
        "IM_SECRET_KEY",
        "The key of the instant-messaging app. IM console, Application Management, the app, Basic Configuration: Display key.",
    ),
    may("IM_ADMINISTRATORS", "administrator", "IM users with every right, joined by a comma: nobody logs in as them."),
    may("IM_ACCOUNT_TYPE", "", "The account type of an IM app from before 2019."),
    may("USER_SIG_SECONDS", "15552000", "How long an IM login is good for."),
    may("ACCOUNTS", "open", "Whether people can register and log in with a password: open or closed."),
    must(
        "SESSION_KEY",
        "The key of session tokens, 32 characters or more. Stands in no console: openssl rand -hex 32 makes one.",
    ),
    may(
        "SESSION_KEY_NEXT",
        "",
        "A second key that tokens may be derived from, while keys are changed. Stands in no console: made as SESSION_KEY.",
    ),
    may("SESSION_SECONDS", "2592000", "How long a session lasts after its last use."),
    may("REFRESH_SECONDS", "2592000", "How long after its last use a session can be refreshed."),
    may("SESSIONS_PER_USER", "1", "On how many devices a user is logged in at a time, 1 to 16."),
    may("CLOCK_SKEW_SECONDS", "300", "How far the clock of a phone may be off."),
    may("LIMIT_SECONDS", "900", "The stretch of time that attempts are counted in."),
    may("USER_LOGIN_LIMIT", "20", "Failed logins of one user in it; 0: no limit."),
    may("ADDRESS_LOGIN_LIMIT", "200", "Failed logins from one address in it; 0: no limit."),
    may("ADDRESS_REGISTER_LIMIT", "100", "Registrations tried from one address in it; 0: no limit."),
    may("OIDC_ISSUER", "", "The OpenID Connect provider whose ID tokens login accepts; empty: accounts of our own."),
    may("OIDC_AUDIENCE", "", "The client id that the ID tokens are meant for; must be set if OIDC_ISSUER is."),
    may("OIDC_USER_CLAIM", "sub", "The claim of the ID token that says who the user is."),
    may("GRACE_SECONDS", "60", "How long a live may be interrupted and still be the same."),
    may(
        "SILENCE_SECONDS",
        "43200",
        "After how long a live is over that nothing was heard of and the cloud cannot be asked about.",
    ),
    may("MEMBER_SECONDS", "21600", "After how long a viewer has left of whom nothing was heard."),
    may("REPLAY_MIN_SECONDS", "60", "Replays no longer than this are not listed."),
    may("REPLAY_WINDOW_SECONDS", "604800", "How long replays and short videos stay in the lists."),
    may("REPLAY_KEPT_SECONDS", "0", "After how long replays are deleted, their files too; 0: never."),
    may("LEDGER_SECONDS", "2592000", "How long the cloud's notices are kept."),
    may("MODERATION", "record", "What a forbidden picture does to a live: record (it is noted), hide or end."),
    may("LOG_USERS", "on", "Whether the log names users, streams and addresses: on, or off for pseudonyms."),
    may("LOG_SALT", "", "What those pseudonyms are made with, 16 characters or more; must be set if LOG_USERS is off."),
];

/// The variable that holds the keys of a function, as a JSON object: `{"SESSION_KEY":"..","PUSH_KEY":".."}`.
pub const SECRETS: &str = "SECRETS";

/// What is wrong with the settings, all of it.
#[derive(Debug, PartialEq, Eq, ThisError)]
#[error("settings: {}", .0.join("; "))]
pub struct Faults(Vec<String>);

impl Config {
    /// Reads the settings of a function. If the variable [`SECRETS`] is set, a key that is neither in that variable nor
    /// in one of its own is withheld: the function starts, and a command that needs the key fails.
    pub fn read_function(var: impl Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        let Some(text) = var(SECRETS).filter(|text| !text.is_empty()) else { return Self::read(var) };
        let Ok(keys) = serde_json::from_str::<BTreeMap<String, String>>(&text) else {
            // What serde_json says of the text may have a part of a key in it.
            return Err(Faults(vec![format!("{SECRETS} is not a JSON object of texts")]));
        };
        let is_secret = |name: &str| SETTINGS.iter().any(|setting| setting.name == name && setting.is_secret());
        Self::read(|name| {
            let withheld = || is_secret(name).then(|| Secret::WITHHELD.to_owned());
            var(name).or_else(|| keys.get(name).cloned()).or_else(withheld)
        })
    }

    /// Reads the settings by their names, or says what is wrong with them, all in one line.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        let mut reader = Reader { var: &var, faults: Vec::new() };
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
            (reader.some_seconds("SESSION_SECONDS"), reader.some_seconds("REFRESH_SECONDS"));
        if refresh_seconds < token_seconds && refresh_seconds > 0 {
            reader.fault::<()>("REFRESH_SECONDS", "is less than SESSION_SECONDS");
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
                api_url: reader.old_api("API_URL"),
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
                gives_keys: reader.given("COS_SIGN_KEYS"),
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
                seconds: reader.some_seconds("LIMIT_SECONDS").max(1),
                user_logins: Limit(reader.number("USER_LOGIN_LIMIT")),
                address_logins: Limit(reader.number("ADDRESS_LOGIN_LIMIT")),
                address_registrations: Limit(reader.number("ADDRESS_REGISTER_LIMIT")),
            },
            oidc: reader.oidc(),
            rules: Rules {
                grace_seconds: reader.seconds("GRACE_SECONDS"),
                silence_seconds: reader.some_seconds("SILENCE_SECONDS"),
                member_seconds: reader.some_seconds("MEMBER_SECONDS"),
                replay_min_seconds: reader.seconds("REPLAY_MIN_SECONDS"),
                replay_window_seconds: reader.seconds("REPLAY_WINDOW_SECONDS"),
                replay_kept_seconds: reader.seconds("REPLAY_KEPT_SECONDS"),
                ledger_seconds: reader.some_seconds("LEDGER_SECONDS"),
                moderation: reader.moderation("MODERATION"),
            },
            log_names: reader.log_names(),
        };
        if reader.faults.is_empty() { Ok(config) } else { Err(Faults(reader.faults)) }
    }
}

/// Reads settings and gathers what is wrong with them. A faulty setting reads as something harmless: it is never used.
struct Reader<'a> {
    var: &'a dyn Fn(&str) -> Option<String>,
    faults: Vec<String>,
}

impl Reader<'_> {
    /// The text of a setting, its default, or a fault.
    fn text(&mut self, name: &'static str) -> String {
        let setting = SETTINGS.iter().find(|setting| setting.name == name).expect("a setting that is in the list");
        let given = (self.var)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        given.or_else(|| setting.default.map(str::to_owned)).unwrap_or_else(|| self.fault(name, "is not set"))
    }

    fn fault<T: Default>(&mut self, name: &str, what: &str) -> T {
        self.faults.push(format!("{name} {what}"));
        T::default()
    }

    /// The text, held to a rule unless it is empty.
    fn ruled(&mut self, name: &'static str, rule: fn(char) -> bool, what: &str) -> String {
        let text = self.text(name);
        if text.chars().all(rule) { text } else { self.fault(name, what) }
    }

    fn word(&mut self, name: &'static str) -> String {
        let rule = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let word = self.ruled(name, rule, "may hold letters, digits and - only");
        if word.len() <= WORD_CHARS { word } else { self.fault(name, "is too long") }
    }

    fn host(&mut self, name: &'static str) -> String {
        let rule = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        self.ruled(name, rule, "is a host name: letters, digits, - and . only")
    }

    fn digits(&mut self, name: &'static str) -> String {
        self.ruled(name, |c| c.is_ascii_digit(), "may hold digits only")
    }

    fn number(&mut self, name: &'static str) -> u64 {
        let text = self.text(name);
        if text.is_empty() {
            return 0; // already a fault
        }
        text.parse().unwrap_or_else(|_| self.fault(name, "is not a whole number"))
    }

    fn moderation(&mut self, name: &'static str) -> Moderation {
        match self.text(name).as_str() {
            "record" => Moderation::Record,
            "hide" => Moderation::Hide,
            "end" => Moderation::End,
            _ => {
                self.fault::<()>(name, "is not record, hide or end");
                Moderation::Record
            }
        }
    }

    /// The name of a table, by the rule of DynamoDB.
    fn table(&mut self, name: &'static str) -> String {
        let text = self.text(name);
        let is_good = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if (3..=255).contains(&text.len()) && text.chars().all(is_good) {
            text
        } else {
            self.fault(name, "is not 3 to 255 letters, digits, _, - and .")
        }
    }

    /// A number of devices: all sessions of a user are one item, which every signed call reads.
    fn devices(&mut self, name: &'static str) -> usize {
        match usize::try_from(self.number(name)) {
            Ok(number @ 1..=16) => number,
            Ok(_) | Err(_) => self.fault(name, "is not 1 to 16"),
        }
    }

    fn seconds(&mut self, name: &'static str) -> u64 {
        let seconds = self.number(name);
        if seconds <= MAX_SECONDS { seconds } else { self.fault(name, "is more than five years") }
    }

    fn secret(&mut self, name: &'static str) -> Secret {
        self.long_secret(name, SECRET_CHARS)
    }

    fn long_secret(&mut self, name: &'static str, chars: usize) -> Secret {
        let text = self.text(name);
        if text == Secret::WITHHELD {
            return Secret::new(text);
        }
        if !text.is_empty() && text.chars().count() < chars {
            return Secret::new(self.fault::<String>(name, &format!("has fewer than {chars} characters")));
        }
        if ["changeme", "password", "secretkey", "12345678"].contains(&text.to_ascii_lowercase().as_str()) {
            return Secret::new(self.fault::<String>(name, "is a placeholder, not a key"));
        }
        Secret::new(text)
    }

    /// A secret that may be missing. Where secrets are kept none can be empty, so `none` says it too.
    fn optional_secret(&mut self, name: &'static str) -> Option<Secret> {
        self.optional_long_secret(name, SECRET_CHARS)
    }

    fn optional_long_secret(&mut self, name: &'static str, chars: usize) -> Option<Secret> {
        let is_there = !["", "none"].contains(&self.text(name).as_str());
        is_there.then(|| self.long_secret(name, chars))
    }

    /// A secret that stands in the path of an address as it is.
    fn path_key(&mut self, name: &'static str) -> Option<Secret> {
        let key = self.optional_secret(name)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.text(name).chars().all(is_plain) {
            Some(key)
        } else {
            self.fault(name, "may hold letters, digits, - and _ only")
        }
    }

    /// The key in force and, if it is set, the next.
    fn session_keys(&mut self) -> Vec<Secret> {
        let key = self.long_secret("SESSION_KEY", SESSION_KEY_CHARS);
        let next = self.optional_long_secret("SESSION_KEY_NEXT", SESSION_KEY_CHARS);
        std::iter::once(key).chain(next).collect()
    }

    fn log_names(&mut self) -> LogNames {
        match self.text("LOG_USERS").as_str() {
            "on" => LogNames::Plain,
            "off" if self.text("LOG_SALT").is_empty() => {
                self.fault::<()>("LOG_SALT", "is not set, but LOG_USERS is off");
                LogNames::Plain
            }
            "off" => LogNames::Pseudonyms(self.long_secret("LOG_SALT", SALT_CHARS)),
            _ => {
                self.fault::<()>("LOG_USERS", "is on or off");
                LogNames::Plain
            }
        }
    }

    fn action_auth(&mut self, name: &'static str) -> ActionAuth {
        match self.text(name).as_str() {
            "open" => ActionAuth::Open,
            "user-sig" | "" => ActionAuth::UserSig,
            _ => {
                self.fault::<()>(name, "is open or user-sig");
                ActionAuth::UserSig
            }
        }
    }

    fn accounts(&mut self, name: &'static str) -> Accounts {
        match self.text(name).as_str() {
            "open" => Accounts::Open,
            "closed" => Accounts::Closed,
            _ => {
                self.fault::<()>(name, "is open or closed");
                Accounts::Closed
            }
        }
    }

    /// A stretch of time that is one.
    fn some_seconds(&mut self, name: &'static str) -> u64 {
        let faults = self.faults.len();
        match self.seconds(name) {
            0 if self.faults.len() == faults => self.fault(name, "is 0"),
            seconds => seconds,
        }
    }

    fn given(&mut self, name: &'static str) -> bool {
        match self.text(name).as_str() {
            "given" => true,
            "refused" => false,
            _ => self.fault(name, "is given or refused"),
        }
    }

    /// The address of the old interface: the query of each call is put behind it.
    fn old_api(&mut self, name: &'static str) -> Option<String> {
        let url = self.text(name);
        if url == "none" {
            return None;
        }
        if http_client::is_address(&url) && !url.contains(['?', '#']) {
            return Some(url);
        }
        self.fault(name, "is none, or an http or https address without query")
    }

    fn cloud_api(&mut self, Vod { secret_id, secret_key, .. }: &Vod) -> Option<CloudApi> {
        let url = self.text("CLOUD_API_URL");
        if url == "none" {
            return None;
        }
        match ApiUrl::parse(&url) {
            Some(url) => Some(CloudApi { url, secret_id: secret_id.clone(), secret_key: secret_key.clone() }),
            None => self.fault("CLOUD_API_URL", "is none, or an https address without path (http for loopback only)"),
        }
    }

    fn oidc(&mut self) -> Option<Oidc> {
        let [issuer, audience, user_claim] =
            ["OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_USER_CLAIM"].map(|name| self.text(name));
        if issuer.is_empty() {
            // An audience alone is an issuer forgotten: with accounts of our own, who registers would be anybody.
            return if audience.is_empty() {
                None
            } else {
                self.fault("OIDC_ISSUER", "is not set, but OIDC_AUDIENCE is")
            };
        }
        if !http_client::is_secure(&issuer) || issuer.contains(['?', '#']) {
            self.fault::<()>("OIDC_ISSUER", "is an https address without query (http for loopback only)");
        }
        if audience.is_empty() {
            self.fault::<()>("OIDC_AUDIENCE", "is not set, but OIDC_ISSUER is");
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
            self.fault::<()>("RECORD_FORMATS", "is none, or some of flv, hls, mp4 joined by |");
        }
        Some(Recording { formats, interval_seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Good settings, but for those named.
    fn read(changes: &[(&str, &str)]) -> Result<Config, Faults> {
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
    fn a_time_that_the_lists_could_not_span_is_a_fault() {
        let window = |seconds| read(&[("REPLAY_WINDOW_SECONDS", seconds)]);
        assert_eq!(window("157680000").unwrap().rules.replay_window_seconds, MAX_SECONDS);
        for seconds in ["157680001", "18446744073709551615"] {
            let fault = window(seconds).unwrap_err().to_string();
            assert_eq!(fault, "settings: REPLAY_WINDOW_SECONDS is more than five years");
        }
    }

    #[test]
    fn a_business_id_that_a_stream_has_no_room_for_is_a_fault() {
        assert!(read(&[("BIZID", &"8".repeat(WORD_CHARS))]).is_ok());
        let fault = read(&[("BIZID", &"8".repeat(WORD_CHARS + 1))]).unwrap_err().to_string();
        assert_eq!(fault, "settings: BIZID is too long");
    }

    #[test]
    fn times_that_make_no_sense_are_faults() {
        for (name, value, what) in [
            ("LIMIT_SECONDS", "0", "is 0"),
            ("SESSION_SECONDS", "0", "is 0"),
            ("REFRESH_SECONDS", "2591999", "is less than SESSION_SECONDS"),
            ("SESSIONS_PER_USER", "17", "is not 1 to 16"),
            ("SESSIONS_PER_USER", "0", "is not 1 to 16"),
            ("SESSION_KEY", "thirty-one-characters-are-short", "has fewer than 32 characters"),
            ("ACCOUNTS", "maybe", "is open or closed"),
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
            assert_eq!(fault, "settings: TABLE_NAME is not 3 to 255 letters, digits, _, - and .");
        }
    }

    #[test]
    fn pseudonyms_in_the_log_want_a_salt() {
        let names = |users, salt| read(&[("LOG_USERS", users), ("LOG_SALT", salt)]).map(|config| config.log_names);
        assert_eq!(names("", "").unwrap().of("alice"), "alice");
        let pseudonym = |salt| names("off", salt).unwrap().of("alice");
        assert_eq!((pseudonym("sixteen-letters-").len(), pseudonym("sixteen-letters-").contains("alice")), (16, false));
        assert_ne!(pseudonym("sixteen-letters-"), pseudonym("another-sixteen-"));
        let fault = |users, salt| names(users, salt).unwrap_err().to_string();
        assert_eq!(fault("off", ""), "settings: LOG_SALT is not set, but LOG_USERS is off");
        assert_eq!(fault("off", "fifteen-letters"), "settings: LOG_SALT has fewer than 16 characters");
        assert_eq!(fault("no", ""), "settings: LOG_USERS is on or off");
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
        assert_eq!(addresses("https://{service}.example.com:443/")[1], "https://vod.example.com/", "https's own port");
        assert_eq!(addresses("http://localhost:80")[0], "http://localhost/", "http's own port");
        assert_eq!(addresses("https://localhost:80")[0], "https://localhost:80/", "not https's");
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
                fault, "settings: CLOUD_API_URL is none, or an https address without path (http for loopback only)",
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
            assert_eq!(fault, "settings: API_URL is none, or an http or https address without query", "{url}");
        }
    }

    #[test]
    fn keys_for_any_upload_are_given_unless_that_is_switched_off() {
        let gives_keys = |word| read(&[("COS_SIGN_KEYS", word)]).map(|config| config.cos.gives_keys);
        assert_eq!((gives_keys(""), gives_keys("given"), gives_keys("refused")), (Ok(true), Ok(true), Ok(false)));
        let fault = gives_keys("no").unwrap_err().to_string();
        assert_eq!(fault, "settings: COS_SIGN_KEYS is given or refused");
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
            assert_eq!(fault, "settings: OIDC_ISSUER is an https address without query (http for loopback only)");
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
            assert_eq!(fault(Some(wrong)), "settings: SECRETS is not a JSON object of texts");
        }
    }

    #[test]
    fn every_fault_is_reported_with_the_name_of_its_setting() {
        let faults = read(&[("BIZID", ""), ("PUSH_KEY", "short"), ("LIVE_APPID", "x"), ("ACTION_AUTH", "closed")]);
        let text = faults.unwrap_err().to_string();
        for name in [
            "BIZID is not set",
            "PUSH_KEY has fewer than 8 characters",
            "LIVE_APPID may hold",
            "ACTION_AUTH is open or",
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
        assert_eq!(fault("short"), "settings: CALLBACK_PATH_KEY has fewer than 8 characters");
        for value in ["two/segments", "ends-with?", "hundred%25", "a b c d e"] {
            assert_eq!(fault(value), "settings: CALLBACK_PATH_KEY may hold letters, digits, - and _ only");
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
