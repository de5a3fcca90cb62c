//! `POST /quit_group`: see [`app::commands::quit_group`].

use app::{answer::Entrypoint, commands::quit_group::QuitGroup};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<QuitGroup>())
}
