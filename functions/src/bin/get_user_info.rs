//! `POST /get_user_info`: see [`shared::commands::GetUserInfo`].

use shared::{answer::Door, commands::GetUserInfo, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetUserInfo>()).await
}
