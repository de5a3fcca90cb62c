//! `POST /list_notices`: see [`shared::commands::ListNotices`].

use shared::{answer::Door, commands::ListNotices, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<ListNotices>()).await
}
