//! `POST /update_replay`: see [`app::commands::UpdateReplay`].

use app::{answer::Door, commands::UpdateReplay};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<UpdateReplay>())
}
