//! `POST /get_cos_sign`: see [`app::commands::GetCosSign`].

use app::{answer::Door, commands::GetCosSign};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetCosSign>())
}
