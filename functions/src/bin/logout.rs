//! `POST /logout`: see [`app::commands::logout`].

use app::{answer::Entrypoint, commands::logout::Logout};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<Logout>())
}
