//! `POST /quit_group`: see [`app::commands::QuitGroup`].

use app::{answer::Door, commands::QuitGroup};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<QuitGroup>())
}
