//! `POST /upload_user_info`: see [`shared::commands::UploadUserInfo`].

use shared::{answer::Door, commands::UploadUserInfo, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<UploadUserInfo>()).await
}
