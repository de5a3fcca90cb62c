//! `POST /get_push_url`: see [`app::commands::get_push_url`].

use app::{answer::Entrypoint, commands::get_push_url::GetPushUrl};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetPushUrl>())
}
