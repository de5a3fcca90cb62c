//! `POST /enter_group`: see [`shared::commands::EnterGroup`].

use shared::{answer::Door, commands::EnterGroup, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<EnterGroup>()).await
}
