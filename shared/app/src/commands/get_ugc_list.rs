//! `get_ugc_list`: a page of short videos, newest first, for Gen-2 apps.

use super::prelude::*;
use super::rows::{PublicProfiles, page};
use store::Video;

pub struct GetUgcList {
    page: Page,
}

#[derive(Serialize)]
pub struct Reply {
    list: Vec<Row>,
}

/// A short video. A missing value is empty and never null, which iOS apps cannot parse.
#[derive(Serialize)]
struct Row {
    userid: String,
    nickname: String,
    avatar: String,
    file_id: String,
    title: String,
    frontcover: String,
    location: String,
    play_url: String,
    create_time: String,
}

impl Command for GetUgcList {
    const NAMES: Names = Names::rest("get_ugc_list");
    type Caller = User;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        Ok(Self { page: page(params)? })
    }

    async fn run(self, _: User, app: &App) -> Result<Reply, Error> {
        let window = app.config.rules.replay_window_seconds;
        let videos = app.table.recent_videos(app.now(), window, self.page).await?.rows;
        let public_profiles = PublicProfiles::of(app, videos.iter().map(|video| &video.user)).await?;
        Ok(Reply { list: videos.iter().map(|video| Row::of(video, &public_profiles)).collect() })
    }
}

impl Row {
    fn of(video: &Video, public_profiles: &PublicProfiles) -> Self {
        let (nickname, avatar) = public_profiles.shown_in(&video.user, &video.profile);
        Self {
            userid: video.user.to_string(),
            nickname: nickname.to_owned(),
            avatar: avatar.to_owned(),
            file_id: video.file.to_string(),
            title: video.title.as_str().to_owned(),
            frontcover: video.profile.frontcover.as_str().to_owned(),
            location: video.profile.location.as_str().to_owned(),
            play_url: video.play_url.as_str().to_owned(),
            create_time: video.published_at.in_china(),
        }
    }
}
