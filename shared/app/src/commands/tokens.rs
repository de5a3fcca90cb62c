//! The tokens that `login` and `refresh` issue.

use super::prelude::*;
use protocol::sign::session::Generation;
use store::Session;

/// The tokens.
#[derive(Serialize)]
pub struct Tokens {
    token: String,
    refresh_token: String,
    expires: u64,
}

/// Issues the tokens of a generation. Returns them and the row of the session.
pub(super) fn issue(app: &App, user: &UserId, generation: Generation) -> (Tokens, Session) {
    let settings = &app.config.sessions;
    // The first key is the current one.
    let key = &settings.keys[0];
    let tokens = Tokens {
        token: generation.token(user, key),
        refresh_token: generation.refresh_token(user, key),
        expires: settings.announced_seconds(),
    };
    (tokens, Session::new(generation, settings.lifetimes, app.now()))
}
