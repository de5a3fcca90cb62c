//! User accounts: the password hash and the profile.

use std::collections::{BTreeSet, HashMap};

use super::sessions::Sessions;
use crate::{password, prelude::*};
use protocol::types::{Link, Nickname, Secret, Sex};

/// The account of a user.
#[derive(Clone, Debug)]
pub struct Account {
    /// The hash of the password; `None` if the user logs in through an identity provider.
    pub password: Option<Secret>,
    /// The nickname.
    pub nickname: Nickname,
    /// The portrait's URL.
    pub avatar: Link<254>,
    /// The sex that the user states.
    pub sex: Sex,
    /// The URL of the cover of the user's lives.
    pub frontcover: Link<255>,
}

/// The part of an account that is shown to other users.
#[derive(Clone, Debug, Default)]
pub struct PublicProfile {
    /// The nickname.
    pub nickname: Nickname,
    /// The portrait's URL.
    pub avatar: Link<254>,
}

/// Changes to an account. `None` leaves an attribute as it is.
#[derive(Clone, Debug)]
pub struct AccountChanges {
    /// The nickname.
    pub nickname: Option<Nickname>,
    /// The portrait's URL.
    pub avatar: Option<Link<254>>,
    /// The sex that the user states.
    pub sex: Sex,
    /// The URL of the cover of the user's lives.
    pub frontcover: Option<Link<255>>,
}

/// The result of creating an account, or the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// Created.
    Yes,
    /// Not created: the name was taken.
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
    /// Creates an account.
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
        let (outcome, item) = update.send_returning_old(self, "create an account").await?;
        // Hashes are salted, so an equal hash means the account of this very call: the first response was lost and the
        // SDK sent the request again.
        let is_of_this_call = password.is_some_and(|p| text_in(&item, "password").is_ok_and(|hash| hash == p.expose()));
        Ok(if outcome == WriteOutcome::Done || is_of_this_call { Created::Yes } else { Created::AlreadyThere })
    }

    /// The account and the sessions of `user`, in one request.
    pub async fn account_and_sessions(&self, user: &UserId) -> Result<(Option<Account>, Sessions)> {
        const CONTEXT: &str = "read an account";
        let (account, sessions) = (keys::account(user), keys::sessions(user));
        let items = self.batch([account.clone(), sessions.clone()], Consistency::Strong, CONTEXT).await?;
        let account = items.get(&keys::id(&account)).map(Account::read).transpose()?;
        Ok((account, items.get(&keys::id(&sessions)).map(Sessions::read).transpose()?.unwrap_or_default()))
    }

    /// The public profiles of up to a hundred users. Users without an account are not in the result.
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

    /// Changes an account. Returns whether there is one.
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
