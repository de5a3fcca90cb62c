//! `POST /upload_ugc`: see [`app::commands::UploadUgc`].

use app::{answer::Door, commands::UploadUgc};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<UploadUgc>())
}
