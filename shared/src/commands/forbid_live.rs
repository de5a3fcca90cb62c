//! `forbid_live`: an operator bans a broadcaster, or lifts the ban.

use super::{Command, Done, Names};
use crate::{app::App, auth::Operator, cloud::Channel, error::Error, table::Ban, types::UserId, wire::Params};

/// See the module.
#[derive(Debug)]
pub struct ForbidLive {
    user: UserId,
    channel: Channel,
}

impl Command for ForbidLive {
    const NAMES: Names = Names::both("forbid_live", "ForbidLive");
    type Caller = Operator;
    type Reply = Done;

    fn parse(params: &Params) -> Result<Self, Error> {
        let user = params.required("userid")?;
        let channel = match params.required::<u64>("forbidflag")? {
            0 => Channel::Enabled,
            1 => Channel::Disabled,
            _ => return Err(Error::Meaningless("forbidflag is 0 (allow) or 1 (forbid)")),
        };
        Ok(Self { user, channel })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Done, Error> {
        // The ban holds here even if the cloud cannot be told; the operator hears of that and can repeat it.
        let banned = self.channel == Channel::Disabled;
        let ban = banned.then(|| Ban { at: app.now().0, ..Ban::default() });
        let room =
            app.table.ban(&self.user, ban, &app.config.rules, app.now()).await?.ok_or(Error::NotFound("room"))?;
        app.cloud.set_channel(&room.stream, self.channel, app.now()).await?;
        Ok(Done::YES)
    }
}
