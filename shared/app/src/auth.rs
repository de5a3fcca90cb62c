//! Who is calling. A command names the caller it needs as its [`Command::Caller`](crate::commands::Command::Caller);
//! only this file can make one.

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

/// How long after its expiry a notice of the cloud still counts. The cloud tries for 12 minutes, a notice lives 10.
const LATE_SECONDS: u64 = 3600;
/// How far ahead of now a notice may expire: its 10 minutes, and clocks that differ.
const AHEAD_SECONDS: u64 = 3600;

/// The length of a Liteav-Sig, an MD5 in hexadecimal digits.
const SIGNATURE_CHARS: usize = 32;

/// A caller that a command can ask for.
pub trait Caller: Sized + Send {
    /// Finds out who is calling, or refuses.
    fn identify(app: &App, call: &Call) -> impl Future<Output = Result<Self, Error>> + Send;
}

/// How far it is proved who the caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Not at all: the Gen-1 door is open, and the user id of the body is believed.
    Claimed,
    /// By a signature.
    Signed,
}

/// The user that the field `userid` names.
#[derive(Debug)]
pub struct User {
    id: UserId,
    proof: Proof,
}

impl User {
    /// Who it is.
    pub fn id(&self) -> &UserId {
        &self.id
    }

    /// How far that is proved.
    pub fn proof(&self) -> Proof {
        self.proof
    }
}

impl Caller for User {
    async fn identify(app: &App, call: &Call) -> Result<Self, Error> {
        identify_user(app, call, Stamp::Required).await
    }
}

/// A user whose app may leave out when it made the call, as iOS does with what it uploads.
#[derive(Debug)]
pub struct Uploader(User);

impl Uploader {
    /// Who it is.
    pub fn user(&self) -> &User {
        &self.0
    }
}

impl Caller for Uploader {
    async fn identify(app: &App, call: &Call) -> Result<Self, Error> {
        identify_user(app, call, Stamp::Optional).await.map(Self)
    }
}

async fn identify_user(app: &App, call: &Call, stamp: Stamp) -> Result<User, Error> {
    match (call.dialect, app.config.action_auth) {
        (Dialect::Action, ActionAuth::Open) => Ok(User { id: call.params.required("userid")?, proof: Proof::Claimed }),
        (Dialect::Action, ActionAuth::UserSig) => {
            let id: UserId = call.params.required("userid")?;
            if user_sig_of(app, call)? != id.as_str() {
                return Err(unproved("the UserSig is another user's"));
            }
            Ok(User { id, proof: Proof::Signed })
        }
        (Dialect::Rest, _) => {
            let id = claimed(app, call, stamp)?;
            let sessions = app.table.sessions(&id).await?;
            use_session(app, call, &id, &sessions).await?;
            Ok(User { id, proof: Proof::Signed })
        }
        (Dialect::Callback, _) => Err(unproved("a notice is of no user")),
    }
}

/// Some user, whoever it is: for calls in which `userid` is somebody else, or nobody, in Gen 1. In Gen 2 it says whose
/// session signs the call.
#[derive(Debug)]
pub struct SomeUser(());

impl Caller for SomeUser {
    async fn identify(app: &App, call: &Call) -> Result<Self, Error> {
        match (call.dialect, app.config.action_auth) {
            (Dialect::Action, ActionAuth::Open) => Ok(Self(())),
            (Dialect::Action, ActionAuth::UserSig) => user_sig_of(app, call).map(|_| Self(())),
            (Dialect::Rest | Dialect::Callback, _) => User::identify(app, call).await.map(|_| Self(())),
        }
    }
}

/// A user of Gen 2 with their account, read along with their sessions.
#[derive(Debug)]
pub struct AccountHolder {
    user: UserId,
    account: Option<Account>,
}

impl AccountHolder {
    /// Who it is.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// The account, if there still is one.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }
}

impl Caller for AccountHolder {
    async fn identify(app: &App, call: &Call) -> Result<Self, Error> {
        identify_account(app, call, Stamp::Required).await
    }
}

/// The same, also if the app leaves out when it made the call, as iOS does when a live begins.
#[derive(Debug)]
pub struct Broadcaster(AccountHolder);

impl Broadcaster {
    /// Who it is, and their account.
    pub fn holder(&self) -> &AccountHolder {
        &self.0
    }
}

