//! `POST /logout`: see [`app::commands::Logout`].

use app::{answer::Entrypoint, commands::Logout};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<Logout>())
}
