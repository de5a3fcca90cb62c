//! `POST /upload_room`: see [`app::commands::UploadRoom`].

use app::{answer::Entrypoint, commands::UploadRoom};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<UploadRoom>())
}
