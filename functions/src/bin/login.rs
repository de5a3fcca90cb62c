//! `POST /login`: see [`shared::commands::Login`].

use shared::{answer::Door, commands::Login, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<Login>()).await
}
