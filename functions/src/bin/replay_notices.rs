//! `POST /replay_notices`: see [`app::commands::ReplayNotices`].

use app::{answer::Entrypoint, commands::ReplayNotices};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ReplayNotices>())
}
