//! `POST /change_count`: see [`app::commands::ChangeCount`].

use app::{answer::Door, commands::ChangeCount};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<ChangeCount>())
}
