//! `POST /enter_group`: see [`app::commands::EnterGroup`].

use app::{answer::Door, commands::EnterGroup};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<EnterGroup>())
}
