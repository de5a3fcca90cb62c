//! `POST /quit_group`: see [`app::commands::QuitGroup`].

use app::{answer::Entrypoint, commands::QuitGroup};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<QuitGroup>())
}
