//! `POST /get_push_url`: see [`app::commands::GetPushUrl`].

use app::{answer::Door, commands::GetPushUrl};

fn main() -> Result<(), lambda::Error> {
    lambda::serve(Door::of::<GetPushUrl>())
}
