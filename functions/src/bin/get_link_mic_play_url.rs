//! `POST /get_link_mic_play_url`: see [`app::commands::get_link_mic_play_url`].

use app::{answer::Entrypoint, commands::get_link_mic_play_url::GetLinkMicPlayUrl};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetLinkMicPlayUrl>())
}
