//! `list_rooms`: the live rooms, also those that moderation hides; or the room of one user, live or not.

use super::prelude::*;
use super::rows::{CountedRows, operator_page, room_state};
use protocol::sign::push_url::Domains;
use store::Room;

pub struct ListRooms {
    user: Option<UserId>,
    page: Page,
}

#[derive(Serialize)]
pub struct Row {
    userid: String,
    nickname: String,
    headpic: String,
    title: String,
    groupid: String,
    streamid: String,
    /// The start request of the current or last broadcast.
    started_at: u64,
    /// As [`room_state`] says.
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
    type Reply = CountedRows<Row>;

    fn parse(params: &Params) -> Result<Self, Error> {
        Ok(Self { user: params.optional("userid")?, page: operator_page(params)? })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Self::Reply, Error> {
        let domains = &app.config.live.domains;
        if let Some(user) = self.user {
            let room = app.table.room(&user).await?.ok_or(Error::NotFound("room"))?;
            return Ok(CountedRows::new(1, [Row::of(room, domains)]));
        }
        let rooms = app.table.live_rooms(self.page).await?;
        Ok(CountedRows::new(rooms.total, rooms.rows.into_iter().map(|room| Row::of(room, domains))))
    }
}

impl Row {
    fn of(room: Room, domains: &Domains) -> Self {
        Self {
            state: room_state(&room),
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
