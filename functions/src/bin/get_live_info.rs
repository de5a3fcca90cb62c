//! `POST /get_live_info`: see [`app::commands::GetLiveInfo`].

use app::{answer::Door, commands::GetLiveInfo};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetLiveInfo>())
}
