//! `POST /update_replay`: see [`app::commands::update_replay`].

use app::{answer::Entrypoint, commands::update_replay::UpdateReplay};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<UpdateReplay>())
}
