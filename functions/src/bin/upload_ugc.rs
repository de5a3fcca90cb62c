//! `POST /upload_ugc`: see [`app::commands::UploadUgc`].

use app::{answer::Entrypoint, commands::UploadUgc};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<UploadUgc>())
}
