//! `POST /get_vod_list`: see [`app::commands::get_vod_list`].

use app::{answer::Entrypoint, commands::get_vod_list::GetVodList};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetVodList>())
}
