//! `POST /list_notices`: see [`app::commands::ListNotices`].

use app::{answer::Entrypoint, commands::ListNotices};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ListNotices>())
}
