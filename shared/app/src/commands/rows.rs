//! The rows of Gen-1 lists, and the profiles in the rows of Gen-2 lists.

use std::collections::{BTreeSet, HashMap};

use super::prelude::*;
use protocol::sign::push_url::Domains;
use store::{Profile, PublicProfile, Replay, Room, Status, Video};
use timeline::ReplayPart;

/// The broadcaster that a call is about: `liveuserid`, or else `userid`. Gen-1 apps send only `userid`. In the REST
/// dialect `userid` is the caller, so calls about another user have `liveuserid`.
pub(super) fn host(params: &Params) -> Result<UserId, Error> {
    match params.optional("liveuserid")? {
        Some(host) => Ok(host),
        None => params.required("userid"),
    }
}

/// The page that a Gen-2 app requests.
pub(super) fn page(params: &Params) -> Result<Page, Error> {
    Ok(Page::new(params.required("index")?, params.required("count")?))
}

/// The number of rows of a page of operators, unless they ask for another.
const OPERATOR_COUNT: u64 = 20;

/// The page that an operator requests: by default the first.
pub(super) fn operator_page(params: &Params) -> Result<Page, Error> {
    let (index, count) = (params.optional("index")?.unwrap_or(1), params.optional("count")?.unwrap_or(OPERATOR_COUNT));
    Ok(Page::new(index, count))
}

/// A page of a list of operators whose length is known.
#[derive(Serialize)]
pub struct CountedRows<R> {
    totalcount: u64,
    list: Vec<R>,
}

impl<R> CountedRows<R> {
    pub(super) fn new(total: u64, list: impl IntoIterator<Item = R>) -> Self {
        Self { totalcount: total, list: list.into_iter().collect() }
    }
}

/// A page of a list of operators that has no counters.
#[derive(Serialize)]
pub struct UncountedRows<R> {
    list: Vec<R>,
    /// 1 if there are further pages, else 0.
    more: u8,
}

impl<R> UncountedRows<R> {
    pub(super) fn new(list: impl IntoIterator<Item = R>, has_more: bool) -> Self {
        Self { list: list.into_iter().collect(), more: u8::from(has_more) }
    }
}

/// The state of a room in the lists of operators: `live`, `hidden` (live, and in no list of the apps) or `offline`.
pub(super) fn room_state(room: &Room) -> &'static str {
    match room.status {
        Status::Online if room.hidden => "hidden",
        Status::Online => "live",
        Status::Offline => "offline",
    }
}

/// The current profiles of the users in the rows of a page.
pub(super) struct PublicProfiles(HashMap<UserId, PublicProfile>);

impl PublicProfiles {
    /// Reads the profiles of these users, in one request.
    pub(super) async fn of(app: &App, users: impl Iterator<Item = &UserId>) -> Result<Self, Error> {
        let users: BTreeSet<UserId> = users.cloned().collect();
        Ok(Self(app.table.public_profiles(&users).await?))
    }

    /// The nickname and the portrait for a row of `user`. For a user without an account, as in Gen 1, they come from
    /// the row.
    pub(super) fn shown_in<'a>(&'a self, user: &UserId, row: &'a Profile) -> (&'a str, &'a str) {
        match self.0.get(user) {
            Some(profile) => (profile.nickname.as_str(), profile.avatar.as_str()),
            None => (row.nickname.as_str(), row.headpic.as_str()),
        }
    }
}

/// A row of a Gen-1 list.
#[derive(Serialize)]
#[serde(untagged)]
pub enum ListRow {
    Broadcast(BroadcastRow),
    Video(VideoRow),
}

/// A live or a replay. A missing value is empty and never null, which apps cannot parse.
#[derive(Serialize)]
pub struct BroadcastRow {
    userid: String,
    groupid: String,
    /// When the room was opened for a live, or when a replay ended.
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
    /// `"1"` for online, `"0"` for offline, empty for a replay.
    status: &'static str,
    fileid: String,
    userinfo: UserInfo,
    /// The files of a replay, if one format has several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<PartRow>,
}

/// A file of a replay.
#[derive(Serialize)]
pub(super) struct PartRow {
    fileid: String,
    format: String,
    url: String,
    start_time: u64,
    end_time: u64,
}

/// The files of a replay, if one format has several. Otherwise none, since the row has the address of each format.
pub(super) fn parts(replay: &Replay) -> Vec<PartRow> {
    let formats: BTreeSet<&str> = replay.parts.iter().map(|part| part.format.as_str()).collect();
    if formats.len() == replay.parts.len() { Vec::new() } else { all_parts(replay) }
}

/// The files of a replay.
pub(super) fn all_parts(replay: &Replay) -> Vec<PartRow> {
    let row = |part: &ReplayPart| PartRow {
        fileid: part.file.to_string(),
        format: part.format.clone(),
        url: part.url.clone(),
        start_time: part.start.0,
        end_time: part.end.0,
    };
    replay.parts.iter().map(row).collect()
}

/// A short video.
#[derive(Serialize)]
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

#[derive(Serialize)]
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

impl ListRow {
    pub(super) fn of_room(room: Room, domains: &Domains) -> Self {
        Self::Broadcast(BroadcastRow {
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

    pub(super) fn of_replay(replay: Replay) -> Self {
        Self::Broadcast(BroadcastRow {
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
        if let Self::Broadcast(row) = &mut self {
            row.parts = parts;
        }
        self
    }

    /// The row as the reply of `get_live_info`: the description is part of the user info, there is no `forbid_status`,
    /// and a short video has an empty group.
    pub(super) fn into_single(mut self) -> Self {
        match &mut self {
            Self::Broadcast(row) => {
                row.forbid_status = None;
                row.userinfo.desc = row.desc.take();
            }
            Self::Video(row) => row.groupid = Some(""),
        }
        self
    }
}
