//! `POST /merge_video_stream`: see [`app::commands::MergeVideoStream`].

use app::{answer::Door, commands::MergeVideoStream};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<MergeVideoStream>())
}
