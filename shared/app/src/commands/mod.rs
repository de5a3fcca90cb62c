//! The trait of a command, the list of all commands, and the execution of a call.

mod change_count;
mod change_status;
mod delete_replay;
mod enter_group;
mod fetch_group_member_list;
mod fetch_list;
mod forbid_live;
mod get_cos_grant;
mod get_cos_sign;
mod get_cos_sign_v4;
mod get_link_mic_play_url;
mod get_link_mic_push_url;
mod get_live_info;
mod get_push_url;
mod get_roomservice_sign;
mod get_ugc_list;
mod get_user_info;
mod get_vod_list;
mod get_vod_sign;
mod list_notices;
mod live_callback;
mod login;
mod logout;
mod merge_video_stream;
mod notice_event;
mod notices;
mod quit_group;
mod rebuild_user;
mod refresh;
mod register;
mod replay_notices;
mod report_user;
mod rows;
mod show_notice;
mod tokens;
mod update_replay;
mod upload_room;
mod upload_ugc;
mod upload_user_info;

use std::pin::Pin;

use serde::Serialize;

pub use self::{
    change_count::ChangeCount,
    change_status::{ChangeStatus, StopLive},
    delete_replay::DeleteReplay,
    enter_group::EnterGroup,
    fetch_group_member_list::FetchGroupMemberList,
    fetch_list::FetchList,
    forbid_live::ForbidLive,
    get_cos_grant::GetCosGrant,
    get_cos_sign::GetCosSign,
    get_cos_sign_v4::GetCosSignV4,
    get_link_mic_play_url::GetLinkMicPlayUrl,
    get_link_mic_push_url::GetLinkMicPushUrl,
    get_live_info::GetLiveInfo,
    get_push_url::GetPushUrl,
    get_roomservice_sign::GetRoomserviceSign,
    get_ugc_list::GetUgcList,
    get_user_info::GetUserInfo,
    get_vod_list::GetVodList,
    get_vod_sign::{GetVodSign, GetVodSignV1},
    list_notices::ListNotices,
    live_callback::{LiveCallback, apply as apply_notice},
    login::Login,
    logout::Logout,
    merge_video_stream::MergeVideoStream,
    quit_group::QuitGroup,
    rebuild_user::RebuildUser,
    refresh::Refresh,
    register::Register,
    replay_notices::ReplayNotices,
    report_user::ReportUser,
    show_notice::ShowNotice,
    update_replay::UpdateReplay,
    upload_room::UploadRoom,
    upload_ugc::UploadUgc,
    upload_user_info::UploadUserInfo,
};
use crate::{
    App,
    auth::{Caller, TimestampRule},
};
use protocol::{
    error::Error,
    types::{Link, UserId},
    wire::{Call, Params, Reply},
};
use store::Profile;

/// A command with its parsed parameters.
pub trait Command: Sized + Send + 'static {
    /// The names of the command.
    const NAMES: Names;
    /// The type of caller that the command requires.
    type Caller: Caller;
    /// Whether a call that a session signs must have a timestamp.
    const TIMESTAMP: TimestampRule = TimestampRule::Required;
    /// The reply.
    type Reply: Serialize;

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

type Execution<'a> = Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send + 'a>>;

/// An entry of the list of commands.
#[derive(Clone, Copy, Debug)]
pub struct CommandEntry {
    /// The names of the command.
    pub names: Names,
    /// Executes a call of the command.
    pub execute: for<'a> fn(&'a App, &'a Call) -> Execution<'a>,
}

impl CommandEntry {
    /// The entry of a command.
    pub fn of<C: Command>() -> Self {
        Self { names: C::NAMES, execute: |app, call| Box::pin(execute::<C>(app, call)) }
    }
}

/// Every command of apps and operators, in the order of `docs/protocol.md`.
pub fn all() -> [CommandEntry; 36] {
    [
        CommandEntry::of::<Register>(),
        CommandEntry::of::<Login>(),
        CommandEntry::of::<Refresh>(),
        CommandEntry::of::<Logout>(),
        CommandEntry::of::<GetUserInfo>(),
        CommandEntry::of::<UploadUserInfo>(),
        CommandEntry::of::<UploadRoom>(),
        CommandEntry::of::<GetVodList>(),
        CommandEntry::of::<UpdateReplay>(),
        CommandEntry::of::<DeleteReplay>(),
        CommandEntry::of::<GetUgcList>(),
        CommandEntry::of::<GetRoomserviceSign>(),
        CommandEntry::of::<GetPushUrl>(),
        CommandEntry::of::<ChangeStatus>(),
        CommandEntry::of::<StopLive>(),
        CommandEntry::of::<ChangeCount>(),
        CommandEntry::of::<FetchList>(),
        CommandEntry::of::<GetLiveInfo>(),
        CommandEntry::of::<EnterGroup>(),
        CommandEntry::of::<QuitGroup>(),
        CommandEntry::of::<FetchGroupMemberList>(),
        CommandEntry::of::<GetCosSign>(),
        CommandEntry::of::<GetCosSignV4>(),
        CommandEntry::of::<GetCosGrant>(),
        CommandEntry::of::<GetVodSign>(),
        CommandEntry::of::<GetVodSignV1>(),
        CommandEntry::of::<UploadUgc>(),
        CommandEntry::of::<GetLinkMicPushUrl>(),
        CommandEntry::of::<GetLinkMicPlayUrl>(),
        CommandEntry::of::<MergeVideoStream>(),
        CommandEntry::of::<ReportUser>(),
        CommandEntry::of::<ForbidLive>(),
        CommandEntry::of::<ListNotices>(),
        CommandEntry::of::<ShowNotice>(),
        CommandEntry::of::<ReplayNotices>(),
        CommandEntry::of::<RebuildUser>(),
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
#[derive(Debug, Serialize)]
pub struct Done {
    result: u8,
}

impl Done {
    const YES: Self = Self { result: 0 };
}

/// The reply of commands without data.
#[derive(Debug, Serialize)]
pub struct EmptyReply {}

/// Refuses a banned user.
async fn refuse_banned(app: &App, user: &UserId) -> Result<(), Error> {
    let room = app.table.room(user).await?;
    if room.is_some_and(|room| room.banned) { Err(Error::Banned) } else { Ok(()) }
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
