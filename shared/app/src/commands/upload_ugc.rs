//! `upload_ugc`: publishes a short video that the phone has uploaded.

use super::prelude::*;
use crate::auth::TimestampRule;
use store::{Profile, Video};

pub struct UploadUgc {
    file: FileId,
    title: Text<128>,
    play_url: Text<255>,
    profile: Profile,
}

impl Command for UploadUgc {
    const NAMES: Names = Names::both("upload_ugc", "UploadUGCVideo");
    type Caller = User;
    type Reply = EmptyReply;
    // iOS apps send no timestamp with an upload.
    const TIMESTAMP: TimestampRule = TimestampRule::Optional;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<UserId>("userid")?;
        let file = params.required("file_id")?;
        // The first check refuses a missing or empty text; the second refuses an address that no player may open.
        let NonEmpty(play_url) = params.required("play_url")?;
        params.required::<Link<255>>("play_url")?;
        let NonEmpty(title) = params.required("title")?;
        let mut profile = profile(params)?;
        // Gen-2 apps send no `userinfo`; cover and location are fields of their own.
        if let Some(cover) = params.optional::<Link<255>>("frontcover")? {
            profile.frontcover = cover.into();
        }
        if let Some(location) = params.optional("location")? {
            profile.location = location;
        }
        Ok(Self { file, title, play_url, profile })
    }

    async fn run(self, caller: User, app: &App) -> Result<EmptyReply, Error> {
        let Self { file, title, play_url, profile } = self;
        let video = Video { user: caller.id().clone(), file, title, play_url, profile, published_at: app.now() };
        app.table.publish_video(&video, app.config.rules.replay_window_seconds).await?;
        Ok(EmptyReply {})
    }
}
