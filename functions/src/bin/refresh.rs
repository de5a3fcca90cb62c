//! `POST /refresh`: see [`app::commands::Refresh`].

use app::{answer::Entrypoint, commands::Refresh};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<Refresh>())
}
