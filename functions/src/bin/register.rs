//! `POST /register`: see [`app::commands::Register`].

use app::{answer::Entrypoint, commands::Register};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<Register>())
}
