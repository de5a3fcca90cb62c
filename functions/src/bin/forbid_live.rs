//! `POST /forbid_live`: see [`app::commands::ForbidLive`].

use app::{answer::Entrypoint, commands::ForbidLive};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ForbidLive>())
}
