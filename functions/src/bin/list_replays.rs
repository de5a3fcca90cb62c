//! `POST /list_replays`: see [`app::commands::list_replays`].

use app::{answer::Entrypoint, commands::list_replays::ListReplays};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ListReplays>())
}
