//! `POST /get_link_mic_push_url`: see [`app::commands::GetLinkMicPushUrl`].

use app::{answer::Entrypoint, commands::GetLinkMicPushUrl};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetLinkMicPushUrl>())
}
