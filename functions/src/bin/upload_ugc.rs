//! `POST /upload_ugc`: see [`shared::commands::UploadUgc`].

use shared::{answer::Door, commands::UploadUgc, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<UploadUgc>()).await
}
