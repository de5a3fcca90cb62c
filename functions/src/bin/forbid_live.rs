//! `POST /forbid_live`: see [`app::commands::ForbidLive`].

use app::{answer::Door, commands::ForbidLive};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<ForbidLive>())
}
