//! `merge_video_stream`: asks the cloud to mix the streams of a joint broadcast into one picture, or to stop mixing.

use super::prelude::*;
use crate::cloud;

pub struct MergeVideoStream {
    /// The request to the cloud, a JSON text that is passed on unchanged.
    params: String,
}

#[derive(Serialize)]
pub struct Reply {
    /// A JSON text that the app parses.
    msg: String,
}

impl Command for MergeVideoStream {
    const NAMES: Names = Names::both("merge_video_stream", "MergeVideoStream");
    type Caller = User;
    type Reply = Reply;

    fn parse(params: &Params) -> Result<Self, Error> {
        params.required::<UserId>("userid")?;
        Ok(Self { params: params.raw_object("mergeparams")? })
    }

    async fn run(self, caller: User, app: &App) -> Result<Reply, Error> {
        refuse_banned(app, caller.id()).await?;
        match app.cloud.mix_streams(self.params, app.now()).await {
            // Without mixing the viewers see the host only, so success would mislead the host.
            Err(cloud::Error::SwitchedOff(_)) => Err(Error::SwitchedOff("API_URL is none, so no streams are mixed")),
            outcome => Ok(Reply { msg: outcome? }),
        }
    }
}
