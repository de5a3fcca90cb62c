//! `upload_room`: opens the caller's room; the app pushes through the cloud's room service.

use super::{Command, Names, Nothing, get_push_url::open_room};
use crate::{
    app::App,
    auth::Uploader,
    error::Error,
    table::{Account, Profile, Show},
    types::{AccountName, Link, Text},
    wire::{Filled, Params},
};

/// See the module.
#[derive(Debug)]
pub struct UploadRoom {
    title: Text<255>,
    /// Empty: that of the account.
    frontcover: Link<255>,
    location: Text<128>,
}

impl Command for UploadRoom {
    const NAMES: Names = Names::rest("upload_room");
    type Caller = Uploader;
    type Reply = Nothing;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<AccountName>("userid")?;
        let Filled(title) = params.required("title")?;
        Ok(Self {
            title,
            frontcover: params.optional("frontcover")?.unwrap_or_default(),
            location: params.optional("location")?.unwrap_or_default(),
        })
    }

    async fn run(self, Uploader(caller): Uploader, app: &App) -> Result<Nothing, Error> {
        let account = app.table.account(caller.id()).await?;
        let show = self.show(account.as_ref());
        open_room(app, caller.id(), &show).await?;
        Ok(Nothing {})
    }
}

impl UploadRoom {
    /// What is shown, and who shows it, so that Gen-1 viewers see that too.
    fn show(self, account: Option<&Account>) -> Show {
        let Self { title, frontcover, location } = self;
        let own = Some(frontcover.as_str()).filter(|cover| !cover.is_empty());
        let cover = own.or(account.map(|account| account.frontcover.as_str()));
        // A nickname may hold what no line of a list can; then the list has none.
        let nickname = account.and_then(|account| Text::parse(account.nickname.as_str()));
        let headpic = account.and_then(|account| Text::parse(account.avatar.as_str()));
        let profile = Profile {
            nickname: nickname.unwrap_or_default(),
            headpic: headpic.unwrap_or_default(),
            frontcover: cover.and_then(Text::parse).unwrap_or_default(),
            location,
        };
        Show { group: None, title, profile, description: Text::default() }
    }
}
