//! The rows of the lists: as Gen-1 apps read them, and who is shown beside those that Gen-2 apps read.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use crate::App;
use protocol::{
    error::Error,
    sign::push_url::Domains,
    types::{Page, UserId},
    wire::Params,
};
use store::{Profile, PublicProfile, Replay, Room, Status, Video};
use timeline::Part;

/// The broadcaster that a call is about: Gen 1 names them in `userid`. In the REST dialect `userid` is the caller, so
/// there `liveuserid` names them, if it is somebody else.
pub(super) fn host(params: &Params) -> Result<UserId, Error> {
    match params.optional("liveuserid")? {
        Some(host) => Ok(host),
        None => params.required("userid"),
    }
}

/// The page that a Gen-2 app asks for.
pub(super) fn page(params: &Params) -> Result<Page, Error> {
    Ok(Page::new(params.required("index")?, params.required("count")?))
}

/// Who is shown beside the rows of a page.
pub(super) struct PublicProfiles(HashMap<UserId, PublicProfile>);

impl PublicProfiles {
    /// Those of the users of a page of rows, as they are now: one request for all.
    pub(super) async fn of(app: &App, users: impl Iterator<Item = &UserId>) -> Result<Self, Error> {
        let users: BTreeSet<UserId> = users.cloned().collect();
        Ok(Self(app.table.public_profiles(&users).await?))
    }

    /// The nickname and the portrait to show beside a row of `user`. Who has no account, as in Gen 1, is shown as the
    /// row itself has it.
    pub(super) fn beside<'a>(&'a self, user: &UserId, row: &'a Profile) -> (&'a str, &'a str) {
        match self.0.get(user) {
            Some(face) => (face.nickname.as_str(), face.avatar.as_str()),
            None => (row.nickname.as_str(), row.headpic.as_str()),
        }
    }
}

/// A row of a list.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Row {
    /// A live or a replay.
    BroadcastInfo(ShowRow),
    /// A short video.
    Video(VideoRow),
}

/// A live or a replay. What it does not have is empty, never null: apps would trip over that.
#[derive(Debug, Serialize)]
pub struct ShowRow {
    userid: String,
    groupid: String,
    /// A live: when it was opened. A replay: when it ended.
    timestamp: u64,
    r#type: u8,
    viewercount: u64,
    likecount: u64,
    title: String,
    playurl: String,
    hls_play_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    desc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forbid_status: Option<u8>,
    /// `"1"` online, `"0"` offline, empty for a replay.
    status: &'static str,
    fileid: String,
    userinfo: UserInfo,
    /// The files, if one of a format does not hold it all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<PartRow>,
}

/// A file of a replay.
#[derive(Debug, Serialize)]
pub(super) struct PartRow {
    fileid: String,
    format: String,
    url: String,
    start_time: u64,
    end_time: u64,
}

/// The files of a replay of which a format has more than one; else none, as the row has all their addresses.
pub(super) fn parts(replay: &Replay) -> Vec<PartRow> {
    let formats: BTreeSet<&str> = replay.parts.iter().map(|part| part.format.as_str()).collect();
    if formats.len() == replay.parts.len() {
        return Vec::new();
    }
    let row = |part: &Part| PartRow {
        fileid: part.file.to_string(),
        format: part.format.clone(),
        url: part.url.clone(),
        start_time: part.start,
        end_time: part.end,
    };
    replay.parts.iter().map(row).collect()
}

/// A short video.
#[derive(Debug, Serialize)]
pub struct VideoRow {
    userid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    groupid: Option<&'static str>,
    fileid: String,
    timestamp: u64,
    title: String,
    r#type: u8,
    playurl: String,
    userinfo: UserInfo,
}

#[derive(Debug, Serialize)]
struct UserInfo {
    nickname: String,
    headpic: String,
    frontcover: String,
    location: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    desc: Option<String>,
}

impl UserInfo {
    fn of(profile: &Profile) -> Self {
        Self {
            nickname: profile.nickname.as_str().to_owned(),
            headpic: profile.headpic.as_str().to_owned(),
            frontcover: profile.frontcover.as_str().to_owned(),
            location: profile.location.as_str().to_owned(),
            desc: None,
        }
    }
}

impl Row {
    /// A room.
    pub(super) fn of_room(room: Room, domains: &Domains) -> Self {
        Self::BroadcastInfo(ShowRow {
            groupid: room.group,
            timestamp: room.opened_at.0,
            r#type: 0,
            viewercount: room.viewers,
            likecount: room.likes,
            title: room.title.as_str().to_owned(),
            playurl: domains.flv_url(room.stream.as_str()),
            hls_play_url: domains.hls_url(room.stream.as_str()),
            desc: Some(room.description),
            forbid_status: Some(u8::from(room.banned)),
            status: match room.status {
                Status::Online => "1",
                Status::Offline => "0",
            },
            fileid: String::new(),
            userinfo: UserInfo::of(&room.profile),
            parts: Vec::new(),
            userid: room.user.to_string(),
        })
    }

    /// A replay.
    pub(super) fn of_replay(replay: Replay) -> Self {
        Self::BroadcastInfo(ShowRow {
            groupid: String::new(),
            timestamp: replay.ended_at.0,
            r#type: 1,
            viewercount: replay.viewers,
            likecount: replay.likes,
            title: replay.title.as_str().to_owned(),
            playurl: replay.play_url,
            hls_play_url: replay.hls_url,
            desc: Some(String::new()),
            forbid_status: Some(0),
            status: "",
            fileid: replay.file.to_string(),
            userinfo: UserInfo::of(&replay.profile),
            parts: Vec::new(),
            userid: replay.user.to_string(),
        })
    }

    /// A short video.
    pub(super) fn of_video(video: &Video) -> Self {
        Self::Video(VideoRow {
            userid: video.user.to_string(),
            groupid: None,
            fileid: video.file.to_string(),
            timestamp: video.published_at.0,
            title: video.title.as_str().to_owned(),
            r#type: 2,
            playurl: video.play_url.as_str().to_owned(),
            userinfo: UserInfo::of(&video.profile),
        })
    }

    /// The row of a replay with its files.
    pub(super) fn with_parts(mut self, parts: Vec<PartRow>) -> Self {
        if let Self::BroadcastInfo(row) = &mut self {
            row.parts = parts;
        }
        self
    }

    /// The row alone: then the description is part of the user info, whether it is banned is not told, and a short video
    /// has a group, which is empty.
    pub(super) fn alone(mut self) -> Self {
        match &mut self {
            Self::BroadcastInfo(row) => {
                row.forbid_status = None;
                row.userinfo.desc = row.desc.take();
            }
            Self::Video(row) => row.groupid = Some(""),
        }
        self
    }
}
