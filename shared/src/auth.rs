//! Who is calling. A command names the caller it needs as its [`Command::Caller`](crate::commands::Command::Caller);
//! only this file can make one.

use crate::{
    app::App,
    config::ActionAuth,
    error::Error,
    sign::{callback, matches, user_sig},
    types::{UnixSeconds, UserId},
    wire::{Call, Dialect},
};

/// How long after its expiry a notice of the cloud still counts. The cloud tries for 12 minutes, a notice lives 10.
const LATE_SECONDS: u64 = 3600;
/// How far ahead of now a notice may expire: its 10 minutes, and clocks that differ.
const AHEAD_SECONDS: u64 = 3600;

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
        let id: UserId = call.params.required("userid")?;
        match (call.dialect, app.config.action_auth) {
            (Dialect::Action, ActionAuth::Open) => Ok(Self { id, proof: Proof::Claimed }),
            (Dialect::Action, ActionAuth::UserSig) if user_sig_of(app, call)? == id.as_str() => {
                Ok(Self { id, proof: Proof::Signed })
            }
            // Sessions, which sign the calls of Gen 2, come with accounts.
            (Dialect::Action | Dialect::Rest | Dialect::Callback, _) => Err(Error::BadSignature),
        }
    }
}

/// Some user, whoever it is: for calls in which `userid` is somebody else, or nobody.
#[derive(Debug)]
pub struct SomeUser(());

impl Caller for SomeUser {
    async fn identify(app: &App, call: &Call) -> Result<Self, Error> {
        match (call.dialect, app.config.action_auth) {
            (Dialect::Action, ActionAuth::Open) => Ok(Self(())),
            (Dialect::Action, ActionAuth::UserSig) => user_sig_of(app, call).map(|_| Self(())),
            (Dialect::Rest | Dialect::Callback, _) => Err(Error::BadSignature),
        }
    }
}

/// The user whom the call's UserSig proves: the header `X-User-Sig`, or the field `usersig`.
fn user_sig_of(app: &App, call: &Call) -> Result<String, Error> {
    let field = call.params.optional::<String>("usersig")?;
    let sig = call.user_sig.as_ref().or(field.as_ref()).ok_or(Error::BadSignature)?;
    let im = &app.config.im;
    user_sig::verify(sig, im.sdk_app_id, &im.secret_key, app.now()).ok_or(Error::BadSignature)
}

/// Somebody who has the operator key.
#[derive(Debug)]
pub struct Operator(());

impl Caller for Operator {
    async fn identify(app: &App, call: &Call) -> Result<Self, Error> {
        match (&app.config.operator_key, &call.operator_key) {
            (Some(key), Some(received)) if matches(key.expose(), received) => Ok(Self(())),
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
        let received = call.params.text_only("sign").map_err(|_| Error::BadSignature)?;
        let mut keys = app.config.live.callback_keys.iter();
        if !keys.any(|key| matches(&callback::sign(key, &t), &received)) {
            return Err(Error::BadSignature);
        }
        let expiry = t.parse().map(UnixSeconds).map_err(|_| Error::BadSignature)?;
        let now = app.now();
        if expiry.plus(LATE_SECONDS) < now || expiry > now.plus(AHEAD_SECONDS) {
            return Err(Error::StaleNotice);
        }
        Ok(Self { late: expiry < now })
    }
}
