//! `POST /get_ugc_list`: see [`app::commands::get_ugc_list`].

use app::{answer::Entrypoint, commands::get_ugc_list::GetUgcList};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetUgcList>())
}
