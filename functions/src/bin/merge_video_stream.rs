//! `POST /merge_video_stream`: see [`app::commands::merge_video_stream`].

use app::{answer::Entrypoint, commands::merge_video_stream::MergeVideoStream};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<MergeVideoStream>())
}
