//! `POST /change_count`: see [`shared::commands::ChangeCount`].

use shared::{answer::Door, commands::ChangeCount, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<ChangeCount>()).await
}
