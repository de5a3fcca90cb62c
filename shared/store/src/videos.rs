//! Short videos (UGC): recorded on the phone, uploaded to video-on-demand, and listed for everybody.

use super::{
    ListPage,
    broadcasts::Profile,
    lists::{List, Position, Series, expires_after_window},
};
use crate::prelude::*;

const COUNT_TREE: &str = "videos";
pub(super) const VIDEOS: List = List { tree: COUNT_TREE, series: Series::All, partitions: &["videos"] };

/// A short video.
#[derive(Clone, Debug)]
pub struct Video {
    /// The user who published it.
    pub user: UserId,
    /// The file in the video-on-demand service.
    pub file: FileId,
    /// The title.
    pub title: Text<128>,
    /// The play URL.
    pub play_url: Text<255>,
    /// The user's profile at the time of publishing.
    pub profile: Profile,
    /// The time of publishing.
    pub published_at: UnixSeconds,
}

impl Video {
    fn read(item: &Item) -> Result<Self> {
        Ok(Self {
            user: parsed(item, "user", UserId::parse)?,
            file: parsed(item, "file", FileId::parse)?,
            title: parsed(item, "title", Text::parse)?,
            play_url: parsed(item, "play_url", Text::parse)?,
            profile: Profile::read(item)?,
            published_at: unix_seconds_in(item, "published_at")?,
        })
    }

    fn position(&self) -> Position {
        Position::of(self.published_at, self.file.as_str())
    }
}

impl Table {
    /// Publishes a video. A video of the same file is replaced and moves to the top of the list, as in the original.
    pub async fn publish_video(&self, video: &Video, window: u64) -> Result<()> {
        let update = Update::of(keys::video(&video.user, &video.file))
            .set("user", text(video.user.as_str()))
            .set("file", text(video.file.as_str()))
            .set("published_at", unix_seconds(video.published_at))
            .set("play_url", text(video.play_url.as_str()))
            .set("title", text(video.title.as_str()))
            .set(keys::LIST, text(COUNT_TREE))
            .set(keys::POSITION, text(keys::list_sort_key(video.position(), video.file.as_str())));
        let (_, before) = video.profile.write(update).send_returning_old(self, "publish a video").await?;
        // The old position, even if the rest of the old row is invalid.
        let old = Position::in_row(&before).ok().map(|position| (Series::All, position, -1));
        let changes: Vec<_> = old.into_iter().chain([(Series::All, video.position(), 1)]).collect();
        let expires_at = expires_after_window(video.published_at, window);
        self.add_to_counts(COUNT_TREE, &changes, Some(expires_at), video.published_at).await
    }

    /// The video of a file, if there is one.
    pub async fn video(&self, user: &UserId, file: &FileId) -> Result<Option<Video>> {
        self.get(keys::video(user, file), "read a video").await?.as_ref().map(Video::read).transpose()
    }

    /// A page of the videos of the last `window` seconds, newest first.
    pub async fn recent_videos(&self, now: UnixSeconds, window: u64, page: Page) -> Result<ListPage<Video>> {
        Ok(self.recent_page(&VIDEOS, now, window, page).await?.parse(self, Video::read))
    }
}
