//! `POST /delete_replay`: see [`shared::commands::DeleteReplay`].

use shared::{answer::Door, commands::DeleteReplay, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<DeleteReplay>()).await
}
