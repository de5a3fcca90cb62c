//! The trait of a command, the list of all commands, and the execution of a call.

#![expect(missing_docs, reason = "the first line of each command's file describes the command")]

pub mod change_count;
pub mod change_status;
pub mod delete_replay;
pub mod enter_group;
pub mod fetch_group_member_list;
pub mod fetch_list;
pub mod forbid_live;
pub mod get_cos_grant;
pub mod get_cos_sign;
pub mod get_cos_sign_v4;
pub mod get_link_mic_play_url;
pub mod get_link_mic_push_url;
pub mod get_live_info;
pub mod get_push_url;
pub mod get_roomservice_sign;
pub mod get_ugc_list;
pub mod get_user_info;
pub mod get_vod_list;
pub mod get_vod_sign;
pub mod list_bans;
pub mod list_notices;
pub mod list_replays;
pub mod list_reports;
pub mod list_rooms;
pub mod list_verdicts;
pub mod live_callback;
pub mod login;
pub mod logout;
pub mod merge_video_stream;
mod notice_event;
mod notices;
pub mod quit_group;
pub mod rebuild_user;
pub mod refresh;
pub mod register;
pub mod replay_notices;
pub mod report_user;
mod rows;
pub mod show_notice;
mod tokens;
pub mod update_replay;
pub mod upload_room;
pub mod upload_ugc;
pub mod upload_user_info;

use futures_util::future::BoxFuture;

use self::prelude::*;
use crate::auth::{Caller, TimestampRule};
use protocol::wire::{Call, Reply};
use store::Profile;

/// The names that most commands use.
mod prelude {
    pub(super) use protocol::{
        error::Error,
        types::{AccountName, FileId, GroupId, Link, Page, StreamId, Text, UnixSeconds, UserId},
        wire::{NonEmpty, Params},
    };
    pub(super) use serde::Serialize;

    pub(super) use super::{Command, Done, EmptyReply, Names, profile, refuse_banned, zero_or_one};
    pub(super) use crate::{
        App,
        auth::{AnyUser, Operator, User},
    };
}

/// A command with its parsed parameters.
pub trait Command: Sized + Send + 'static {
    /// The names of the command.
    const NAMES: Names;
    /// The type of caller that the command requires.
    type Caller: Caller;
    /// The reply.
    type Reply: Serialize;
    /// Whether a call that is signed in Gen 2 must have a timestamp.
    const TIMESTAMP: TimestampRule = TimestampRule::Required;

    /// Parses the parameters.
    fn parse(params: &Params) -> Result<Self, Error>;

    /// Runs the command.
    fn run(self, caller: Self::Caller, app: &App) -> impl Future<Output = Result<Self::Reply, Error>> + Send;
}

/// The names of a command.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// The name in the log, of the source file and of the binary.
    pub name: &'static str,
    /// The path, if the command has one of its own.
    pub path: Option<&'static str>,
    /// The `Action` in Gen 1, if the command has one.
    pub action: Option<&'static str>,
}

impl Names {
    const fn both(name: &'static str, action: &'static str) -> Self {
        Self { name, path: Some(name), action: Some(action) }
    }

    const fn rest(name: &'static str) -> Self {
        Self { name, path: Some(name), action: None }
    }

    const fn action(name: &'static str, action: &'static str) -> Self {
        Self { name, path: None, action: Some(action) }
    }
}

/// An entry of the list of commands.
#[derive(Clone, Copy, Debug)]
pub struct CommandEntry {
    /// The names of the command.
    pub names: Names,
    /// Executes a call of the command.
    pub execute: for<'a> fn(&'a App, &'a Call) -> BoxFuture<'a, Result<Reply, Error>>,
}

impl CommandEntry {
    /// The entry of a command.
    pub fn of<C: Command>() -> Self {
        Self { names: C::NAMES, execute: |app, call| Box::pin(execute::<C>(app, call)) }
    }
}

