//! `get_vod_list`: a page of replays, newest first, for Gen-2 apps.

use super::prelude::*;
use super::rows::{PublicProfiles, page};
use store::Replay;

pub struct GetVodList {
    page: Page,
}

#[derive(Serialize)]
pub struct Reply {
    list: Vec<Row>,
}

/// A replay. A missing value is empty and never null, which iOS apps cannot parse.
#[derive(Serialize)]
struct Row {
    userid: String,
    nickname: String,
    avatar: String,
    file_id: String,
    title: String,
    // Each count has two names, since the apps use different ones.
    likecount: u64,
    like_count: u64,
    viewercount: u64,
    viewer_count: u64,
    frontcover: String,
    location: String,
    play_url: String,
    /// When the replay ended.
    create_time: String,
    hls_play_url: String,
    start_time: String,
}

impl Command for GetVodList {
    const NAMES: Names = Names::rest("get_vod_list");
    type Caller = User;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        Ok(Self { page: page(params)? })
    }

    async fn run(self, _: User, app: &App) -> Result<Reply, Error> {
        let window = app.config.rules.replay_window_seconds;
        let replays = app.table.recent_replays(app.now(), window, self.page).await?.rows;
        let public_profiles = PublicProfiles::of(app, replays.iter().map(|replay| &replay.user)).await?;
        Ok(Reply { list: replays.into_iter().map(|replay| Row::of(replay, &public_profiles)).collect() })
    }
}

impl Row {
    fn of(replay: Replay, public_profiles: &PublicProfiles) -> Self {
        let (nickname, avatar) = public_profiles.shown_in(&replay.user, &replay.profile);
        Self {
            nickname: nickname.to_owned(),
            avatar: avatar.to_owned(),
            userid: replay.user.to_string(),
            file_id: replay.file.to_string(),
            title: replay.title.as_str().to_owned(),
            likecount: replay.likes,
            like_count: replay.likes,
            viewercount: replay.viewers,
            viewer_count: replay.viewers,
            frontcover: replay.profile.frontcover.as_str().to_owned(),
            location: replay.profile.location.as_str().to_owned(),
            play_url: replay.play_url,
            create_time: replay.ended_at.in_china(),
            hls_play_url: replay.hls_url,
            start_time: replay.started_at.in_china(),
        }
    }
}
