//! `POST /forbid_live`: see [`shared::commands::ForbidLive`].

use shared::{answer::Door, commands::ForbidLive, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<ForbidLive>()).await
}
