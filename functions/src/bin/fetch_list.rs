//! `POST /fetch_list`: see [`shared::commands::FetchList`].

use shared::{answer::Door, commands::FetchList, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<FetchList>()).await
}
