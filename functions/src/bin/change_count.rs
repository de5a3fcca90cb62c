//! `POST /change_count`: see [`app::commands::change_count`].

use app::{answer::Entrypoint, commands::change_count::ChangeCount};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ChangeCount>())
}
