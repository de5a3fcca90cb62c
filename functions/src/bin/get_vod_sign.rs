//! `POST /get_vod_sign`: see [`app::commands::GetVodSign`].

use app::{answer::Door, commands::GetVodSign};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetVodSign>())
}
