//! `POST /replay_notices`: see [`shared::commands::ReplayNotices`].

use shared::{answer::Door, commands::ReplayNotices, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<ReplayNotices>()).await
}
