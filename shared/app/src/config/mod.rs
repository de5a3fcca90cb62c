//! The settings: their list, and the values that commands use.
//!
//! A field without a description is the setting of that name, which [`SETTINGS`] describes: `Cos::sign_seconds` is
//! COS_SIGN_SECONDS.

#![expect(missing_docs, reason = "SETTINGS describes the fields")]

mod read;
mod settings;
#[cfg(test)]
mod tests;

pub use self::{
    read::{ConfigErrors, SECRETS},
    settings::{SETTINGS, Setting},
};
use protocol::{
    log_names::LogNames,
    sign::push_url::{Domains, Recording},
    types::Secret,
};
use store::rules::{Limit, Rules, TokenLifetimes};

/// The values of all settings.
#[derive(Clone, Debug)]
pub struct Config {
    pub table: String,
    pub action_auth: ActionAuth,
    pub operator_key: Option<Secret>,
    pub live: Live,
    /// `None` if the API is not called.
    pub cloud_api: Option<CloudApi>,
    pub cos: Cos,
    pub vod: Vod,
    pub im: Im,
    pub accounts: Accounts,
    pub sessions: Sessions,
    pub limits: Limits,
    /// `None` if this server has the accounts.
    pub oidc: Option<Oidc>,
    pub rules: Rules,
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
    pub appid: String,
    pub domains: Domains,
    pub push_key: Secret,
    pub push_url_seconds: u64,
    pub link_mic_seconds: u64,
    /// The recording that push URLs request, or `None`.
    pub recording: Option<Recording>,
    pub api_key: Secret,
    /// `None` if the old interface is not called.
    pub api_url: Option<String>,
    /// The keys that are accepted in the signature of a notice: the current one and, during a change of keys, the next.
    pub callback_keys: Vec<Secret>,
    pub callback_path_key: Option<Secret>,
}

/// The cloud's API 3.0, which checks, cuts and bans streams and deletes files.
#[derive(Clone, Debug)]
pub struct CloudApi {
    pub url: ApiUrl,
    pub secret_id: String,
    pub secret_key: Secret,
}

/// The address of each service of the cloud: `{service}` is replaced by the name of the service. The scheme is https;
/// http is allowed for loopback only.
///
/// ```
/// use app::config::ApiUrl;
/// let url = ApiUrl::parse("https://{service}.example.com").unwrap();
/// assert_eq!(url.of("vod"), "https://vod.example.com/");
/// assert_eq!(url.host("vod"), "vod.example.com");
///
/// // An attacker on the network could change the answers.
/// assert!(ApiUrl::parse("http://{service}.example.com").is_none());
/// assert!(ApiUrl::parse("http://127.0.0.1:3000/").is_some());
/// // The signature of a call covers the host and not the path.
/// assert!(ApiUrl::parse("https://example.com/{service}").is_none());
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

    /// The address of a live cloud on this machine, for every service.
    pub fn of_this_machine(address: std::net::SocketAddr) -> Self {
        Self { scheme: "http", host: address.to_string() }
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
    pub appid: u64,
    pub bucket: String,
    pub region: String,
    /// `None`: the address of the bucket at Tencent.
    pub url: Option<String>,
    pub secret_id: String,
    pub secret_key: Secret,
    pub sign_seconds: u64,
    /// COS_SIGN_KEYS: whether apps get keys and signatures for any request.
    pub gives_keys: bool,
    pub max_bytes: u64,
}

impl Cos {
    /// The address of the bucket's objects: a scheme and a host.
    pub fn address(&self) -> String {
        let Self { bucket, appid, region, .. } = self;
        let url = self.url.clone();
        url.unwrap_or_else(|| format!("https://{bucket}-{appid}.cos.{region}.myqcloud.com"))
    }
}

/// The video-on-demand service, with the key of CLOUD_API_SECRET_ID.
#[derive(Clone, Debug)]
pub struct Vod {
    pub secret_id: String,
    pub secret_key: Secret,
    pub procedure: String,
}

/// The instant-messaging service.
#[derive(Clone, Debug)]
pub struct Im {
    pub sdk_app_id: u64,
    pub secret_key: Secret,
    pub administrators: Vec<String>,
    pub account_type: String,
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
    pub lifetimes: TokenLifetimes,
    pub per_user: usize,
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

/// The limits on attempts to log in and to register per LIMIT_SECONDS.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub seconds: u64,
    pub user_logins: Limit,
    pub address_logins: Limit,
    pub address_registrations: Limit,
}

/// An OpenID Connect identity provider.
#[derive(Clone, Debug)]
pub struct Oidc {
    pub issuer: String,
    pub audience: String,
    pub user_claim: String,
}
