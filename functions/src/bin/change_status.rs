//! `POST /change_status`: see [`shared::commands::ChangeStatus`].

use shared::{answer::Door, commands::ChangeStatus, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<ChangeStatus>()).await
}
