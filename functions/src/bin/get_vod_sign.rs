//! `POST /get_vod_sign`: see [`app::commands::GetVodSign`].

use app::{answer::Entrypoint, commands::GetVodSign};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetVodSign>())
}
