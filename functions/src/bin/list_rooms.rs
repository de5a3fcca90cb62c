//! `POST /list_rooms`: see [`app::commands::list_rooms`].

use app::{answer::Entrypoint, commands::list_rooms::ListRooms};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<ListRooms>())
}