/// Every command of apps and operators, in the order of `docs/protocol.md`.
pub fn all() -> [CommandEntry; 41] {
    [
        CommandEntry::of::<register::Register>(),
        CommandEntry::of::<login::Login>(),
        CommandEntry::of::<refresh::Refresh>(),
        CommandEntry::of::<logout::Logout>(),
        CommandEntry::of::<get_user_info::GetUserInfo>(),
        CommandEntry::of::<upload_user_info::UploadUserInfo>(),
        CommandEntry::of::<upload_room::UploadRoom>(),
        CommandEntry::of::<get_vod_list::GetVodList>(),
        CommandEntry::of::<update_replay::UpdateReplay>(),
        CommandEntry::of::<delete_replay::DeleteReplay>(),
        CommandEntry::of::<get_ugc_list::GetUgcList>(),
        CommandEntry::of::<get_roomservice_sign::GetRoomserviceSign>(),
        CommandEntry::of::<get_push_url::GetPushUrl>(),
        CommandEntry::of::<change_status::ChangeStatus>(),
        CommandEntry::of::<change_status::StopLive>(),
        CommandEntry::of::<change_count::ChangeCount>(),
        CommandEntry::of::<fetch_list::FetchList>(),
        CommandEntry::of::<get_live_info::GetLiveInfo>(),
        CommandEntry::of::<enter_group::EnterGroup>(),
        CommandEntry::of::<quit_group::QuitGroup>(),
        CommandEntry::of::<fetch_group_member_list::FetchGroupMemberList>(),
        CommandEntry::of::<get_cos_sign::GetCosSign>(),
        CommandEntry::of::<get_cos_sign_v4::GetCosSignV4>(),
        CommandEntry::of::<get_cos_grant::GetCosGrant>(),
        CommandEntry::of::<get_vod_sign::GetVodSign>(),
        CommandEntry::of::<get_vod_sign::GetVodSignV1>(),
        CommandEntry::of::<upload_ugc::UploadUgc>(),
        CommandEntry::of::<get_link_mic_push_url::GetLinkMicPushUrl>(),
        CommandEntry::of::<get_link_mic_play_url::GetLinkMicPlayUrl>(),
        CommandEntry::of::<merge_video_stream::MergeVideoStream>(),
        CommandEntry::of::<report_user::ReportUser>(),
        CommandEntry::of::<forbid_live::ForbidLive>(),
        CommandEntry::of::<list_rooms::ListRooms>(),
        CommandEntry::of::<list_replays::ListReplays>(),
        CommandEntry::of::<list_bans::ListBans>(),
        CommandEntry::of::<list_reports::ListReports>(),
        CommandEntry::of::<list_verdicts::ListVerdicts>(),
        CommandEntry::of::<list_notices::ListNotices>(),
        CommandEntry::of::<show_notice::ShowNotice>(),
        CommandEntry::of::<replay_notices::ReplayNotices>(),
        CommandEntry::of::<rebuild_user::RebuildUser>(),
    ]
}

/// Executes a call of the command `C`. The parameters are checked before the caller, as in the original, so a call with
/// both wrong gets the same code.
async fn execute<C: Command>(app: &App, call: &Call) -> Result<Reply, Error> {
    let command = C::parse(&call.params)?;
    let caller = C::Caller::identify(app, call, C::TIMESTAMP).await?;
    let reply = command.run(caller, app).await?;
    Ok(call.dialect.accept(&reply))
}

/// The reply of Gen-1 commands without data: `{"result":0}`.
#[derive(Serialize)]
pub struct Done {
    result: u8,
}

impl Done {
    const YES: Self = Self { result: 0 };
}

/// The reply of commands without data.
#[derive(Serialize)]
pub struct EmptyReply {}

/// Refuses a banned user.
async fn refuse_banned(app: &App, user: &UserId) -> Result<(), Error> {
    let room = app.table.room(user).await?;
    if room.is_some_and(|room| room.banned) { Err(Error::Banned) } else { Ok(()) }
}

/// The value that the number 0 or 1 stands for. `rule` is the error for any other number.
fn zero_or_one<N: From<bool> + PartialEq, T>(number: N, values: [T; 2], rule: &'static str) -> Result<T, Error> {
    let [zero, one] = values;
    match number {
        number if number == N::from(false) => Ok(zero),
        number if number == N::from(true) => Ok(one),
        _ => Err(Error::InvalidArgument(rule)),
    }
}

/// The profile in the field `userinfo`.
fn profile(params: &Params) -> Result<Profile, Error> {
    let info = params.object("userinfo");
    Ok(Profile {
        nickname: info.optional("nickname")?.unwrap_or_default(),
        headpic: info.optional::<Link<255>>("headpic")?.unwrap_or_default().into(),
        frontcover: info.optional::<Link<255>>("frontcover")?.unwrap_or_default().into(),
        location: info.optional("location")?.unwrap_or_default(),
    })
}
