//! `POST /get_ugc_list`: see [`app::commands::GetUgcList`].

use app::{answer::Door, commands::GetUgcList};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetUgcList>())
}
