//! `POST /refresh`: see [`app::commands::refresh`].

use app::{answer::Entrypoint, commands::refresh::Refresh};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<Refresh>())
}