impl Caller for Broadcaster {
    async fn identify(app: &App, call: &Call) -> Result<Self, Error> {
        identify_account(app, call, Stamp::Optional).await.map(Self)
    }
}

async fn identify_account(app: &App, call: &Call, stamp: Stamp) -> Result<AccountHolder, Error> {
    let user = claimed(app, call, stamp)?;
    let (account, sessions) = app.table.account_and_sessions(&user).await?;
    use_session(app, call, &user, &sessions).await?;
    Ok(AccountHolder { user, account })
}

/// The session that a call of Gen 2 is signed in.
#[derive(Debug)]
pub struct SessionHolder {
    user: UserId,
    session: String,
}

impl SessionHolder {
    /// Whose it is.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// Its name.
    pub fn session(&self) -> &str {
        &self.session
    }
}

impl Caller for SessionHolder {
    async fn identify(app: &App, call: &Call) -> Result<Self, Error> {
        let user = claimed(app, call, Stamp::Required)?;
        let sessions = app.table.sessions(&user).await?;
        let session = signing_session(app, call, &user, &sessions)?.generation.session.clone();
        Ok(Self { user, session })
    }
}

/// Somebody who has a refresh token. Whether it is still in force, only the table knows.
#[derive(Debug)]
pub struct Refresher {
    user: UserId,
    generation: Generation,
}

impl Refresher {
    /// Whose it is.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// The tokens that it is one of.
    pub fn generation(&self) -> &Generation {
        &self.generation
    }
}

impl Caller for Refresher {
    async fn identify(app: &App, call: &Call) -> Result<Self, Error> {
        let user: UserId = call.params.required("userid")?;
        let token: String = call.params.required("refresh_token")?;
        let keys = &app.config.sessions.keys;
        let generation = Generation::of_refresh_token(&token, &user, keys);
        let generation = generation.ok_or_else(|| unproved("the refresh token is none of this user's"))?;
        // The document asks for no signature here, and the original for one. Who signs is held to it.
        if let Some(signed) = Signed::of(call) {
            check_stamp(app, call, Stamp::Optional)?;
            if !signed.with(app, &generation, &user) {
                return Err(unproved("the digest is not that of this body and the token"));
            }
        }
        Ok(Self { user, generation })
    }
}

/// Anybody at all.
#[derive(Debug)]
pub struct Anyone {
    address: Option<String>,
}

impl Anyone {
    /// Where the call comes from, as attempts are counted by it; `None` if they are not.
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }
}

impl Caller for Anyone {
    async fn identify(_: &App, call: &Call) -> Result<Self, Error> {
        let address = call.client_address.map_or_else(|| Some("unknown".to_owned()), ClientAddress::network);
        Ok(Self { address })
    }
}

/// The refusal of a caller who proves nothing; why, for the log.
fn unproved(why: impl Into<Cow<'static, str>>) -> Error {
    Error::BadSignature(why.into())
}

/// Whether a call has to say when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamp {
    Required,
    Optional,
}

/// Whom a call of Gen 2 claims to come from, if it is of now and has a signature that could prove it.
fn claimed(app: &App, call: &Call, stamp: Stamp) -> Result<UserId, Error> {
    match &call.signature {
        None => return Err(unproved("there is no header Liteav-Sig, or two")),
        Some(signature) if signature.len() != SIGNATURE_CHARS => return Err(unproved("Liteav-Sig is no MD5")),
        Some(_) => {}
    }
    check_stamp(app, call, stamp)?;
    call.params.required("userid").map_err(|_| unproved("the body names no user"))
}

/// Refuses a call that was made too long ago, or is from the future.
///
/// The original never looked, so that a call could be repeated for ever.
fn check_stamp(app: &App, call: &Call, stamp: Stamp) -> Result<(), Error> {
    let bad = |_| unproved("timestamp or expires is no moment, or no count");
    let (settings, now) = (&app.config.sessions, app.now());
    let expires = call.params.optional::<u64>("expires").map_err(bad)?.unwrap_or(0).min(settings.announced_seconds());
    let Some(Timestamp(made)) = call.params.optional("timestamp").map_err(bad)? else {
        return if stamp == Stamp::Optional { Ok(()) } else { Err(unproved("there is no timestamp")) };
    };
    if made > now.plus(settings.clock_skew_seconds) {
        return Err(unproved(format!("made {} s from now, by the caller's clock", made.0.saturating_sub(now.0))));
    }
    if now > made.plus(expires).plus(settings.clock_skew_seconds) {
        return Err(unproved(format!("made {} s ago, and good for {expires} s", now.0.saturating_sub(made.0))));
    }
    Ok(())
}

