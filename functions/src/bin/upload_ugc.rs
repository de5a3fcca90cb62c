//! `POST /upload_ugc`: see [`app::commands::upload_ugc`].

use app::{answer::Entrypoint, commands::upload_ugc::UploadUgc};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<UploadUgc>())
}
