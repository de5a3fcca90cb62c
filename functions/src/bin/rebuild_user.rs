//! `POST /rebuild_user`: see [`app::commands::RebuildUser`].

use app::{answer::Entrypoint, commands::RebuildUser};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<RebuildUser>())
}
