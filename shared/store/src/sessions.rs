//! Login sessions: for each user one item with the sessions and the generation of their tokens.
//!
//! With all sessions in one item, the authentication of a call is one read, and one conditional write limits their
//! number. The item has no tokens: [`protocol::sign::session`] derives them.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{prelude::*, rules::TokenLifetimes};
use protocol::sign::{md5_hex, session::Generation};

/// For how long a refresh token that was used gets the same new tokens again, until those are used: the app may not
/// have received the response.
const RESEND_SECONDS: u64 = 60;
/// For how long a second use of a refresh token is only refused after its new tokens were used: it may be a concurrent
/// request of the same app. A later use means that two parties have the refresh token, and the session ends.
const CONCURRENT_USE_SECONDS: u64 = 3;
/// A use of a session extends it at most once per lifetime / 30: with 30 days, once a day.
const EXTENSIONS_PER_LIFETIME: u64 = 30;

/// The attribute of a session with refreshed tokens that are not used yet.
const UNUSED: &str = "unused";

/// A login session of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The valid tokens.
    pub generation: Generation,
    /// Since when the tokens are valid.
    pub renewed_at: UnixSeconds,
    /// Whether the tokens came from a refresh and are not used yet. Then the previous refresh token still gets them.
    pub is_unused: bool,
    /// Until when the token can sign calls, unless a use extends the session.
    pub expires_at: UnixSeconds,
    /// Until when the refresh token is valid, unless a use extends the session.
    pub refresh_until: UnixSeconds,
}

/// The sessions of a user, including expired ones.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// The sessions, oldest first.
    list: Vec<Session>,
    /// The version of the item, for optimistic writes. Every write increases it.
    version: u64,
}

/// The result of refreshing the tokens of a session.
#[derive(Debug)]
pub enum Renewal {
    /// The new tokens are valid.
    Done,
    /// Refused, for this reason, which goes to the log.
    Refused(&'static str),
}

impl Sessions {
    pub(super) fn read(item: &Item) -> Result<Self> {
        let list = match item.get("sessions") {
            None => Vec::new(),
            Some(AttributeValue::L(list)) => list.iter().map(Session::read).collect::<Result<_>>()?,
            Some(_) => return Err(invalid_attribute("sessions")),
        };
        Ok(Self { list, version: counter_in(item, "version")? })
    }

    /// The sessions, including expired ones.
    pub fn all(&self) -> impl Iterator<Item = &Session> {
        self.list.iter()
    }

    /// The sessions whose tokens can sign calls now.
    pub fn live(&self, now: UnixSeconds) -> impl Iterator<Item = &Session> {
        self.all().filter(move |session| session.is_live(now))
    }
}

impl Session {
    /// A session with the tokens of this generation, valid from `now`.
    pub fn new(generation: Generation, lifetimes: TokenLifetimes, now: UnixSeconds) -> Self {
        Self {
            generation,
            renewed_at: now,
            is_unused: false,
            expires_at: now.plus(lifetimes.token_seconds),
            refresh_until: now.plus(lifetimes.refresh_seconds),
        }
    }

    /// Whether the token can sign calls now.
    pub fn is_live(&self, now: UnixSeconds) -> bool {
        now < self.expires_at
    }

    /// The session after a use at `now`: extended, and its tokens marked as used. `None` if nothing changes, because
    /// the tokens were used before and the last extension is recent.
    fn used(&self, lifetimes: TokenLifetimes, now: UnixSeconds) -> Option<Self> {
        let expires_at = now.plus(lifetimes.token_seconds);
        let step = (lifetimes.token_seconds / EXTENSIONS_PER_LIFETIME).max(1);
        (self.is_unused || self.expires_at.plus(step) <= expires_at).then(|| Self {
            is_unused: false,
            expires_at: expires_at.max(self.expires_at),
            refresh_until: now.plus(lifetimes.refresh_seconds).max(self.refresh_until),
            ..self.clone()
        })
    }

    fn read(value: &AttributeValue) -> Result<Self> {
        let item = value.as_m().map_err(|_| invalid_attribute("sessions"))?;
        Ok(Self {
            generation: Generation {
                session: text_in(item, "session")?.to_owned(),
                number: counter_in(item, "number")?,
            },
            renewed_at: unix_seconds_in(item, "renewed_at")?,
            is_unused: item.contains_key(UNUSED),
            expires_at: unix_seconds_in(item, "expires_at")?,
            refresh_until: unix_seconds_in(item, "refresh_until")?,
        })
    }

    fn write(&self) -> AttributeValue {
        let mut item = HashMap::from([
            ("session".to_owned(), text(&self.generation.session)),
            ("number".to_owned(), number(self.generation.number)),
            ("renewed_at".to_owned(), unix_seconds(self.renewed_at)),
            ("expires_at".to_owned(), unix_seconds(self.expires_at)),
            ("refresh_until".to_owned(), unix_seconds(self.refresh_until)),
        ]);
        if self.is_unused {
            item.insert(UNUSED.to_owned(), AttributeValue::Bool(true));
        }
        AttributeValue::M(item)
    }

    /// When both tokens have expired.
    fn over_at(&self) -> UnixSeconds {
        self.expires_at.max(self.refresh_until)
    }
}

impl Table {
    /// The sessions of `user`.
    pub async fn sessions(&self, user: &UserId) -> Result<Sessions> {
        Sessions::read(&self.get(keys::sessions(user), "read a session").await?.unwrap_or_default())
    }

