//! `POST /login`: see [`app::commands::Login`].

use app::{answer::Door, commands::Login};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<Login>())
}
