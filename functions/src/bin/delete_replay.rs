//! `POST /delete_replay`: see [`app::commands::DeleteReplay`].

use app::{answer::Entrypoint, commands::DeleteReplay};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<DeleteReplay>())
}
