//! `refresh`: issues the next tokens of a session for a refresh token. A repeated call returns the same tokens until
//! they are used.

use super::prelude::*;
use super::tokens::{Tokens, issue};
use crate::auth::{Refresher, TimestampRule};
use protocol::sign::session::Generation;
use store::Renewal;

pub struct Refresh;

impl Command for Refresh {
    const NAMES: Names = Names::rest("refresh");
    type Caller = Refresher;
    type Reply = Tokens;
    // The protocol's document requires no signature here, so there may be no timestamp.
    const TIMESTAMP: TimestampRule = TimestampRule::Optional;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<AccountName>("userid")?;
        params.required::<NonEmpty<512>>("refresh_token")?;
        Ok(Self)
    }

    async fn run(self, caller: Refresher, app: &App) -> Result<Tokens, Error> {
        let (user, used) = (caller.user(), caller.generation());
        let next = Generation { session: used.session.clone(), number: used.number.saturating_add(1) };
        let (tokens, session) = issue(app, user, next);
        match app.table.renew_session(user, used, &session, app.now()).await? {
            Renewal::Done => Ok(tokens),
            Renewal::Refused(why) => Err(Error::BadSignature(why.into())),
        }
    }
}
