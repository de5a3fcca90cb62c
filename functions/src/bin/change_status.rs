//! `POST /change_status`: see [`app::commands::ChangeStatus`].

use app::{answer::Door, commands::ChangeStatus};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<ChangeStatus>())
}
