//! `POST /refresh`: see [`app::commands::Refresh`].

use app::{answer::Door, commands::Refresh};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<Refresh>())
}
