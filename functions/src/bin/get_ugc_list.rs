//! `POST /get_ugc_list`: see [`app::commands::GetUgcList`].

use app::{answer::Entrypoint, commands::GetUgcList};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetUgcList>())
}
