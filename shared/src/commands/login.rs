//! `login`: trades a name and a password for a session.

use serde::Serialize;

use super::{
    Command, Names,
    tokens::{Tokens, issue},
};
use crate::{
    app::App,
    auth::Anyone,
    error::Error,
    password,
    sign::{hex, session::Generation, user_sig},
    table::{Attempt, Sessions},
    types::{AccountName, Password, UserId},
    wire::Params,
};

/// See the module.
#[derive(Debug)]
pub struct Login {
    name: AccountName,
    password: Password,
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
        Ok(Self { name: params.required("userid")?, password: params.required("password")? })
    }

    async fn run(self, Anyone { address }: Anyone, app: &App) -> Result<Reply, Error> {
        let Self { name, password } = self;
        let user = name.user();
        // Counted before the password is looked at, or many calls at once would all come in under the limit.
        let limits = &app.config.limits;
        let (by_user, by_address) = (Attempt::UserLogin(user.as_str()), Attempt::AddressLogin(&address));
        let count = |attempt| app.table.count_attempt(attempt, limits.seconds, app.now());
        let (of_user, from_address) = futures_util::try_join!(count(by_user), count(by_address))?;
        if !limits.user_logins.admits(of_user) || !limits.address_logins.admits(from_address) {
            return Err(Error::TooMany);
        }

        let (account, sessions) = app.table.account_and_sessions(user).await?;
        let is_known = account.is_some();
        if !password::is_right(password, account.and_then(|account| account.password)).await {
            return Err(if is_known { Error::WrongPassword } else { Error::NotFound("user") });
        }
        let forget = |attempt| app.table.forget_attempt(attempt, limits.seconds, app.now());
        futures_util::try_join!(forget(by_user), forget(by_address))?;
        start(app, user, sessions).await
    }
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
