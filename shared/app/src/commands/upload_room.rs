//! `upload_room`: opens the caller's room for a push through the cloud's room service.

use super::get_push_url::open_room;
use super::prelude::*;
use crate::auth::{AccountHolder, TimestampRule};
use store::{Account, BroadcastInfo, Profile};

pub struct UploadRoom {
    title: Text<255>,
    /// If empty, the cover of the account is used.
    frontcover: Link<255>,
    location: Text<128>,
}

impl Command for UploadRoom {
    const NAMES: Names = Names::rest("upload_room");
    type Caller = AccountHolder;
    type Reply = EmptyReply;
    // iOS apps send no timestamp when a live begins.
    const TIMESTAMP: TimestampRule = TimestampRule::Optional;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<AccountName>("userid")?;
        let NonEmpty(title) = params.required("title")?;
        Ok(Self {
            title,
            frontcover: params.optional("frontcover")?.unwrap_or_default(),
            location: params.optional("location")?.unwrap_or_default(),
        })
    }

    async fn run(self, caller: AccountHolder, app: &App) -> Result<EmptyReply, Error> {
        let Self { title, frontcover, location } = self;
        let mut profile = caller.account().map(profile_of).unwrap_or_default();
        if !frontcover.as_str().is_empty() {
            profile.frontcover = frontcover.into();
        }
        profile.location = location;
        let broadcast = BroadcastInfo { group: None, title, profile, description: Text::default() };
        open_room(app, caller.user(), &broadcast).await?;
        Ok(EmptyReply {})
    }
}

/// The profile of an account that Gen-1 viewers see in the row of the room.
fn profile_of(account: &Account) -> Profile {
    Profile {
        // A nickname that is no valid text of a row is left out.
        nickname: Text::parse(account.nickname.as_str()).unwrap_or_default(),
        headpic: Text::from(account.avatar.clone()).widened(),
        frontcover: account.frontcover.clone().into(),
        location: Text::default(),
    }
}
