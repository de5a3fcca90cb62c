//! `POST /merge_video_stream`: see [`app::commands::MergeVideoStream`].

use app::{answer::Entrypoint, commands::MergeVideoStream};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<MergeVideoStream>())
}
