//! `POST /upload_room`: see [`app::commands::UploadRoom`].

use app::{answer::Door, commands::UploadRoom};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<UploadRoom>())
}
