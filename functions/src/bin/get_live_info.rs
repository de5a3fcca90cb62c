//! `POST /get_live_info`: see [`app::commands::get_live_info`].

use app::{answer::Entrypoint, commands::get_live_info::GetLiveInfo};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetLiveInfo>())
}
