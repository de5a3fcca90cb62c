//! `POST /upload_room`: see [`shared::commands::UploadRoom`].

use shared::{answer::Door, commands::UploadRoom, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<UploadRoom>()).await
}
