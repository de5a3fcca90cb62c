//! `POST /get_cos_sign_v4`: see [`shared::commands::GetCosSignV4`].

use shared::{answer::Door, commands::GetCosSignV4, lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetCosSignV4>()).await
}
