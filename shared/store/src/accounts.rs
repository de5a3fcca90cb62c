//! Accounts: a name, what proves who it belongs to, and what its user says of themselves.

use std::collections::{BTreeSet, HashMap};

use super::{
    Item, Result, Table,
    batch::Consistency,
    invalid_attribute, keys, number, number_in, parsed,
    sessions::Sessions,
    text_in, unix_seconds,
    update::{OutcomeWithOldItem, Update, WriteOutcome},
};
use crate::password;
use protocol::types::{Link, Nickname, Secret, Sex, UnixSeconds, UserId};

/// An account.
#[derive(Clone, Debug)]
pub struct Account {
    /// What is kept of the password; nothing if a provider of identities vouches for the user.
    pub password: Option<Secret>,
    /// The name for people.
    pub nickname: Nickname,
    /// The portrait.
    pub avatar: Link<254>,
    /// What the user says of their sex.
    pub sex: Sex,
    /// The cover of the user's lives.
    pub frontcover: Link<255>,
}

/// What of an account is shown beside its user's videos.
#[derive(Clone, Debug, Default)]
pub struct PublicProfile {
    /// The name for people.
    pub nickname: Nickname,
    /// The portrait.
    pub avatar: Link<254>,
}

/// Changes to an account; what is `None` stays as it is.
#[derive(Clone, Debug)]
pub struct AccountChanges {
    /// The name for people.
    pub nickname: Option<Nickname>,
    /// The portrait.
    pub avatar: Option<Link<254>>,
    /// What the user says of their sex.
    pub sex: Sex,
    /// The cover of the user's lives.
    pub frontcover: Option<Link<255>>,
}

/// What became of the wish for an account, or for the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is there.
    Yes,
    /// There was one of this name.
    AlreadyThere,
}

impl Account {
    fn read(item: &Item) -> Result<Self> {
        let password = match text_in(item, "password")? {
            "" => None,
            hash if password::is_hash(hash) => Some(Secret::new(hash)),
            _ => return Err(invalid_attribute("password")),
        };
        Ok(Self {
            password,
            nickname: parsed(item, "nickname", Nickname::parse)?,
            avatar: parsed(item, "avatar", Link::parse)?,
            sex: Sex::from_number(number_in(item, "sex")?).ok_or_else(|| invalid_attribute("sex"))?,
            frontcover: parsed(item, "frontcover", Link::parse)?,
        })
    }
}

impl Table {
    /// Makes an account.
    pub async fn create_account(
        &self,
        user: &UserId,
        password: Option<&Secret>,
        profile: &PublicProfile,
        now: UnixSeconds,
    ) -> Result<Created> {
        let update = Update::of(keys::account(user))
            .set("created_at", unix_seconds(now))
            .set("sex", number(Sex::Unknown.number()))
            .set_text("password", password.map_or("", Secret::expose))
            .set_text("nickname", profile.nickname.as_str())
            .set_text("avatar", profile.avatar.as_str())
            .when("attribute_not_exists(PK)");
        Ok(match update.send_returning_old(self, "make an account").await? {
            OutcomeWithOldItem::Done(_) => Created::Yes,
            // No two hashes are alike, so this is the account that we made, the answer to which was lost.
            OutcomeWithOldItem::ConditionFailed(item)
                if password.is_some_and(|p| text_in(&item, "password").is_ok_and(|kept| kept == p.expose())) =>
            {
                Created::Yes
            }
            OutcomeWithOldItem::ConditionFailed(_) => Created::AlreadyThere,
        })
    }

    /// The account of `user`, and the sessions, in one request.
    pub async fn account_and_sessions(&self, user: &UserId) -> Result<(Option<Account>, Sessions)> {
        const CONTEXT: &str = "read an account";
        let (account, sessions) = (keys::account(user), keys::sessions(user));
        let items = self.batch([account.clone(), sessions.clone()], Consistency::Strong, CONTEXT).await?;
        let account = items.get(&keys::id(&account)).map(Account::read).transpose()?;
        Ok((account, items.get(&keys::id(&sessions)).map(Sessions::read).transpose()?.unwrap_or_default()))
    }

    /// What is shown of the accounts of up to a hundred users; of who has none, nothing.
    pub async fn public_profiles(&self, users: &BTreeSet<UserId>) -> Result<HashMap<UserId, PublicProfile>> {
        let keys: Vec<_> = users.iter().map(keys::account).collect();
        let items = self.batch_of(keys, Consistency::Eventual, &["nickname", "avatar"], "read accounts").await?;
        let profile = |user: &UserId| {
            let item = items.get(&keys::id(&keys::account(user)))?;
            let profile = || {
                let nickname = parsed(item, "nickname", Nickname::parse)?;
                Ok(PublicProfile { nickname, avatar: parsed(item, "avatar", Link::parse)? })
            };
            self.ok_or_log(item, profile()).map(|profile| (user.clone(), profile))
        };
        Ok(users.iter().filter_map(profile).collect())
    }

    /// Changes an account; whether there was one.
    pub async fn change_account(&self, user: &UserId, changes: &AccountChanges) -> Result<bool> {
        let AccountChanges { nickname, avatar, sex, frontcover } = changes;
        let texts = [
            ("nickname", nickname.as_ref().map(Nickname::as_str)),
            ("avatar", avatar.as_ref().map(Link::as_str)),
            ("frontcover", frontcover.as_ref().map(Link::as_str)),
        ];
        let update = Update::of(keys::account(user)).set("sex", number(sex.number())).when("attribute_exists(PK)");
        let update = texts.into_iter().fold(update, |update, (attribute, value)| match value {
            Some(value) => update.set_text(attribute, value),
            None => update,
        });
        Ok(update.send(self, "change an account").await? == WriteOutcome::Done)
    }
}
