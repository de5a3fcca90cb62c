//! `POST /get_ugc_list`: see [`shared::commands::GetUgcList`].

use shared::{answer::Door, commands::GetUgcList, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetUgcList>()).await
}
