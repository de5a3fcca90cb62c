//! `list_verdicts`: the pictures that the cloud's moderation reported in the last 30 days, and what followed.

use std::collections::{BTreeSet, HashMap};

use super::notice_event::Event;
use super::notices::NoticeRow;
use super::prelude::*;
use super::rows::{UncountedRows, operator_page, room_state};
use store::{NoticeRecord, NoticeStatus, Room};

/// The event type of a verdict.
const EVENT: &str = "317";
/// The fields that may have the address of the picture. The versions of the notice differ.
const PICTURES: [&str; 3] = ["img", "pic_full_url", "screenshotUrl"];

pub struct ListVerdicts {
    page: Page,
}

#[derive(Serialize)]
pub struct Row {
    #[serde(flatten)]
    notice: NoticeRow,
    /// The advice of the cloud, as `Block`.
    suggestion: String,
    /// What the cloud sees in the picture.
    label: String,
    /// 1 if the picture is forbidden, so that `MODERATION` applied, else 0.
    forbidden: u8,
    /// When the picture was taken; missing if the notice does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_at: Option<u64>,
    /// The address of the picture; empty if the notice has none.
    picture: String,
    /// The state of the user's room now, as in `list_rooms`; empty without a user.
    state: &'static str,
    /// 1 if the user is banned now, else 0.
    banned: u8,
}

impl Command for ListVerdicts {
    const NAMES: Names = Names::rest("list_verdicts");
    type Caller = Operator;
    type Reply = UncountedRows<Row>;

    fn parse(params: &Params) -> Result<Self, Error> {
        Ok(Self { page: operator_page(params)? })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Self::Reply, Error> {
        let (records, has_more) = app.table.verdicts(app.now(), self.page).await?;
        let users: BTreeSet<&UserId> = records.iter().filter_map(user_of).collect();
        let rooms = app.table.rooms(&users).await?;
        let rooms: HashMap<&UserId, &Room> = rooms.iter().map(|room| (&room.user, room)).collect();
        let row = |record| Row::of(record, user_of(record).and_then(|user| rooms.get(user).copied()));
        Ok(UncountedRows::new(records.iter().map(row), has_more))
    }
}

fn user_of(record: &NoticeRecord) -> Option<&UserId> {
    match &record.status {
        NoticeStatus::Applied(user) => Some(user),
        NoticeStatus::Open | NoticeStatus::Parked | NoticeStatus::Dropped(_) => None,
    }
}

impl Row {
    fn of(record: &NoticeRecord, room: Option<&Room>) -> Self {
        let params = Params::of_notice(&record.notice.body).ok();
        let field = |name| params.as_ref().and_then(|params| params.optional::<Text<255>>(name).ok().flatten());
        let words = |name| field(name).map(|text| text.as_str().to_owned()).unwrap_or_default();
        let link = |name| params.as_ref().and_then(|params| params.optional::<Link<1024>>(name).ok().flatten());
        let picture = PICTURES.iter().find_map(|name| link(name)).map(|link| link.as_str().to_owned());
        let (is_forbidden, at) = match params.as_ref().map(|params| Event::parse(params, EVENT)) {
            Some(Ok(Event::Moderated { is_forbidden, at })) => (is_forbidden, at),
            Some(_) | None => (false, None),
        };
        Self {
            notice: NoticeRow::of(record, &record.status),
            suggestion: words("suggestion"),
            label: words("label"),
            forbidden: u8::from(is_forbidden),
            taken_at: at.map(|at| at.0),
            picture: picture.unwrap_or_default(),
            state: room.map(room_state).unwrap_or_default(),
            banned: u8::from(room.is_some_and(|room| room.banned)),
        }
    }
}
