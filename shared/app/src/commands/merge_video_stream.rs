//! `merge_video_stream`: has the cloud mix the streams of a joint broadcast into one picture, or stop it.

use serde::Serialize;

use super::{Command, Names, refuse_banned};
use crate::{App, auth::User, cloud};
use protocol::{error::Error, types::UserId, wire::Params};

/// See the module.
#[derive(Debug)]
pub struct MergeVideoStream {
    /// What the cloud is asked, a JSON text, handed on as it came.
    params: String,
}

/// What the cloud answered.
#[derive(Debug, Serialize)]
pub struct Reply {
    /// A JSON text, which the app parses.
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
            // The joint broadcast goes on, and its viewers see the host alone. To call that done would mislead the host.
            Err(cloud::Error::SwitchedOff(_)) => Err(Error::SwitchedOff("API_URL is none, so no streams are mixed")),
            outcome => Ok(Reply { msg: outcome? }),
        }
    }
}
