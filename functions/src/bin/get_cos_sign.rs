//! `POST /get_cos_sign`: see [`shared::commands::GetCosSign`].

use shared::{answer::Door, commands::GetCosSign, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetCosSign>()).await
}
