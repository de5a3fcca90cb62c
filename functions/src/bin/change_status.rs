//! `POST /change_status`: see [`app::commands::change_status`].

use app::{answer::Entrypoint, commands::change_status::ChangeStatus};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ChangeStatus>())
}
