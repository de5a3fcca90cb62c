//! Sessions: who is logged in, and which tokens are in force.
//!
//! All sessions of a user are one item, so that a signed call costs one read, and that their number is held by one
//! condition. What the tokens are is not in it: see [`protocol::sign::session`].

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    Item, Result, Table, counter_in, failed, invalid_attribute, keys, number, text, text_in, too_many_conflicts,
    unix_seconds, unix_seconds_in,
    update::{Update, WriteOutcome},
};
use crate::rules::TokenLifetimes;
use protocol::{
    sign::{md5_hex, session::Generation},
    types::{UnixSeconds, UserId},
};

/// How often a write is tried again that another one came before.
const ATTEMPTS: u32 = 16;
/// How long a refresh token that was traded gets the same tokens again, unless they are used before: the app may not have
/// received them.
const AGAIN_SECONDS: u64 = 60;
/// How long a refresh token that was traded for tokens that are used is only refused: for so long a call that was sent
/// at the same time may have been on its way. Later it is in the hands of two, and the session ends.
const REUSE_SECONDS: u64 = 3;
/// A session is prolonged when so large a part of its life has passed since it was prolonged last: of 30 days, one day.
const PARTS_OF_A_LIFE: u64 = 30;

/// The attribute of a session whose tokens replaced others and are not used yet.
const UNUSED: &str = "unused";

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The tokens in force.
    pub generation: Generation,
    /// Since when they are.
    pub renewed_at: UnixSeconds,
    /// Whether nobody has used them yet that replaced others: the refresh token of those still gets them.
    pub is_unused: bool,
    /// Until when calls can be signed with them, unless the session is used before.
    pub expires_at: UnixSeconds,
    /// Until when they can be traded for others, unless the session is used before.
    pub refresh_until: UnixSeconds,
}

/// The sessions of a user, those that are over among them.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// Those sessions, the oldest first.
    list: Vec<Session>,
    /// Changes with every write.
    version: u64,
}

/// What became of the wish for the next generation of a session's tokens.
#[derive(Debug)]
pub enum Renewal {
    /// It is in force.
    Done,
    /// It is not; why, for the log.
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

    /// The sessions, those that are over among them.
    pub fn all(&self) -> impl Iterator<Item = &Session> {
        self.list.iter()
    }

    /// The sessions in which calls can be signed now.
    pub fn live(&self, now: UnixSeconds) -> impl Iterator<Item = &Session> {
        self.all().filter(move |session| session.is_live(now))
    }
}

impl Session {
    /// A session whose tokens are those of this generation from now on.
    pub fn new(generation: Generation, lifetimes: TokenLifetimes, now: UnixSeconds) -> Self {
        Self {
            generation,
            renewed_at: now,
            is_unused: false,
            expires_at: now.plus(lifetimes.token_seconds),
            refresh_until: now.plus(lifetimes.refresh_seconds),
        }
    }

    /// Whether calls can be signed in it now.
    pub fn is_live(&self, now: UnixSeconds) -> bool {
        now < self.expires_at
    }

