//! `login`: trades a name and a password, or an ID token of the customer's identity provider, for a session.

use serde::Serialize;

use super::{
    Command, Names,
    tokens::{Tokens, issue},
};
use crate::{
    app::App,
    auth::Anyone,
    error::Error,
    oidc::Provider,
    password,
    sign::{hex, session::Generation, user_sig},
    table::{Attempt, Face, Sessions},
    types::{AccountName, Link, Nickname, Password, Secret, UserId},
    wire::Params,
};

/// See the module.
#[derive(Debug)]
pub struct Login {
    shown: Shown,
}

/// What a user shows to prove who they are.
#[derive(Debug)]
enum Shown {
    /// What an account of ours was made with.
    Password(AccountName, Password),
    /// What the customer's identity provider says.
    IdToken(Secret),
}

/// The session, and what the app wants to know besides.
#[derive(Debug, Serialize)]
pub struct Reply {
    #[serde(flatten)]
    tokens: Tokens,
    roomservice_sign: Im,
    cos_info: Cos,
}

/// A login to the instant-messaging service.
#[derive(Debug, Serialize)]
#[expect(non_snake_case, reason = "the wire's own spelling")]
struct Im {
    sdkAppID: u64,
    userID: String,
    userSig: String,
    accountType: String,
}

/// Where pictures go.
#[derive(Debug, Serialize)]
#[expect(non_snake_case, reason = "the wire's own spelling")]
struct Cos {
    Bucket: String,
    Region: String,
    Appid: u64,
    SecretId: String,
}

impl Command for Login {
    const NAMES: Names = Names::rest("login");
    type Caller = Anyone;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        let shown = match params.optional::<String>("id_token")? {
            Some(token) if !token.is_empty() => Shown::IdToken(Secret::new(token)),
            Some(_) | None => Shown::Password(params.required("userid")?, params.required("password")?),
        };
        Ok(Self { shown })
    }

    async fn run(self, Anyone { address }: Anyone, app: &App) -> Result<Reply, Error> {
        // Counted before anything is looked at, or many calls at once would all come in under the limit.
        let attempt = Attempt::AddressLogin(&address);
        let limits = &app.config.limits;
        let before = app.table.count_attempt(attempt, limits.seconds, app.now()).await?;
        if !limits.address_logins.admits(before) {
            return Err(Error::TooMany);
        }
        let (user, sessions) = match (self.shown, &app.oidc) {
            (Shown::Password(name, password), None) => by_password(app, name, password).await?,
            (Shown::IdToken(token), Some(provider)) => by_id_token(app, provider, &token).await?,
            (Shown::Password(..), Some(_)) => {
                return Err(Error::SwitchedOff("accounts are those of the identity provider: log in with id_token"));
            }
            (Shown::IdToken(_), None) => return Err(Error::SwitchedOff("there is no identity provider")),
        };
        app.table.forget_attempt(attempt, limits.seconds, app.now()).await?;
        start(app, &user, sessions).await
    }
}

/// The user of an account of ours, and their sessions.
async fn by_password(app: &App, name: AccountName, password: Password) -> Result<(UserId, Sessions), Error> {
    let (user, limits) = (name.user(), &app.config.limits);
    let attempt = Attempt::UserLogin(user.as_str());
    let before = app.table.count_attempt(attempt, limits.seconds, app.now()).await?;
    if !limits.user_logins.admits(before) {
        return Err(Error::TooMany);
    }
    let (account, sessions) = app.table.account_and_sessions(user).await?;
    let is_known = account.is_some();
    if !password::is_right(password, account.and_then(|account| account.password)).await {
        return Err(if is_known { Error::WrongPassword } else { Error::NotFound("user") });
    }
    app.table.forget_attempt(attempt, limits.seconds, app.now()).await?;
    Ok((user.clone(), sessions))
}

/// The user whom the identity provider vouches for, and their sessions. Who comes for the first time gets an account.
async fn by_id_token(app: &App, provider: &Provider, token: &Secret) -> Result<(UserId, Sessions), Error> {
    let identity = provider.identify(token.expose(), app.now()).await?;
    let user = identity.user;
    if user.as_str() == app.config.im.administrator {
        return Err(Error::NotFound("user"));
    }
    let (account, sessions) = app.table.account_and_sessions(&user).await?;
    if account.is_none() {
        let face = Face {
            nickname: identity.name.as_deref().and_then(Nickname::parse).unwrap_or_default(),
            avatar: identity.picture.as_deref().and_then(Link::parse).unwrap_or_default(),
        };
        // If another login made it meanwhile, it is there all the same.
        app.table.create_account(&user, None, &face, app.now()).await?;
    }
    Ok((user, sessions))
}

/// Starts a session of a user who proved who they are.
async fn start(app: &App, user: &UserId, sessions: Sessions) -> Result<Reply, Error> {
    let generation = Generation { session: hex(&app.nonce()), number: 0 };
    let (tokens, session) = issue(app, user, generation);
    app.table.start_session(user, sessions, &session, app.config.sessions.per_user, app.now()).await?;
    let (im, cos) = (&app.config.im, &app.config.cos);
    let user_sig = user_sig::sign(user.as_str(), im.sdk_app_id, &im.secret_key, app.now(), im.user_sig_seconds, None);
    Ok(Reply {
        tokens,
        roomservice_sign: Im {
            sdkAppID: im.sdk_app_id,
            userID: user.to_string(),
            userSig: user_sig,
            accountType: im.account_type.clone(),
        },
        cos_info: Cos {
            Bucket: cos.bucket.clone(),
            Region: cos.region.clone(),
            Appid: cos.appid,
            SecretId: cos.secret_id.clone(),
        },
    })
}