    /// Adds a session to the sessions that were `seen` at the login. If that makes more than `max`, the oldest end.
    pub async fn start_session(
        &self,
        user: &UserId,
        seen: Sessions,
        session: &Session,
        max: usize,
        now: UnixSeconds,
    ) -> Result<()> {
        let mut attempts = Attempts::of("start a session");
        let mut sessions = seen;
        loop {
            let mut list = sessions.list.clone();
            // The session is in the list already if an earlier attempt was written and its response was lost.
            list.retain(|other| other.generation.session != session.generation.session && now < other.over_at());
            list.push(session.clone());
            list.drain(..list.len().saturating_sub(max));
            if self.replace(user, &sessions, &list, now, attempts.context).await? == WriteOutcome::Done {
                return Ok(());
            }
            attempts.after_conflict().await?;
            sessions = self.sessions(user).await?;
        }
    }

    /// Replaces the tokens `used` of a session by those of `next`, if `used` is valid.
    ///
    /// If `next` is valid already and not used yet, the request is concurrent, or the response to an earlier one was
    /// lost: the caller gets `next` too, for 60 seconds. If `next` was used, or the 60 seconds are over, two parties
    /// have the refresh token: the session ends. Within 3 seconds of the replacement the request is only refused.
    pub async fn renew_session(
        &self,
        user: &UserId,
        used: &Generation,
        next: &Session,
        now: UnixSeconds,
    ) -> Result<Renewal> {
        let mut attempts = Attempts::of("renew a session");
        loop {
            let sessions = self.sessions(user).await?;
            let mut list = sessions.list.clone();
            let Some(index) = list.iter().position(|session| session.generation.session == used.session) else {
                return Ok(Renewal::Refused("the refresh token belongs to a session that has ended"));
            };
            let session = &list[index];
            let outcome = if session.generation == *used && now < session.refresh_until {
                list[index] = Session { is_unused: true, ..next.clone() };
                Renewal::Done
            } else {
                let is_replaced = session.generation == next.generation;
                let within = |seconds| is_replaced && now <= session.renewed_at.plus(seconds);
                if session.is_unused && within(RESEND_SECONDS) && now < session.refresh_until {
                    return Ok(Renewal::Done);
                }
                if within(CONCURRENT_USE_SECONDS) {
                    return Ok(Renewal::Refused("the refresh token was used less than 3 seconds ago"));
                }
                let is_late = session.generation == *used;
                list.remove(index);
                Renewal::Refused(if is_late {
                    "the refresh token belongs to a session that has ended"
                } else {
                    "the refresh token was used before: two parties have it, so the session ends"
                })
            };
            if self.replace(user, &sessions, &list, now, attempts.context).await? == WriteOutcome::Done {
                return Ok(outcome);
            }
            attempts.after_conflict().await?;
        }
    }

    /// Records a use of a session, if that extends the session or is the first use of its tokens. If the sessions have
    /// changed since they were `seen`, nothing is written: the next call of the session records its own use.
    pub async fn use_session(
        &self,
        user: &UserId,
        seen: &Sessions,
        session: &Session,
        lifetimes: TokenLifetimes,
        now: UnixSeconds,
    ) -> Result<()> {
        let Some(used) = session.used(lifetimes, now) else { return Ok(()) };
        let with_used = |other: &Session| if other == session { used.clone() } else { other.clone() };
        let list: Vec<_> = seen.list.iter().map(with_used).collect();
        self.replace(user, seen, &list, now, "record the use of a session").await.map(|_| ())
    }

    /// Ends a session.
    pub async fn end_session(&self, user: &UserId, session: &str, now: UnixSeconds) -> Result<()> {
        let mut attempts = Attempts::of("end a session");
        loop {
            let sessions = self.sessions(user).await?;
            let mut list = sessions.list.clone();
            list.retain(|other| other.generation.session != session);
            let is_over = list.len() == sessions.list.len();
            if is_over || self.replace(user, &sessions, &list, now, attempts.context).await? == WriteOutcome::Done {
                return Ok(());
            }
            attempts.after_conflict().await?;
        }
    }

    /// Ends every session of a user.
    pub async fn end_sessions(&self, user: &UserId) -> Result<()> {
        let request = self.client.delete_item().table_name(&self.name).set_key(Some(keys::sessions(user)));
        request.send().await.map(|_| ()).map_err(table_error("end sessions"))
    }

    /// Replaces the sessions by `list`, unless they have changed since they were `seen`.
    ///
    /// The first version of an item is a hash of its first session's random name. So a late write, based on an item
    /// that was deleted since, does not find the same version in the item that was created in its place.
    async fn replace(
        &self,
        user: &UserId,
        seen: &Sessions,
        list: &[Session],
        now: UnixSeconds,
        context: &'static str,
    ) -> Result<WriteOutcome> {
        // Without sessions the item expires now. DynamoDB never deletes an item whose expiry is over five years ago.
        let over_at = list.iter().map(Session::over_at).max().unwrap_or(now);
        let version = match list.first() {
            Some(first) if seen.version == 0 => first_version(&first.generation.session),
            Some(_) | None => seen.version,
        };
        let update = Update::of(keys::sessions(user))
            .set("sessions", AttributeValue::L(list.iter().map(Session::write).collect()))
            .set("version", number(version + 1))
            .set(keys::EXPIRES_AT, unix_seconds(over_at));
        let update = if seen.version == 0 {
            update.when("attribute_not_exists(#version)")
        } else {
            update.when("#version = :seen").value(":seen", number(seen.version))
        };
        update.send(self, context).await
    }
}

/// The version before the first version of an item, by the item's first session.
fn first_version(session: &str) -> u64 {
    u64::from_str_radix(&md5_hex(&[session])[..8], 16).unwrap_or(0)
}
