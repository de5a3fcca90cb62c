//! `fetch_list`: a page of lives, replays or short videos, newest first.

use super::prelude::*;
use super::rows::ListRow;
use store::{ListPage, Room};

pub struct FetchList {
    flag: u64,
    page: Page,
}

#[derive(Serialize)]
pub struct Reply {
    totalcount: u64,
    pusherlist: Vec<ListRow>,
}

impl Command for FetchList {
    const NAMES: Names = Names::both("fetch_list", "FetchList");
    type Caller = AnyUser;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        let flag = params.required("flag")?;
        let (number, size) = (params.required("pageno")?, params.required("pagesize")?);
        Ok(Self { flag, page: Page::new(number, size) })
    }

    async fn run(self, _: AnyUser, app: &App) -> Result<Reply, Error> {
        let page = self.page;
        match self.flag {
            1 => Ok(rooms(app, app.table.online_rooms(page).await?)),
            2 => replays(app, page).await,
            3 => lives_then_replays(app, page).await,
            4 => Ok(rooms(app, app.table.all_rooms(page).await?)),
            5 => {
                let window = app.config.rules.replay_window_seconds;
                let videos = app.table.recent_videos(app.now(), window, page).await?;
                Ok(Reply { totalcount: videos.total, pusherlist: videos.rows.iter().map(ListRow::of_video).collect() })
            }
            // The original lists nothing for an unknown flag: interface/FetchList.php.
            _ => Ok(Reply { totalcount: 0, pusherlist: vec![] }),
        }
    }
}

fn rooms(app: &App, rooms: ListPage<Room>) -> Reply {
    let row = |room| ListRow::of_room(room, &app.config.live.domains);
    Reply { totalcount: rooms.total, pusherlist: rooms.rows.into_iter().map(row).collect() }
}

async fn replays(app: &App, page: Page) -> Result<Reply, Error> {
    let replays = app.table.recent_replays(app.now(), app.config.rules.replay_window_seconds, page).await?;
    Ok(Reply { totalcount: replays.total, pusherlist: replays.rows.into_iter().map(ListRow::of_replay).collect() })
}

/// The lives, followed by the replays, also within one page.
async fn lives_then_replays(app: &App, page: Page) -> Result<Reply, Error> {
    let mut reply = rooms(app, app.table.online_rooms(page).await?);
    // The page is computed from the total counts: a damaged row is left out of its page, and no other row replaces it.
    let taken = reply.totalcount.saturating_sub(page.offset).min(page.size);
    let rest = Page { offset: page.offset.saturating_sub(reply.totalcount), size: page.size.saturating_sub(taken) };
    let replays = replays(app, rest).await?;
    reply.totalcount += replays.totalcount;
    reply.pusherlist.extend(replays.pusherlist);
    Ok(reply)
}
