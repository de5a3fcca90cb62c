//! `POST /delete_replay`: see [`app::commands::delete_replay`].

use app::{answer::Entrypoint, commands::delete_replay::DeleteReplay};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<DeleteReplay>())
}
