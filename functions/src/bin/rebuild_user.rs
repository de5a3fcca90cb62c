//! `POST /rebuild_user`: see [`app::commands::RebuildUser`].

use app::{answer::Door, commands::RebuildUser};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<RebuildUser>())
}
