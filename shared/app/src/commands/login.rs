//! `login`: trades a name and a password, or an ID token of the customer's identity provider, for a session.

use serde::Serialize;

use super::{
    Command, Names,
    tokens::{Tokens, issue},
};
use crate::{App, auth::Anyone, config::Accounts, oidc::Provider};
use protocol::{
    error::Error,
    sign::{hex, session::Generation, user_sig},
    types::{AccountName, Link, Nickname, Password, Secret, UserId},
    wire::Params,
};
use store::{Attempt, PublicProfile, Sessions, password, rules::Limit};

/// See the module.
#[derive(Debug)]
pub struct Login {
    credential: Credential,
}

/// What a user shows to prove who they are.
#[derive(Debug)]
enum Credential {
    /// What an account of ours was made with.
    Password(AccountName, Password),
    /// What the customer's identity provider says.
    IdToken(Secret),
}

/// The session, and what the app wants to know besides.
#[derive(Serialize)]
pub struct Reply {
    #[serde(flatten)]
    tokens: Tokens,
    roomservice_sign: Im,
    cos_info: Cos,
}

/// A login to the instant-messaging service.
#[derive(Serialize)]
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
        let credential = match params.optional::<String>("id_token")? {
            Some(token) if !token.is_empty() => Credential::IdToken(Secret::new(token)),
            Some(_) | None => Credential::Password(params.required("userid")?, params.required("password")?),
        };
        Ok(Self { credential })
    }

    async fn run(self, caller: Anyone, app: &App) -> Result<Reply, Error> {
        let way = self.credential.way(app)?;
        let proved = way.prove(app);
        let (user, sessions) = match caller.address().map(Attempt::AddressLogin) {
            Some(attempt) => limited(app, attempt, app.config.limits.address_logins, proved).await?,
            None => proved.await?,
        };
        // With a login of this name would come the right to do anything to anybody's messages.
        if app.config.im.administrators.iter().any(|administrator| *administrator == user.as_str()) {
            return Err(Error::NotFound("user"));
        }
        start(app, &user, sessions).await
    }
}

/// Does what could be tried to guess something, unless that was tried too often of late. What succeeds, or fails for a
/// reason of ours, does not count.
async fn limited<T>(
    app: &App,
    attempt: Attempt<'_>,
    limit: Limit,
    task: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let (seconds, now) = (app.config.limits.seconds, app.now());
    // Counted before the work is done, or many calls at once would all come in under the limit.
    if !app.table.admit_attempt(attempt, limit, seconds, now).await? {
        return Err(Error::TooMany);
    }
    let outcome = task.await;
    let is_guess = outcome.as_ref().is_err_and(|error| !error.is_internal() && !matches!(error, Error::TooMany));
    if !is_guess {
        app.table.undo_attempt(attempt, limit, seconds, now).await?;
    }
    outcome
}

/// A way to log in that the settings allow.
enum LoginMethod<'a> {
    Password(AccountName, Password),
    IdToken(&'a Provider, Secret),
}

impl Credential {
    fn way(self, app: &App) -> Result<LoginMethod<'_>, Error> {
        match (self, &app.oidc, app.config.accounts) {
            (Self::Password(name, password), None, Accounts::Open) => Ok(LoginMethod::Password(name, password)),
            (Self::IdToken(token), Some(provider), _) => Ok(LoginMethod::IdToken(provider, token)),
            (Self::Password(..), Some(_), _) => {
                Err(Error::SwitchedOff("accounts are those of the identity provider: log in with id_token"))
            }
            (Self::Password(..), None, Accounts::Closed) => {
                Err(Error::SwitchedOff("there are no accounts with passwords"))
            }
            (Self::IdToken(_), None, _) => Err(Error::SwitchedOff("there is no identity provider")),
        }
    }
}

impl LoginMethod<'_> {
    /// Whom it proves, and their sessions.
    async fn prove(self, app: &App) -> Result<(UserId, Sessions), Error> {
        match self {
            Self::Password(name, password) => {
                let attempt = Attempt::UserLogin(name.user().as_str());
                limited(app, attempt, app.config.limits.user_logins, by_password(app, name.user(), password)).await
            }
            Self::IdToken(provider, token) => by_id_token(app, provider, &token).await,
        }
    }
}

/// The user of an account of ours, and their sessions.
async fn by_password(app: &App, user: &UserId, password: Password) -> Result<(UserId, Sessions), Error> {
    let (account, sessions) = app.table.account_and_sessions(user).await?;
    let is_known = account.is_some();
    match password::verify(password, account.and_then(|account| account.password)).await? {
        true => Ok((user.clone(), sessions)),
        false if is_known => Err(Error::WrongPassword),
        false => Err(Error::NotFound("user")),
    }
}

/// The user whom the identity provider vouches for, and their sessions. Who comes for the first time gets an account.
async fn by_id_token(app: &App, provider: &Provider, token: &Secret) -> Result<(UserId, Sessions), Error> {
    let identity = provider.identify(token.expose(), app.now()).await?;
    let user = identity.user;
    let (account, sessions) = app.table.account_and_sessions(&user).await?;
    if account.is_none() {
        let face = PublicProfile {
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
    let generation = Generation { session: hex(app.nonce()), number: 0 };
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
