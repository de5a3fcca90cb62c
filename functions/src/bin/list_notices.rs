//! `POST /list_notices`: see [`app::commands::ListNotices`].

use app::{answer::Door, commands::ListNotices};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<ListNotices>())
}
