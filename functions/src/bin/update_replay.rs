//! `POST /update_replay`: see [`app::commands::UpdateReplay`].

use app::{answer::Entrypoint, commands::UpdateReplay};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<UpdateReplay>())
}
