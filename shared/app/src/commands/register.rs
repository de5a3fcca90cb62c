//! `register`: creates an account.

use super::prelude::*;
use crate::{auth::Anonymous, config::Accounts};
use protocol::types::Password;
use store::{Attempt, Created, PublicProfile, password};

pub struct Register {
    name: AccountName,
    password: Password,
}

impl Command for Register {
    const NAMES: Names = Names::rest("register");
    type Caller = Anonymous;
    type Reply = EmptyReply;

    fn parse(params: &Params) -> Result<Self, Error> {
        Ok(Self { name: params.required("userid")?, password: params.required("password")? })
    }

    async fn run(self, caller: Anonymous, app: &App) -> Result<EmptyReply, Error> {
        if app.oidc.is_some() {
            return Err(Error::SwitchedOff("accounts are those of the identity provider"));
        }
        if app.config.accounts == Accounts::Closed {
            return Err(Error::SwitchedOff("nobody can register here"));
        }
        let (limits, now) = (&app.config.limits, app.now());
        if let Some(attempt) = caller.address().map(Attempt::AddressRegistration)
            && !app.table.admit_attempt(attempt, limits.address_registrations, limits.seconds, now).await?
        {
            return Err(Error::TooMany);
        }
        // Nobody can log in with the name of an administrator.
        if app.config.im.administrators.iter().any(|administrator| *administrator == self.name.user().as_str()) {
            return Err(Error::UserExists);
        }
        let hash = password::hash(self.password, app.nonce()).await?;
        match app.table.create_account(self.name.user(), Some(&hash), &PublicProfile::default(), now).await? {
            Created::Yes => Ok(EmptyReply {}),
            Created::AlreadyThere => Err(Error::UserExists),
        }
    }
}
