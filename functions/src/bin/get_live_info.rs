//! `POST /get_live_info`: see [`shared::commands::GetLiveInfo`].

use shared::{answer::Door, commands::GetLiveInfo, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetLiveInfo>()).await
}
