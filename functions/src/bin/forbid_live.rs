//! `POST /forbid_live`: see [`app::commands::forbid_live`].

use app::{answer::Entrypoint, commands::forbid_live::ForbidLive};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ForbidLive>())
}
