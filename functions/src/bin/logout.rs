//! `POST /logout`: see [`shared::commands::Logout`].

use shared::{answer::Door, commands::Logout, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<Logout>()).await
}
