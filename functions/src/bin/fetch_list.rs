//! `POST /fetch_list`: see [`app::commands::FetchList`].

use app::{answer::Door, commands::FetchList};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<FetchList>())
}
