//! `forbid_live`: an operator bans a broadcaster, or lifts the ban.

use super::prelude::*;
use crate::ban;
use store::Ban;

pub struct ForbidLive {
    user: UserId,
    verdict: Verdict,
}

enum Verdict {
    Allowed,
    Banned { until: Option<UnixSeconds>, reason: Text<255>, actor: Text<128>, hides_replays: bool },
}

impl Command for ForbidLive {
    const NAMES: Names = Names::both("forbid_live", "ForbidLive");
    type Caller = Operator;
    type Reply = Done;

    fn parse(params: &Params) -> Result<Self, Error> {
        let user = params.required("userid")?;
        let hide_replays = || params.optional::<u64>("hide_replays").map(Option::unwrap_or_default);
        let verdict = match params.required::<u64>("forbidflag")? {
            0 => Verdict::Allowed,
            1 => Verdict::Banned {
                until: params.optional("until")?,
                reason: params.optional("reason")?.unwrap_or_default(),
                actor: params.optional("actor")?.unwrap_or_default(),
                hides_replays: zero_or_one(hide_replays()?, [false, true], "hide_replays is 0 or 1")?,
            },
            _ => return Err(Error::InvalidArgument("forbidflag is 0 (allow) or 1 (forbid)")),
        };
        Ok(Self { user, verdict })
    }

    async fn run(self, _: Operator, app: &App) -> Result<Done, Error> {
        let now = app.now();
        let ban = match self.verdict {
            Verdict::Allowed => None,
            Verdict::Banned { until: Some(until), .. } if until <= now => {
                return Err(Error::InvalidArgument("until is past"));
            }
            Verdict::Banned { until, reason, actor, hides_replays } => Some(Ban {
                at: now.0,
                until: until.map(|until| until.0),
                reason: reason.as_str().to_owned(),
                actor: actor.as_str().to_owned(),
                hides_replays,
                renew_at: 0,
            }),
        };
        ban::set_ban(app, &self.user, ban).await?;
        Ok(Done::YES)
    }
}
