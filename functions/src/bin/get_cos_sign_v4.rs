//! `POST /get_cos_sign_v4`: see [`app::commands::GetCosSignV4`].

use app::{answer::Entrypoint, commands::GetCosSignV4};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetCosSignV4>())
}
