//! `POST /list_bans`: see [`app::commands::list_bans`].

use app::{answer::Entrypoint, commands::list_bans::ListBans};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ListBans>())
}
