//! `change_count`: adds or subtracts a like or a viewer of a live or a replay.

use super::prelude::*;
use super::rows::host;

pub struct ChangeCount {
    host: UserId,
    counter: Counter,
    by: i64,
    target: Target,
}

enum Counter {
    Viewers,
    Likes,
}

/// What the counter belongs to.
enum Target {
    Live,
    /// A replay; `None` if the file id is invalid: then nothing is counted.
    Replay(Option<FileId>),
}

impl Command for ChangeCount {
    const NAMES: Names = Names::both("change_count", "ChangeCount");
    type Caller = AnyUser;
    type Reply = Done;

    fn parse(params: &Params) -> Result<Self, Error> {
        let host = host(params)?;
        let (counter, operation) = (params.required::<i64>("type")?, params.required::<i64>("optype")?);
        let (flag, file) = (params.required::<i64>("flag")?, params.optional::<String>("fileid")?);
        let counter = zero_or_one(counter, [Counter::Viewers, Counter::Likes], "type is 0 (viewers) or 1 (likes)")?;
        let by = zero_or_one(operation, [1, -1], "optype is 0 (add) or 1 (subtract)")?;
        let target = match (flag, file) {
            (0, _) => Target::Live,
            (1, Some(file)) => Target::Replay(FileId::parse(&file)),
            (1, None) => return Err(Error::InvalidArgument("flag 1 (replay) needs a fileid")),
            _ => return Err(Error::InvalidArgument("flag is 0 (live) or 1 (replay)")),
        };
        Ok(Self { host, counter, by, target })
    }

    async fn run(self, _: AnyUser, app: &App) -> Result<Done, Error> {
        let Self { host, counter, by, target } = self;
        match (target, counter) {
            (Target::Live, Counter::Viewers) => app.table.count_room_viewers(&host, by).await?,
            (Target::Live, Counter::Likes) => app.table.count_room_likes(&host, by).await?,
            (Target::Replay(Some(file)), Counter::Viewers) => app.table.count_replay_viewers(&host, &file, by).await?,
            (Target::Replay(Some(file)), Counter::Likes) => app.table.count_replay_likes(&host, &file, by).await?,
            (Target::Replay(None), Counter::Viewers | Counter::Likes) => {}
        }
        Ok(Done::YES)
    }
}
