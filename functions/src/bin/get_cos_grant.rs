//! `POST /get_cos_grant`: see [`app::commands::GetCosGrant`].

use app::{answer::Entrypoint, commands::GetCosGrant};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetCosGrant>())
}
