//! `POST /get_cos_grant`: see [`shared::commands::GetCosGrant`].

use shared::{answer::Door, commands::GetCosGrant, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetCosGrant>()).await
}
