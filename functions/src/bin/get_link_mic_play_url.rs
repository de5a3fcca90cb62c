//! `POST /get_link_mic_play_url`: see [`app::commands::GetLinkMicPlayUrl`].

use app::{answer::Entrypoint, commands::GetLinkMicPlayUrl};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetLinkMicPlayUrl>())
}
