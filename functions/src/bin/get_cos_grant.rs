//! `POST /get_cos_grant`: see [`app::commands::get_cos_grant`].

use app::{answer::Entrypoint, commands::get_cos_grant::GetCosGrant};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetCosGrant>())
}
