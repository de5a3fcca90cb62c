//! `POST /login`: see [`app::commands::login`].

use app::{answer::Entrypoint, commands::login::Login};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<Login>())
}
