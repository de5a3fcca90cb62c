//! `POST /get_live_info`: see [`app::commands::GetLiveInfo`].

use app::{answer::Entrypoint, commands::GetLiveInfo};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetLiveInfo>())
}
