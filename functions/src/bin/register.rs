//! `POST /register`: see [`app::commands::register`].

use app::{answer::Entrypoint, commands::register::Register};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<Register>())
}
