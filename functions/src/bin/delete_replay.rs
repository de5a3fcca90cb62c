//! `POST /delete_replay`: see [`app::commands::DeleteReplay`].

use app::{answer::Door, commands::DeleteReplay};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<DeleteReplay>())
}
