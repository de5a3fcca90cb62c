//! `POST /get_cos_grant`: see [`app::commands::GetCosGrant`].

use app::{answer::Door, commands::GetCosGrant};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetCosGrant>())
}
