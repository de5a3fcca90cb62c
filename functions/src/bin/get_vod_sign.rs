//! `POST /get_vod_sign`: see [`shared::commands::GetVodSign`].

use shared::{answer::Door, commands::GetVodSign, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetVodSign>()).await
}
