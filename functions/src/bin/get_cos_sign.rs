//! `POST /get_cos_sign`: see [`app::commands::get_cos_sign`].

use app::{answer::Entrypoint, commands::get_cos_sign::GetCosSign};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetCosSign>())
}
