//! `POST /get_vod_list`: see [`app::commands::GetVodList`].

use app::{answer::Entrypoint, commands::GetVodList};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetVodList>())
}
