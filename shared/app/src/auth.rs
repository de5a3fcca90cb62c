//! The authentication of callers. A command declares the type of its caller; only this module can create values of
//! these types.

use std::borrow::Cow;

use crate::{App, config::ActionAuth};
use protocol::{
    error::{Chain, Error},
    sign::{
        callback, constant_time_eq,
        session::{Generation, body_digest, liteav_sig, with_timestamp_plus_one},
        user_sig,
    },
    types::{ClientAddress, Timestamp, UnixSeconds, UserId},
    wire::{Call, Dialect},
};
use store::{Account, Session, Sessions};

/// How long after its expiry a notice of the cloud is accepted as late. The cloud retries for 12 minutes; a notice
/// expires after 10.
const MAX_LATE_SECONDS: u64 = 3600;
/// How far in the future the expiry of a notice may be: 10 minutes, and a tolerance for differing clocks.
const MAX_EXPIRY_AHEAD_SECONDS: u64 = 3600;

/// The length of a Liteav-Sig: an MD5 digest in hexadecimal digits.
const SIGNATURE_CHARS: usize = 32;

/// Whether a call that is signed in Gen 2 must have a timestamp.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TimestampRule {
    /// A call without a timestamp is refused.
    Required,
    /// A call may lack a timestamp. A timestamp that is present must be right.
    Optional,
}

/// A type of caller that a command can require.
pub trait Caller: Sized + Send {
    /// Authenticates the caller, or refuses the call. The rule is that of the command.
    fn identify(app: &App, call: &Call, rule: TimestampRule) -> impl Future<Output = Result<Self, Error>> + Send;
}

/// The user in the field `userid`.
pub struct User {
    id: UserId,
    is_verified: bool,
}

impl User {
    /// The user's id.
    pub fn id(&self) -> &UserId {
        &self.id
    }

    /// Whether a signature verifies the user. If not, the settings have `ACTION_AUTH=open`, and the user id of the body
    /// is trusted.
    pub fn is_verified(&self) -> bool {
        self.is_verified
    }
}

impl Caller for User {
    async fn identify(app: &App, call: &Call, rule: TimestampRule) -> Result<Self, Error> {
        match (call.dialect, app.config.action_auth) {
            (Dialect::Action, ActionAuth::Open) => Ok(Self { id: call.params.required("userid")?, is_verified: false }),
            (Dialect::Action, ActionAuth::UserSig) => {
                let id: UserId = call.params.required("userid")?;
                if user_sig_of(app, call)? != id.as_str() {
                    return Err(bad_signature("the UserSig belongs to another user"));
                }
                Ok(Self { id, is_verified: true })
            }
            (Dialect::Rest, _) => {
                let id = claimed_user(app, call, rule)?;
                let sessions = app.table.sessions(&id).await?;
                use_session(app, call, &id, &sessions).await?;
                Ok(Self { id, is_verified: true })
            }
            (Dialect::Callback, _) => Err(bad_signature("the caller is the cloud, not a user")),
        }
    }
}

/// Any user: for calls whose field `userid` is not the caller, or is missing, in Gen 1. In Gen 2 `userid` is the user
/// whose session signs the call.
pub struct AnyUser(());

impl Caller for AnyUser {
    async fn identify(app: &App, call: &Call, rule: TimestampRule) -> Result<Self, Error> {
        match (call.dialect, app.config.action_auth) {
            (Dialect::Action, ActionAuth::Open) => Ok(Self(())),
            (Dialect::Action, ActionAuth::UserSig) => user_sig_of(app, call).map(|_| Self(())),
            (Dialect::Rest | Dialect::Callback, _) => User::identify(app, call, rule).await.map(|_| Self(())),
        }
    }
}

/// A Gen-2 user with the account, which is read together with the user's sessions.
pub struct AccountHolder {
    user: UserId,
    account: Option<Account>,
}

impl AccountHolder {
    /// The user's id.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// The account; `None` if it was deleted.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }
}

impl Caller for AccountHolder {
    async fn identify(app: &App, call: &Call, rule: TimestampRule) -> Result<Self, Error> {
        let user = claimed_user(app, call, rule)?;
        let (account, sessions) = app.table.account_and_sessions(&user).await?;
        use_session(app, call, &user, &sessions).await?;
        Ok(Self { user, account })
    }
}

