//! `POST /get_vod_list`: see [`shared::commands::GetVodList`].

use shared::{answer::Door, commands::GetVodList, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetVodList>()).await
}
