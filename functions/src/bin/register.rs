//! `POST /register`: see [`app::commands::Register`].

use app::{answer::Door, commands::Register};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<Register>())
}
