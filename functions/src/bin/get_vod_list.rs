//! `POST /get_vod_list`: see [`app::commands::GetVodList`].

use app::{answer::Door, commands::GetVodList};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetVodList>())
}
