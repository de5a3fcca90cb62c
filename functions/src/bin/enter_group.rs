//! `POST /enter_group`: see [`app::commands::EnterGroup`].

use app::{answer::Entrypoint, commands::EnterGroup};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<EnterGroup>())
}
