//! `POST /rebuild_user`: see [`app::commands::rebuild_user`].

use app::{answer::Entrypoint, commands::rebuild_user::RebuildUser};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<RebuildUser>())
}
