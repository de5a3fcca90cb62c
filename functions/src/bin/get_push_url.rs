//! `POST /get_push_url`: see [`shared::commands::GetPushUrl`].

use shared::{answer::Door, commands::GetPushUrl, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetPushUrl>()).await
}
