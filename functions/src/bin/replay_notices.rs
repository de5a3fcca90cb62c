//! `POST /replay_notices`: see [`app::commands::ReplayNotices`].

use app::{answer::Door, commands::ReplayNotices};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<ReplayNotices>())
}
