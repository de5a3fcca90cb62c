//! `POST /change_count`: see [`app::commands::ChangeCount`].

use app::{answer::Entrypoint, commands::ChangeCount};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ChangeCount>())
}
