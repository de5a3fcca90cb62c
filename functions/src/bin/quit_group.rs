//! `POST /quit_group`: see [`shared::commands::QuitGroup`].

use shared::{answer::Door, commands::QuitGroup, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<QuitGroup>()).await
}
