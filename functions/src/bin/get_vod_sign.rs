//! `POST /get_vod_sign`: see [`app::commands::get_vod_sign`].

use app::{answer::Entrypoint, commands::get_vod_sign::GetVodSign};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetVodSign>())
}
