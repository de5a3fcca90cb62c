//! `POST /get_cos_sign_v4`: see [`app::commands::GetCosSignV4`].

use app::{answer::Door, commands::GetCosSignV4};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetCosSignV4>())
}
