//! `POST /get_link_mic_push_url`: see [`app::commands::get_link_mic_push_url`].

use app::{answer::Entrypoint, commands::get_link_mic_push_url::GetLinkMicPushUrl};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetLinkMicPushUrl>())
}
