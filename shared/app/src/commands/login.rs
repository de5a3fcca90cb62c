//! `login`: starts a session for a name and a password, or for an ID token of the customer's identity provider.

use futures_util::future::BoxFuture;

use super::prelude::*;
use super::tokens::{Tokens, issue};
use crate::{auth::Anonymous, config::Accounts, oidc::Provider};
use protocol::{
    sign::{hex, session::Generation, user_sig},
    types::{Nickname, Password, Secret},
};
use store::{Attempt, PublicProfile, Sessions, password, rules::Limit};

pub struct Login {
    credential: Credential,
}

/// The credential of a login.
enum Credential {
    /// The name and the password of an account of this server.
    Password(AccountName, Password),
    /// An ID token of the customer's identity provider.
    IdToken(Secret),
}

/// The tokens of the new session, and the app's credentials for other services.
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

/// The bucket for pictures.
#[derive(Serialize)]
#[expect(non_snake_case, reason = "the wire's own spelling")]
struct Cos {
    Bucket: String,
    Region: String,
    Appid: u64,
    SecretId: String,
}

impl Command for Login {
    const NAMES: Names = Names::rest("login");
    type Caller = Anonymous;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        let credential = match params.optional::<String>("id_token")? {
            Some(token) if !token.is_empty() => Credential::IdToken(Secret::new(token)),
            Some(_) | None => Credential::Password(params.required("userid")?, params.required("password")?),
        };
        Ok(Self { credential })
    }

    async fn run(self, caller: Anonymous, app: &App) -> Result<Reply, Error> {
        let authentication = self.credential.authentication(app)?;
        let (user, sessions) = match caller.address().map(Attempt::AddressLogin) {
            Some(attempt) => limited(app, attempt, app.config.limits.address_logins, authentication).await?,
            None => authentication.await?,
        };
        // The UserSig of an administrator would grant full rights over all messages.
        if app.config.im.administrators.iter().any(|administrator| *administrator == user.as_str()) {
            return Err(Error::NotFound("user"));
        }
        start(app, &user, sessions).await
    }
}

/// Runs a task that could be used to guess a secret, unless there were too many attempts. A task that succeeds, or
/// fails by an internal error, does not count as an attempt.
async fn limited<T>(
    app: &App,
    attempt: Attempt<'_>,
    limit: Limit,
    task: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let (seconds, now) = (app.config.limits.seconds, app.now());
    // The attempt is counted before the task runs. Otherwise concurrent attempts would all be under the limit.
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

/// The user whose credential is right, and the user's sessions.
type Authentication<'a> = BoxFuture<'a, Result<(UserId, Sessions), Error>>;

impl Credential {
    /// Authenticates the user, later. Refuses at once a credential that the settings do not allow.
    fn authentication(self, app: &App) -> Result<Authentication<'_>, Error> {
        match (self, &app.oidc, app.config.accounts) {
            (Self::Password(name, password), None, Accounts::Open) => Ok(Box::pin(by_password(app, name, password))),
            (Self::IdToken(token), Some(provider), _) => Ok(Box::pin(by_id_token(app, provider, token))),
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

/// Authenticates the user of an account of this server.
async fn by_password(app: &App, name: AccountName, password: Password) -> Result<(UserId, Sessions), Error> {
    let user = name.user();
    let verified = async {
        let (account, sessions) = app.table.account_and_sessions(user).await?;
        let is_known = account.is_some();
        match password::verify(password, account.and_then(|account| account.password)).await? {
            true => Ok((user.clone(), sessions)),
            false if is_known => Err(Error::WrongPassword),
            false => Err(Error::NotFound("user")),
        }
    };
    limited(app, Attempt::UserLogin(user.as_str()), app.config.limits.user_logins, verified).await
}

/// Authenticates the user of an ID token. The first login of a user creates the account.
async fn by_id_token(app: &App, provider: &Provider, token: Secret) -> Result<(UserId, Sessions), Error> {
    let identity = provider.identify(token.expose(), app.now()).await?;
    let user = identity.user;
    let (account, sessions) = app.table.account_and_sessions(&user).await?;
    if account.is_none() {
        let profile = PublicProfile {
            nickname: identity.name.as_deref().and_then(Nickname::parse).unwrap_or_default(),
            avatar: identity.picture.as_deref().and_then(Link::parse).unwrap_or_default(),
        };
        // If a concurrent login has created the account, nothing is left to do.
        app.table.create_account(&user, None, &profile, app.now()).await?;
    }
    Ok((user, sessions))
}

/// Starts a session of an authenticated user.
async fn start(app: &App, user: &UserId, sessions: Sessions) -> Result<Reply, Error> {
    let generation = Generation { session: hex(app.nonce()), number: 0 };
    let (tokens, session) = issue(app, user, generation);
    app.table.start_session(user, sessions, &session, app.config.sessions.per_user, app.now()).await?;
    let (im, cos) = (&app.config.im, &app.config.cos);
    let user_sig = user_sig::sign(user.as_str(), im.sdk_app_id, &im.secret_key, app.now(), im.user_sig_seconds);
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
