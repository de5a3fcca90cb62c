//! `POST /get_push_url`: see [`app::commands::GetPushUrl`].

use app::{answer::Entrypoint, commands::GetPushUrl};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Entrypoint::of::<GetPushUrl>())
}
