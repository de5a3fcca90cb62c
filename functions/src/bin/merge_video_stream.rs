//! `POST /merge_video_stream`: see [`shared::commands::MergeVideoStream`].

use shared::{answer::Door, commands::MergeVideoStream, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<MergeVideoStream>()).await
}
