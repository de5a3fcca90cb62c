//! `POST /fetch_list`: see [`app::commands::FetchList`].

use app::{answer::Entrypoint, commands::FetchList};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<FetchList>())
}
