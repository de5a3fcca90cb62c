//! `POST /get_link_mic_push_url`: see [`shared::commands::GetLinkMicPushUrl`].

use shared::{answer::Door, commands::GetLinkMicPushUrl, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetLinkMicPushUrl>()).await
}
