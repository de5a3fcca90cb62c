//! `POST /upload_room`: see [`app::commands::upload_room`].

use app::{answer::Entrypoint, commands::upload_room::UploadRoom};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<UploadRoom>())
}
