//! `POST /list_notices`: see [`app::commands::list_notices`].

use app::{answer::Entrypoint, commands::list_notices::ListNotices};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ListNotices>())
}
