//! `POST /enter_group`: see [`app::commands::enter_group`].

use app::{answer::Entrypoint, commands::enter_group::EnterGroup};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<EnterGroup>())
}
