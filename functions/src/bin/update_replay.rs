//! `POST /update_replay`: see [`shared::commands::UpdateReplay`].

use shared::{answer::Door, commands::UpdateReplay, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<UpdateReplay>()).await
}
