//! `POST /show_notice`: see [`shared::commands::ShowNotice`].

use shared::{answer::Door, commands::ShowNotice, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<ShowNotice>()).await
}
