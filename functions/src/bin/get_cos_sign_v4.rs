//! `POST /get_cos_sign_v4`: see [`app::commands::get_cos_sign_v4`].

use app::{answer::Entrypoint, commands::get_cos_sign_v4::GetCosSignV4};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetCosSignV4>())
}
