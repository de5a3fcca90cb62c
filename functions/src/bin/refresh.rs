//! `POST /refresh`: see [`shared::commands::Refresh`].

use shared::{answer::Door, commands::Refresh, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<Refresh>()).await
}
