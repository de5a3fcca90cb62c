//! `POST /replay_notices`: see [`app::commands::replay_notices`].

use app::{answer::Entrypoint, commands::replay_notices::ReplayNotices};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ReplayNotices>())
}