    /// The session as a use at this moment leaves it; `None` if its tokens were used before, and it was prolonged so lately
    /// that nothing is written.
    fn used(&self, lifetimes: TokenLifetimes, now: UnixSeconds) -> Option<Self> {
        let expires_at = now.plus(lifetimes.token_seconds);
        let part = (lifetimes.token_seconds / PARTS_OF_A_LIFE).max(1);
        (self.is_unused || self.expires_at.plus(part) <= expires_at).then(|| Self {
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

    /// When nothing can be done with it any more.
    fn over_at(&self) -> UnixSeconds {
        self.expires_at.max(self.refresh_until)
    }
}

impl Table {
    /// The sessions of `user`.
    pub async fn sessions(&self, user: &UserId) -> Result<Sessions> {
        Sessions::read(&self.get(keys::sessions(user), "read a session").await?.unwrap_or_default())
    }

    /// Adds a session to those that were `seen` when the user proved who they are. If there are more than `max` then,
    /// the oldest end.
    pub async fn start_session(
        &self,
        user: &UserId,
        seen: Sessions,
        session: &Session,
        max: usize,
        now: UnixSeconds,
    ) -> Result<()> {
        const CONTEXT: &str = "start a session";
        let mut sessions = seen;
        for _ in 0..ATTEMPTS {
            let mut list = sessions.list.clone();
            // It is there already if it was written and the answer to that was lost.
            list.retain(|other| other.generation.session != session.generation.session && now < other.over_at());
            list.push(session.clone());
            list.drain(..list.len().saturating_sub(max));
            if self.replace(user, &sessions, &list, now, CONTEXT).await? == WriteOutcome::Done {
                return Ok(());
            }
            sessions = self.sessions(user).await?;
        }
        Err(too_many_conflicts(CONTEXT))
    }

    /// Puts `next` in the place of the session whose tokens `used` are, if they are in force. If `next` is in force
    /// already, and not used yet, this is somebody who tries at the same time, or whose answer was lost: they get it too.
    /// If it has been used, or a minute has passed, somebody else has `used`: the session ends.
    pub async fn renew_session(
        &self,
        user: &UserId,
        used: &Generation,
        next: &Session,
        now: UnixSeconds,
    ) -> Result<Renewal> {
        const CONTEXT: &str = "renew a session";
        for _ in 0..ATTEMPTS {
            let sessions = self.sessions(user).await?;
            let mut list = sessions.list.clone();
            let Some(place) = list.iter().position(|session| session.generation.session == used.session) else {
                return Ok(Renewal::Refused("the refresh token is of a session that is over"));
            };
            let session = &list[place];
            let outcome = if session.generation == *used && now < session.refresh_until {
                list[place] = Session { is_unused: true, ..next.clone() };
                Renewal::Done
            } else {
                let is_replaced = session.generation == next.generation;
                let within = |seconds| is_replaced && now <= session.renewed_at.plus(seconds);
                if session.is_unused && within(AGAIN_SECONDS) && now < session.refresh_until {
                    return Ok(Renewal::Done);
                }
                if within(REUSE_SECONDS) {
                    return Ok(Renewal::Refused("the refresh token was traded a moment ago"));
                }
                let is_late = session.generation == *used;
                list.remove(place);
                Renewal::Refused(if is_late {
                    "the refresh token is of a session that is over"
                } else {
                    "the refresh token was traded before: somebody else has it, and the session ends"
                })
            };
            if self.replace(user, &sessions, &list, now, CONTEXT).await? == WriteOutcome::Done {
                return Ok(outcome);
            }
        }
        Err(too_many_conflicts(CONTEXT))
    }

    /// Writes down that a session that was `seen` is used now, if that prolongs it or is the first use of its tokens. If
    /// the sessions have changed since, nothing is written: the next call in the session does it.
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
        self.replace(user, seen, &list, now, "write down the use of a session").await.map(|_| ())
    }

    /// Ends a session.
    pub async fn end_session(&self, user: &UserId, session: &str, now: UnixSeconds) -> Result<()> {
        const CONTEXT: &str = "end a session";
        for _ in 0..ATTEMPTS {
            let sessions = self.sessions(user).await?;
            let list: Vec<Session> =
                sessions.list.iter().filter(|other| other.generation.session != session).cloned().collect();
            let is_over = list.len() == sessions.list.len();
            if is_over || self.replace(user, &sessions, &list, now, CONTEXT).await? == WriteOutcome::Done {
                return Ok(());
            }
        }
        Err(too_many_conflicts(CONTEXT))
    }

    /// Ends every session of a user.
    pub async fn end_sessions(&self, user: &UserId) -> Result<()> {
        let request = self.client.delete_item().table_name(&self.name).set_key(Some(keys::sessions(user)));
        request.send().await.map(|_| ()).map_err(failed("end sessions"))
    }

    /// Writes `list` in the place of the sessions that were seen, unless they have changed since. The versions of an item
    /// begin at a number that follows from the random name of its first session: so a late write that follows from an item
    /// which was deleted since does not meet the same version in the one that took its place.
    async fn replace(
        &self,
        user: &UserId,
        seen: &Sessions,
        list: &[Session],
        now: UnixSeconds,
        context: &'static str,
    ) -> Result<WriteOutcome> {
        // DynamoDB keeps for ever what should have gone years ago, so without sessions it is now.
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

/// The version after which the versions of an item with this session begin.
fn first_version(session: &str) -> u64 {
    u64::from_str_radix(&md5_hex(&[session])[..8], 16).unwrap_or(0)
}
