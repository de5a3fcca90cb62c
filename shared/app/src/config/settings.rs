//! The list of all settings. A setting without a default must be set.

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

/// Defines a constant for each setting, described by its comment, and the list of them.
macro_rules! settings {
    ($($(#[doc = $help:literal])+ $name:ident $(= $default:literal)?,)+) => {
        $(pub(super) const $name: Setting = Setting {
            name: stringify!($name),
            help: concat!($($help),+).trim_ascii_start(),
            default: [$($default)?].first().copied(),
        };)+

        /// All settings, in the order of the documentation.
        pub const SETTINGS: &[Setting] = &[$($name),+];
    };
}

settings! {
    /// The name of the DynamoDB table.
    TABLE_NAME = "mini-lvb",
    /// How callers of /interface.php are authenticated: open (the user id of the body is trusted) or user-sig.
    ACTION_AUTH,
    /// The key that operators send as X-Operator-Key; empty: no call is an operator's. Shown in no console: make one
    /// up.
    OPERATOR_KEY = "",
    /// The business id of the live account, about four digits.
    BIZID,
    /// The appid of the live account, ten digits.
    LIVE_APPID,
    /// The key of the push domain's hotlink protection. CSS console, Domain Management, the push domain, Push
    /// Configuration: Primary Key.
    PUSH_KEY,
    /// The push domain, with a port if it is not RTMP's; empty: <bizid>.livepush.myqcloud.com.
    PUSH_DOMAIN = "",
    /// The play domain, with a port if it is not the scheme's; empty: <bizid>.liveplay.myqcloud.com.
    PLAY_DOMAIN = "",
    /// The scheme of play URLs: http, or https if the play domain has a certificate.
    PLAY_SCHEME = "http",
    /// How long a push URL is valid, in seconds.
    PUSH_URL_SECONDS = "86400",
    /// How long the URLs of a joint broadcast are valid, in seconds.
    LINK_MIC_SECONDS = "10800",
    /// The formats in which push URLs request a recording: flv, hls, mp4, joined by |; none: no recording.
    RECORD_FORMATS = "flv|hls",
    /// The longest recorded file, in seconds.
    RECORD_INTERVAL_SECONDS = "7200",
    /// The API authentication key of the live account, which signs the server's calls to the cloud. LVB console, LVB
    /// Code Access, Access Configuration; if that page is gone, the Callback Key of CALLBACK_KEY.
    API_KEY,
    /// The address of the cloud's old interface, which mixes streams; none: the server does not call it.
    API_URL = "http://fcgi.video.qcloud.com/common_access",
    /// The key that signs the cloud's notices; empty: API_KEY. CSS console, Feature Configuration, Live Stream
    /// Callback, the template: Callback Key.
    CALLBACK_KEY = "",
    /// A second key that is accepted in the signature of notices, for a change of keys. The value that will replace
    /// CALLBACK_KEY in the CSS console, Live Stream Callback.
    CALLBACK_KEY_NEXT = "",
    /// A secret first segment of the callback URL, as in /<key>/callback/Live_callback.php; empty: none. Shown in no
    /// console: make one up.
    CALLBACK_PATH_KEY = "",
    /// The appid of the object storage.
    COS_APPID,
    /// The bucket for covers and portraits, without the appid.
    COS_BUCKET,
    /// The region of the bucket.
    COS_REGION = "ap-guangzhou",
    /// The address of the bucket; empty: https://<bucket>-<appid>.cos.<region>.myqcloud.com. For an own domain of the
    /// bucket, or another storage with COS's interface.
    COS_URL = "",
    /// The SecretId of the key that uploads to the bucket; docs/apps.md lists its permissions.
    COS_SECRET_ID,
    /// The SecretKey of COS_SECRET_ID. Console, Cloud Access Management, API Keys: shown once, when the key is made.
    COS_SECRET_KEY,
    /// How long an upload signature is valid, in seconds.
    COS_SIGN_SECONDS = "30",
    /// Whether apps get keys that sign any upload, which old apps need: given or refused.
    COS_SIGN_KEYS = "given",
    /// The largest picture that get_cos_grant allows, in bytes.
    COS_MAX_BYTES = "10485760",
    /// The SecretId of the key that uploads and deletes videos, and checks, cuts and bans streams.
    CLOUD_API_SECRET_ID,
    /// The SecretKey of CLOUD_API_SECRET_ID. Console, Cloud Access Management, API Keys: shown once, when the key is
    /// made.
    CLOUD_API_SECRET_KEY,
    /// The address of the cloud's API 3.0, where {service} is replaced by live or vod; none: the server does not call
    /// it.
    CLOUD_API_URL = "https://{service}.tencentcloudapi.com",
    /// The task flow for uploaded videos.
    VOD_PROCEDURE = "XIAOZHIBO-DEFAULT",
    /// The SdkAppId of the instant-messaging app.
    IM_SDK_APP_ID,
    /// The key of the instant-messaging app. IM console, Application Management, the app, Basic Configuration: Display
    /// key.
    IM_SECRET_KEY,
    /// The administrators of the instant-messaging app, joined by commas: no user can log in with such a name.
    IM_ADMINISTRATORS = "administrator",
    /// The account type of an instant-messaging app from before 2019; empty for newer apps.
    IM_ACCOUNT_TYPE = "",
    /// How long a login to instant messaging (a UserSig) is valid, in seconds.
    USER_SIG_SECONDS = "15552000",
    /// Whether users can register and log in with a password: open or closed.
    ACCOUNTS = "open",
    /// The key of session tokens, at least 32 characters. Shown in no console: make one with openssl rand -hex 32.
    SESSION_KEY,
    /// A second key that is accepted in session tokens, for a change of keys. Shown in no console: make one like
    /// SESSION_KEY.
    SESSION_KEY_NEXT = "",
    /// How long a session is valid after its last use, in seconds.
    SESSION_SECONDS = "2592000",
    /// How long after its last use a session can be refreshed, in seconds; at least SESSION_SECONDS.
    REFRESH_SECONDS = "2592000",
    /// The number of devices on which a user can be logged in, 1 to 16; one more login ends the oldest session.
    SESSIONS_PER_USER = "1",
    /// How far a phone's clock may differ from the server's, in seconds.
    CLOCK_SKEW_SECONDS = "300",
    /// The interval in which attempts are counted, in seconds.
    LIMIT_SECONDS = "900",
    /// Failed logins of one user per LIMIT_SECONDS; 0: no limit.
    USER_LOGIN_LIMIT = "20",
    /// Failed logins from one address per LIMIT_SECONDS; 0: no limit.
    ADDRESS_LOGIN_LIMIT = "200",
    /// Attempts to register from one address per LIMIT_SECONDS; 0: no limit.
    ADDRESS_REGISTER_LIMIT = "100",
    /// The OpenID Connect provider whose ID tokens login accepts; empty: this server has the accounts.
    OIDC_ISSUER = "",
    /// The client id that is the audience of the ID tokens; required with OIDC_ISSUER.
    OIDC_AUDIENCE = "",
    /// The claim of the ID token that identifies the user.
    OIDC_USER_CLAIM = "sub",
    /// The longest interruption of a push, in seconds, after which the same live goes on.
    GRACE_SECONDS = "60",
    /// How long after its last sign of life a live ends, in seconds, if the cloud cannot be asked.
    SILENCE_SECONDS = "43200",
    /// How long after the last sign of life a viewer counts as gone, in seconds.
    MEMBER_SECONDS = "21600",
    /// The length, in seconds, up to which a replay is not listed.
    REPLAY_MIN_SECONDS = "60",
    /// How long replays and short videos stay in the lists, in seconds.
    REPLAY_WINDOW_SECONDS = "604800",
    /// After how many seconds replays and their files are deleted; 0: never.
    REPLAY_KEPT_SECONDS = "0",
    /// How long the cloud's notices are kept, in seconds.
    LEDGER_SECONDS = "2592000",
    /// The effect of a forbidden picture on its live: record (only the notice is kept), hide or end.
    MODERATION = "record",
    /// Whether the log has users, streams and addresses in plain text: on, or off for pseudonyms.
    LOG_USERS = "on",
    /// The salt of the pseudonyms in the log, at least 16 characters; required with LOG_USERS off.
    LOG_SALT = "",
}
