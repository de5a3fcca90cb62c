//! `POST /login`: see [`app::commands::Login`].

use app::{answer::Entrypoint, commands::Login};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<Login>())
}