/// The session with whose token a Gen-2 call is signed.
pub struct SessionHolder {
    user: UserId,
    session: String,
}

impl SessionHolder {
    /// The user of the session.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// The id of the session.
    pub fn session(&self) -> &str {
        &self.session
    }
}

impl Caller for SessionHolder {
    async fn identify(app: &App, call: &Call, rule: TimestampRule) -> Result<Self, Error> {
        let user = claimed_user(app, call, rule)?;
        let sessions = app.table.sessions(&user).await?;
        let session = signing_session(app, call, &user, &sessions)?.generation.session.clone();
        Ok(Self { user, session })
    }
}

/// The holder of a refresh token. Whether the token is still valid is decided by the table later.
pub struct Refresher {
    user: UserId,
    generation: Generation,
}

impl Refresher {
    /// The user of the token.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// The generation of tokens that the token belongs to.
    pub fn generation(&self) -> &Generation {
        &self.generation
    }
}

impl Caller for Refresher {
    async fn identify(app: &App, call: &Call, rule: TimestampRule) -> Result<Self, Error> {
        let user: UserId = call.params.required("userid")?;
        let token: String = call.params.required("refresh_token")?;
        let keys = &app.config.sessions.keys;
        let generation = Generation::of_refresh_token(&token, &user, keys);
        let generation = generation.ok_or_else(|| bad_signature("the refresh token does not belong to this user"))?;
        // The protocol's document requires no signature here, but the original server did. A signature that is present
        // must be right.
        if let Some(signed) = Signed::of(call) {
            check_timestamp(app, call, rule)?;
            if !signed.with(app, &generation, &user) {
                return Err(bad_signature("the signature does not match the body and the refresh token"));
            }
        }
        Ok(Self { user, generation })
    }
}

/// Any caller, without authentication.
pub struct Anonymous {
    address: Option<String>,
}

impl Anonymous {
    /// The key under which attempts from the caller's address are counted; `None` if they are not counted.
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }
}

impl Caller for Anonymous {
    async fn identify(_: &App, call: &Call, _: TimestampRule) -> Result<Self, Error> {
        let address = call.client_address.map_or_else(|| Some("unknown".to_owned()), ClientAddress::network);
        Ok(Self { address })
    }
}

/// The refusal of a caller who is not authenticated. The reason is logged and not sent.
fn bad_signature(why: impl Into<Cow<'static, str>>) -> Error {
    Error::BadSignature(why.into())
}

/// The user that a Gen-2 call names, before the signature is verified. Refuses a call without a well-formed signature,
/// and a call whose timestamp breaks the rule.
fn claimed_user(app: &App, call: &Call, rule: TimestampRule) -> Result<UserId, Error> {
    match &call.signature {
        None => return Err(bad_signature("the header Liteav-Sig is missing, or there is more than one")),
        Some(signature) if signature.len() != SIGNATURE_CHARS => {
            return Err(bad_signature("Liteav-Sig does not have the length of an MD5 digest"));
        }
        Some(_) => {}
    }
    check_timestamp(app, call, rule)?;
    call.params.required("userid").map_err(|_| bad_signature("userid is missing or invalid"))
}

/// Refuses a call whose timestamp is too old or in the future.
///
/// The original server did not check timestamps, so a recorded call could be repeated for ever.
fn check_timestamp(app: &App, call: &Call, rule: TimestampRule) -> Result<(), Error> {
    let bad = |_| bad_signature("timestamp or expires is not a number of seconds");
    let (settings, now) = (&app.config.sessions, app.now());
    let expires = call.params.optional::<u64>("expires").map_err(bad)?.unwrap_or(0).min(settings.announced_seconds());
    let Some(Timestamp(made)) = call.params.optional("timestamp").map_err(bad)? else {
        return if rule == TimestampRule::Optional { Ok(()) } else { Err(bad_signature("timestamp is missing")) };
    };
    if made > now.plus(settings.clock_skew_seconds) {
        return Err(bad_signature(format!("timestamp is {} s in the future", made.0.saturating_sub(now.0))));
    }
    if now > made.plus(expires).plus(settings.clock_skew_seconds) {
        return Err(bad_signature(format!(
            "timestamp is {} s old, and expires is {expires} s",
            now.0.saturating_sub(made.0)
        )));
    }
    Ok(())
}

