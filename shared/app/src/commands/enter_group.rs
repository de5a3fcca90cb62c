//! `enter_group`: a viewer joins the group of a live or a replay.

use super::prelude::*;
use store::Member;

pub struct EnterGroup {
    host: UserId,
    group: GroupId,
    nickname: Text<128>,
    headpic: Text<255>,
    target: WatchTarget,
}

/// What the group watches.
#[derive(Clone, Copy)]
pub(super) enum WatchTarget {
    Live,
    /// A replay: the file id is the group id.
    Replay,
}

impl WatchTarget {
    pub(super) fn parse(params: &Params) -> Result<Self, Error> {
        zero_or_one(params.required::<i64>("flag")?, [Self::Live, Self::Replay], "flag is 0 (live) or 1 (replay)")
    }
}

impl Command for EnterGroup {
    const NAMES: Names = Names::both("enter_group", "EnterGroup");
    type Caller = User;
    type Reply = Done;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<UserId>("userid")?;
        Ok(Self {
            host: params.required("liveuserid")?,
            group: params.required("groupid")?,
            nickname: params.optional("nickname")?.unwrap_or_default(),
            headpic: params.optional("headpic")?.unwrap_or_default(),
            target: WatchTarget::parse(params)?,
        })
    }

    async fn run(self, caller: User, app: &App) -> Result<Done, Error> {
        let Self { host, group, nickname, headpic, target } = self;
        let member = Member { user: caller.id().clone(), nickname, headpic };
        let (group, rules) = (app.table.group(&host, &group, app.now()), &app.config.rules);
        match target {
            WatchTarget::Live => group.enter_live(&member, rules).await?,
            WatchTarget::Replay => group.enter_replay(&member, rules).await?,
        }
        Ok(Done::YES)
    }
}
