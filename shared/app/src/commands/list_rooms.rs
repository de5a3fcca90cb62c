//! `list_rooms`: the live rooms, also those that moderation hides; or the room of one user, live or not.

use super::prelude::*;
use super::rows::operator_page;
use protocol::sign::push_url::Domains;
use store::{Room, Status};

pub struct ListRooms {
    user: Option<UserId>,
    page: Page,
}

#[derive(Serialize)]
pub struct Reply {
    totalcount: u64,
    list: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    userid: String,
    nickname: String,
    headpic: String,
    title: String,
    groupid: String,
    streamid: String,
    /// The start request of the current or last broadcast.
    started_at: u64,
    /// `live`, `hidden` (live, and in no list of the apps) or `offline`.
    state: &'static str,
    /// 1 if the user is banned, else 0.
    banned: u8,
    viewercount: u64,
    likecount: u64,
    playurl: String,
    hls_play_url: String,
    frontcover: String,
    /// The latest picture of the stream.
    picture: String,
}

impl Command for ListRooms {
    const NAMES: Names = Names::rest("list_rooms");
    type Caller = Operator;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        Ok(Self { user: params.optional("userid")?, page: operator_page(params)? })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Reply, Error> {
        let domains = &app.config.live.domains;
        if let Some(user) = self.user {
            let room = app.table.room(&user).await?.ok_or(Error::NotFound("room"))?;
            return Ok(Reply { totalcount: 1, list: vec![Row::of(room, domains)] });
        }
        let rooms = app.table.live_rooms(self.page).await?;
        let list = rooms.rows.into_iter().map(|room| Row::of(room, domains)).collect();
        Ok(Reply { totalcount: rooms.total, list })
    }
}

impl Row {
    fn of(room: Room, domains: &Domains) -> Self {
        Self {
            state: state(&room),
            userid: room.user.to_string(),
            nickname: room.profile.nickname.as_str().to_owned(),
            headpic: room.profile.headpic.as_str().to_owned(),
            title: room.title.as_str().to_owned(),
            picture: room.picture().to_owned(),
            groupid: room.group,
            started_at: room.opened_at.0,
            banned: u8::from(room.banned),
            viewercount: room.viewers,
            likecount: room.likes,
            playurl: domains.flv_url(room.stream.as_str()),
            hls_play_url: domains.hls_url(room.stream.as_str()),
            streamid: room.stream.to_string(),
            frontcover: room.profile.frontcover.as_str().to_owned(),
        }
    }
}

/// The state of a room, for operators.
pub(super) fn state(room: &Room) -> &'static str {
    match room.status {
        Status::Online if room.hidden => "hidden",
        Status::Online => "live",
        Status::Offline => "offline",
    }
}
