//! `POST /change_status`: see [`app::commands::ChangeStatus`].

use app::{answer::Entrypoint, commands::ChangeStatus};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ChangeStatus>())
}
