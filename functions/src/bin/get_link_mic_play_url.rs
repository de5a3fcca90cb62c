//! `POST /get_link_mic_play_url`: see [`shared::commands::GetLinkMicPlayUrl`].

use shared::{answer::Door, commands::GetLinkMicPlayUrl, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetLinkMicPlayUrl>()).await
}
