//! `POST /get_cos_sign`: see [`app::commands::GetCosSign`].

use app::{answer::Entrypoint, commands::GetCosSign};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetCosSign>())
}
