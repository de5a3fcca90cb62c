//! `POST /fetch_list`: see [`app::commands::fetch_list`].

use app::{answer::Entrypoint, commands::fetch_list::FetchList};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<FetchList>())
}