/// The session among these that a call is signed in.
fn signing_session<'a>(app: &App, call: &Call, user: &UserId, sessions: &'a Sessions) -> Result<&'a Session, Error> {
    let signed = Signed::of(call);
    let mut all = sessions.all();
    let session = all.find(|session| signed.as_ref().is_some_and(|s| s.with(app, &session.generation, user)));
    match session {
        Some(session) if session.is_live(app.now()) => Ok(session),
        Some(_) => Err(unproved("the session is over")),
        None if sessions.live(app.now()).next().is_none() => Err(unproved("the user has no session")),
        None => Err(unproved("the digest is not that of this body and a token of the user's sessions")),
    }
}

/// Finds the session among these that a call is signed in, and writes down that it is used if that is due.
async fn use_session(app: &App, call: &Call, user: &UserId, sessions: &Sessions) -> Result<(), Error> {
    let session = signing_session(app, call, user, sessions)?;
    let used = app.table.use_session(user, sessions, session, app.config.sessions.lifetimes, app.now()).await;
    // The caller has proved who they are. A later call writes it down.
    if let Err(error) = used {
        let user = app.config.log_names.of(user.as_str());
        tracing::warn!(user, error = %Chain(&error), "the use of a session was not written down");
    }
    Ok(())
}

/// The signature of a call, and the digests that it can be of.
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

    /// Whether it was made with a token of this generation.
    fn with(&self, app: &App, generation: &Generation, user: &UserId) -> bool {
        app.config.sessions.keys.iter().any(|key| {
            let token = generation.token(user, key);
            self.digests.iter().any(|digest| constant_time_eq(&liteav_sig(&token, digest), self.signature))
        })
    }
}

/// The user whom the call's UserSig proves: the header `X-User-Sig`, or the field `usersig`.
fn user_sig_of(app: &App, call: &Call) -> Result<String, Error> {
    let field = call.params.optional::<String>("usersig")?;
    let sig = call.user_sig.as_ref().or(field.as_ref()).ok_or_else(|| unproved("there is no UserSig"))?;
    let im = &app.config.im;
    let user = user_sig::verify(sig, im.sdk_app_id, &im.secret_key, app.now());
    user.ok_or_else(|| unproved("the UserSig is over, or not signed with IM_SECRET_KEY"))
}

/// Somebody who has the operator key.
#[derive(Debug)]
pub struct Operator(());

impl Caller for Operator {
    async fn identify(app: &App, call: &Call) -> Result<Self, Error> {
        match (&app.config.operator_key, &call.operator_key) {
            (Some(key), Some(received)) if constant_time_eq(key.expose(), received) => Ok(Self(())),
            _ => Err(Error::NotOperator),
        }
    }
}

/// The live cloud: the notice is signed with one of its keys.
#[derive(Debug)]
pub struct Notice {
    late: bool,
}

impl Notice {
    /// Whether it comes after its expiry, so that it may end something but start nothing.
    pub fn is_late(&self) -> bool {
        self.late
    }
}

impl Caller for Notice {
    async fn identify(app: &App, call: &Call) -> Result<Self, Error> {
        // The digest covers the digits as they came, so a number sent as text is not read as a number here.
        let t: String = call.params.required("t")?;
        let received = call.params.text_only("sign").map_err(|_| unproved("sign is no text"))?;
        let mut keys = app.config.live.callback_keys.iter();
        if !keys.any(|key| constant_time_eq(&callback::sign(key, &t), &received)) {
            return Err(unproved("sign is not made with CALLBACK_KEY"));
        }
        let expiry = t.parse().map(UnixSeconds).map_err(|_| unproved("t is no number of seconds"))?;
        let now = app.now();
        if expiry.plus(LATE_SECONDS) < now || expiry > now.plus(AHEAD_SECONDS) {
            return Err(Error::StaleNotice);
        }
        Ok(Self { late: expiry < now })
    }
}
