//! `POST /logout`: see [`app::commands::Logout`].

use app::{answer::Door, commands::Logout};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<Logout>())
}
