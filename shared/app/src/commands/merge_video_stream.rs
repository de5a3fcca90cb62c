//! `merge_video_stream`: asks the cloud to mix the streams of a joint broadcast into one picture, or to stop mixing.

use super::live_callback::{StreamOwner, owner_of};
use super::prelude::*;
use crate::cloud;
use serde::Deserialize;

pub struct MergeVideoStream {
    /// The request to the cloud, a JSON text that is passed on unchanged.
    params: String,
    /// The streams that the request changes: the one that viewers see mixed, and the one that names the mix.
    changed: [String; 2],
}

/// The part of the request to the cloud that says which streams change. A name that comes twice is an error, since the
/// cloud might read the other one.
#[derive(Deserialize)]
struct Mix {
    interface: Interface,
}

#[derive(Deserialize)]
struct Interface {
    para: Para,
}

#[derive(Deserialize)]
struct Para {
    output_stream_id: String,
    mix_stream_session_id: String,
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
        let params = params.raw_object("mergeparams")?;
        let Para { output_stream_id, mix_stream_session_id } = serde_json::from_str::<Mix>(&params)
            .map_err(|_| Error::InvalidParam {
                name: "mergeparams",
                reason: "needs interface.para.output_stream_id and mix_stream_session_id, once each",
            })?
            .interface
            .para;
        Ok(Self { params, changed: [output_stream_id, mix_stream_session_id] })
    }

    async fn run(self, caller: User, app: &App) -> Result<Reply, Error> {
        let room = app.table.room(caller.id()).await?;
        if room.as_ref().is_some_and(|room| room.banned) {
            return Err(Error::Banned);
        }
        let stream = room.as_ref().map(|room| room.stream.as_str());
        for changed in &self.changed {
            require_own(app, caller.id(), stream, changed).await?;
        }
        match app.cloud.mix_streams(self.params, app.now()).await {
            // Without mixing the viewers see the host only, so success would mislead the host.
            Err(cloud::Error::SwitchedOff(_)) => Err(Error::SwitchedOff("API_URL is none, so no streams are mixed")),
            outcome => Ok(Reply { msg: outcome? }),
        }
    }
}

/// Refuses a stream that is not the caller's: the cloud would mix into it whatever the caller names. `room_stream` is
/// that of the caller's room.
async fn require_own(app: &App, caller: &UserId, room_stream: Option<&str>, stream: &str) -> Result<(), Error> {
    // Apps send the names of streams in lower case.
    if room_stream.is_some_and(|own| own.eq_ignore_ascii_case(stream)) {
        return Ok(());
    }
    // The stream may be one of the room service.
    let owner = match StreamId::parse(stream) {
        Some(stream) => owner_of(app, &stream).await?,
        None => StreamOwner::Unknown,
    };
    match owner {
        StreamOwner::User(user, _) if user == *caller => Ok(()),
        StreamOwner::User(..) | StreamOwner::Guest | StreamOwner::Unknown => {
            Err(Error::NotAllowed("the mix would change a stream that is not the caller's"))
        }
    }
}