/// The session with whose token a call is signed.
fn signing_session<'a>(app: &App, call: &Call, user: &UserId, sessions: &'a Sessions) -> Result<&'a Session, Error> {
    let signed = Signed::of(call);
    let mut all = sessions.all();
    let session = all.find(|session| signed.as_ref().is_some_and(|s| s.with(app, &session.generation, user)));
    match session {
        Some(session) if session.is_live(app.now()) => Ok(session),
        Some(_) => Err(bad_signature("the session has expired or was ended")),
        None if sessions.live(app.now()).next().is_none() => Err(bad_signature("the user has no session")),
        None => Err(bad_signature("the signature does not match the body and any token of the user")),
    }
}

/// Finds the session with whose token a call is signed, and writes the time of its use if that is due.
async fn use_session(app: &App, call: &Call, user: &UserId, sessions: &Sessions) -> Result<(), Error> {
    let session = signing_session(app, call, user, sessions)?;
    let used = app.table.use_session(user, sessions, session, app.config.sessions.lifetimes, app.now()).await;
    // The caller is authenticated all the same. A later call writes the time of use.
    if let Err(error) = used {
        let user = app.config.log_names.of(user.as_str());
        tracing::warn!(user, error = %Chain(&error), "the last use of a session could not be written");
    }
    Ok(())
}

/// The signature of a call, and the body digests that it may have been computed from.
struct Signed<'a> {
    signature: &'a str,
    digests: Vec<String>,
}

impl<'a> Signed<'a> {
    fn of(call: &'a Call) -> Option<Self> {
        let body = call.params.body();
        let bodies = [Some(body_digest(body)), with_timestamp_plus_one(body).as_deref().map(body_digest)];
        Some(Self { signature: call.signature.as_ref()?, digests: bodies.into_iter().flatten().collect() })
    }

    /// Whether the signature was made with a token of this generation.
    fn with(&self, app: &App, generation: &Generation, user: &UserId) -> bool {
        app.config.sessions.keys.iter().any(|key| {
            let token = generation.token(user, key);
            self.digests.iter().any(|digest| constant_time_eq(&liteav_sig(&token, digest), self.signature))
        })
    }
}

/// The user in the call's verified UserSig: the header `X-User-Sig`, or the field `usersig`.
fn user_sig_of(app: &App, call: &Call) -> Result<String, Error> {
    let field = call.params.optional::<String>("usersig")?;
    let sig = call.user_sig.as_ref().or(field.as_ref()).ok_or_else(|| bad_signature("the UserSig is missing"))?;
    let im = &app.config.im;
    let user = user_sig::verify(sig, im.sdk_app_id, &im.secret_key, app.now());
    user.ok_or_else(|| bad_signature("the UserSig has expired, or is not signed with IM_SECRET_KEY"))
}

/// A caller with the operator key.
pub struct Operator(());

impl Caller for Operator {
    async fn identify(app: &App, call: &Call, _: TimestampRule) -> Result<Self, Error> {
        match (&app.config.operator_key, &call.operator_key) {
            (Some(key), Some(received)) if constant_time_eq(key.expose(), received) => Ok(Self(())),
            _ => Err(Error::NotOperator),
        }
    }
}

/// The live cloud, which signs its notices with one of the callback keys.
pub struct LiveCloud {
    is_late: bool,
}

impl LiveCloud {
    /// Whether the notice was received after its expiry. A late notice may end a live, but starts nothing.
    pub fn is_late(&self) -> bool {
        self.is_late
    }
}

impl Caller for LiveCloud {
    async fn identify(app: &App, call: &Call, _: TimestampRule) -> Result<Self, Error> {
        // The signature covers the digits as received, so `t` is not parsed as a number before the check.
        let t: String = call.params.required("t")?;
        let received = call.params.text_only("sign").map_err(|_| bad_signature("sign is not a text"))?;
        let mut keys = app.config.live.callback_keys.iter();
        if !keys.any(|key| constant_time_eq(&callback::sign(key, &t), &received)) {
            return Err(bad_signature("sign was not made with CALLBACK_KEY"));
        }
        let expiry = t.parse().map(UnixSeconds).map_err(|_| bad_signature("t is not a number of seconds"))?;
        let now = app.now();
        if expiry.plus(MAX_LATE_SECONDS) < now || expiry > now.plus(MAX_EXPIRY_AHEAD_SECONDS) {
            return Err(Error::StaleNotice);
        }
        Ok(Self { is_late: expiry < now })
    }
}
