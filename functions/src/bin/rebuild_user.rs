//! `POST /rebuild_user`: see [`shared::commands::RebuildUser`].

use shared::{answer::Door, commands::RebuildUser, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<RebuildUser>()).await
}
